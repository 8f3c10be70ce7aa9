"""Copy a home's log and blobs while others write, and show that the copy is what it was taken from."""

import re
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from adapters.home import Home
from adapters.home_copies import BlobDamaged, blobs_in, check_blobs, copy_blobs, copy_tree
from adapters.safe_files import patiently, replace, sync_folder, temporary_beside, unlink, write_atomically
from eventstore.file_lock import FileLock
from eventstore.log import Log, LogUnreadable
from eventstore.sqlite.check import check
from eventstore.sqlite.copy import copy
from eventstore.sqlite.log import SqliteLog
from eventstore.tree.head import TreeHead
from eventstore.tree.merkle import Frontier, leaf_hash
from eventstore.tree.signed_note import NoteRefused
from handlers.path_policy import OWN_FOLDERS
from schemas import names

MANIFEST: Final = "backup.json"
NAMING: Final = frozenset({names.STEP_FINISHED, names.TURN_FINISHED, names.CHECK_FINISHED})
"""The events that name blobs: a hash in any other is that of something else."""
NAMED: Final = re.compile(rb'"(?:blob|sha256)":"([0-9a-f]{64})"')
"""A blob's name in the line of such an event. In a text of the line each quote has a backslash before it."""


class NotBackedUp(Exception):
    """No backup was made; the text says why, `hint` what to do. `fits`: it is not the place that is wrong."""

    def __init__(self, sentence: str, hint: str, *, fits: bool) -> None:
        super().__init__(sentence)
        self.hint = hint
        self.fits = fits


@dataclass(frozen=True)
class Backup:
    """`root` is that of the tree over the events up to `position`; `blobs` are all, `new_blobs` came now.

    `missing` are blobs that the events name and that are nowhere, in the order of the events; `lost` are
    those of them that the backup which lay there before did not tell of.
    """

    folder: Path
    position: int
    root: bytes
    size: int
    blobs: int
    new_blobs: int
    missing: tuple[str, ...]
    lost: tuple[str, ...]


