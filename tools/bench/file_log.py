"""What a log of lines in a plain file costs: the anchor of appending, and a log for the same writer."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eventstore.event import Place
from eventstore.log import Append, Outcome
from tools.bench import made


def appends_a_second(folder: Path, appends: int, each: int) -> float:
    """Events a second: so many lines in one write and one fdatasync, again and again."""
    block = made.line() * each
    with _opened(folder / "anchor.ndjson") as descriptor:
        began = time.perf_counter()
        for _ in range(appends):
            os.write(descriptor, block)
            _sync(descriptor)
        return appends * each / (time.perf_counter() - began)


class FileLog:
    """Keeps one line an append: no place, no order, nobody else. Only for `LogWriter` to write to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._line = made.line()

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        """One write and one fdatasync for all of them."""
        os.write(self._descriptor, self._line * len(wishes))
        _sync(self._descriptor)
        return [(Place(1, 0),)] * len(wishes)


@contextmanager
def file_log(folder: Path) -> Iterator[FileLog]:
    with _opened(folder / "lines.ndjson") as descriptor:
        yield FileLog(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    # macOS and Windows have no fdatasync.
    getattr(os, "fdatasync", os.fsync)(descriptor)
