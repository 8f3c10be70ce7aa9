"""What strace is asked for and what it has seen: calls that change files, and what was done to them."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

WRITES: Final = frozenset({"pwrite64", "write"})
SYNCS: Final = frozenset({"fdatasync", "fsync"})
NAMES: Final = frozenset({"rename", "renameat", "renameat2", "unlink", "unlinkat"})
CALLS: Final = WRITES | SYNCS | NAMES | {"ftruncate"}
"""Each call by which the program changes a file or makes a change durable."""

LISTED: Final = ",".join(f"?{name}" for name in sorted(CALLS))
"""With a question mark: not every processor has every one of them."""

TRACED: Final = f"trace={LISTED}"

LINE: Final = re.compile(r"^(\d+) +(\w+)\((.*)$")
PLACE: Final = re.compile(r"^\d+<([^>]*)>")
QUOTED: Final = re.compile(r'"([^"]*)"')


WILLING: Final = """
import ctypes, sys
ctypes.CDLL(None).prctl(0x59616D61, -1, 0, 0, 0)
print(flush=True)
sys.stdin.read()
"""
"""A process that anybody may trace: see `stage`."""


@cache
def why_not() -> str | None:
    """Why nothing can be traced here, None where it can."""
    if not sys.platform.startswith("linux"):
        return "strace is for Linux"
    if shutil.which("strace") is None:
        return "strace is not installed"
    words = [sys.executable, "-c", WILLING]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as traced:
        if traced.stdin is None or traced.stdout is None:
            raise RuntimeError("a process without pipes")
        traced.stdout.readline()
        words = ["strace", "-p", str(traced.pid), "-o", "/dev/null", "-e", TRACED]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as tracer:
            if tracer.stderr is None:
                raise RuntimeError("a process without pipes")
            said = tracer.stderr.readline().decode(errors="replace").strip()
            traced.stdin.close()
    return None if said.endswith("attached") else f"strace may not trace here: {said[:200]}"


@dataclass(frozen=True)
class Call:
    """One call of one thread; `number` counts the calls of that name in the thread, from 1."""

    thread: int
    name: str
    number: int
    path: str
    injected: bool
    died: bool
    """The thread was killed in it."""

    def __str__(self) -> str:
        return f"{self.name} {self.number} of {self.path}"


def profile() -> list[str]:
    """Options that only watch."""
    return ["-f", "-b", "execve", "-y", "-s", "0", "-e", TRACED]


def tampering(call: str, how: str, number: int | str, path: str | None = None) -> list[str]:
    """Options that tamper with a call of that name: `how` is `signal=KILL` or `error=EIO`.

    `number` is counted by each thread for itself, "3+" means the third and all that follow;
    with a path, only calls on that file are counted and seen. Started programs are let go.
    """
    options = [
        "-f",
        "-b",
        "execve",
        "-y",
        "-s",
        "0",
        "-e",
        TRACED,
        "-e",
        f"inject={call}:{how}:when={number}",
    ]
    return options if path is None else [*options, "-P", path]


def calls(trace: Path) -> list[Call]:
    """The calls of a trace, in the order in which they began."""
    return list(_calls(trace.read_text(encoding="utf-8", errors="replace").splitlines()))


def _calls(lines: list[str]) -> Iterator[Call]:
    counts = Counter[tuple[int, str]]()
    for line in lines:
        found = LINE.match(line)
        if found is None or found[2] not in CALLS:
            continue
        thread, name, rest = int(found[1]), found[2], found[3]
        counts[thread, name] += 1
        place = PLACE.match(rest) or QUOTED.search(rest)
        yield Call(
            thread,
            name,
            counts[thread, name],
            place[1] if place else "",
            injected="(INJECTED)" in rest,
            died=rest.endswith("= ?"),
        )
