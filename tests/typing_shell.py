"""A shell on a pseudo-terminal, and somebody who types: letters, the tab key, the enter key."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

READY: Final = "ready> "
TOLD: Final = "<told>"
"""What the program prints when it has written down its words."""

PATIENCE_S: Final = 30.0
AS_A_TERMINAL: Final = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Gives the shell a terminal that is its own, with which it may stop and continue what it starts."""

SHELLS: Final[Mapping[str, tuple[list[str], str]]] = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"source ./script.bash; PS1='{READY}'"),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"autoload -Uz compinit; compinit -u -D; source ./script.zsh; unsetopt prompt_sp; PS1='{READY}'",
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        f"source script.fish; function fish_prompt; echo -n '{READY}'; end; set fish_greeting",
    ),
}
"""How each is started without anybody's settings, and the first line that it is told."""


class TypingShell:
    """`evt` in the folder's `bin` writes the words that it was given into the file `told`, and says TOLD."""

    def __init__(self, shell: str, folder: Path, environ: Mapping[str, str]) -> None:
        if sys.platform == "win32":
            raise AssertionError("POSIX only")
        import pty  # noqa: PLC0415 - only POSIX has it

        command, first = SHELLS[shell]
        self._told = folder / "told"
        self._seen = ""
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", AS_A_TERMINAL, *command],
            cwd=folder,
            env={**environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._first = first.replace(READY, "rea''dy> ")  # what is typed is shown too

    def __enter__(self) -> Self:
        try:
            self._write(self._first + "\r")
            self._await(READY)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        """End the shell, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def line(self, typed: str) -> list[str]:
        """The words that the program was given when all that was typed is entered."""
        self._seen = ""
        for piece in typed.split("\t")[:-1]:
            self._write(piece + "\t")
        self._write(typed.rpartition("\t")[2] + "\r")
        self._until(lambda: READY in self._seen.partition(TOLD)[2], typed)
        return self._told.read_text(encoding="utf-8").splitlines()

    def listing(self, typed: str, wanted: str) -> str:
        """What the terminal shows once `wanted` is on it."""
        self._seen = ""
        self._write(typed)
        self._await(wanted)
        return self._seen

    def _write(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def _await(self, text: str) -> None:
        self._until(lambda: text in self._seen, text)

    def _until(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise AssertionError(f"{what!r} did not come; the terminal says {self._seen!r}")
            ready, _, _ = select.select([self._ours], [], [], 0.05)
            if ready:
                with contextlib.suppress(OSError):
                    self._seen += os.read(self._ours, 65536).decode(errors="replace")
