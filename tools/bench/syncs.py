"""How often the log syncs its file for each commit: counted by strace, not timed."""

import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from eventstore.event import NO_STREAM
from eventstore.sqlite.log import SqliteLog
from tools.bench import made

SYNCS: Final = re.compile(r"\b(?:fdatasync|fsync|msync|sync_file_range|syncfs|sync)\(")
LIMIT_S: Final = 300.0


def syncs_per_append(folder: Path, appends: int) -> float | None:
    """Of a process that opens the log, appends so many events, one each, and closes it.

    None where there is no strace.
    """
    strace = shutil.which("strace")
    if strace is None or sys.platform != "linux":
        return None
    folder.mkdir()
    with closing(SqliteLog.create(folder / "events.db")):
        pass
    trace = folder / "trace.txt"
    calls = "trace=fdatasync,fsync,msync,sync_file_range,syncfs,sync"
    ours = [sys.executable, "-m", "tools.bench.syncs", str(folder / "events.db"), str(appends)]
    told = subprocess.run(
        [strace, "-f", "-e", calls, "-o", str(trace), *ours],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=LIMIT_S,
    )
    if told.returncode:
        return None  # a container that lets nobody be traced
    return len(SYNCS.findall(trace.read_text(encoding="utf-8", errors="replace"))) / appends


def main(path: str, appends: str) -> int:
    with closing(SqliteLog(Path(path))) as log:
        for number, event in enumerate(made.events(int(appends))):
            log.append(f"task-{number}", [event], NO_STREAM)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
