"""The way in: find the verb, read its arguments, run it, and turn what goes wrong into a sentence."""

import argparse
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from adapters.cli.call import Call
from adapters.cli.failure import DISK_FAILED, INTERRUPTED, USAGE, Failure
from adapters.cli.output import Output, named_stdout, terminal_columns
from adapters.cli.table import VERBS
from adapters.config.environment import environment
from eventstore.log import LogUnreadable
from schemas.shown import quoted

PLAIN: Final = 80
"""Columns of a help page where there is no terminal."""


class _Formatter(argparse.HelpFormatter):
    """Given its width: argparse would load `shutil` to ask for it, with each verb.

    Lines are folded at the terminal's edge; those that begin a paragraph or are set in stay by themselves.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=terminal_columns(PLAIN) - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs: list[str] = []
        for line in text.strip().split("\n"):
            goes_on = paragraphs and paragraphs[-1] and line and not line.startswith(" ")
            if goes_on and not paragraphs[-1].startswith(" "):
                paragraphs[-1] += f" {line}"
            else:
                paragraphs.append(line)
        return "\n".join(folded for line in paragraphs for folded in self._folded(line, width))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return [folded for line in text.split("\n") for folded in self._folded(line, width)]

    def _folded(self, line: str, width: int) -> list[str]:
        """What is left of a line that is set in stands below its text, behind two blanks or more."""
        textwrap = importlib.import_module("textwrap")  # only a page of help needs it
        lead = len(line) - len(line.lstrip())
        if lead and (text := line.strip().partition("  ")[2].strip()):
            lead = line.rindex(text)
        folded: list[str] = textwrap.wrap(
            line, width, subsequent_indent=" " * lead, break_on_hyphens=False, break_long_words=False
        )
        return folded or [""]


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: Any = None) -> None:
        """As every verb speaks: argparse itself would not notice a full disk."""
        with named_stdout():
            sys.stdout.write(self.format_help())
            sys.stdout.flush()

    def error(self, message: str) -> NoReturn:
        hint = f"See `{self.prog} --help`."
        _, unknown, words = message.partition("unrecognized arguments: ")
        if unknown and (near := _nearest(words.split()[0].partition("=")[0], [*self._option_string_actions])):
            hint = f"Did you mean {near}? {hint}"
        raise Failure(USAGE, "usage", f"{message}.", hint)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Argparse itself says "invalid int value"."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            name = "/".join(action.option_strings) or action.metavar
            wanted = "a whole number" if action.type is int else "a number"
            sentence = f"{name} is {quoted(arg_string)}; it must be {wanted}."
            raise Failure(USAGE, "usage", sentence, f"See `{self.prog} --help`.") from None

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Argparse itself names an argument without a name by our own word for it, and guesses nothing."""
        if action.choices is None or value in action.choices:
            return
        known = [str(one) for one in action.choices]
        near = _nearest(str(value), known)
        named = f"{'/'.join(action.option_strings)}: " if action.option_strings else ""
        there = f"it may be {', '.join(known)}" if named else f"`{self.prog}` takes {', '.join(known)}"
        hint = f"Did you mean {near}?" if near else f"See `{self.prog} --help`."
        raise Failure(USAGE, "usage", f"{named}{quoted(str(value))} is none of these: {there}.", hint)


def main(loaded: Callable[[], None] | None = None) -> int:
    """The console script. Returns the exit code."""
    _speak_utf8()
    return call(sys.argv[1:], dict(environment()), loaded)


def call(argv: Sequence[str], environ: dict[str, str], loaded: Callable[[], None] | None = None) -> int:
    """Run one verb and return its exit code; never raises but for a bug.

    `loaded` is called once everything is loaded, before the verb begins.
    """
    output = Output("auto", environ, json="--json" in argv)
    try:
        code = _run(list(argv), environ, output, loaded)
        output.flush()
        return code
    except Failure as failure:
        output.failure(failure)
        return failure.exit_code
    except LogUnreadable as unreadable:
        output.failure(Failure(USAGE, "log_unreadable", str(unreadable), ""))  # it names the way out
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone (`evt tail | head`): no more is owed to them.
        _silence(sys.stdout)
        return 0
    except OSError as trouble:
        _silence(sys.stdout)
        where = f" ({trouble.filename})" if trouble.filename else ""
        output.failure(Failure(DISK_FAILED, "io", f"{trouble.strerror or trouble}{where}.", _remedy(trouble)))
        return DISK_FAILED


