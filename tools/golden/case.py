"""A golden task on the disk: what goes in, what the agent said and did, and what has to come out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
CASES: Final = ROOT / "tests" / "golden"
EXPECTED: Final = ("events.ndjson", "artifact.json", "summary.txt", "prompts.md")
TURN: Final = "golden_turn"
"""The key of the line of `session.ndjson` that begins a turn: it is ours, all other lines are the agent's."""

SKIPPED: Final = frozenset({".git", "__pycache__"})
Files = Mapping[str, bytes]
"""Path inside a folder, `/`-separated, → content."""


class BadCase(Exception):
    """A golden task that cannot be played; the message is one sentence."""


@dataclass(frozen=True)
class Turn:
    """One process of the agent. `written` and `deleted` are what it left different in the directory."""

    number: int
    exit_code: int
    stderr: str
    stdout: bytes
    written: Files
    deleted: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """`name` is `agent/name`."""

    folder: Path

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def agent(self) -> str:
        return self.folder.parent.name

    @property
    def task(self) -> Path:
        """The task file. Raises BadCase unless there is one."""
        found = sorted(self.folder.glob("*.task.md"))
        if len(found) != 1:
            raise BadCase(f"{self.folder} holds {len(found)} task files; a golden task has one.")
        return found[0]

    @property
    def task_id(self) -> str:
        return self.task.name.removesuffix(".task.md")

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def settings(self) -> str:
        """Lines for the home's `.env`, beside those that every replay needs."""
        path = self.folder / "settings.env"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def answers(self) -> Mapping[str, Any] | None:
        """What the local model says, by purpose; None: there is no model."""
        path = self.folder / "model.json"
        if not path.exists():
            return None
        read: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return read

    @property
    def session(self) -> Path:
        return self.folder / "session.ndjson"

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """Raises BadCase for a session that does not begin with the line of a turn."""
        heads: list[Mapping[str, Any]] = []
        said: list[list[bytes]] = []
        for line in self.session.read_bytes().splitlines(keepends=True):
            if line.startswith(f'{{"{TURN}":'.encode()):
                heads.append(json.loads(line))
                said.append([])
            elif not heads:
                raise BadCase(f"{self.session} does not begin with a line of `{TURN}`.")
            else:
                said[-1].append(line)
        return tuple(
            Turn(
                number=head[TURN],
                exit_code=head["exit_code"],
                stderr=head["stderr"],
                stdout=b"".join(lines),
                written=files_of(self.folder / "changes" / str(head[TURN])),
                deleted=tuple(head["deleted"]),
            )
            for head, lines in zip(heads, said, strict=True)
        )

    def playable(self) -> "Case":
        """Raises BadCase where something is missing that a replay needs."""
        _ = self.task
        for path in (self.project, self.session):
            if not path.exists():
                raise BadCase(f"There is no {path}: record the golden task first.")
        _ = self.turns
        return self

    def directory_after(self) -> Files:
        """What the project holds when all turns are over."""
        files = dict(files_of(self.project))
        for turn in self.turns:
            files.update(turn.written)
            for path in turn.deleted:
                files.pop(path, None)
        return files

    def expected(self) -> Mapping[str, str]:
        """The expected files that there are, by name."""
        found = (self.folder / name for name in EXPECTED)
        return {path.name: path.read_text(encoding="utf-8") for path in found if path.exists()}

    def accept(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8", newline="\n")


def cases(names: tuple[str, ...] = (), root: Path = CASES) -> Iterator[Case]:
    """Those of the names (`agent/name`, or an agent for its own), all without names. Raises BadCase."""
    found = {case.name: case for case in map(Case, sorted(root.glob("*/*/"))) if case.folder.is_dir()}
    for name in names:
        if name not in found and not any(case.agent == name for case in found.values()):
            raise BadCase(f"There is no golden task {name!r} in {root}; there are: {', '.join(found)}.")
    for case in found.values():
        if not names or case.name in names or case.agent in names:
            yield case


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, none where there is no folder; git's own and Python's caches left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and SKIPPED.isdisjoint(path.relative_to(folder).parts)
    }


def put(folder: Path, files: Files) -> None:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
