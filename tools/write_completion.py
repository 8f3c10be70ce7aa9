"""Write adapters/cli/argument_table.py from the verbs' own parsers; `--check` only compares.

    python -m tools.write_completion [--check]

Completion reads that table, so that a press of the tab key imports no verb.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from adapters.cli.argument import Argument
from adapters.cli.main import parser_of
from adapters.cli.table import VERBS
from schemas.shown import shortened

ROOT = Path(__file__).resolve().parent.parent
TABLE = "adapters/cli/argument_table.py"
WIDTH = 110
SAYS = 70
HEAD = '''"""What each verb takes. Made by tools/write_completion.py from the verbs' own parsers."""

from collections.abc import Mapping
from typing import Final

from adapters.cli.argument import Argument

'''


def arguments_of(verb: str) -> tuple[Argument, ...]:
    """All that the verb's parser takes, in its order."""
    return tuple(
        Argument(
            tuple(action.option_strings),
            "" if action.nargs == 0 else str(action.metavar or action.dest.upper()),
            shortened((action.help or "").removesuffix(": %(choices)s"), SAYS),
            choices=tuple(map(str, action.choices or ())),
            many=action.nargs in {"+", "*"} or isinstance(action, argparse._AppendAction),
        )
        for action in parser_of(verb)._actions
    )


def table() -> str:
    """The whole file."""
    every = {verb.module: arguments_of(name) for name, verb in VERBS.items() if verb.group}
    first = next(iter(every.values()))
    shared = tuple(one for one in first if all(one in others for others in every.values()))
    lines = ["COMMON: Final[tuple[Argument, ...]] = (", *_rows(shared, 4), ")", ""]
    lines += ["OWN: Final[Mapping[str, tuple[Argument, ...]]] = {"]
    for module, arguments in every.items():
        own = [one for one in arguments if one not in shared]
        lines += [f'    "{module}": (', *_rows(own, 8), "    ),"] if own else [f'    "{module}": (),']
    lines += ["}", '"""By the module of the verb."""', ""]
    return HEAD + "\n".join(lines)


def _rows(arguments: Iterable[Argument], indent: int) -> Iterable[str]:
    for one in arguments:
        parts = [_code(one.names), _code(one.value), _code(one.says)]
        parts += [f"choices={_code(one.choices)}"] if one.choices else []
        parts += ["many=True"] if one.many else []
        row = f"{' ' * indent}Argument({', '.join(parts)}),"
        if len(row) <= WIDTH:
            yield row
            continue
        yield f"{' ' * indent}Argument("
        for part in parts:
            yield f"{' ' * indent}    {part},"
        yield f"{' ' * indent}),"


def _code(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    inside = ", ".join(map(_code, value))
    return f"({inside},)" if len(value) == 1 else f"({inside})"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when it differs")
    wanted, path = table(), ROOT / TABLE
    same = path.is_file() and path.read_text(encoding="utf-8") == wanted
    if parser.parse_args(arguments).check:
        print(f"{TABLE} is {'' if same else 'not '}what the verbs take")
        return 0 if same else 1
    if not same:
        path.write_text(wanted, encoding="utf-8", newline="\n")
    print(f"{TABLE}: {'the same' if same else 'changed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
