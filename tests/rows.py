"""Rows of bad input: what lies in an inbox goes through the whole program, and what its author then reads."""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from adapters.demo_home import agent_setting
from adapters.home_making import make_home
from eventstore.event import Recorded
from schemas import names
from schemas.shown import shown
from tests.service import events, evt

NOBODY = agent_setting()
"""An agent that has no recording of these tasks and says so at once: what matters here comes before it."""

TESTS = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Row:
    """One thing in the inbox under `name`, and the sentence and the advice that its author reads.

    `puts` is its content, or what makes it at a path. Without `reads` it is taken in, with
    `notes` said of it. ROOT stands for the folder in which tasks may work.
    """

    about: str
    name: str
    puts: bytes | Callable[[Path], None]
    reads: str | None = None
    advice: str = ""
    notes: tuple[str, ...] = ()

    def put(self, path: Path) -> None:
        if isinstance(self.puts, bytes):
            path.write_bytes(self.puts)
        else:
            self.puts(path)


@dataclass(frozen=True)
class Drained:
    """A home after `evt run --drain`, and all that was said meanwhile."""

    home: Path
    root: Path
    said: subprocess.CompletedProcess[str]
    log: Sequence[Recorded]
    listed: Sequence[Mapping[str, Any]]
    lines: Sequence[str]

    def row(self, name: str) -> Mapping[str, Any]:
        """The one line of `evt list --json` for the file of that name, as the log shows it."""
        (found,) = [row for row in self.listed if row["file_name"] == name]
        return found

    def event(self, kind: str, name: str) -> Recorded:
        (found,) = [event for event in self.log if event.type == kind and event.data["file_name"] == name]
        return found

    def archived(self, row: Mapping[str, Any]) -> Path:
        """Where the file lies now."""
        subject = (f"refused-{row['refused_id']}" if row["status"] == "refused" else row["task_id"]).lower()
        moves = [
            event.data["path"]
            for event in self.log
            if event.type == names.TASK_ARCHIVED and event.data["subject"].lower() == subject
        ]
        assert moves, f"{row['file_name']} was never moved"
        assert moves[-1] is not None, f"{row['file_name']} lies where it lay"
        return self.home / str(moves[-1])

    def left(self) -> list[str]:
        """What lies in the inbox still."""
        return sorted(path.name for path in (self.home / "tasks").iterdir() if path.name != "processed")


def ground(folder: Path, settings: str = NOBODY) -> tuple[Path, Path]:
    """A home inside the folder where tasks may work, which is the base of every `cwd`, too."""
    root = folder / "work"
    home = make_home(root / "home", register=False).root
    places = f"CLAUDE_BASE_CWD={root}\nCLAUDE_ALLOWED_ROOT={root}\n"
    (home / ".env").write_text(places + settings, encoding="utf-8", newline="\n")
    return home, root


def drain(home: Path, root: Path, rows: Sequence[Row] = (), **environ: str) -> Drained:
    """Put each row into the inbox, let the service do what can be done, and look."""
    for row in rows:
        row.put(home / "tasks" / row.name)
    said = evt(home, "run", "--drain", **environ)
    assert said.returncode == 0, said.stderr
    assert "Traceback" not in said.stdout + said.stderr
    log = events(home)
    assert names.AUTOMATION_RESTARTED not in {event.type for event in log}
    listed = orjson.loads(evt(home, "list", "--json").stdout)
    return Drained(home, root, said, log, listed, evt(home, "list").stdout.splitlines())


def check(row: Row, found: Drained) -> None:
    """The file is aside; its author reads exactly this, in the log, in the list and beside the file."""
    name = shown_name(row.name)
    seen = found.row(name)
    assert row.name not in found.left()
    if row.reads is None:
        assert seen["status"] != "refused", seen["sentence"]
        assert found.event(names.TASK_RECEIVED, name).data["spec"]["warnings"] == list(row.notes)
        return
    reads = row.reads.replace("ROOT", str(found.root))
    assert (seen["status"], seen["sentence"], seen["remedy"]) == ("refused", reads, row.advice)
    beside = found.archived(seen).name.removesuffix(".task.md") + ".reason.txt"
    text = (found.home / "tasks" / "processed" / beside).read_text(encoding="utf-8")
    assert text == f"{reads}\n{row.advice}\n"
    assert any(
        line.startswith(seen["id"]) and line.endswith(f"{shown(name)}: {shown(reads)}")
        for line in found.lines
    )


def shown_name(name: str) -> str:
    """A file's name as the log has it: a byte that is no UTF-8 stands as `\\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def missing(rows: Mapping[str, Sequence[str]]) -> list[str]:
    """What a table of rows and tests names, and is no test: `file::test`."""
    named = {one for tests in rows.values() for one in tests}
    return sorted(one for one in named if not _is_test(*one.split("::")))


def _is_test(file: str, test: str) -> bool:
    path = TESTS / f"{file}.py"
    pattern = rf"^(?:async )?def {re.escape(test)}\("
    return path.is_file() and re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE) is not None
