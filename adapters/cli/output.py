"""What a verb says: data on stdout, everything else on stderr, colour only where it can be seen."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, Final, TextIO

import orjson

from adapters.cli.columns import cut, cut_within, padded, width
from adapters.cli.failure import Failure
from schemas.shown import shown

STYLES: Mapping[str, str] = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
STATUS_STYLE: Mapping[str, str] = {
    "succeeded": "green",
    "failed": "red",
    "refused": "red",
    "dropped": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "waiting_retry": "yellow",
    "waiting_quota": "yellow",
    "paused": "magenta",
    "queued": "blue",
    "received": "blue",
}

TELLING: Final = 24
"""Columns that the last one of a table should have: in fewer a title tells too little."""
LEAST: Final = 12
"""Where others have to be cut for it, it has so many."""
LABEL: Final = 9
"""Columns of a line's label, with the space behind it."""
SHORTEST: Final = 8
"""No other column is cut to fewer."""


@contextmanager
def named_stdout() -> Iterator[None]:
    """An OSError of writing to stdout tells no name: whoever reads of a full disk must know which."""
    try:
        yield
    except OSError as trouble:
        trouble.filename = trouble.filename or "stdout"
        raise


def terminal_columns(otherwise: int) -> int:
    """As `shutil.get_terminal_size` has them: that module would be loaded for it alone, with each verb."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    with suppress(AttributeError, ValueError, OSError):
        if (stdout := sys.__stdout__) is not None:
            return os.get_terminal_size(stdout.fileno()).columns or otherwise
    return otherwise


class Output:
    """One for each call. `json` asks for JSON and nothing else, errors and notes included."""

    def __init__(
        self,
        color: str,
        environ: Mapping[str, str],
        json: bool,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.json = json
        self.terminal = self.out.isatty() and environ.get("TERM") != "dumb"
        allowed = self.terminal and not environ.get("NO_COLOR")
        self.colored = color == "always" or (color == "auto" and allowed)

    @property
    def width(self) -> int:
        """Columns of the terminal, 100 where there is none."""
        return terminal_columns(100)

    def paint(self, text: str, *styles: str) -> str:
        """Text in colour, or as it is where colour cannot be seen."""
        wanted = [STYLES[style] for style in styles if style]
        return f"\x1b[{';'.join(wanted)}m{text}\x1b[0m" if self.colored and wanted else text

    def status(self, status: str) -> str:
        return self.paint(status, STATUS_STYLE.get(status, ""))

    def abandon(self) -> None:
        """Point a broken stdout at nothing, so that the interpreter's last flush says nothing."""
        _to_nothing(self.out)

    def write(self, text: str) -> None:
        """Data as it is. An OSError of stdout bears its name."""
        with named_stdout():
            self.out.write(text)

    def line(self, text: str = "") -> None:
        """One line of data."""
        self.write(text + "\n")

    def document(self, value: Any) -> None:
        """One JSON document on stdout."""
        self.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n")

    def record(self, value: Any) -> None:
        """One JSON value on one line, for streams."""
        self.write(orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() + "\n")

    def note(self, text: str) -> None:
        """A word beside the data; with `json` an object on its own line: stderr stays parseable."""
        if self.json:
            text = orjson.dumps({"note": text.removeprefix("note: ")}).decode()
        try:
            self.err.write(text + "\n")
            self.err.flush()
        except OSError:
            # A terminal that was closed: nobody is there to be told, and what was asked for goes on.
            _to_nothing(self.err)

    def failure(self, failure: Failure) -> None:
        """Line by line as `shown` has it: a path may hold what acts on a terminal."""
        if self.json:
            said = {"code": failure.code, "message": failure.sentence, "hint": failure.hint}
            self.err.write(orjson.dumps({"error": said}).decode() + "\n")
            return
        self.err.write(f"evt: {_lines_shown(failure.sentence)}\n")
        if failure.hint:
            self.err.write(f"     {_lines_shown(failure.hint)}\n")

    def flush(self) -> None:
        """Hand over what was said so far, to whoever follows."""
        with named_stdout():
            self.out.flush()

    def table(
        self,
        rows: Sequence[Sequence[str]],
        heads: Sequence[str],
        styles: Sequence[str] = (),
        styled: int = 0,
        spare: Sequence[str] = (),
    ) -> list[str]:
        """Columns as wide as they need; the last one is cut at the terminal's edge.

        Cells are made safe to show; `styles` names one style a row, for its cell number `styled`.
        `spare` are heads of columns behind that one: a narrow terminal goes without them, in their order,
        and without the last of them only where the row's end could not be told otherwise.
        Where that is not enough the widest are cut, so that a row stays a line; where it still is not,
        each row becomes some lines. Returns the heads of columns that were left out.
        """
        left_out: list[str] = []
        cells = [[shown(cell) for cell in row] for row in rows]
        widths = [max([width(head), *(width(row[i]) for row in cells)]) for i, head in enumerate(heads)]
        room = self.width - sum(widths[:-1]) - 2 * (len(heads) - 1)
        for head in spare if self.terminal else ():
            if room >= min(LEAST if head == spare[-1] else TELLING, widths[-1]):
                break
            at = list(heads).index(head)
            left_out.append(head)
            room += widths.pop(at) + 2
            heads = [*heads[:at], *heads[at + 1 :]]
            cells = [[*row[:at], *row[at + 1 :]] for row in cells]
        if self.terminal:
            room += _narrowed(widths, [*map(width, heads)], min(LEAST, widths[-1]) - room)
            if room < min(SHORTEST, widths[-1]):
                self._blocks(cells, heads, styles, styled)
                return left_out
            widths[-1] = min(widths[-1], room)
            heads = [*heads[:-1], cut(heads[-1], widths[-1])]
            cells = [[cut_within(row[0], widths[0]), *map(cut, row[1:], widths[1:])] for row in cells]
        self.line(self.paint("  ".join(map(padded, heads, widths)).rstrip(), "dim"))
        for number, row in enumerate(cells):
            fitting = [padded(cell, columns) for cell, columns in zip(row, widths, strict=True)]
            if styles:
                fitting[styled] = self.paint(fitting[styled], styles[number])
            self.line("  ".join(fitting).rstrip())
        return left_out

    def labelled(self, label: str, text: str, *styles: str) -> None:
        """A line with its label; a terminal gets it folded at its edge, the rest set in below the first."""
        room, lines = self.width - LABEL, [text]
        if self.terminal and room >= TELLING and width(text) > room:
            # Loaded where a line is too long for the terminal, and seldom is.
            lines = import_module("textwrap").wrap(text, room, break_on_hyphens=False)
        lead = self.paint(label, *styles) + " " * (LABEL - len(label))
        for line in lines:
            self.line(lead + line)
            lead = " " * LABEL

    def _blocks(
        self, cells: Sequence[Sequence[str]], heads: Sequence[str], styles: Sequence[str], styled: int
    ) -> None:
        """Each row as lines, a cell in each, where no line has room for all of them."""
        longest = max(map(width, heads[1:]))
        for number, row in enumerate(cells):
            told = [cut(cell, max(SHORTEST, self.width - longest - 4)) for cell in row]
            if styles:
                told[styled] = self.paint(told[styled], styles[number])
            self.line(told[0] if styles and not styled else self.paint(told[0], "bold"))
            for head, cell in zip(heads[1:], told[1:], strict=True):
                self.line(f"  {self.paint(padded(head, longest), 'dim')}  {cell}".rstrip())


def _narrowed(widths: list[int], heads: Sequence[int], lack: int) -> int:
    """Take so many columns from the widest but the last; how many there were to take.

    None is made narrower than its head, and the first, which names the row, gives way after the others.
    """
    taken = 0
    for candidates in (range(1, len(widths) - 1), range(min(1, len(widths) - 1))):
        while taken < lack:
            widest = max(candidates, key=lambda at: widths[at] - heads[at], default=None)
            if widest is None or widths[widest] <= max(SHORTEST, heads[widest]):
                break
            widths[widest] -= 1
            taken += 1
    return taken


def _to_nothing(stream: TextIO) -> None:
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _lines_shown(text: str) -> str:
    return "\n".join(map(shown, text.split("\n")))
