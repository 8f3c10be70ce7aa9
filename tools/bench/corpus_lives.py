"""The events of a busy home, as many as are wanted: whole lives of tasks, some of them at a time.

Most tasks succeed at once; some are tried again, wait for quota, are refused, fail, are cancelled
or lose their worker. At the end some are at work and more wait. The same numbers every time.
"""

import random
from collections import deque
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, NamedTuple

from eventstore.event import Event
from schemas import names
from schemas.attempt import (
    Conditions,
    FileChange,
    FilesModified,
    LeaseExtended,
    Phase,
    QuotaWaitStarted,
    RetryScheduled,
    StepFinished,
    StepStarted,
    TaskCancelled,
    TaskClaimed,
    TaskFailed,
    TaskInterrupted,
    TaskSucceeded,
)
from schemas.files import ArtifactWritten
from schemas.process import ProcessIdentity
from schemas.service import HomeCreated, OrchestratorStarted
from schemas.task import TaskArchived, TaskQueued, TaskReceived, TaskRefused, TaskSpec
from schemas.turn import AgentStarted, Captured, Spent, ToolUsed, TurnFinished, TurnReport, TurnStarted, Usage
from schemas.word import Fact

SEED: Final = 20_260_101
BEGINNING: Final = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in µs, the time of event 1."""
STEP: Final = 3_000_000
"""µs, twice the mean time between two events: 1,000,000 of them take some 17 days."""
SOURCE: Final = "urn:evt:0190aaaa-0000-7000-8000-000000000000"
WORKERS: Final = 4
BACKLOG: Final = 100
"""So many tasks wait for a worker."""
SHOP: Final = "/srv/shop"
TYPES: Final = (
    ("bug_fix", "bug_fix"),
    ("code_review", "code_review"),
    ("documentation", "documentation"),
    ("analyze", "analyze"),
)
TOOLS: Final = ("Read", "Grep", "Edit", "Bash", "Read", "Glob")
PROMPT: Final = (
    "The discount is taken off twice when a coupon and a sale meet in one basket. Find out where, "
    "take it off once, and say in a sentence which rule won before. Keep the public names as they are."
)
PROCESS: Final = ProcessIdentity(pid=4242, started=1_459_753, boot_id="96f606c4-4c13-4f87", host="shop-1")
CONDITIONS: Final = Conditions(
    executable="/usr/local/bin/claude",
    executable_found=True,
    max_turns=40,
    timeout_s=900.0,
    skip_permissions=False,
    workers=WORKERS,
    watcher_running=True,
    inactivity_s=300.0,
)


class Said(NamedTuple):
    """One thing that happens: in which stream, by whom, and what."""

    stream: str
    actor: str
    type: str
    data: dict[str, Any]


Life = Iterator[Said]


def events(count: int) -> Iterator[tuple[str, Event]]:
    """The first `count` events of the home, each with its stream, in the log's order."""
    chance = random.Random(SEED)  # noqa: S311 no secret hangs on it
    now = BEGINNING
    for number, said in enumerate(_home(chance, count), 1):
        event = Event(
            id=f"{number:08x}-0000-5000-8000-{number * 2_654_435_761 % 2**48:012x}",
            type=said.type,
            data=said.data,
            time=now,
            actor=said.actor,
            source=SOURCE,
            correlation_id=said.stream,
            causation_id=f"{number - 1:08x}-0000-7000-8000-00000000ca5e",
        )
        yield said.stream, event
        now += chance.randrange(1, STEP)


def _home(chance: random.Random, count: int) -> Iterator[Said]:
    """Tasks arrive, wait in a row and are worked at, a few at a time."""
    said = 2
    yield _said(names.SYSTEM, "cli:ada", HomeCreated(home_id=SOURCE.rpartition(":")[2], version="0.1.0"))
    started = OrchestratorStarted(version="0.1.0", process=PROCESS, workers=WORKERS, drain=False)
    yield _said(names.SYSTEM, "service", started)
    waiting: deque[Life] = deque()
    working: list[Life] = []
    born = 0
    while said < count:
        if len(waiting) < BACKLOG:
            life = _life(chance, born)
            born += 1
            arrival = [next(life) for _ in range(3)]
            waiting.append(life)
            if born % 100 == 0:
                arrival += _refusal(born)
            yield from arrival[: count - said]
            said += len(arrival)
            continue
        while len(working) < WORKERS:
            working.append(waiting.popleft())
        which = chance.randrange(len(working))
        following = next(working[which], None)
        if following is None:
            del working[which]
            continue
        yield following
        said += 1


