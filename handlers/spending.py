"""What a turn cost by itself: never counted twice, whichever way its CLI counts after a resume.

Claude Code 2.1.197 reports a process, 2.1.330 the whole session so far (both were run).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.turn import Spent, TurnReport, Usage

LAST_PER_PROCESS: Final = (2, 1, 197)
"""The newest version that was seen to count each process from zero."""

_FIELDS: Final = ("usd", *Usage.model_fields)
_NUMBER = re.compile(r"\d+")
_TOKENS = tuple(Usage.model_fields)


def totals(report: TurnReport) -> Spent:
    """What the process itself says."""
    return Spent(usd=report.cost_usd, **report.usage.model_dump())


def own_share(report: TurnReport, before: Mapping[str, Any] | None) -> Spent:
    """The turn's part of what its process counts. `before`: the session's totals as last reported."""
    now = totals(report)
    if before is None or not _goes_on(report, now, before):
        return now
    usd = max(0.0, round(now.usd - float(before["usd"]), 9))
    return Spent(usd=usd, **{name: getattr(now, name) - int(before[name]) for name in _TOKENS})


def totals_after(report: Mapping[str, Any], before: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a session has cost so far, by a report as it stands in the log. `before`: by those before it.

    A later version may go on with the session: it would count what each process has told so far.
    """
    now = {"usd": report["cost_usd"], **report["usage"]}
    if before is None:
        return now
    if not any(now[name] for name in _FIELDS):
        return before  # the result of a crash or of a refusal may be zeroed: that lowers no total
    if not _per_process(report["agent_version"]):
        return now
    return {name: round(before[name] + now[name], 9) for name in _FIELDS}


def _per_process(version: str | None) -> bool:
    numbers = tuple(int(part) for part in _NUMBER.findall(version or "")[:3])
    return bool(numbers) and numbers <= LAST_PER_PROCESS


def _goes_on(report: TurnReport, now: Spent, before: Mapping[str, Any]) -> bool:
    """Whether the totals continue the earlier ones: then none of them can be smaller."""
    if _per_process(report.agent_version):
        return False
    grown = all(getattr(now, name) >= int(before[name]) for name in _TOKENS)
    return grown and now.usd >= float(before["usd"]) - 1e-9
