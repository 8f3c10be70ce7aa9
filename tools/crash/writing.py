"""A writer of many commands: `python -m tools.crash.writing HOME NAME COUNT WITNESS`, all in one process.

Each command is what `evt` would do for the same words: the log is opened, written and closed. Several at once
want the same: one home, and for some commands the same task.
"""

import contextlib
import io
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from adapters.cli.main import call
from tools.crash import witness


def commands(name: str, count: int) -> Iterator[list[str]]:
    """Tasks are added, held, let go and cancelled; one command in ten is about a task that all share."""
    dice, mine = random.Random(name), list[str]()  # noqa: S311 - not for secrets
    for number in range(count):
        if number % 10 == 5:
            yield [dice.choice(("pause", "resume")), "alpha"]
        elif number % 3 == 0 or not mine:
            mine.append(f"{name}-{number}")
            yield ["add", f"given/{mine[-1]}.task.md"]
        else:
            verb = dice.choice(("pause", "resume", "cancel"))
            yield [verb, mine.pop() if verb == "cancel" else dice.choice(mine)]


def main(home: str, name: str, count: str, witnessed: str) -> int:
    witness.begin(Path(witnessed))
    os.chdir(home)
    failed = 0
    for words in commands(name, int(count)):
        if words[0] == "add":
            text = f"---\nid: {Path(words[1]).name.partition('.')[0]}\ntype: analyze\n---\nLook, {name}.\n"
            Path(words[1]).write_text(text, encoding="utf-8", newline="\n")
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = call([*words, "--home", home], dict(os.environ))
        if code:
            failed += 1
            sys.stderr.write(f"`evt {' '.join(words)}` ended with {code}: {err.getvalue()}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