def back_up(home: Home, log: Log, source: str, folder: Path, time: str) -> Backup:
    """`source` and `time` go into the manifest. Raises NotBackedUp, LogUnreadable, OSError."""
    target = Home(_place(home, folder), named=True)
    earlier = _earlier(target, source)
    new = earlier is None
    made = Home(temporary_beside(target.root if new else target.root / "log"), named=True)
    made.logs.mkdir(parents=True)
    try:
        # The tree first: its head may then cover less than the copied log, and never more.
        if home.tree.is_dir():
            with FileLock(home.tree / ".lock"):
                copy_tree(home.tree, made.tree)
        copy(home.log, made.log)
        position, root = _verified(log, made, earlier)
        there = (made if new else target).blobs
        new_blobs, blobs = _blobs(home.blobs, there, made)
        missing = _missing(log, there, made)
        manifest = {
            "position": position,
            "root": root.hex(),
            "source": source,
            "time": time,
            "missing": missing,
        }
        write_atomically(made.root / MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
        _put(made, target, new=new)
    finally:
        shutil.rmtree(made.root, ignore_errors=True)
    size = sum(path.stat().st_size for path in target.root.rglob("*") if path.is_file())
    told = earlier["missing"] if earlier else frozenset()
    lost = tuple(name for name in missing if name not in told)
    return Backup(target.root, position, root, size, blobs, new_blobs, missing, lost)


# the place


def _place(home: Home, folder: Path) -> Path:
    """Raises NotBackedUp."""
    place = folder.resolve()
    if home.root.is_relative_to(place) or any(place.is_relative_to(home.root / name) for name in OWN_FOLDERS):
        raise NotBackedUp(
            f"{place} is where the home {home.root} keeps its own state.",
            "Name a folder outside of it, better on another disk.",
            fits=False,
        )
    return place


def _earlier(target: Home, source: str) -> dict[str, Any] | None:
    """What the backup there says of itself. Raises NotBackedUp for anything else that lies there."""
    root = target.root
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    try:
        found = orjson.loads((root / MANIFEST).read_bytes())
        known = {
            "position": int(found["position"]),
            "root": bytes.fromhex(found["root"]),
            "missing": frozenset(found.get("missing", ())),  # an older one does not say it
        }
        whose = str(found["source"])
    except (OSError, ValueError, KeyError, TypeError):
        sentence = f"{root} is there and holds no backup (no readable {MANIFEST})."
        raise NotBackedUp(sentence, "Name a new or an empty folder.", fits=False) from None
    if whose != source:
        sentence = f"{root} holds the backup of another home ({whose}; this one is {source})."
        raise NotBackedUp(sentence, "Name another folder.", fits=False)
    if (root / "logs" / ".owner").exists() or target.log.with_name(f"{target.log.name}-wal").exists():
        sentence = f"somebody has worked in {root}: it is a home by now, not only a backup."
        raise NotBackedUp(sentence, "Name another folder.", fits=False)
    return known


def _put(made: Home, target: Home, *, new: bool) -> None:
    """By renames only; in between, too, the log there is a whole one and covers its tree."""
    if new:
        if target.root.exists():
            target.root.rmdir()
        patiently(lambda: made.root.rename(target.root))
        sync_folder(target.root.parent)
        return
    target.logs.mkdir(exist_ok=True)
    replace(made.log, target.log)
    copy_tree(made.tree, target.tree)
    replace(made.root / MANIFEST, target.root / MANIFEST)
    sync_folder(target.root)


# the proof


def _verified(log: Log, made: Home, earlier: dict[str, Any] | None) -> tuple[int, bytes]:
    """Position and root of the copy. Raises NotBackedUp."""
    try:
        with closing(SqliteLog(made.log, read_only=True)) as copied:
            hashes = _Hashes(copied)
        head = _tree_head(made)
        hashes.wanted = {earlier["position"] if earlier else 0, head.size if head else 0}
        position = check(made.log, hashes.take)
    except LogUnreadable as damaged:
        sentence = f"the copy is not sound, nor is the log: {str(damaged).replace(str(made.log), 'it')}."
        raise NotBackedUp(
            sentence, "`evt recover` mends the log; then back it up again.", fits=True
        ) from None
    live = _Hashes(log)
    for event in log.all(0, position):
        live.take(event.line)
    if live.frontier.root() != hashes.frontier.root():
        raise NotBackedUp(
            f"the copy of the {position} events has another root than the log itself.",
            "Was the log changed meanwhile? Run `evt audit`, then back it up again.",
            fits=True,
        )
    if head is not None and hashes.roots.get(head.size) != head.root:
        raise NotBackedUp(
            f"the log is not what the tree head over {head.size} events was signed for.",
            "`evt audit` names the place.",
            fits=True,
        )
    if earlier is not None and hashes.roots.get(earlier["position"]) != earlier["root"]:
        raise NotBackedUp(
            f"the backup that lies there is of another past: its {earlier['position']} events are not "
            "the beginning of this log.",
            "Keep it, and name another folder.",
            fits=False,
        )
    return position, hashes.frontier.root()


class _Hashes:
    """The tree over a log's lines; for an erased one stands the hash of the line as it was."""

    def __init__(self, log: Log) -> None:
        self.frontier = Frontier()
        self.roots: dict[int, bytes] = {}
        self.wanted: set[int] = set()
        self._leaves = {
            int(event.data["position"]): bytes.fromhex(event.data["leaf"])
            for event in log.all(types=frozenset({names.EVENT_ERASED}))
        }

    def take(self, line: bytes) -> None:
        self.frontier.add(self._leaves.get(self.frontier.size + 1) or leaf_hash(line))
        if self.frontier.size in self.wanted:
            self.roots[self.frontier.size] = self.frontier.root()


def _tree_head(made: Home) -> TreeHead | None:
    """What the newest signed note says; who signed it is for an audit to tell."""
    try:
        text = (made.tree / "checkpoint").read_text(encoding="utf-8").partition("\n\n")[0]
        return TreeHead.parse(f"{text}\n")
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, NoteRefused) as error:
        sentence = f"the signed tree head in {made.tree.name}/checkpoint cannot be read: {error}."
        raise NotBackedUp(sentence, "`evt audit` says more.", fits=True) from None


def _blobs(source: Path, target: Path, made: Home) -> tuple[int, int]:
    """Copy what is new, take away what the log says is erased; how many were copied, how many there are.

    Raises NotBackedUp, OSError.
    """
    with closing(SqliteLog(made.log, read_only=True)) as copied:
        erased = _erased(copied)
    try:
        new = copy_blobs(source, target)
        for name, path in blobs_in(target):
            if name in erased:
                unlink(path)
        return new, check_blobs(target)
    except BlobDamaged as damaged:
        hint = "Restore it from an older backup, or remove it: what the events say of it stays."
        raise NotBackedUp(f"{damaged}.", hint, fits=True) from None


def _missing(log: Log, blobs: Path, made: Home) -> tuple[str, ...]:
    """The blobs that the copied events name and that were neither copied nor erased, as the events come."""
    with closing(SqliteLog(made.log, read_only=True)) as copied:
        named = (name.decode() for event in copied.all(types=NAMING) for name in NAMED.findall(event.line))
        wanted = dict.fromkeys(named)
    # The log itself, not its copy: one may have been erased since that was made.
    gone = _erased(log) | {name for name, _ in blobs_in(blobs)}
    return tuple(name for name in wanted if name not in gone)


def _erased(log: Log) -> set[str]:
    """The blobs that went with an erased event."""
    erasures = log.all(types=frozenset({names.EVENT_ERASED}))
    return {str(name) for event in erasures for name in event.data["blobs"]}
