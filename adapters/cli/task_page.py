"""The page of one task, for people: the outcome in its three parts first, every event last."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.cli.moments import ago, day, minute, span
from adapters.cli.output import Output
from adapters.cli.words.attempt import attempts_in_words, checks_in_words
from adapters.cli.words.events import event_line
from adapters.cli.words.mediation import alternatives_in_words, decided_in_words, mediated_in_words
from adapters.cli.words.task import Around, name_of, spent, to_go_on, waits
from eventstore.event import Recorded
from projections import story as stories
from projections.projection import Row
from projections.story import NothingToWrite, Story
from projections.validity import issues, latest, measures
from schemas import names
from schemas.shown import shown

EVENTS_SHOWN: Final = 100
LABEL: Final = 12


@dataclass(frozen=True)
class Page:
    """Where it is written, below which home, and when (µs since 1970)."""

    output: Output
    root: Path
    now: int

    def part(self, label: str, lines: Iterable[object], style: str = "") -> None:
        """A label with lines beside it; nothing without lines. Every line is made safe to show."""
        for number, line in enumerate(lines):
            head = "" if number else label
            self.output.line(
                f"{self.output.paint(head.ljust(LABEL), 'dim')}{self.output.paint(shown(str(line)), style)}"
            )


def task_page(
    page: Page, key: str, row: Row, events: Sequence[Recorded], written: Row | None, around: Around
) -> None:
    _title(page, key, row)
    _where(page, row)
    why = waits(row, around)
    page.part("decided", decided_in_words(events))
    page.part("or else", alternatives_in_words(events), "yellow")
    page.part("mediator", mediated_in_words(events))
    page.part("now", [why] if why else [], "yellow")
    page.part("what to do", [f"- {action}" for action in to_go_on(row, around.others)])
    page.part("paused", _paused(row, events), "yellow")
    page.part("attempts", attempts_in_words(events))
    page.part("checks", checks_in_words(events, row["attempt"]))
    try:
        story = stories.read(events)
    except NothingToWrite:
        page.part("outcome", ["none yet: no turn of an agent has ended"])
    else:
        before = story.end is not None and row["status"] not in names.ENDED
        page.part("outcome", ["none yet since the retry; before it:"] if before else [])
        _outcome(page, story, events, over=not before)
        _left_behind(page, story)
    if written is not None:
        page.part("artifact", [_there(page.root / written["path"])])
        page.part("summary", [_there(page.root / written["summary_path"])])
    received = next((event.data for event in events if event.type == names.TASK_RECEIVED), None)
    if received is not None:
        page.part("warnings", received["spec"]["warnings"], "yellow")
    _timeline(page, key, events)


def _there(path: Path) -> str:
    """A backup has the log and no such files."""
    missing = " (not there: `evt project artifacts --write` writes it again)"
    return f"{path}{'' if path.exists() else missing}"


def refused_page(page: Page, key: str, row: Row, events: Sequence[Recorded]) -> None:
    _title(page, key, row)
    page.part("refused", [f"{row['sentence']} ({row['reason']})"], "red")
    page.part("what to do", [row["remedy"]])
    page.part("when", [f"{minute(row['received_at'])}, {ago(row['received_at'], page.now)}"])
    page.part("file", [event.data["path"] for event in events[1:] if event.data["path"]])
    _timeline(page, key, events)


def _title(page: Page, key: str, row: Row) -> None:
    name = page.output.paint(shown(name_of(key, row)), "bold")
    title = shown(str(row["title"] or ""))
    page.output.line(f"{name}  {page.output.status(row['status'])}  {title}".rstrip())
    page.output.line()


def _paused(row: Row, events: Sequence[Recorded]) -> list[str]:
    """By whom and why, while it is."""
    asked = [event for event in events if event.type == names.TASK_PAUSED] if row["paused"] else []
    return [f"by {event.actor}, {minute(event.time)}: {event.data['reason']}" for event in asked[-1:]]


def _where(page: Page, row: Row) -> None:
    page.part("task", [f"{row['task_type']} by {row['agent']}, priority {row['priority']}"])
    page.part("directory", [row["cwd"]])
    origin = row["file_name"] or {"cli": "the command line"}.get(row["origin"], row["origin"])
    page.part(
        "received", [f"{minute(row['received_at'])}, {ago(row['received_at'], page.now)}, from {origin}"]
    )
    if row["claimed_at"] is not None:
        until = row["ended_at"] if row["ended_at"] is not None else page.now
        took = span(until - row["claimed_at"])
        attempt = f"attempt {row['attempt']}" + (f" by {row['worker']}" if row["worker"] else "")
        page.part("begun", [f"{minute(row['claimed_at'])}, {attempt}, {took}"])
    if row["ended_at"] is not None:
        page.part("over", [f"{minute(row['ended_at'])}, {ago(row['ended_at'], page.now)}"])


def _outcome(page: Page, story: Story, events: Sequence[Recorded], *, over: bool) -> None:
    """How it ended; what to do about it only while it is `over`, not where it is to be done again."""
    end = story.end.data if story.end is not None else {}
    report = story.report
    page.part("ended", [_process(story)])
    claimed = end.get("claimed") or (report["result_text"] if report is not None else "")
    page.part("claimed", claimed.splitlines() or ["nothing"])
    # Before its end nothing is judged; the checks that were run are among the events.
    verified = end.get("verified", "not yet" if story.end is None else "unchecked")
    page.part("verified", [verified, *(f"- {found}" for found in end.get("evidence", ()))])
    measured = latest(events)
    page.part("measured", filter(None, [measures(measured)]))
    page.part("failed by", issues(measured, deciding=True), "red")
    page.part("signals", issues(measured, deciding=False), "yellow")
    if story.end is None:
        return
    if story.end.type == names.TASK_FAILED:
        page.part("error", [f"{end['error_class']}, {end['reason']}", end["sentence"]], "red")
    if story.end.type == names.TASK_CANCELLED:
        page.part("cancelled", [f"by {end['by']}: {end['reason']}"], "yellow")
    page.part("what to do", [f"- {action}" for action in end.get("suggested_actions", ()) if over])


def _process(story: Story) -> str:
    """How the agent's process went, in words."""
    report = story.report
    if report is None:
        return "its agent's turn was interrupted" if story.started else "no agent was started"
    code = "" if report["exit_code"] is None else f" with code {report['exit_code']}"
    note = f": {report['note']}" if report["note"] else ""
    said = {
        "exited": "the agent exited",
        "timeout": "the agent ran out of time",
        "inactivity": "the agent fell silent",
    }
    return f"{said.get(report['ended'], report['ended'].replace('_', ' '))}{code}{note}"


def _left_behind(page: Page, story: Story) -> None:
    files = [
        f"{change['change']} {change['path']}"
        + (f" (from {change['moved_from']})" if change["moved_from"] else "")
        for change in story.files
    ]
    page.part("files", files or ["none was changed"], "magenta" if files else "")
    page.part("cost", [spent(stories.cost(story))])
    page.part(
        "redacted", [f"{count} × {pattern}" for pattern, count in sorted(story.redactions.items())], "yellow"
    )


def _timeline(page: Page, key: str, events: Sequence[Recorded]) -> None:
    page.output.line()
    if len(events) > EVENTS_SHOWN:
        earlier = len(events) - EVENTS_SHOWN
        page.output.line(f"{earlier} earlier events: `evt tail --task {shown(key)} --since @1`")
    last = ""
    for event in events[-EVENTS_SHOWN:]:
        if day(event.time) != last:
            last = day(event.time)
            page.output.line(page.output.paint(f"{last} (UTC)", "dim"))
        page.output.line(event_line(page.output, event, stream=False))
