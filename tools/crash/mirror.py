"""The mirror cut at every byte of its last lines: the next command makes it the log again, and says so."""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from schemas import names
from tools.crash import oracle
from tools.crash.player import Player, scratch
from tools.crash.sandbox import LOG
from tools.crash.script import furnish, given

LINES: Final = 3


@dataclass
class Told:
    cuts: int = 0
    torn: int = 0
    """Of the cuts, those in the middle of a line."""
    repairs: int = 0
    wrong: list[str] = field(default_factory=list)


Progress = Callable[[int, int, Told], None]


class Cutter:
    """Each cut begins with a copy of the same home; `pause` and `resume` in turns are the next command."""

    def __init__(self, folder: Path, player: Player) -> None:
        self._player = player
        self.home = folder / "home"
        self._whole = folder / "whole"
        self.told = Told()
        self.home.mkdir()
        furnish(self.home)
        for words in (
            ("init",),
            ("add", *(word.replace("HOME", str(self.home)) for word in given("alpha"))),
            ("pause",),
        ):
            if (ran := player.evt(words, self.home)).code:
                raise RuntimeError(f"`evt {words[0]}` ended with {ran.code}: {ran.err}")
        shutil.copytree(self.home, self._whole)
        self.content = (self.home / oracle.MIRROR).read_bytes()

    def places(self) -> range:
        """Every byte of the last three lines, their beginning and the whole file's end with them."""
        last = self.content.splitlines(keepends=True)[-LINES:]
        return range(len(self.content) - sum(map(len, last)), len(self.content) + 1)

    def cut(self, at: int) -> None:
        told = self.told
        shutil.rmtree(self.home)
        shutil.copytree(self._whole, self.home)
        (self.home / oracle.MIRROR).write_bytes(self.content[:at])
        head = len(self.content.splitlines())
        ran = self._player.evt(("resume",), self.home)
        with closing(SqliteLog(self.home / LOG, read_only=True)) as log:
            repairs = list(log.all(head, types=frozenset({names.MIRROR_REPAIRED})))
        told.cuts += 1
        told.torn += (torn := at > 0 and self.content[at - 1 : at] != b"\n")
        told.repairs += len(repairs)
        wrong = [] if ran.code == 0 else [f"`evt resume` ended with {ran.code}: {ran.last_words}"]
        wrong += [*oracle.wrong_mirror(self.home), *self._wrong_repairs(at, repairs, torn=torn)]
        told.wrong += [f"cut at byte {at}: {sentence}" for sentence in wrong]

    def _wrong_repairs(self, at: int, repairs: list[Recorded], *, torn: bool) -> list[str]:
        """A torn line is told of with its bytes; a mirror that is only behind is no damage."""
        start = self.content.rfind(b"\n", 0, at) + 1
        said = [event.data["bytes_cut"] for event in repairs]
        wanted = [at - start] if torn else []
        return [] if said == wanted else [f"repairs of {said} bytes are told of, not of {wanted}"]


def cut_mirror(every: int, progress: Progress = lambda done, of, told: None) -> Told:
    """Cut at each `every`th byte of the last three lines."""
    folder = scratch("evt-mirror-")
    try:
        user = folder / "user"
        user.mkdir()
        with Player(folder, user) as player:
            cutter = Cutter(folder, player)
            chosen = cutter.places()[::every]
            for done, at in enumerate(chosen, 1):
                cutter.cut(at)
                progress(done, len(chosen), cutter.told)
        return cutter.told
    finally:
        shutil.rmtree(folder, ignore_errors=True)