def _life(chance: random.Random, number: int) -> Life:
    """A task from its arrival to its files; the first three events come before a worker has it."""
    subject = f"nightly-{number:06d}"
    stream = names.task_stream(subject)
    kind, agent = TYPES[number % len(TYPES)]
    yield _said(stream, "inbox", _received(subject, kind, agent, number))
    yield _said(stream, "policy:queueing", _queued(subject, kind))
    yield _said(stream, "service", _archived(subject, "queued"))
    worker = f"worker:w{number % WORKERS + 1}"
    fate = chance.random()
    if fate < 0.02:
        yield _said(
            stream, "cli:ada", _ended(TaskCancelled, 0, kind, agent, reason="not needed", by="cli:ada")
        )
        yield _said(stream, "service", _written(subject, number))
        yield _said(stream, "service", _archived(subject, "cancelled"))
        return
    attempt = 1
    if fate < 0.14:
        yield from _attempt(chance, stream, worker, number, attempt)
        yield _said(stream, worker, _again(fate, attempt))
        attempt += 1
    yield from _attempt(chance, stream, worker, number, attempt)
    if fate > 0.95:
        end: Fact = _ended(
            TaskFailed,
            attempt,
            kind,
            agent,
            chance.randrange(2000, 600_000),
            error_class=("timeout", "fatal")[number % 2],
            reason="no_result",
            sentence="the agent left no result.",
            suggested_actions=("Look at its standard error.", f"evt retry {subject}"),
        )
    else:
        end = _ended(
            TaskSucceeded,
            attempt,
            kind,
            agent,
            chance.randrange(2000, 600_000),
            claimed="The discount is taken off once now; the sale's rule won before.",
            verified="unchecked",
            evidence=("2 files modified", "unproved: The total is right"),
        )
    yield _said(stream, worker, end)
    yield _said(stream, "service", _written(subject, number))
    yield _said(stream, "service", _archived(subject, "failed" if fate > 0.95 else "succeeded"))


def _attempt(chance: random.Random, stream: str, worker: str, number: int, attempt: int) -> Life:
    """From the claim to the end of the turn."""
    lease_until = BEGINNING + number * STEP * 30 + attempt
    claimed = TaskClaimed(
        attempt=attempt,
        worker=worker.partition(":")[2],
        lease_until=lease_until,
        process=PROCESS,
        cwd=f"{SHOP}/{number % 7}",
        conditions=CONDITIONS,
    )
    session = f"01a203e0-{number:06d}-7da1-9562-{attempt}"
    started = TurnStarted(
        attempt=attempt,
        turn_index=0,
        session_id=session,
        executable=CONDITIONS.executable,
        prompt_sha256=_hash("prompt"),
        tools=tuple(sorted(set(TOOLS))),
    )
    facts: list[Fact] = [
        claimed,
        StepStarted(attempt=attempt, phase="snapshot"),
        _finished(attempt, "snapshot", _hash(f"state {number}")),
        StepStarted(attempt=attempt, phase="agent"),
        started,
        AgentStarted(attempt=attempt, turn_index=0, process=PROCESS),
    ]
    for step in range(chance.randrange(2, 11)):
        path = f"shop/{('cart', 'basket', 'coupon', 'sale')[(number + step) % 4]}.py"
        tool = TOOLS[(number + step) % len(TOOLS)]
        facts.append(ToolUsed(attempt=attempt, tool=tool, tool_use_id=f"toolu_{number}_{step}", detail=path))
        if step % 4 == 3:
            facts.append(LeaseExtended(attempt=attempt, lease_until=lease_until + step * STEP))
    changed = (
        FileChange(path="shop/cart.py", change="modified"),
        FileChange(path="tests/new.py", change="created"),
    )
    facts += [
        _turn(attempt, session, chance.randrange(2000, 600_000)),
        _finished(attempt, "agent"),
        StepStarted(attempt=attempt, phase="compare"),
        FilesModified(attempt=attempt, files=changed),
        _finished(attempt, "compare"),
    ]
    for fact in facts:
        yield _said(stream, worker, fact)


