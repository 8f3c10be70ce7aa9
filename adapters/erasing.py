"""Carry out an erasure everywhere at home: the log, its mirror, the views, blobs, artifacts."""

import gzip
import json
import os
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from adapters.desk import Desk
from adapters.home import Home
from adapters.safe_files import OutsideHome, inside, sync_folder, unlink, write_atomically
from eventstore.event import Recorded
from eventstore.line import ERASED
from eventstore.sqlite.erasing import NotErased, erase_line
from eventstore.tombstone import NoSuchField, texts, tombstone
from eventstore.tree.merkle import leaf_hash
from projections.all_views import BY_NAME
from projections.artifact import build, render
from projections.projection import Row
from projections.story import NothingToWrite
from projections.summary import summary
from projections.view_rows import ViewRows
from schemas import names
from schemas.record import FinishErasure

HASH: Final = re.compile(rb'"([0-9a-f]{64})"')
SHORTEST: Final = 6
"""Characters; copies of shorter texts are not sought: they would be found everywhere."""
SEARCHED: Final = ("tasks", "results", "summaries", "logs", "prompts")
BESIDE: Final = ("", "-wal", "-shm")
PIECE: Final = 2**22
"""Bytes of a file that are searched at a time."""


class Unerased(Exception):
    """It could not be carried out everywhere; the text says where it stopped."""


def blobs_of(home: Home, event: Recorded) -> tuple[str, ...]:
    """The blobs that the event names and that are there."""
    found = {name.decode() for name in HASH.findall(event.line)}
    return tuple(sorted(name for name in found if _blob(home, name).exists()))


def also_naming(desk: Desk, row: Row) -> tuple[int, ...]:
    """The positions of other events that name a blob which goes: the same output, of another task perhaps."""
    sought = [f'"{name}"'.encode() for name in row["blobs"]]
    if not sought:
        return ()
    return tuple(
        event.global_position
        for event in desk.storage.raw.all()
        if event.type != names.EVENT_ERASED
        and event.global_position != row["position"]
        and any(name in event.line for name in sought)
    )


def erasures(desk: Desk) -> list[Row]:
    """What was erased from the log, in the order of the events."""
    with ViewRows.open(desk.home.views, desk.storage.log, [BY_NAME["erasures"]]) as views:
        rows = list(views.rows("erasures").values())
    return sorted(rows, key=lambda row: int(row["position"]))


def pending(desk: Desk) -> list[Row]:
    """Erasures that the log orders and that have no receipt yet."""
    return [row for row in erasures(desk) if row["pending"]]


def original_leaf(desk: Desk, event: Recorded) -> bytes:
    """The hash of the line as it was appended, which the tree holds."""
    known = {int(row["position"]): bytes.fromhex(row["leaf"]) for row in erasures(desk)}
    return known.get(event.global_position) or leaf_hash(event.line)


def standing_texts(desk: Desk, row: Row) -> list[str] | None:
    """The texts that go; None where an erasure that was cut short has taken them from the log already."""
    event = next(iter(desk.storage.raw.all(int(row["position"]) - 1, int(row["position"]))))
    if leaf_hash(event.line).hex() != row["before"]:
        return None
    try:
        return changed(event.line, tombstone(event.line, tuple(row["fields"])))
    except NoSuchField:
        return None


def changed(line: bytes, buried: bytes) -> list[str]:
    """The texts of a line that its tombstone has no more."""
    pairs = zip(texts(orjson.loads(line)["data"]), texts(orjson.loads(buried)["data"]), strict=True)
    return [text for (_, text), (_, now) in pairs if text != now]


def carry_out(desk: Desk, row: Row) -> tuple[str, ...]:
    """Idempotent; its receipt is the last step. What was written anew. Raises Unerased, OSError."""
    storage, home, position = desk.storage, desk.home, int(row["position"])
    before, buried = bytes.fromhex(row["before"]), bytes.fromhex(row["tombstone"])
    storage.views.close()
    try:
        erase_line(home.log, position, tuple(row["fields"]), before, buried)
    except NotErased as stuck:
        raise Unerased(str(stuck)) from stuck
    written = [_shown(home, home.log)]
    blobs = [_blob(home, name) for name in row["blobs"]]
    for path in blobs:
        unlink(path)
        written.append(f"{_shown(home, path)} (removed)")
    try:
        storage.records.begin_anew()
    except sqlite3.Error as trouble:
        raise Unerased(f"the views cannot be written anew: {trouble}") from trouble
    written += [_shown(home, home.mirror), _shown(home, home.views)]
    written += _bury_aside(home, row)
    written += _write_outputs(desk, position)
    _make_durable(home, blobs)
    desk.dispatch(FinishErasure(**desk.stamp("service"), position=position, files=tuple(written)))
    return tuple(written)


