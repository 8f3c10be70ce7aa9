"""A commit is one sync of the disk, for one who appends alone and for many whose appends are one group."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eventstore.sqlite.log import SqliteLog

ROOT = Path(__file__).parents[1]
MOST = 1.05
"""Syncs a commit; what is more than 1 are the checkpoints, the opening and the closing."""

SYNCS = ("fdatasync", "fsync", "msync", "sync_file_range")
SYNC = re.compile(rf"\b(?:{'|'.join(SYNCS)})\(")
"""The beginning of a call: one that another thread interrupts has two lines."""

ALONE = """
import sys
from pathlib import Path
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact

log = SqliteLog(Path(sys.argv[1]))
for number in range(400):
    log.append("a-1", [fact(number)], ANY)
print(400, log.head())
log.close()
"""

TOGETHER = """
import sys
from pathlib import Path
import trio
from adapters.threaded_log import ThreadedLog
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact

class Counting(SqliteLog):
    commits = 0

    def append_group(self, wishes):
        self.commits += 1
        return super().append_group(wishes)

async def caller(service, name):
    for number in range(250):
        await service.append(name, [fact(number, f"{name}_did")], ANY)

async def callers(log):
    service = ThreadedLog(log, log.bell)
    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(caller, service, f"a-{number}")

log = Counting(Path(sys.argv[1]))
trio.run(callers, log)
print(log.commits, log.head())
log.close()
"""


def refusal() -> str | None:
    """Why nothing can be counted here; None when it can."""
    program = shutil.which("strace")
    if program is None:
        return "strace is not installed"
    tried = subprocess.run([program, "-qq", "-e", "trace=none", "true"], capture_output=True, check=False)
    return f"strace may not trace here: {tried.stderr.decode()[:80]}" if tried.returncode else None


REFUSAL = refusal() if sys.platform == "linux" else "only Linux has strace"


@pytest.mark.skipif(REFUSAL is not None, reason=str(REFUSAL))
@pytest.mark.parametrize(("program", "events"), [(ALONE, 400), (TOGETHER, 2000)], ids=["alone", "together"])
def test_a_commit_is_one_sync(tmp_path: Path, program: str, events: int) -> None:
    path, seen = tmp_path / "events.db", tmp_path / "seen.txt"
    SqliteLog.create(path).close()
    watched = ["strace", "-f", "-qq", "-e", f"trace={','.join(SYNCS)}", "-o", str(seen)]
    said = subprocess.run(
        [*watched, sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    commits, head = map(int, said.stdout.split())
    assert head == events
    assert events / 8 <= commits <= events
    syncs = len(SYNC.findall(seen.read_text(encoding="utf-8")))
    assert commits <= syncs <= MOST * commits
