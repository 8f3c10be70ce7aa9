"""Queue a task, from text or from task files; without a running service it waits in the queue."""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.cli.call import Call
from adapters.cli.failure import GOOD, NOT_FOUND, USAGE, Failure
from adapters.cli.wait import wait_for
from adapters.cli.writing import at_desk
from adapters.desk import Desk, actor
from adapters.storage import WINDOWS
from handlers.decider import Refused
from handlers.intake import Ground, place_of, spec_of
from handlers.naming import free_id, id_from_stem, text_id
from schemas.shown import shown
from schemas.task import QueueTask, ReceiveTask, TaskSpec
from schemas.task_fields import agent_for
from schemas.task_file import MAX_BYTES, TaskFile, Unreadable, read_task

PRIORITIES = ("high", "medium", "low")
TYPES = ("analyze", "summarize", "code_review", "documentation", "fix", "bug_fix")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="+", metavar="TEXT|FILE", help="words that say what is wanted, or task files"
    )
    parser.add_argument("--type", choices=TYPES, help="what kind of work it is")
    parser.add_argument("--cwd", metavar="DIR", help="the working directory (relative to where you are)")
    parser.add_argument("--priority", choices=PRIORITIES, help="default: medium, or what the file says")
    parser.add_argument("--after", metavar="ID[,ID]", help="tasks that must succeed first")
    parser.add_argument("--wait", action="store_true", help="wait for the end; the exit code tells it")
    parser.add_argument("--timeout", type=float, metavar="S", help="with --wait: at most so many seconds")


@dataclass(frozen=True)
class Given:
    """One thing to be queued. `name` is the file's, None for text."""

    name: str | None
    content: bytes


def run(call: Call) -> int:
    given = _given(call.args.what)
    added: list[dict[str, Any]] = []
    with at_desk(call) as desk, desk.ownership() as owner:
        # Everything is read and checked before the first is taken in: all or nothing.
        ready = [(one, *_read(call, desk, one)) for one in given]
        for one, task, spec in ready:
            added.append(_add(desk, one, task, spec, owner=owner))
    _say(call, added)
    if not call.args.wait:
        return GOOD
    return max(wait_for(call, row["task_id"], call.args.timeout) for row in added)


def _given(words: Sequence[str]) -> list[Given]:
    paths = [Path(word) for word in words]
    files = [path for path in paths if _is_file(path)]
    if not files:
        missing = [word for word in words if word.endswith(".md") and " " not in word]
        if missing:
            raise Failure(NOT_FOUND, "not_found", f"there is no file {missing[0]}.", "Check the path.")
        return [Given(None, " ".join(words).encode())]
    for path in paths:
        if path not in files:
            hint = "Give either files or a text; put a text in quotes."
            raise Failure(NOT_FOUND, "not_found", f"{path} is not a file, and others here are.", hint)
    return [Given(path.name, _bytes_of(path)) for path in files]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A text too long for a name, or with a NUL, is a text.
        return False


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as trouble:
        raise Failure(USAGE, "unreadable", f"{path} cannot be read: {trouble.strerror}.") from None


def _read(call: Call, desk: Desk, given: Given) -> tuple[TaskFile, TaskSpec]:
    try:
        task = _overridden(call, read_task(given.content, given.name, trusted=True))
        base = desk.settings.base_cwd.resolve()
        root = desk.settings.allowed_root.resolve()
        ground = Ground(home=str(desk.home.root), base=str(base), allowed_root=str(root), windows=WINDOWS)
        return task, spec_of(task, _real(place_of(task, ground)), ground)
    except Unreadable as problem:
        sentence = f"{shown(given.name) if given.name else 'the text'}: {problem.reason}"
        raise Failure(USAGE, problem.code, sentence, problem.remedy) from None
    except Refused as no:
        raise Failure(USAGE, no.code, f"{given.name or 'the text'}: {no.sentence}", no.hint) from None


def _overridden(call: Call, task: TaskFile) -> TaskFile:
    """What the command line says wins over what is written."""
    changes: dict[str, Any] = {}
    if call.args.type:
        changes["type"] = "bug_fix" if call.args.type == "fix" else call.args.type
        changes["agent"] = agent_for(changes["type"])
    if call.args.cwd is not None:
        changes["cwd"] = str(Path(call.args.cwd).expanduser().absolute())
    if call.args.priority:
        changes["priority"] = call.args.priority
    if call.args.after:
        changes["after"] = tuple(name.strip() for name in call.args.after.split(",") if name.strip())
    return task.model_copy(update=changes)


def _real(place: str) -> str | None:
    try:
        path = Path(place).resolve(strict=True)
    except (OSError, ValueError):
        return None
    return str(path) if path.is_dir() else None


def _add(desk: Desk, given: Given, task: TaskFile, spec: TaskSpec, *, owner: bool) -> dict[str, Any]:
    stamp = desk.stamp(actor())
    task_id = task.id or _free_id(desk, given, str(stamp["command_id"]))
    desk.dispatch(
        ReceiveTask(
            **stamp,
            task_id=task_id,
            origin="cli",
            file_name=None,
            content_sha256=hashlib.sha256(given.content).hexdigest(),
            spec=spec,
        )
    )
    if owner:
        desk.dispatch(QueueTask(**desk.stamp("service"), task_id=task_id))
    state = desk.answered(task_id, frozenset() if owner else frozenset({"received"}))
    return {"task_id": task_id, "status": state.status, "owner": owner, "warnings": list(spec.warnings)}


def _free_id(desk: Desk, given: Given, message_id: str) -> str:
    wanted = (id_from_stem(given.name) if given.name else None) or text_id(message_id)
    return free_id(wanted, lambda one: desk.task(one).received is not None)


def _say(call: Call, added: list[dict[str, Any]]) -> None:
    if call.output.json:
        call.output.document([{key: row[key] for key in ("task_id", "status", "warnings")} for row in added])
        return
    for row in added:
        word = "received, not yet queued" if row["status"] == "received" else row["status"]
        call.output.line(f"{row['task_id']}  {word}")
        for warning in row["warnings"]:
            call.output.note(f"note: {warning}")
    if any(row["owner"] for row in added):
        call.output.note("No service runs in this home: `evt run` does the work.")