def _bury_aside(home: Home, row: Row) -> list[str]:
    """The same line in mirrors that were put aside.

    Between the log and its mirror they differ: a verb that comes in then keeps the mirror as it was.
    """
    wanted = {bytes.fromhex(row["before"]), bytes.fromhex(row["leaf"])}
    written = []
    for path in _regular(home.logs):
        if not path.name.startswith(home.mirror.name) or path == home.mirror:
            continue
        with path.open("rb") as file:
            if not any(leaf_hash(line.rstrip(b"\n")) in wanted for line in file):
                continue
        lines = path.read_bytes().split(b"\n")
        fields = tuple(row["fields"])
        buried = [tombstone(line, fields) if leaf_hash(line) in wanted else line for line in lines]
        write_atomically(path, b"\n".join(buried))
        written.append(_shown(home, path))
    return written


def _make_durable(home: Home, blobs: Sequence[Path]) -> None:
    """A power cut after the receipt must not bring back what it says is gone. Raises OSError."""
    with home.mirror.open("r+b") as file:
        os.fsync(file.fileno())
    for folder in dict.fromkeys([home.logs, *(path.parent for path in blobs)]):
        if folder.is_dir():
            sync_folder(folder)


def _write_outputs(desk: Desk, position: int) -> list[str]:
    """The artifact and the summary of the event's task, from the log as it is now."""
    log, home = desk.storage.raw, desk.home
    event = next(iter(log.all(position - 1, position)))
    task = names.task_of(event.stream)
    with ViewRows.open(home.views, log, [BY_NAME["artifacts"]]) as views:
        row = None if task is None else views.row("artifacts", task)
    if row is None or row["upto"] < position:
        return []
    told = [one for one in log.stream(event.stream) if one.global_position <= row["upto"]]
    try:
        files = {row["path"]: render(build(told)), row["summary_path"]: summary(told).encode()}
        places = {path: inside(home.root, path) for path in files}
    except (NothingToWrite, OutsideHome) as trouble:
        raise Unerased(f"{row['path']} cannot be written anew: {trouble}") from trouble
    for path, content in files.items():
        places[path].parent.mkdir(parents=True, exist_ok=True)
        write_atomically(places[path], content)
    return list(files)


def copies(desk: Desk, gone: Sequence[str]) -> list[str]:
    """Where else the same texts stand: other events, task files, blobs, what was put aside."""
    wanted = [text for text in gone if len(text) >= SHORTEST and text != ERASED]
    if not wanted:
        return []
    escaped = [json.dumps(text, ensure_ascii=False)[1:-1].encode() for text in wanted]
    found = [
        f"event {event.global_position} ({event.type}): {', '.join(_fields_with(event, wanted))}"
        for event in desk.storage.raw.all()
        if any(text in event.line for text in escaped)
    ]
    sought = list(dict.fromkeys([*(text.encode() for text in wanted), *escaped]))
    return [*found, *_files_with(desk.home, sought)]


def _fields_with(event: Recorded, wanted: Sequence[str]) -> list[str]:
    named = texts(event.envelope["data"])
    return [name for name, held in named if any(text in held for text in wanted)] or ["no text of its own"]


def _files_with(home: Home, sought: Sequence[bytes]) -> Iterator[str]:
    # The log and the views are asked as such, and their files are open.
    ours = {path.with_name(path.name + suffix) for path in (home.log, home.views) for suffix in BESIDE}
    for folder in SEARCHED:
        for path in _regular(home.root / folder):
            if path in ours or path == home.mirror:
                continue
            try:
                with path.open("rb") as file:
                    if _holds_one(file, sought):
                        yield _shown(home, path)
            except OSError as trouble:
                yield f"{_shown(home, path)}, perhaps: it cannot be read ({trouble.strerror})"
    for path in _regular(home.blobs):
        try:
            with gzip.open(path) as blob:
                if _holds_one(blob, sought):
                    yield _shown(home, path)
        except (OSError, EOFError, zlib.error):
            continue  # a blob that is hurt is found by who reads it; it tells nobody anything


def _holds_one(file: BinaryIO | gzip.GzipFile, sought: Sequence[bytes]) -> bool:
    longest, tail = max(map(len, sought)), b""
    while piece := file.read(PIECE):
        tail += piece
        if any(text in tail for text in sought):
            return True
        tail = tail[-longest:]
    return False


def _regular(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _blob(home: Home, name: str) -> Path:
    return home.blobs / "sha256" / name[:2] / f"{name}.gz"


def _shown(home: Home, path: Path) -> str:
    return path.relative_to(home.root).as_posix()
