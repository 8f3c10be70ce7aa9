"""Golden tasks: record one with the real agent, replay them, accept what a change that is meant makes.

    python -m tools.golden record AGENT/NAME --task FILE --project DIR [--script ANSWERS.json]
    python -m tools.golden check [AGENT | AGENT/NAME ...]
    python -m tools.golden accept [AGENT | AGENT/NAME ...]

`record` runs CLAUDE_EXECUTABLE (else the tests' own Claude CLI); with `--script` no model takes part: a
stand-in on loopback gives the answers of that file (tools/golden/script.py says how). `--model` gives the
local model's answers by purpose, `--settings` lines for the home's `.env`. Without `--task` and
`--project` a task that is there is recorded again, with the files of its folder.

It exits with 1 where something differs, with 2 where it could not be tried.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.golden.case import CASES, BadCase, Case, cases
from tools.golden.compare import changed, differences
from tools.golden.neutral import neutral
from tools.golden.recording import Asked, real_agent, record
from tools.golden.stage import configuration_in, replayed


@dataclass(frozen=True)
class _Tool:
    """`root` holds the golden tasks."""

    root: Path

    def check(self, names: Sequence[str]) -> int:
        wrong = 0
        for case in cases(tuple(names), self.root):
            with tempfile.TemporaryDirectory(prefix="evt-golden-") as place:
                found = differences(case, replayed(case, Path(place)))
            print(f"{case.name}: {'differs' if found else 'as expected'}", flush=True)
            print("".join(f"{line}\n" for line in found), end="")
            wrong += bool(found)
        return min(wrong, 1)

    def accept(self, names: Sequence[str]) -> int:
        for case in cases(tuple(names), self.root):
            with tempfile.TemporaryDirectory(prefix="evt-golden-") as place:
                files = neutral(replayed(case, Path(place)))
            found = list(changed(case.name, case.expected(), files))
            case.accept(files)
            print(f"{case.name}: {'written anew' if found else 'as it was'}", flush=True)
            print("".join(f"{line}\n" for line in found), end="")
        return 0

    def record(self, name: str, given: argparse.Namespace) -> int:
        case = Case(self.root / name)
        if name.count("/") != 1:
            raise BadCase(f"{name!r} names no golden task: AGENT/NAME does.")
        told = record(case, _asked(case, given), real_agent(os.environ))
        with tempfile.TemporaryDirectory(prefix="evt-golden-") as place:
            files = neutral(replayed(case, Path(place)))
        found = list(changed(name, told, files))
        case.accept(files)
        print(f"{name}: recorded, {len(case.turns)} turns", flush=True)
        if found:
            print(f"{name}: the replay is not what the agent's own run was:\n" + "\n".join(found))
        return 1 if found else 0


def _asked(case: Case, given: argparse.Namespace) -> Asked:
    def path(said: str | None, there: Path) -> Path | None:
        return Path(said) if said is not None else there if there.exists() else None

    if given.task is None and given.project is None:
        folder = case.folder
        return Asked(
            task=case.task,
            project=case.project,
            script=path(given.script, folder / "answers.json"),
            model=path(given.model, folder / "model.json"),
            settings=path(given.settings, folder / "settings.env"),
        )
    if given.task is None or given.project is None:
        raise BadCase("A new golden task needs both --task and --project.")
    named = (Path(one) if one is not None else None for one in (given.script, given.model, given.settings))
    return Asked(Path(given.task), Path(given.project), *named)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.golden",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", type=Path, default=CASES, help="where golden tasks lie (tests/golden)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("check", "accept"):
        verbs.add_parser(verb).add_argument("names", nargs="*")
    one = verbs.add_parser("record")
    one.add_argument("name")
    for option in ("task", "project", "script", "model", "settings"):
        one.add_argument(f"--{option}")
    asked = parser.parse_args(arguments)
    tool = _Tool(asked.root)
    try:
        with tempfile.TemporaryDirectory(prefix="evt-golden-keys-") as keys, configuration_in(Path(keys)):
            match asked.verb:
                case "record":
                    return tool.record(asked.name, asked)
                case "accept":
                    return tool.accept(asked.names)
                case _:
                    return tool.check(asked.names)
    except BadCase as bad:
        print(f"golden: {bad}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
