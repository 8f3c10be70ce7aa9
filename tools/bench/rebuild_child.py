"""One way to go through a corpus from its first event, in a process of its own: prints seconds and MiB.

python -m tools.bench.rebuild_child WAY EVENTS
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.log import SqliteLog
from projections.all_views import BY_NAME
from projections.views import Views
from schemas.upcasts import UPCASTS
from tools.bench.corpus import Corpus, corpus


def fold(kept: Corpus, loads: Callable[[bytes], Any]) -> None:
    """The last type of each stream, from the text file."""
    last: dict[str, str] = {}
    with kept.mirror.open("rb") as lines:
        for line in lines:
            event = loads(line)
            last[event["stream"]] = event["type"]


def columns(kept: Corpus) -> None:
    """The same from the log's columns; no line is decoded."""
    last: dict[str, str] = {}
    with closing(sqlite_file.connect(kept.log, read_only=True)) as connection:
        last.update(connection.execute("SELECT stream, type FROM events ORDER BY global_position"))


def view(kept: Corpus, name: str) -> None:
    """Rebuild one view into a database, as `evt replay` does."""
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as folder:
        log = SqliteLog(kept.log, upcasts=UPCASTS, read_only=True)
        views = Views(Path(folder) / "views.db", [BY_NAME[name]])
        views.rebuild(log)
        views.close()
        log.close()


WAYS: Final[dict[str, Callable[[Corpus], None]]] = {
    "orjson": lambda kept: fold(kept, orjson.loads),
    "json": lambda kept: fold(kept, json.loads),
    "columns": columns,
    "queue": lambda kept: view(kept, "queue"),
    "metrics": lambda kept: view(kept, "metrics"),
}


def forget(*paths: Path) -> None:
    """Ask the system to drop what it keeps of the files in memory."""
    if sys.platform == "linux":
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def peak_mib() -> float | None:
    """The most memory that was resident so far; None where the system does not say so."""
    if sys.platform != "linux":
        return None
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main(way: str, events: str) -> int:
    kept = corpus(int(events))
    forget(kept.log, kept.mirror)
    began = time.perf_counter()
    WAYS[way](kept)
    print(json.dumps({"seconds": time.perf_counter() - began, "mib": peak_mib()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
