"""The summary of a task, for people: plain text, and nothing in it that a terminal would obey."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.event import Recorded
from projections import story as stories
from projections.story import Story, artifact_path
from projections.validity import issues
from schemas import names
from schemas.shown import shown

FILES_SHOWN = 50
CLAIM_SHOWN = 4000
PROVED = {"passed": "checked", "unchecked": "unchecked", "failed": "its checks failed"}
"""What is known of a success beside the agent's word."""


def summary(events: Sequence[Recorded]) -> str:
    """Title, outcome in its three parts, files, cost, what to do next. Raises NothingToWrite."""
    story = stories.read(events)
    spec = story.spec
    lines = [
        spec["title"] or story.task_id,
        "",
        f"Task:      {story.task_id} ({spec['task_type']}, priority {spec['priority']})",
        f"Status:    {_status(story)}",
        f"When:      {story.last.when}, {story.elapsed_ms / 1000:.1f} s",
        f"Directory: {story.claim['cwd'] if story.claim is not None else spec['cwd']}",
        *(f"Warning:   {warning}" for warning in spec["warnings"]),
        "",
        *_in_short(story),
        *_outcome(story),
        "",
        *_files(story),
        "",
        *_cost(story),
        "",
        *_next(story),
    ]
    return "".join(f"{shown(line.expandtabs(4)).rstrip()}\n" for line in lines)


def _status(story: Story) -> str:
    if story.end is None:
        return "at work: a turn is finished, the task is not"
    status = names.STATUS_OF_END[story.end.type]
    data = story.end.data
    match story.end.type:
        case names.TASK_FAILED:
            return f"{status} ({data['error_class']}, {data['reason']}): {data['sentence']}"
        case names.TASK_CANCELLED:
            return f"{status} by {data['by']}: {data['reason']}"
        case _:
            unproved = sum(line.startswith("unproved") for line in data["evidence"])
            return f"{status}, {PROVED[data['verified']]}" + (f", {unproved} unproved" if unproved else "")


def _in_short(story: Story) -> list[str]:
    """The agent's word in a few sentences, where the local model has put it shorter."""
    if story.summary is None or story.summary["by"] != "model":
        return []
    return ["In short (by the local model, from what the agent says)", f"  {story.summary['text']}", ""]


def _outcome(story: Story) -> list[str]:
    report = story.report
    end: Mapping[str, Any] = story.end.data if story.end is not None else {}
    claimed = end.get("claimed") or (report["result_text"] if report is not None else "")
    lines = ["Outcome", f"  ended:    {_ended(story, report)}"]
    if not claimed:
        lines.append("  claimed:  nothing")
    else:
        cut = " […]" if len(claimed) > CLAIM_SHOWN else ""
        first, *rest = (claimed[:CLAIM_SHOWN] + cut).splitlines() or [""]
        lines += [f"  claimed:  {first}", *(f"            {line}" for line in rest)]
    lines.append(f"  verified: {end.get('verified', 'unchecked')}")
    lines += [f"            - {evidence}" for evidence in end.get("evidence", ())]
    for check in stories.checks(story):
        said = check.tail.split("\n")
        if len(said) > 1:  # a single line stands in the evidence
            lines += [f"  `{check.command}` said last:", *(f"    {line}" for line in said)]
    return [*lines, *_validation(story)]


def _validation(story: Story) -> list[str]:
    """What decided, and what is told beside it and decided nothing."""
    decided, signals = (issues(story.validated, deciding=deciding) for deciding in (True, False))
    lines = [f"  failed by: {issue}" for issue in decided]
    return [*lines, *(f"  signal:   {issue}" for issue in signals)]


def _ended(story: Story, report: Mapping[str, Any] | None) -> str:
    if report is None:
        return "the agent's turn was interrupted" if story.started else "no agent was started"
    if report["ended"] == "exited":
        return f"the agent exited with code {report['exit_code']}"
    code = "" if report["exit_code"] is None else f" (exit code {report['exit_code']})"
    said = {"timeout": "the agent ran out of time", "inactivity": "the agent fell silent"}
    return f"{said.get(report['ended'], report['ended'].replace('_', ' '))}{code}" + (
        f": {report['note']}" if report["note"] else ""
    )


def _files(story: Story) -> list[str]:
    if not story.files:
        return ["No file was changed."]
    lines = [f"Files changed: {len(story.files)}"]
    for change in story.files[:FILES_SHOWN]:
        origin = f" (from {change['moved_from']})" if change["moved_from"] is not None else ""
        lines.append(f"  {change['change']:<9}{change['path']}{origin}")
    if len(story.files) > FILES_SHOWN:
        lines.append(f"  and {len(story.files) - FILES_SHOWN} more, all named in the artifact")
    return lines


def _cost(story: Story) -> list[str]:
    spent = stories.cost(story)
    attempts = "1 attempt" if story.attempts == 1 else f"{story.attempts} attempts"
    read, cached, written = spent["input_tokens"], spent["cache_read_tokens"], spent["output_tokens"]
    tokens = f"{read} tokens in, {written} out, {cached} from the cache"
    lines = [f"Cost: {spent['usd']:.4f} USD in {attempts}; {tokens}"]
    if len(spent["by_attempt"]) > 1:
        lines += [f"  attempt {one['attempt']}: {one['usd']:.4f} USD" for one in spent["by_attempt"]]
    return lines


def _next(story: Story) -> list[str]:
    suggested = list(story.end.data.get("suggested_actions", ())) if story.end is not None else []
    look = f"See everything: evt show {story.task_id}, and {artifact_path(story.task_id)}"
    return ["What to do next", *(f"  - {action}" for action in (*suggested, look))]
