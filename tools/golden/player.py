"""Stand in for the agent: say a recorded turn byte for byte, and leave in the directory what it left.

    python -m tools.golden.player CASE SHELF PROJECT [the agent's own arguments]

The n-th process plays the n-th turn. Its prompt is kept on the shelf. Nothing of the session is
judged or changed on the way, unlike in `evt-recorded-agent`: a tool that was refused stays refused.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from adapters.recorded.flags import Unusable, check, parse
from tools.golden.case import Case, Turn, put
from tools.golden.shelf import Shelf


def play(
    case: Case, shelf: Shelf, project: Path, arguments: Sequence[str], heard: bytes, said: BinaryIO
) -> int:
    """One turn; its exit code. Raises Unusable where the command line is none, or no turn is left."""
    flags = parse(arguments)
    check(flags)
    session_id = flags.values.get("--session-id") or flags.values.get("--resume") or ""
    number = shelf.keep_prompt(heard)
    if number > len(case.turns):
        raise Unusable(f"Error: turn {number} is asked for, and {len(case.turns)} were recorded")
    turn = case.turns[number - 1]
    names = {"{project}": str(project), "{session_id}": session_id}
    for at, line in enumerate(lines := turn.stdout.splitlines(keepends=True)):
        if at == last_answer(lines):
            change(project, turn)
        said.write(filled(line, names))
        said.flush()
    sys.stderr.write(turn.stderr)
    return turn.exit_code


def last_answer(lines: Sequence[bytes]) -> int:
    """Where the directory is changed: before the last answer of a tool is told, else before the end."""
    answers = [at for at, line in enumerate(lines) if line.startswith(b'{"type":"user"')]
    return answers[-1] if answers else len(lines) - 1


def change(project: Path, turn: Turn) -> None:
    put(project, turn.written)
    for path in turn.deleted:
        (project / path).unlink(missing_ok=True)


def filled(line: bytes, names: Mapping[str, str]) -> bytes:
    for name, value in names.items():
        line = line.replace(name.encode(), value.encode())
    return line


def main() -> int:
    folder, shelf, project, *arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print("2.1.197 (golden task)")
        return 0
    heard = sys.stdin.buffer.read()
    try:
        case, kept, place = Case(Path(folder)), Shelf(Path(shelf)), Path(project)
        return play(case, kept, place, arguments, heard, sys.stdout.buffer)
    except Unusable as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the interpreter's own tidying takes longer than the turn
