"""A process that plays verbs, each in a child of its own: all is imported once, and strace can watch.

`python -m tools.crash.stage` reads jobs from stdin and answers on stdout, a JSON object a line. A child does
what `evt WORDS` does: it calls the same function with the same words.
"""

import ctypes
import importlib
import io
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import orjson

from adapters.cli.main import call
from adapters.cli.table import VERBS
from tools.crash import witness

BUG: Final = 70
LOOK_S: Final = 0.003
ANY_TRACER: Final = (0x59616D61, -1)
"""Linux, prctl(2): PR_SET_PTRACER, PR_SET_PTRACER_ANY."""


class Voice(io.RawIOBase):
    """Writes with `writev`, so that what a verb says is not among the calls that are counted."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, content: Any) -> int:
        if sys.platform == "win32":
            raise OSError("Windows has no writev")
        return os.writev(self._descriptor, [content])


def main() -> None:
    for verb in VERBS.values():
        importlib.import_module(f"adapters.cli.{verb.module}")
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(orjson.dumps(_played(orjson.loads(line))) + b"\n")
        sys.stdout.buffer.flush()


def _played(job: Mapping[str, Any]) -> dict[str, Any]:
    if sys.platform == "win32":
        raise OSError("Windows cannot fork")
    ready, go = os.pipe()
    child = os.fork()
    if not child:
        os.close(go)
        _play(job, ready)
    os.close(ready)
    watcher = _attached(job, child) if job["strace"] else None
    os.write(go, b"!")
    os.close(go)
    status, late = _ended(child, job["limit_s"])
    if watcher is not None:
        watcher.communicate()
    return {"code": os.waitstatus_to_exitcode(status), "late": late}


def _attached(job: Mapping[str, Any], child: int) -> "subprocess.Popen[bytes]":
    watcher = subprocess.Popen(
        ["strace", "-p", str(child), "-o", job["trace"], *job["strace"]],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if watcher.stderr is None:
        raise RuntimeError("strace has no stderr")
    said = watcher.stderr.readline()
    if b"attached" not in said:
        raise OSError(f"strace: {said.decode(errors='replace')}")
    return watcher


def _ended(child: int, limit_s: float) -> tuple[int, bool]:
    """The wait status, and whether it had to be killed after `limit_s` seconds."""
    if sys.platform == "win32":
        raise OSError("Windows cannot wait for a child by its number")
    until, late = time.monotonic() + limit_s, False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status, late
        if not late and time.monotonic() > until:
            late = True
            os.kill(child, 9)
        time.sleep(LOOK_S)


def _play(job: Mapping[str, Any], ready: int) -> NoReturn:
    """In the child. It ends here, whatever comes."""
    code = BUG
    try:
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update(job["environ"])
        sys.stdout, sys.stderr = _voice(job["out"]), _voice(job["err"])
        if job["witness"]:
            witness.begin(Path(job["witness"]))
        _let_anybody_trace()
        os.read(ready, 1)
        code = call(job["words"], dict(job["environ"]))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001 - whoever asked is told, as the interpreter would tell
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _voice(path: str) -> io.TextIOWrapper:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    raw = io.BufferedWriter(Voice(descriptor))
    return io.TextIOWrapper(
        raw, encoding="utf-8", errors="backslashreplace", newline="\n", line_buffering=True
    )


def _let_anybody_trace() -> None:
    """Where a system lets nobody but ancestors trace a process, strace would be refused."""
    ctypes.CDLL(None).prctl(*ANY_TRACER, 0, 0, 0)


if __name__ == "__main__":
    main()
