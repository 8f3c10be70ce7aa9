"""Power loss: each state of the disk that a loop of appends may leave, held against what it was told."""

import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw

from eventstore.event import ANY
from eventstore.log import LogUnreadable
from eventstore.sqlite.log import SqliteLog
from tools.crash.appends import event
from tools.crash.disk import OPTIONS, Chosen, Disk, Happening, Reader, Said, Write, states
from tools.crash.player import ROOT, scratch

NAME: Final = "events.db"
HEADER: Final = 32
"""Bytes that a -wal begins with."""
GONE_ON_EVERY: Final = 25
"""One state in so many is opened for writing, checked page by page and appended to."""

Progress = Callable[["Told"], None]


@dataclass
class Told:
    """`lost` are states that lack an acknowledged event, `wrong` says what else is not well."""

    happenings: int = 0
    states: int = 0
    gone_on: int = 0
    resets: int = 0
    """So often the -wal began anew in the same file, behind a checkpoint."""
    lost: int = 0
    most_lost: int = 0
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def count(self, happening: Happening, begun: set[int]) -> None:
        """`begun` are the files that have had a -wal's header before."""
        self.happenings += 1
        self.kinds[type(happening).__name__] += 1
        if isinstance(happening, Write) and not happening.offset and len(happening.content or b"") == HEADER:
            self.resets += happening.file in begun
            begun.add(happening.file)


class Oracle:
    """Opens what a state left in one folder, again and again. `lines` is the log as it was at the end."""

    def __init__(self, folder: Path, lines: list[bytes]) -> None:
        self._folder = folder
        self._lines = lines
        self._written: dict[Path, bytes] = {}
        self.told = Told()
        self._folder.mkdir()

    def judge(self, files: dict[str, bytes], acknowledged: int, what: str) -> None:
        self.told.states += 1
        path = self._folder / NAME
        self._lay(files)
        try:
            if path not in self._written or not self._written[path]:
                self._begin(path, acknowledged, what)
            elif self.told.states % GONE_ON_EVERY:
                with closing(SqliteLog(path, read_only=True)) as log:
                    self._compare(log, acknowledged, what)
            else:
                self._go_on(path, acknowledged, what)
        except (LogUnreadable, OSError, apsw.Error) as refusal:
            self._say(f"{what}: {type(refusal).__name__}: {refusal}")

    def _lay(self, files: dict[str, bytes]) -> None:
        """Only what differs from the state before is written; the index of the -wal is as lost as memory."""
        wanted = {self._folder / Path(path).name: content for path, content in files.items()}
        for left in self._folder.iterdir():
            if left not in wanted or left not in self._written:
                left.unlink()
                self._written.pop(left, None)
        for path, content in wanted.items():
            if self._written.get(path) is not content and self._written.get(path) != content:
                path.write_bytes(content)
            self._written[path] = content

    def _begin(self, path: Path, acknowledged: int, what: str) -> None:
        """There is no log yet: nothing was acknowledged, and one can be made."""
        if acknowledged:
            self._lose(acknowledged, 0)
        with closing(SqliteLog.create(path)) as log:
            if log.append("a-1", [event(0, random.Random(0))], ANY)[0].global_position != 1:  # noqa: S311
                self._say(f"{what}: a log that was made anew does not begin with 1")
        self._written.clear()

    def _compare(self, log: SqliteLog, acknowledged: int, what: str) -> int:
        found = [one.line for one in log.all()]
        if len(found) < acknowledged:
            self._lose(acknowledged, len(found))
        if found != self._lines[: len(found)]:
            self._say(f"{what}: the {len(found)} events are not those that were appended")
        return len(found)

    def _go_on(self, path: Path, acknowledged: int, what: str) -> None:
        """The next append gets the next position, and is there when the log is opened again."""
        self.told.gone_on += 1
        with closing(SqliteLog(path)) as log:
            count = self._compare(log, acknowledged, what)
            (place,) = log.append("after-1", [event(999_999, random.Random(0))], ANY)  # noqa: S311
        with closing(SqliteLog(path)) as log:
            if (place.global_position, log.head()) != (count + 1, count + 1):
                self._say(f"{what}: after {count} events the next one got {place.global_position}")
        uri = f"{path.as_uri()}?mode=ro"
        with closing(apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)) as bare:
            said = bare.execute("PRAGMA integrity_check").get
        if said != "ok":
            self._say(f"{what}: SQLite's integrity check: {said}")
        self._written.clear()

    def _lose(self, acknowledged: int, found: int) -> None:
        self.told.lost += 1
        self.told.most_lost = max(self.told.most_lost, acknowledged - found)

    def _say(self, sentence: str) -> None:
        self.told.wrong.append(sentence)


def recorded(folder: Path, count: int, seed: int, synchronous: str) -> tuple[Path, list[bytes]]:
    """Run the loop under strace; the trace, and the lines of the log at its end."""
    home, trace, lines = folder / "home", folder / "trace.txt", folder / "lines.ndjson"
    home.mkdir()
    words = [str(home / NAME), str(count), str(seed), str(lines), *([synchronous] if synchronous else ())]
    subprocess.run(
        ["strace", "-o", str(trace), *OPTIONS, sys.executable, "-P", "-m", "tools.crash.appends", *words],
        check=True,
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT)},
    )
    return trace, lines.read_bytes().splitlines()


def power(
    count: int, subsets: int, seed: int, synchronous: str = "", progress: Progress = lambda told: None
) -> Told:
    """Append `count` events, and judge every state in which a power loss may have left the disk.

    At each call there are `subsets` random ones among them; each state counts once.
    """
    folder = scratch("evt-power-")
    try:
        trace, lines = recorded(folder, count, seed, synchronous)
        dice, disk, acknowledged = random.Random(seed), Disk(), 0  # noqa: S311 - not for secrets
        oracle = Oracle(folder / "left", lines)
        told, judged, begun = oracle.told, set[tuple[int, int, Chosen]](), set[int]()
        with trace.open(encoding="ascii") as text:
            for happening in Reader(folder / "home", NAME).read(text):
                told.count(happening, begun)
                if isinstance(happening, Said):
                    acknowledged = int(happening.text)
                else:
                    disk.take(happening)
                for chosen in states(disk, dice, subsets):
                    if (disk.epoch, acknowledged, chosen) not in judged:
                        judged.add((disk.epoch, acknowledged, chosen))
                        where = f"call {told.happenings}, {acknowledged} acknowledged"
                        what = f"{where}, of {len(disk.pending)} pending {_shown(chosen)}"
                        oracle.judge(disk.left(chosen), acknowledged, what)
                progress(told)
        return told
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shown(chosen: Chosen) -> str:
    numbers = ", ".join(
        f"{number}{'' if sectors is None else ' in part'}{' as zeros' if zeros else ''}"
        for number, sectors, zeros in chosen
    )
    return f"those at {numbers[:200]}" if numbers else "none"
