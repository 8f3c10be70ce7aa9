"""A task's own stream, read once: what artifact and summary are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eventstore.event import Recorded
from schemas import names
from schemas.answering import together
from schemas.file_changes import NO_CHANGES, FileChanges, measured_from
from schemas.placed import placed

TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens")

TAIL_LINES: Final = 10
TAIL_LENGTH: Final = 2048


class NothingToWrite(ValueError):
    """The stream has no turn and no end yet, or is no task's."""


@dataclass(slots=True)
class Story:
    """`events` are those up to the last turn or end: a receipt for a file never changes the file.

    `spec` is what the task asks for as it holds since it was queued; `mediations` are the local model's
    answers, and what stood in for them; `summary` is the result told shorter, `answers` what that model told
    an agent in the person's place, by the number of turns before it. `validated` is what was
    measured of the last attempt, None until it was judged. `unbegun` says that somebody asked for the
    task again and no attempt was begun since: what an earlier one left behind is no part of its end.
    """

    task_id: str
    events: tuple[Recorded, ...]
    received: Mapping[str, Any]
    spec: Mapping[str, Any]
    claim: Mapping[str, Any] | None = None
    turns: list[Recorded] = field(default_factory=list)
    starts: list[Recorded] = field(default_factory=list)
    end: Recorded | None = None
    attempts: int = 0
    unbegun: bool = False
    snapshots: dict[int, str] = field(default_factory=dict)
    changes: FileChanges = NO_CHANGES
    files: tuple[Mapping[str, Any], ...] = ()
    only_checks: int = 0
    redactions: dict[str, int] = field(default_factory=dict)
    mediations: list[Mapping[str, Any]] = field(default_factory=list)
    summary: Mapping[str, Any] | None = None
    answers: dict[int, str] = field(default_factory=dict)
    answering: set[int] = field(default_factory=set)
    checks: dict[tuple[int, int], Mapping[str, Any]] = field(default_factory=dict)
    validated: Mapping[str, Any] | None = None

    @property
    def last(self) -> Recorded:
        """The turn or end that the files answer for."""
        return self.end or self.turns[-1]

    @property
    def report(self) -> Mapping[str, Any] | None:
        """What the last attempt's last turn left behind; None where that attempt finished none."""
        if not self.turns or self.unbegun:
            return None
        # An attempt may have run nothing but the checks of the one before it.
        if self.turns[-1].data["attempt"] < self.attempts != self.only_checks:
            return None
        report: Mapping[str, Any] = self.turns[-1].data["report"]
        # A turn that only followed a question undoes nothing of the answer before it.
        if len(self.turns) > 1 and self.turns[-1].data["turn_index"] in self.answering:
            return together(self.turns[-2].data["report"], report)
        return report

    @property
    def started(self) -> bool:
        """The last attempt got as far as starting its agent."""
        if not self.starts or self.unbegun:
            return False
        return int(self.starts[-1].data["attempt"]) == self.attempts

    @property
    def elapsed_ms(self) -> int:
        """From the claim of the last attempt to the end; of a turn that is not the end, its own time."""
        if self.end is not None:
            return int(self.end.data["elapsed_ms"])
        return int(self.turns[-1].data["report"]["elapsed_ms"])


def considered(events: Sequence[Recorded]) -> tuple[Recorded, ...]:
    """The events up to the last turn or end. Raises NothingToWrite."""
    for index in reversed(range(len(events))):
        if events[index].type == names.TURN_FINISHED or events[index].type in names.ENDS:
            return tuple(events[: index + 1])
    raise NothingToWrite("no turn and no end stands in the log yet")


def read(events: Sequence[Recorded]) -> Story:
    """Read the events of one task's stream, in order. Raises NothingToWrite."""
    kept = considered(events)
    # Not always the first: what was redacted from it may be told before.
    received = next((event.data for event in kept if event.type == names.TASK_RECEIVED), None)
    if received is None:
        raise NothingToWrite(f"stream {kept[0].stream} holds no task that was received")
    story = Story(received["task_id"], kept, received, received["spec"])
    for event in kept:
        _take(story, event)
    story.files = story.changes.current
    return story


