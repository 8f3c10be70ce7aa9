"""Furnish a home for the demo: a git repository of the sample, and the recorded agent as the agent."""

import shutil
import sys
from pathlib import Path

from dulwich import porcelain

from adapters.home_making import make_home
from adapters.recorded.agent import RECORDINGS
from adapters.safe_files import replace, write_atomically
from adapters.signing_keys import SigningKeys
from eventstore.line import parse

RECORDED_AGENT = "evt-recorded-agent"
NO_MODEL = "LLAMA_MODEL=\n"
"""The line for a home's `.env` that keeps the local model out: what follows is the same everywhere."""
AUTHOR = b"evt demo <demo@example.invalid>"


def clear_away(root: Path) -> None:
    """Remove the home, and the key that its verbs have made for it."""
    mirror = root / "logs" / "events.ndjson"
    if mirror.exists():
        with mirror.open("rb") as lines:
            home_id = str(parse(lines.readline().rstrip(b"\n")).data["home_id"])
        SigningKeys(home_id, f"urn:evt:{home_id}").remove()
    shutil.rmtree(root, ignore_errors=True)


def furnish(root: Path) -> Path:
    """Make the home and return the repository that lies in it."""
    # A demo's home is named when it is used; it is nobody's lasting one.
    make_home(root, register=False)
    write_atomically(root / ".env", (agent_setting() + NO_MODEL).encode())
    repository = root / "sample"
    shutil.copytree(RECORDINGS / "sample", repository, ignore=shutil.ignore_patterns("__pycache__"))
    with porcelain.init(str(repository)) as repo:
        repo.get_worktree().stage([path.relative_to(repository).as_posix() for path in _files(repository)])
        repo.get_worktree().commit(message=b"The sample, as it came", author=AUTHOR, committer=AUTHOR)
    return repository


def agent_setting() -> str:
    """The line for a home's `.env` that names the recorded agent of this installation."""
    agent = shutil.which(RECORDED_AGENT, path=str(Path(sys.executable).parent))
    return f"CLAUDE_EXECUTABLE='{agent}'\n"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)


def demo_task(root: Path, name: str, repository: Path) -> Path:
    """Drop one task file as a producer should: under another name first, then renamed."""
    text = (RECORDINGS / "tasks" / f"{name}.task.md").read_text(encoding="utf-8")
    place = str(repository).replace("'", "''")
    target = root / "tasks" / f"{name}.task.md"
    waiting = target.with_name(f".{name}.tmp")
    waiting.write_text(text.replace("{repo}", place), encoding="utf-8", newline="\n")
    replace(waiting, target)
    return target