def _remedy(trouble: OSError) -> str:
    """What whoever reads of it can do."""
    match trouble.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "Make room there, and try again: what the log has acknowledged stands."
        case errno.ENOENT | errno.ENOTDIR:
            return "Look whether its folder is there."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "Look who may write there."
        case errno.ESTALE:
            return "Start this again: it reads the new one then."
        case errno.EMFILE | errno.ENFILE:
            return "Too many files are open: end something, or raise the limit (`ulimit -n`)."
        case _:
            return "What the log has acknowledged stands; `evt audit` says how it is."


def _run(argv: list[str], environ: dict[str, str], output: Output, loaded: Callable[[], None] | None) -> int:
    if argv[:1] != ["complete"]:  # a shell hands over whatever stands on its line
        _refuse_what_is_not_utf8(argv)
    before, argv = _common_before_the_verb(argv)
    if not argv:
        if output.json:
            raise Failure(USAGE, "usage", "no verb is named.", "`evt --help` lists the verbs.")
        output.err.write(_help(output))
        return USAGE
    name, rest = argv[0], argv[1:]
    if name == "help" and rest and not rest[0].startswith("-"):
        name, rest = rest[0], ["--help"]
    if name in ("-h", "--help", "help"):
        if output.json:
            output.document([{"verb": one, **verb._asdict()} for one, verb in VERBS.items() if verb.group])
        else:
            output.write(_help(output))
        return 0
    if name == "--version":
        name = "version"
    if name not in VERBS:
        near = _nearest(name, [one for one, verb in VERBS.items() if verb.group])
        hint = f"Did you mean `evt {near}`?" if near else "`evt --help` lists the verbs."
        raise Failure(USAGE, "usage", f"there is no verb {name!r}.", hint)
    module: Any = importlib.import_module(f"adapters.cli.{VERBS[name].module}")
    gc.enable()  # see start
    args = parser_of(name).parse_args([*before, *rest])
    output = Output(args.color, environ, args.json)
    if args.home is not None and not args.home.strip():
        hint = "Name the home's folder; without --home it is EVT_HOME, or the nearest home upward."
        raise Failure(USAGE, "usage", "--home is empty.", hint)
    if loaded is not None:
        loaded()
    return int(module.run(Call(args, output, environ)))


def _common_before_the_verb(argv: list[str]) -> tuple[list[str], list[str]]:
    """What every verb takes may stand before it, too; and the words from the verb on."""
    at = 0
    while at < len(argv):
        word = argv[at]
        if word in ("--home", "--color") and at + 1 < len(argv):
            at += 2
        elif word == "--json" or word.startswith(("--home=", "--color=")):
            at += 1
        else:
            break
    return argv[:at], argv[at:]


def _refuse_what_is_not_utf8(argv: list[str]) -> None:
    for word in argv:
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in word):
            try:
                meant = os.fsencode(word).decode("utf-8")
            except UnicodeError:
                sentence = f"the argument {word!a} is not valid UTF-8."
                raise Failure(USAGE, "usage", sentence, "Write it in UTF-8.") from None
            read_as = sys.getfilesystemencoding()
            sentence = (
                f"the argument {quoted(meant)} is UTF-8, and this process reads arguments as {read_as}."
            )
            raise Failure(USAGE, "usage", sentence, "Set LC_ALL=C.UTF-8, or take PYTHONUTF8=0 away.")


def parser_of(name: str) -> argparse.ArgumentParser:
    """What the verb of that name takes; its module is imported for it."""
    module: Any = importlib.import_module(f"adapters.cli.{VERBS[name].module}")
    parser = _Parser(
        prog=f"evt {name}", description=module.__doc__, formatter_class=_Formatter, allow_abbrev=False
    )
    parser.add_argument("--home", metavar="DIR", help="the home (else EVT_HOME, else the nearest upward)")
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON document on stdout (tail and run: one a line), errors and notes as JSON on stderr",
    )
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="default: auto")
    module.arguments(parser)
    return parser


def _nearest(word: str, known: Collection[str]) -> str | None:
    found: str | None = importlib.import_module("adapters.cli.nearest").nearest(word, known)
    return found


def _help(output: Output) -> str:
    lines = ["evt: drop a task file into a folder, read the outcome, prove what happened.", ""]
    lines += ["usage: evt VERB [...]        evt VERB --help says more", ""]
    group = ""
    for name, verb in VERBS.items():
        if not verb.group:
            continue
        if verb.group != group:
            group = verb.group
            lines.append(output.paint(group, "bold"))
        lines.append(f"  {output.paint(name.ljust(20), 'cyan')} {verb.line}")
    return "\n".join([*lines, ""])


def _speak_utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def _silence(stream: Any) -> None:
    """Point a broken stream at nothing, so that the interpreter's last flush says nothing."""
    with suppress(OSError, ValueError):  # a stream without a number has nothing to flush to
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
