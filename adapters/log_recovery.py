"""Make a home's log again out of what the damaged one and the mirror still hold."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.home import Home
from adapters.safe_files import replace, sync_folder, unlink
from eventstore.event import Recorded
from eventstore.file_lock import FileLock
from eventstore.log import LogUnreadable
from eventstore.regular_file import opened
from eventstore.sqlite import filling as sqlite_filling
from eventstore.sqlite.check import check
from eventstore.sqlite.errors import DAMAGED
from eventstore.sqlite.file import LogNotOurs
from eventstore.sqlite.log import SqliteLog
from eventstore.sqlite.salvage import SalvagedLog
from eventstore.text.mirror_lines import MirrorLines
from eventstore.tree.merkle import leaf_hash
from eventstore.tree.tiles import Tiles, TilesDamaged
from eventstore.two_copies import CopiesDiffer, Joining, Name
from schemas import names
from schemas.upcasts import UPCASTS

BESIDE: Final = ("-wal", "-shm")
REMEDY: Final = DAMAGED.removeprefix("is damaged")


class Unrecoverable(Exception):
    """Nothing was changed; the text says why, `hint` what to do."""

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


@dataclass(frozen=True)
class Recovery:
    """What was found and done; `new_log` and `new_mirror`: which of the two was made again.

    `kept_as` is the folder, seen from the home, that holds what stood there before.
    """

    events: int
    problem: str | None
    new_log: bool
    new_mirror: bool
    kept_as: str | None
    notes: tuple[str, ...]


def recover(home: Home, chosen: Name | None, *, accept_loss: bool) -> Recovery:
    """For the owner of the home. `chosen` is who is right where both hold different events.

    With `accept_loss` the log may end before events that do not join what is left before them.
    Raises Unrecoverable, OSError.
    """
    made = home.logs / "recovering"
    with FileLock(home.logs / ".gate"):
        problem = _problem(home)
        if problem is None and (events := _agreed(home)) is not None:
            return Recovery(events, None, new_log=False, new_mirror=False, kept_as=None, notes=())
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        try:
            with MirrorLines(home.mirror) as mirror, SalvagedLog(home.log) as log:
                problem = _with_its_place(problem, log)
                joining = Joining(mirror, log, _Witness(home, mirror, log).judge, chosen)
                found = _Found(home, made / home.log.name, mirror, log, joining, problem)
                found.make(chosen, accept_loss=accept_loss)
            return found.put()
        finally:
            shutil.rmtree(made, ignore_errors=True)  # what is left goes at the next start


def free_aside(home: Home) -> Path:
    """Where the next thing that is replaced is kept."""
    folders = (home.logs / f"aside-{number}" for number in itertools.count(1))
    return next(folder for folder in folders if not folder.exists())


def _problem(home: Home) -> str | None:
    """What is wrong with the log itself. Raises Unrecoverable."""
    try:
        check(home.log)
    except LogNotOurs as other:
        hint = "If it is this home's log all the same, move it away: then the mirror alone is used."
        raise Unrecoverable(f"{other}.", hint) from None
    except LogUnreadable as unreadable:
        if not home.log.exists():
            return "the log was gone"
        text = str(unreadable).replace(REMEDY, "").partition(": `evt")[0].partition(": name the")[0]
        return text.replace(str(home.log), "the log")
    return None


def _agreed(home: Home) -> int | None:
    """How many events a sound log has, where the mirror holds the same bytes and no others."""
    if not home.mirror.exists():
        return None
    with (
        closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as log,
        opened(home.mirror) as mirror,
    ):
        for event in log.all():
            if mirror.read(len(event.line) + 1) != event.line + b"\n":
                return None
        return None if mirror.read(1) else log.head()


def _with_its_place(problem: str | None, log: SalvagedLog) -> str | None:
    if problem is None or "at event" in problem or log.event(1) is None:
        return problem
    first = next(position for position in itertools.count(1) if log.event(position) is None)
    # Where every event can be read it is something else of the file that is wrong.
    return f"{problem}, from event {first} on" if first <= log.last else problem


class _Witness:
    """What the tree of hashes and the orders of erasure say of an event on which the copies differ."""

    def __init__(self, home: Home, mirror: MirrorLines, log: SalvagedLog) -> None:
        self._tiles = Tiles(home.tree)
        self._copies = (mirror, log)
        self._buried: dict[int, str] | None = None

    def judge(self, event: Recorded) -> bool | None:
        """See two_copies.Judge."""
        if self._buried is None:
            self._buried = dict(self._burials())
        known, position = self._buried.get(event.global_position), event.global_position
        try:
            known = known or next(self._tiles.leaves(position - 1, position)).hex()
        except (TilesDamaged, OSError):
            return None
        return leaf_hash(event.line).hex() == known

    def _burials(self) -> Iterator[tuple[int, str]]:
        for copy in self._copies:
            for position in range(1, copy.last + 1):
                event = copy.event(position)
                if event is not None and event.type == names.EVENT_ERASED:
                    yield int(event.data["position"]), str(event.data["tombstone"])


@dataclass
class _Found:
    """What the copies hold, and the new log that is made of it at `made`."""

    home: Home
    made: Path
    mirror: MirrorLines
    log: SalvagedLog
    joining: Joining
    problem: str | None
    lost: int | None = None
    """The first event that does not join what is left before it."""

    def make(self, chosen: Name | None, *, accept_loss: bool) -> None:
        """Raises Unrecoverable, OSError."""
        try:
            sqlite_filling.make(self.made, self.joining.rows(), self.joining.lineage)
        except CopiesDiffer as differ:
            hint = "Choose: `evt recover --from-mirror` or `evt recover --from-log`; both are kept beside."
            raise Unrecoverable(f"{differ}.", hint) from None
        self._refuse_what_is_no_home()
        left = self.joining.left()
        if self.joining.parted_at is not None and chosen is not None:
            left = {name: position for name, position in left.items() if name == chosen}
        self.lost = min(left.values(), default=None)
        if self.lost is not None and not accept_loss:
            raise self._would_lose(self.lost)
        check(self.made)

    def put(self) -> Recovery:
        """Put in place what differs from what stands there, and keep that beside. Raises OSError."""
        joining, events = self.joining, self.joining.lineage.head
        same_log = self.log.last == events and not (joining.only["mirror"] or joining.overruled["log"])
        new_log = self.problem is not None or not same_log
        new_mirror = self._mirror_differs()
        kept: Path | None = None
        if new_log or self._mirror_has_more():
            kept = self._folder_aside()
        if new_mirror:
            self._write_mirror(kept)
        if new_log:
            self._move_the_log(kept)
            replace(self.made, self.home.log)
            # What the views have folded may never have happened.
            for suffix in (*BESIDE, ""):
                unlink(self.home.views.with_name(self.home.views.name + suffix))
        sync_folder(self.home.logs)
        return Recovery(
            events=events,
            problem=self._what_was_wrong(new_log=new_log),
            new_log=new_log,
            new_mirror=new_mirror,
            kept_as=None if kept is None else kept.relative_to(self.home.root).as_posix(),
            notes=tuple(self._notes()),
        )

    # the decision

    def _refuse_what_is_no_home(self) -> None:
        if not self.joining.lineage.head:
            problem = f"{self.problem}, and" if self.problem else "The log has no event, and"
            fault = f" ({self.mirror.fault})" if self.mirror.fault else ""
            raise Unrecoverable(
                f"{problem} its mirror {self.home.mirror} holds no event 1{fault}.",
                "Bring back a backup: `evt import DIR --home DIR` makes a home of it.",
            )
        with closing(SqliteLog(self.made, read_only=True)) as log:
            first = next(log.all(0, 1))
        if first.type != names.HOME_CREATED:
            raise Unrecoverable(
                f"event 1 is {first.type}, not {names.HOME_CREATED}: {self.home.mirror} is no home's log.",
                "Put this home's own mirror there.",
            )

    def _would_lose(self, later: int) -> Unrecoverable:
        missing = self.joining.lineage.head + 1
        where = f": the mirror is damaged at {self.mirror.fault}" if self.mirror.fault else ""
        return Unrecoverable(
            f"neither the log nor the mirror can give event {missing}{where}; "
            f"events from {later} on are there and could not follow.",
            f"Bring back a backup that has it; or `evt recover --yes` ends the log at event {missing - 1} "
            "and keeps the rest beside.",
        )

    def _mirror_differs(self) -> bool:
        joining = self.joining
        return bool(
            self.mirror.fault is not None
            or not self.mirror.bare
            or self.mirror.repeated
            or joining.only["log"]
            or joining.overruled["mirror"]
            or self.mirror.last != joining.lineage.head
        )

    def _mirror_has_more(self) -> bool:
        """Whether the mirror holds what the new log does not."""
        fault = self.mirror.fault
        return bool(
            (fault is not None and not fault.torn)
            or self.mirror.repeated
            or self.joining.overruled["mirror"]
            or self.mirror.last > self.joining.lineage.head
        )

    # what is said of it

    def _what_was_wrong(self, *, new_log: bool) -> str | None:
        joining, said = self.joining, self.problem
        if said is None and new_log:
            said = f"the log ended at event {self.log.last}, its mirror at {self.mirror.last}"
            if joining.overruled["log"]:
                said = "the log held other events than its mirror"
        if said is None and self._mirror_has_more():
            said = "the mirror held something else than the log"
            if self.mirror.fault is not None:
                said = f"the mirror was damaged at {self.mirror.fault}"
        return said

    def _notes(self) -> Iterator[str]:
        joining = self.joining
        if self.problem is not None and joining.only["log"]:
            yield f"{joining.only['log']} events stood in the damaged log alone and joined the mirror's"
        if self.problem is not None and self.mirror.fault is not None:
            yield f"the mirror was damaged, too, at {self.mirror.fault}"
        for name, count in joining.overruled.items():
            if count and joining.parted_at is None:
                yield f"{count} events are not in the tree of hashes as the {name} had them"
        if joining.parted_at is not None:
            yield f"the log and its mirror had parted at event {joining.parted_at}"
        if self.lost is not None:
            yield f"events from {self.lost} on did not join event {joining.lineage.head}: only kept beside"

    # the files

    def _folder_aside(self) -> Path:
        kept = free_aside(self.home)
        kept.mkdir()
        return kept

    def _write_mirror(self, kept: Path | None) -> None:
        """All events stand in it before the old log is moved: a crash in between loses none."""
        text = self.made.with_name(self.home.mirror.name)
        with closing(SqliteLog(self.made, read_only=True)) as log, text.open("wb") as file:
            for event in log.all():
                file.write(event.line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if kept is not None and self._mirror_has_more():
            shutil.copyfile(self.home.mirror, kept / self.home.mirror.name)
        replace(text, self.home.mirror)

    def _move_the_log(self, kept: Path | None) -> None:
        """What stands beside goes first: left behind, it would be taken for the new log's own."""
        for suffix in (*BESIDE, ""):
            old = self.home.log.with_name(self.home.log.name + suffix)
            if kept is not None and old.exists():
                replace(old, kept / old.name)
