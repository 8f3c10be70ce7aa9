"""Write a sample task file into the inbox, to be changed or done as it is."""

import argparse
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

from adapters.cli.call import Call
from adapters.cli.failure import GOOD
from adapters.cli.reading_log import reading_log
from adapters.safe_files import temporary_beside, unlink
from projections import tasks
from projections.view_rows import ViewRows

SAMPLE: Final = """\
---
type: analyze
priority: medium
# cwd: where the agent works; default: CLAUDE_BASE_CWD, else the home
# timeout_sec: 600
# after: [another-task]
---
# Say what lies here

**Prompt:**
Look at the files in the working directory. Say in ten lines at most what this
project is, how it is built and tested, and what a newcomer should read first.
Change nothing.

**Success Criteria:**
- [ ] The answer names files that exist
- [ ] Nothing was changed
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """It asks for nothing more."""


def run(call: Call) -> int:
    with reading_log(call) as (home, log), ViewRows.open(home.views, log, (tasks.PROJECTION,)) as views:
        inbox = home.root / "tasks"
        inbox.mkdir(exist_ok=True)
        path = _written(inbox, SAMPLE.encode(), lambda stem: views.row("tasks", stem) is not None)
    if call.output.json:
        call.output.document({"path": str(path)})
        return GOOD
    call.output.line(str(path))
    call.output.note("`evt run` takes it in and has it done (a service that runs has begun already).")
    call.output.note(f"Follow it with `evt tail -f`, then read `evt show {path.name.partition('.')[0]}`.")
    return GOOD


def _written(inbox: Path, content: bytes, taken: Callable[[str], bool]) -> Path:
    """A free name in the inbox, given to a whole file at once, so that nobody reads half of it.

    A stem that is `taken` by a task would not become that file's id: the next one is tried.
    """
    temporary = temporary_beside(inbox / "sample")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        for number in count(1):
            stem = "sample" if number == 1 else f"sample-{number}"
            path = inbox / f"{stem}.task.md"
            if not taken(stem) and _named(temporary, path):
                return path
    finally:
        unlink(temporary)
    raise AssertionError("counting ended")


def _named(temporary: Path, path: Path) -> bool:
    """Give the file its name unless something bears it; a rename would take its place in silence."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:
        # A file system without links: here only we could be in our own way.
        if path.exists():
            return False
        temporary.replace(path)
    return True
