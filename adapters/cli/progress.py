"""One line on stderr that says how far a verb is, only where somebody can see it."""

import time
from collections.abc import Mapping
from typing import Final

from adapters.cli.columns import cut
from adapters.cli.output import Output

EVERY_S: Final = 0.1


class Progress:
    """Written over itself with `\\r`, and gone at the end; off a terminal nothing is written."""

    def __init__(self, output: Output, environ: Mapping[str, str]) -> None:
        self._err = output.err
        self._width = output.width
        self._shown = False
        self._next = 0.0
        self.visible = output.err.isatty() and environ.get("TERM") != "dumb" and not output.json

    def due(self) -> bool:
        """Whether a new line would be seen: ten times a second is enough."""
        return self.visible and time.monotonic() >= self._next

    def show(self, text: str) -> None:
        """Write the line anew if it is due."""
        if not self.due():
            return
        self._next = time.monotonic() + EVERY_S
        self._err.write(f"\r\x1b[K{cut(text, self._width - 1)}")
        self._err.flush()
        self._shown = True

    def clear(self) -> None:
        """Take the line away, so that what follows begins at the edge."""
        if self._shown:
            self._err.write("\r\x1b[K")
            self._err.flush()
            self._shown = False
