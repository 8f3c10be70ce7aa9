"""What could stand where the cursor is, for the scripts of `evt completion`; it never complains.

The first line says what is wanted: `words`, `files` or `folders`. Each further line is one
word with, after a tab, what it is.
"""

import argparse
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from adapters.cli.call import Call
from adapters.cli.candidates import Known, answer
from adapters.cli.failure import GOOD, Failure
from adapters.cli.reading_log import reading_log
from adapters.cli.words.task import name_of
from eventstore.log import LogUnreadable
from projections import tasks
from projections.projection import Row
from projections.view_rows import ViewRows, ViewsDamaged
from prompts import agents
from schemas.shown import shown
from schemas.task_id import ID

AGENT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""As schemas.agent has it, which takes its time to load."""
LONGEST_TAIL: Final = 50_000
"""So many events that no view has stored yet are folded while somebody waits for a word."""
TITLE: Final = 60


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--word", metavar="WORD", default="", help="the word that is being written")
    parser.add_argument("before", nargs="*", metavar="WORDS", help="after `--`: the words before it")


def run(call: Call) -> int:
    found = answer(
        call.args.before, call.args.word, lambda home: _tasks(call, home), lambda home: _agents(call, home)
    )
    call.output.line(found.kind)
    for one in found.found:
        call.output.line(f"{one.text}\t{one.says}" if one.says else one.text)
    return GOOD


def _tasks(call: Call, home: str | None) -> Iterator[Known]:
    """The newest first; nothing where there is no home or its log cannot be read."""
    try:
        rows = _rows(call._replace(args=argparse.Namespace(home=home)))
    except (Failure, LogUnreadable, ViewsDamaged, OSError, RuntimeError):
        # RuntimeError: `~somebody` whose home nobody knows.
        return
    for key, row in sorted(rows.items(), key=lambda item: (item[1]["received_at"], item[0]), reverse=True):
        name = name_of(key, row)
        # What a shell would take for more than one word was never one of our ids.
        if ID.fullmatch(name):
            says = f"{row['status']}: {shown(str(row['title'] or ''), TITLE)}"
            yield Known(name, says, row["status"])


def _agents(call: Call, home: str | None) -> Iterator[str]:
    """The built-in ones and those of the home, by the names of their files alone."""
    own: set[str] = set()
    with suppress(Failure, OSError, RuntimeError):
        folder = call._replace(args=argparse.Namespace(home=home)).home().root / "prompts" / "agents"
        own = {path.stem for path in folder.glob("*.md") if AGENT_NAME.fullmatch(path.stem)}
    yield from sorted(own | agents())


def _rows(call: Call) -> dict[str, Row]:
    with reading_log(call) as (home, log), ViewRows.open(home.views, log, (tasks.PROJECTION,)) as views:
        if views.position - (views.stored_at("tasks") or 0) <= LONGEST_TAIL:
            return views.rows("tasks")
        return {key: found.row for key, found in views.stored("tasks").items()}
