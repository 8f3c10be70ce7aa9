"""The mirror in an audit: the log's lines as text, held against them while they pass."""

import os
from collections.abc import Sequence
from io import BufferedReader
from typing import Final

from eventstore.audit.findings import Finding
from eventstore.tree.merkle import leaf_hash

RECOVER: Final = "`evt recover` brings log and mirror together again"

LONGEST: Final = 2**26
"""Bytes of a line that is looked at because it is another one."""


class MirrorCheck:
    """Made before the log is read: what is appended to both meanwhile is not looked at.

    `differs` is the first position at which it has another line, `ends` the first one that it lacks.
    """

    def __init__(self, file: BufferedReader, name: str) -> None:
        self.differs: int | None = None
        self.ends: int | None = None
        self._file = file
        self._name = name
        self._left = os.fstat(file.fileno()).st_size
        self._position = 0
        self._instead = b""

    def take(self, lines: Sequence[bytes]) -> None:
        """The next lines of the log."""
        if self.differs is None and self.ends is None:
            text = b"".join([line + b"\n" for line in lines])
            found = self._file.read(min(len(text), self._left))
            if found == text:
                self._left -= len(text)
            else:
                self._compare(lines, found)
        self._position += len(lines)

    def holds(self, position: int, leaf: bytes | None) -> bool:
        """Whether the first line that differs is at this position, and is the one with the leaf's hash."""
        return leaf is not None and self.differs == position and leaf_hash(self._instead) == leaf

    def findings(self) -> tuple[list[Finding], list[str]]:
        """When the log has ended: what is wrong, and what may well be so after a crash."""
        if self.differs is not None:
            text = f"{self._name} has another line than the log at event {self.differs}"
            return [Finding("MIRROR-DIFFERS", text, self.differs, remedy=RECOVER)], []
        if self.ends is not None:
            text = f"{self._name} ends before event {self.ends}: whoever appends next brings it up to the log"
            return [], [text]
        if b"\n" in (more := self._file.read(min(self._left, LONGEST))):
            text = f"{self._name} goes on behind event {self._position}, with which the log ends"
            return [Finding("MIRROR-DIFFERS", text, self._position + 1, remedy=RECOVER)], []
        return [], [f"the last line of {self._name} is torn: whoever appends next mends it"] if more else []

    def _compare(self, lines: Sequence[bytes], found: bytes) -> None:
        """`found` is what it has instead of these lines."""
        at = 0
        for number, line in enumerate(lines, 1):
            if found.startswith(line + b"\n", at):
                at += len(line) + 1
                continue
            rest = found[at:]
            if len(found) == self._left and (line + b"\n").startswith(rest):
                self.ends = self._position + number
            else:
                self.differs = self._position + number
                whole = rest if b"\n" in rest else rest + self._file.readline(LONGEST)
                self._instead = whole.partition(b"\n")[0]
            return
