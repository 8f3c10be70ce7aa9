"""The command line, its exit codes and the settings as pages: from the tables that the program reads."""

import argparse
import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from adapters.cli import failure
from adapters.cli.table import VERBS
from adapters.config.table import SETTINGS, Setting

CLI = """# The command line

Data goes to stdout, everything else to stderr. `evt VERB --help` says what stands here. A task may
be named by the beginning of its id where only one begins so.

Every verb takes these:

"""
EXIT = """# Exit codes

| code | means |
|---|---|
"""
NAMED = """
What goes wrong is said on stderr in one sentence, with a second one that says what to do. With
`--json` it is `{"error": {"code", "message", "hint"}}` on stderr, and a word beside the data is
`{"note"}`, each on a line of its own. The `code` is for programs; the inbox uses the same in `task_refused`:

| code | exit code |
|---|---|
"""
MEANINGS = {
    "GOOD": "it was done, or what was asked about is good; `run`: it ended cleanly, also when tasks failed",
    "BAD": "what was asked about is bad: views that differ, artifacts with faults, a damaged log",
    "USAGE": "the command or its input is of no use, a task was refused, or there is no home",
    "TIMED_OUT": "the time was over, or the task was cancelled",
    "NOT_PERMITTED": "you may not do this in that home",
    "TASK_FAILED": "the task ran and failed (`wait`, `add --wait`)",
    "NOT_FOUND": "there is no such task, file, event or event type",
    "CONFLICT": "it collides with what is there: another service, another task of that id",
    "UNAVAILABLE": "something that it needs is not there",
    "DISK_FAILED": "the disk failed or is full",
    "INTERRUPTED": "Ctrl-C; not `run`, which ends cleanly then, with 0",
}
SETTINGS_PAGE = """# Settings

The environment wins over the home's `.env`, which wins over the defaults. `evt` reads them when it
starts, so a service has to be started again after a change. A value that cannot be used ends `run`,
`agents` and each verb that writes with exit code 2, and names what may stand there; verbs that only
look need no settings, and answer all the same. A variable that begins like one of ours and is
none gets a warning with the nearest name; those that Claude Code itself owns (`CLAUDE_CODE_*`,
`CLAUDE_CONFIG_DIR`, `CLAUDE_STREAM_*`) are left alone.

`.env` is UTF-8, one `NAME=value` a line, `#` begins a comment, and `export` before a name, quotes
around a value and CRLF are understood. Nothing in it is expanded. The same list, ready to be
copied, is [`.env.example`](../../.env.example).

| name | default | may be | means |
|---|---|---|---|
"""
EXAMPLE = """# Every setting with its default. Copy the lines you want to change into the .env of a home and
# take the # in front away. The environment wins over that file.
"""


class Unparsable(Exception):
    """A command that the verb's own parser refuses."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unparsable(f"{self.prog}: {message}")


def parser_of(verb: str) -> Parser:
    """The parser as `adapters.cli.main` builds it; a test holds it against `evt VERB --help`."""
    module: Any = importlib.import_module(f"adapters.cli.{VERBS[verb].module}")
    parser = Parser(prog=f"evt {verb}", description=module.__doc__)
    parser.add_argument("--home", metavar="DIR", help="the home (else EVT_HOME, else the nearest upward)")
    says = "one JSON document on stdout (tail and run: one a line), errors and notes as JSON on stderr"
    parser.add_argument("--json", action="store_true", help=says)
    parser.add_argument("--color", choices=("auto", "always", "never"), help="default: auto")
    module.arguments(parser)
    return parser


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if "--help" not in action.option_strings]


def common_options() -> frozenset[str]:
    return frozenset({"--home", "--json", "--color"})


def _named(action: argparse.Action) -> str:
    value = ""
    if action.nargs != 0:
        choices = "|".join(map(str, action.choices)) if action.choices else ""
        value = choices or str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return {"+": f"{value} …", "*": f"[{value} …]", "?": f"[{value}]"}.get(str(action.nargs), value)
    return ", ".join(f"{option} {value}".rstrip() for option in action.option_strings)


def _rows(actions: list[argparse.Action]) -> list[str]:
    rows = ["| argument | is |", "|---|---|"]
    for action in actions:
        named = _named(action).replace("|", "\\|")
        said = " ".join((action.help or "").removesuffix(": %(choices)s").split()).replace("|", "\\|")
        rows.append(f"| `{named}` | {said} |")
    return [*rows, ""]


def cli_page() -> str:
    every = [one for one in _actions(parser_of("version")) if common_options() & set(one.option_strings)]
    lines = [CLI + "\n".join(_rows(every))]
    group = ""
    for name, verb in VERBS.items():
        if not verb.group:
            continue
        if verb.group != group:
            group = verb.group
            lines += [f"## {group}", ""]
        same = next(other for other, found in VERBS.items() if found.module == verb.module)
        lines += [f"### evt {name}", ""]
        if same != name:
            lines += [f"The same as [`evt {same}`](#evt-{same}).", ""]
            continue
        module: Any = importlib.import_module(f"adapters.cli.{verb.module}")
        lines += [inspect.cleandoc(module.__doc__ or ""), ""]
        own = [one for one in _actions(parser_of(name)) if not common_options() & set(one.option_strings)]
        lines += _rows(own) if own else ["No arguments of its own.", ""]
    return "\n".join(lines)


def exit_constants() -> dict[str, int]:
    return {name: value for name, value in vars(failure).items() if name.isupper() and isinstance(value, int)}


def failure_codes(root: Path) -> dict[str, set[int]]:
    """code → exit codes, as the sources say `Failure(EXIT, "code", …)`, and of what rules refuse."""
    found: dict[str, set[int]] = {code: {number} for code, number in failure.EXIT_OF_CODE.items()}
    for folder in ("schemas", "handlers"):
        for path in sorted((root / folder).rglob("*.py")):
            for code in _refusals(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(code, {failure.USAGE})
    for path in sorted((root / "adapters" / "cli").rglob("*.py")):
        for name, code in _failures(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(code, set()).add(exit_constants()[name])
    return found


def _refusals(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name("Unreadable" | "Refused" | "Refusal"), args=[ast.Constant(str(code)), *_]
            ):
                yield code


def _failures(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("Failure"), args=[ast.Name(name), ast.Constant(str(code)), *_]) if (
                name in exit_constants()
            ):
                yield name, code


def exit_codes_page(root: Path) -> str:
    rows = [f"| {number} | {MEANINGS[name]} |" for name, number in exit_constants().items()]
    codes = [
        f"| `{code}` | {' or '.join(map(str, sorted(numbers)))} |"
        for code, numbers in sorted(failure_codes(root).items())
    ]
    return EXIT + "\n".join(rows) + "\n" + NAMED + "\n".join(codes) + "\n"


def allowed(setting: Setting) -> str:
    """What the setting's own reader says about a text that it refuses."""
    for text in ("\0", "", ","):
        try:
            setting.read(text)
        except ValueError as wrong:
            return str(wrong)
    return "names, separated by commas" if setting.read("a,b") == ("a", "b") else "the text of a private key"


def settings_page() -> str:
    rows = []
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else "empty"
        rows.append(f"| `{setting.name}` | {default} | {allowed(setting)} | {setting.meaning} |")
    return SETTINGS_PAGE + "\n".join(rows) + "\n"


def env_example() -> str:
    parts = [f"\n# {one.meaning}\n# May be: {allowed(one)}.\n#{one.name}={one.default}\n" for one in SETTINGS]
    return EXAMPLE + "".join(parts)
