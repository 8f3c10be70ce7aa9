"""Write artifacts, summaries and the index again from the log, where they are not what it says."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.cli.call import Call
from adapters.cli.failure import BAD, CONFLICT, GOOD, Failure
from adapters.cli.progress import Progress
from adapters.cli.reading import Reading, reading
from adapters.first_system import spare
from adapters.safe_files import NotRegular, OutsideHome, inside, open_regular, write_atomically
from eventstore.file_lock import FileLock
from projections.artifact import INDEX_PATH, build, index, render
from projections.projection import Row
from projections.story import NothingToWrite
from projections.summary import summary
from schemas import names
from schemas.shown import shown

NAMED: Final = 20
"""So many paths are named to people; `--json` names all."""


@dataclass
class Tally:
    """What was found: `same`, and by path what was `missing`, what `differed`, what could not be made.

    `unlike_receipt` are tasks whose files no longer have the hash that was recorded when they were written.
    """

    same: int = 0
    missing: list[str] = field(default_factory=list)
    differed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unlike_receipt: list[str] = field(default_factory=list)


def write_again(call: Call) -> int:
    """As the owner of the home, so that no service writes at the same time. Raises Failure (7)."""
    home = call.home()
    lock = FileLock(home.owner_lock)
    if not lock.try_acquire():
        sentence = f"the home {home.root} is owned by a service, which writes these files itself."
        raise Failure(CONFLICT, "conflict", sentence, "Stop the service first, then write them again.")
    try:
        # Read under the lock: what a service appended before it went is seen.
        with reading(call) as found:
            tally = _write_all(call, found)
            _say(call, tally, found)
    finally:
        lock.release()
    return BAD if tally.failed else GOOD


def _write_all(call: Call, found: Reading) -> Tally:
    rows = found.views.rows("artifacts")
    tally, progress = Tally(), Progress(call.output, call.environ)
    try:
        for number, (key, row) in enumerate(rows.items()):
            progress.show(f"{number} of {len(rows)} tasks")
            for path, content in _files(found, key, row, tally):
                _write(found.home.root, path, content, tally)
        _write(found.home.root, INDEX_PATH, index(rows), tally)
    finally:
        progress.clear()
    return tally


def _files(found: Reading, key: str, row: Row, tally: Tally) -> Iterator[tuple[str, bytes]]:
    """Path and content of the files of one task, as the log says them up to its receipt."""
    events = [
        event for event in found.log.stream(names.task_stream(key)) if event.global_position <= row["upto"]
    ]
    try:
        artifact, text = render(build(events)), summary(events).encode()
    except NothingToWrite as trouble:
        tally.failed.append(f"{row['path']}: {trouble}")
        return
    receipts = (hashlib.sha256(artifact).hexdigest(), hashlib.sha256(text).hexdigest())
    if receipts != (row["sha256"], row["summary_sha256"]):
        tally.unlike_receipt.append(key)
    yield row["path"], artifact
    yield row["summary_path"], text


def _write(root: Path, path: str, content: bytes, tally: Tally) -> None:
    try:
        place = inside(root, path)
    except OutsideHome as strange:
        tally.failed.append(str(strange))
        return
    try:
        with open_regular(place) as file:
            if file.readall() == content:
                tally.same += 1
                return
        tally.differed.append(path)
    except FileNotFoundError:
        tally.missing.append(path)
    except NotRegular:
        tally.differed.append(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    spare(root, path)
    write_atomically(place, content)


def _say(call: Call, tally: Tally, found: Reading) -> None:
    written = len(tally.missing) + len(tally.differed)
    unwritten = sorted(found.views.rows("to_write"))
    if call.output.json:
        call.output.document(
            {
                "view": "artifacts",
                "position": found.views.position,
                "written": written,
                "same": tally.same,
                "missing": tally.missing,
                "differed": tally.differed,
                "failed": tally.failed,
                "unlike_receipt": tally.unlike_receipt,
                "to_write": unwritten,
            }
        )
        return
    wrong = f"{len(tally.differed)} differed, {len(tally.missing)} were missing"
    count = written + tally.same
    all_files = f"{_counted(count, 'file')} as of event {found.views.position}"
    call.output.line(f"{all_files}: {tally.same} were as the log says, {wrong}; {written} written")
    for word, paths in (("differed", tally.differed), ("missing", tally.missing)):
        for path in paths[:NAMED]:
            call.output.line(f"  {word.ljust(8)} {shown(path)}")
        if len(paths) > NAMED:
            call.output.line(f"  {word.ljust(8)} and {len(paths) - NAMED} more, all named with --json")
    for problem in tally.failed:
        call.output.note(f"not written: {shown(problem)}")
    if tally.unlike_receipt:
        tasks = _counted(len(tally.unlike_receipt), "task")
        call.output.note(
            f"note: {tasks} had files of other bytes recorded: another version wrote them then, or a text of "
            "theirs was erased since."
        )
    if unwritten:
        some = "1 task has" if len(unwritten) == 1 else f"{len(unwritten)} tasks have"
        call.output.note(f"note: {some} no artifact of the last turn yet: `evt run` writes it.")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
