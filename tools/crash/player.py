"""Has verbs played on a stage, alone or under strace, and says what came of each."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import orjson

from tools.crash.tracing import Call, calls
from tools.crash.witness import Ack, acknowledged

ROOT: Final = Path(__file__).resolve().parents[2]
ROOM: Final = 512 * 2**20
"""Bytes; a container may have little, and a service begins nothing on a disk that is nearly full."""
LIMIT_S: Final = 120.0
KILLED: Final = -9
SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it


@dataclass(frozen=True)
class Ran:
    """One verb: its exit code (-9: killed), its words, what was acknowledged, what strace saw."""

    code: int
    late: bool
    out: str
    err: str
    acks: list[Ack]
    trace: list[Call]

    @property
    def killed(self) -> bool:
        return self.code == KILLED

    @property
    def last_words(self) -> str:
        return " | ".join(self.err.strip().splitlines()[-3:])[-500:]

    @property
    def crashed(self) -> bool:
        return "Traceback (most recent call last)" in self.err


def scratch(prefix: str) -> Path:
    """A new folder, in memory where the system has room there: a kill takes nothing from either."""
    roomy = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > ROOM
    return Path(tempfile.mkdtemp(prefix=prefix, dir=SHARED_MEMORY if roomy else None))


class Player:
    """`folder` is for its own files, `user` is where the person's settings and keys lie."""

    def __init__(self, folder: Path, user: Path) -> None:
        self._folder = folder
        self._user = user
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tools.crash.stage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def evt(
        self,
        words: Sequence[str],
        home: Path,
        strace: Sequence[str] = (),
        limit_s: float = LIMIT_S,
        **more: str,
    ) -> Ran:
        """Play `evt WORDS --home HOME` with the options of strace, and with `more` in its environment."""
        names = ("witness", "trace", "out", "err")
        places = {name: self._folder / f"{name}.txt" for name in names}
        for place in places.values():
            place.unlink(missing_ok=True)
        job = {
            **{name: str(place) for name, place in places.items()},
            "words": [*words, "--home", str(home)],
            "strace": list(strace),
            "environ": self._environment(more),
            "cwd": str(self._folder),
            "limit_s": limit_s,
        }
        answer = self._ask(job)
        out, err = (places[name].read_text(encoding="utf-8", errors="replace") for name in ("out", "err"))
        seen = calls(places["trace"]) if places["trace"].exists() else []
        return Ran(answer["code"], bool(answer["late"]), out, err, acknowledged(places["witness"]), seen)

    def _ask(self, job: dict[str, object]) -> dict[str, int]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the stage has no pipes")
        self._process.stdin.write(orjson.dumps(job) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stage has ended with {self._process.wait()}")
        answer: dict[str, int] = orjson.loads(line)
        return answer

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVT_", "CLAUDE"))}
        own = {"PYTHONPATH": str(ROOT), "HOME": str(self._user), "XDG_CONFIG_HOME": str(self._user)}
        return {**kept, **own, "CLAUDE_CODE_RECORDED_PAUSE_MS": "0", **more}
