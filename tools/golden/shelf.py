"""What is kept of an agent beside a home, turn by turn: its prompts, and what a real one said and did."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.golden.case import Files, files_of, put


@dataclass(frozen=True)
class Taped:
    """One process of the real agent: what it said, how it ended, and the directory after it."""

    arguments: tuple[str, ...]
    exit_code: int
    stderr: str
    stdout: bytes
    after: Files


@dataclass(frozen=True)
class Shelf:
    """Turns are counted from 1, and follow one another: a task has one agent at a time."""

    folder: Path

    def keep_prompt(self, prompt: bytes) -> int:
        """The number of the turn that begins with it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        number = len(self.prompts()) + 1
        (self.folder / f"prompt-{number:03}.txt").write_bytes(prompt)
        return number

    def prompts(self) -> list[str]:
        return [path.read_bytes().decode() for path in sorted(self.folder.glob("prompt-*.txt"))]

    def keep(self, number: int, taped: Taped) -> None:
        folder = self.folder / f"turn-{number:03}"
        put(folder / "after", taped.after)
        (folder / "stdout").write_bytes(taped.stdout)
        told = {"arguments": taped.arguments, "exit_code": taped.exit_code, "stderr": taped.stderr}
        (folder / "end.json").write_text(json.dumps(told), encoding="utf-8")

    def taped(self) -> list[Taped]:
        return [_taped(folder) for folder in sorted(self.folder.glob("turn-*"))]


def _taped(folder: Path) -> Taped:
    told: dict[str, Any] = json.loads((folder / "end.json").read_text(encoding="utf-8"))
    return Taped(
        arguments=tuple(told["arguments"]),
        exit_code=told["exit_code"],
        stderr=told["stderr"],
        stdout=(folder / "stdout").read_bytes(),
        after=files_of(folder / "after"),
    )
