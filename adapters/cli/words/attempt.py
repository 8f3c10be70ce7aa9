"""The attempts at a task in a line each: who, at what cost, in which session, and how each was over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.cli.moments import span
from adapters.cli.words.holding import check_words
from eventstore.event import Recorded
from projections.story import last_lines
from schemas import names


@dataclass
class _Attempt:
    """What is known of one so far; `over` is how it ended, or empty."""

    number: int
    worker: str
    session: str = ""
    usd: float = 0.0
    over: str = ""

    def words(self) -> str:
        said = [f"{self.number} by {self.worker}: {self.usd:.4f} USD", self.session, self.over]
        return ", ".join(filter(None, said))


def attempts_in_words(events: Sequence[Recorded]) -> list[str]:
    """One line an attempt, in their order."""
    made: dict[int, _Attempt] = {}
    for event in events:
        data = event.data
        if event.type == names.TASK_CLAIMED:
            made[data["attempt"]] = _Attempt(data["attempt"], data["worker"])
        attempt = made.get(data.get("attempt", 0))
        if attempt is not None:
            _note(attempt, event.type, data)
    return [attempt.words() for attempt in made.values()]


def checks_in_words(events: Sequence[Recorded], attempt: int) -> list[str]:
    """How each check of that attempt went, also while it goes on; of a failed one its last lines."""
    told: list[str] = []
    for event in events:
        if event.type == names.CHECK_FINISHED and event.data["attempt"] == attempt:
            result = event.data["result"]
            said = "" if result["passed"] else last_lines(result["output"]["tail"])
            told += [check_words(result), *(f"  {line}" for line in said.splitlines())]
    return told


def _note(attempt: _Attempt, event_type: str, data: Mapping[str, Any]) -> None:
    if attempt.over:
        return  # a task that is cancelled while it waits names the attempt before
    match event_type:
        case names.TURN_STARTED:
            attempt.session = f"session {data['session_id']}{' resumed' if data['resumed'] else ''}"
        case names.TURN_FINISHED:
            attempt.usd += data["spent"]["usd"]
        case names.TASK_INTERRUPTED:
            attempt.over = f"interrupted: {data['reason']}"
        case names.RETRY_SCHEDULED:
            wait = span(round(data["delay_s"] * 1e6))
            attempt.over = f"tried again after {wait} ({data['error_class']}, {data['reason']})"
        case names.QUOTA_WAIT_STARTED:
            attempt.over = "waited for its quota"
        case _ if event_type in names.ENDS:
            attempt.over = names.STATUS_OF_END[event_type]
