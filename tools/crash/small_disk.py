"""A disk of a few megabytes, filled until nothing goes in, then freed: nothing is lost, and it goes on."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.crash import oracle
from tools.crash.player import Player, Ran, scratch
from tools.crash.script import furnish, given
from tools.crash.witness import Ack

BALLAST: Final = 256 * 1024
"""Bytes of a file that is there from the beginning; its removal frees the disk."""
LETTERS: Final = 12_000
ENDINGS: Final = frozenset({0, 74})
MOST: Final = 400
"""So many tasks at most until the disk is full."""


@dataclass
class Told:
    """`codes` are exit codes of the verbs on the way to the full disk and on it."""

    disks: list[int] = field(default_factory=list)
    codes: Counter[int] = field(default_factory=Counter)
    acks: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def why_not() -> str | None:
    """Why no small disk can be had here, None where it can."""
    if not sys.platform.startswith("linux"):
        return "a tmpfs is for Linux"
    folder = scratch("evt-mount-")
    try:
        with mounted(folder, 64 * 1024):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no tmpfs may be mounted here: {error}"
    finally:
        folder.rmdir()


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[None]:
    """A file system of `size` bytes in memory."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "evt-crash", str(folder)],
        check=True,
        capture_output=True,
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


class SmallDisk:
    def __init__(self, place: Path, player: Player, told: Told) -> None:
        self._place = place
        self._home = place / "home"
        self._player = player
        self._told = told
        self._acks: list[Ack] = []
        self._before: list[bytes] = []

    def fill_and_free(self) -> None:
        self._home.mkdir()
        furnish(self._home)
        ballast = self._place / "ballast"
        ballast.write_bytes(bytes(BALLAST))
        if (made := self._evt("init")).code:
            self._say(f"`evt init` on the empty disk: {made.last_words}")
            return
        self._fill()
        self._on_the_full_disk()
        ballast.unlink()
        self._afterwards()

    def _fill(self) -> None:
        """Tasks of 12 KB each, until one is refused."""
        for number in range(MOST):
            ran = self._evt("add", f"Task {number}: {'x' * LETTERS}", "--type", "analyze")
            if ran.code:
                return
        self._say(f"{MOST} tasks went in, and the disk was never full")

    def _on_the_full_disk(self) -> None:
        for words in (
            ("add", *given("alpha")),
            ("pause",),
            ("list",),
            ("run", "--drain", "--drain-wait", "0", "--quiet"),
        ):
            self._evt(*(word.replace("HOME", str(self._home)) for word in words))
        with suppress(OSError):  # the views need room of their own; the log does not
            self._say_all("full", oracle.wrong_log(self._home, self._before, self._acks))

    def _afterwards(self) -> None:
        home = self._home
        for words in (("resume",), ("add", *given("beta")), ("cancel", "beta")):
            ran = self._evt(*(word.replace("HOME", str(home)) for word in words))
            if ran.code:
                self._say(f"with room again, `evt {words[0]}` ended with {ran.code}: {ran.last_words}")
        wrong = oracle.wrong_log(home, self._before, self._acks) + oracle.wrong_views(home)
        self._say_all("freed", [*wrong, *oracle.wrong_mirror(home), *oracle.half_done(home)])
        shutil.rmtree(home)

    def _evt(self, *words: str) -> Ran:
        # Without a reserve, so that the log itself meets the end of the disk.
        ran = self._player.evt(words, self._home, DISK_RESERVE_MB="0")
        self._acks += ran.acks
        self._told.acks += len(ran.acks)
        self._told.codes[ran.code] += 1
        self._told.refused += bool(ran.code)
        if ran.late or ran.crashed or ran.code not in ENDINGS:
            self._say(f"`evt {words[0]}` ended with {ran.code}: {ran.last_words}")
        elif ran.code and "evt: " not in ran.err:
            self._say(f"`evt {words[0]}` did not say what was wrong: {ran.last_words}")
        return ran

    def _say(self, sentence: str) -> None:
        self._told.wrong.append(sentence)

    def _say_all(self, when: str, wrong: list[str]) -> None:
        self._told.wrong += [f"{when}: {sentence}" for sentence in wrong]


def small_disks(sizes: tuple[int, ...]) -> Told:
    """For each size (bytes) a new disk is filled and freed."""
    told = Told()
    folder = scratch("evt-small-")
    try:
        place, user = folder / "disk", folder / "user"
        place.mkdir()
        user.mkdir()
        with Player(folder, user) as player:
            for size in sizes:
                with mounted(place, size):
                    told.disks.append(size)
                    SmallDisk(place, player, told).fill_and_free()
        return told
    finally:
        shutil.rmtree(folder, ignore_errors=True)