def _again(fate: float, attempt: int) -> Fact:
    """Why an attempt was not the last one."""
    if fate < 0.08:
        return RetryScheduled(
            attempt=attempt,
            executor=names.EXECUTOR,
            error_class="network",
            reason="unreachable",
            sentence="no answer from the model.",
            retry=1,
            delay_s=1.5,
            wake_at=BEGINNING,
            resume=True,
        )
    if fate < 0.12:
        return TaskInterrupted(attempt=attempt, reason="service_died")
    return QuotaWaitStarted(
        attempt=attempt,
        executor=names.EXECUTOR,
        resets_at=BEGINNING,
        wake_at=BEGINNING,
        sentence="the quota is used up.",
        resume=True,
    )


def _received(subject: str, kind: str, agent: str, number: int) -> Fact:
    spec = TaskSpec.model_validate(
        {
            "title": f"Take the discount off once ({number})",
            "task_type": kind,
            "agent": agent,
            "prompt": PROMPT,
            "priority": ("high", "medium", "medium", "low")[number % 4],
            "cwd": f"{SHOP}/{number % 7}",
            "allowed_root": "/srv",
            "target_files": ("shop/cart.py",),
            "criteria": ({"text": "The total is right"},),
        }
    )
    return TaskReceived(
        task_id=subject,
        origin="inbox",
        file_name=f"{subject}.task.md",
        content_sha256=_hash(subject),
        spec=spec,
    )


def _queued(subject: str, kind: str) -> Fact:
    number = int(subject.rpartition("-")[2])
    return TaskQueued.model_validate(
        {
            "priority": ("high", "medium", "medium", "low")[number % 4],
            "cwd": f"{SHOP}/{number % 7}",
            "waits_for": (),
            "not_before": None,
            "title": f"Take the discount off once ({number})",
            "task_type": kind,
        }
    )


def _refusal(number: int) -> list[Said]:
    refused = f"bad-{number:06d}"
    fact = TaskRefused(
        refused_id=refused,
        file_name=f"{refused}.task.md",
        content_sha256=_hash(refused),
        code="forbidden_key",
        reason="the key `env` may not be set by a task.",
        remedy="Take the key out.",
        line=4,
    )
    path = f"tasks/processed/{refused}.refused.task.md"
    moved = TaskArchived(subject=f"refused-{refused}", path=path, status="refused")
    return [_said(names.SYSTEM, "inbox", fact), _said(names.SYSTEM, "service", moved)]


def _archived(subject: str, status: str) -> Fact:
    return TaskArchived(subject=subject, path=f"tasks/processed/{subject}.{status}.task.md", status=status)


def _written(subject: str, number: int) -> Fact:
    return ArtifactWritten(
        path=f"results/{subject}.json",
        sha256=_hash(f"artifact {number}"),
        summary_path=f"summaries/{subject}_summary.txt",
        summary_sha256=_hash(f"summary {number}"),
        upto=2**40,
    )


def _finished(attempt: int, phase: Phase, blob: str | None = None) -> Fact:
    return StepFinished(attempt=attempt, phase=phase, elapsed_ms=5, percent_complete=10, blob=blob)


def _turn(attempt: int, session: str, elapsed_ms: int) -> Fact:
    usage = Usage(input_tokens=elapsed_ms, output_tokens=900, cache_read_tokens=40_000)
    said = '{"type":"result","subtype":"success","is_error":false,"num_turns":6}'
    report = TurnReport(
        ended="exited",
        exit_code=0,
        elapsed_ms=elapsed_ms,
        has_result=True,
        subtype="success",
        num_turns=6,
        result_text="The discount is taken off once now; the sale's rule won before.",
        terminal_reason="completed",
        agent_version="2.1.330",
        model="claude-sonnet-4-5",
        usage=usage,
        cost_usd=elapsed_ms / 4_000_000,
        stdout=Captured(head=said, tail=said, text=said, size=len(said), sha256=_hash(session)),
    )
    spent = Spent(usd=report.cost_usd, **usage.model_dump())
    return TurnFinished(attempt=attempt, turn_index=0, session_id=session, report=report, spent=spent)


def _ended(
    kind: type[Fact], attempt: int, task_type: str, agent: str, elapsed_ms: int = 0, **more: object
) -> Fact:
    told = {
        "attempt": attempt,
        "executor": names.EXECUTOR if attempt else None,
        "task_type": task_type,
        "agent": agent,
        "priority": "medium",
        "elapsed_ms": elapsed_ms,
        "waited_ms": 1500 + elapsed_ms // 3,
    }
    return kind.model_validate({**told, **more})


def _said(stream: str, actor: str, fact: Fact) -> Said:
    return Said(stream, actor, fact.TYPE, fact.model_dump(mode="json"))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