def _take(story: Story, event: Recorded) -> None:
    data = event.data
    match event.type:
        case names.TASK_QUEUED | names.RETRY_REQUESTED:
            story.spec = placed(story.spec, data)
            story.unbegun = event.type == names.RETRY_REQUESTED
        case names.MEDIATION_FINISHED:
            story.mediations.append(data)
            if data["purpose"] == "answer" and data["text"]:
                story.answers[len(story.turns)] = data["text"]
        case names.SUMMARIZED:
            story.summary = data
        case names.TASK_CLAIMED:
            story.claim = data
            story.attempts = data["attempt"]
            story.unbegun = False
            story.end = story.validated = None
        case names.STEP_FINISHED if (measured := measured_from(data)) is not None:
            if data["blob"] is not None:
                story.snapshots[data["attempt"]] = data["blob"]
            story.changes = story.changes.measured_from(measured)
        case names.FILES_MODIFIED:
            story.changes = story.changes.found(data["files"])
        case names.STEP_STARTED if data["phase"] == "checks" and not story.started:
            story.only_checks = data["attempt"]
        case names.CHECK_FINISHED:
            story.checks[data["attempt"], data["result"]["index"]] = data["result"]
        case names.VALIDATED:
            story.validated = data
        case names.TURN_STARTED:
            story.starts.append(event)
            if data.get("answering"):
                story.answering.add(data["turn_index"])
        case names.TURN_FINISHED:
            story.turns.append(event)
        case names.SECRET_REDACTED:
            for pattern, count in data["patterns"].items():
                story.redactions[pattern] = story.redactions.get(pattern, 0) + count
        case names.TASK_SUCCEEDED | names.TASK_FAILED | names.TASK_CANCELLED:
            story.end = event
            if story.unbegun:
                story.validated = story.summary = None
        case _:
            pass  # tells nothing that the files repeat


@dataclass(frozen=True, slots=True)
class CheckTold:
    """How a check of the last attempt went; `tail` are its last lines, of one that failed."""

    command: str
    passed: bool
    exit_code: int | None
    tail: str


def checks(story: Story) -> list[CheckTold]:
    """Those of the last attempt, in the order of the task file."""
    if story.unbegun:
        return []
    last = sorted(
        (number, result) for (attempt, number), result in story.checks.items() if attempt == story.attempts
    )
    return [
        CheckTold(
            result["command"],
            result["passed"],
            result["exit_code"],
            "" if result["passed"] else last_lines(result["output"]["tail"]),
        )
        for _, result in last
    ]


def last_lines(said: str) -> str:
    """The last lines of an output that say something, so many as somebody reads."""
    lines = [line.rstrip() for line in said.splitlines()]
    return "\n".join([line for line in lines if line][-TAIL_LINES:])[-TAIL_LENGTH:]


def cost(story: Story) -> dict[str, Any]:
    """What all turns together took; the agent's own estimate in US dollars."""
    by_attempt: dict[int, dict[str, Any]] = {}
    for turn in story.turns:
        data = turn.data
        row = by_attempt.setdefault(data["attempt"], {"usd": 0.0, **dict.fromkeys(TOKENS, 0)})
        row["usd"] = round(row["usd"] + data["spent"]["usd"], 9)
        for name in TOKENS:
            row[name] += data["spent"][name]
    return {
        "usd": round(sum(row["usd"] for row in by_attempt.values()), 9),
        **{name: sum(row[name] for row in by_attempt.values()) for name in TOKENS},
        "by_attempt": [{"attempt": attempt, **row} for attempt, row in sorted(by_attempt.items())],
    }


def artifact_path(task_id: str) -> str:
    """Relative to the home, `/`-separated."""
    return f"results/{task_id}.json"


def summary_path(task_id: str) -> str:
    """Relative to the home, `/`-separated."""
    return f"summaries/{task_id}_summary.txt"
