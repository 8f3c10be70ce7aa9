"""Prove offline that the log is what was signed, or name the first event that is not.

`evt audit` judges the home's log, with its mirror and views; `--log FILE` that file alone, a log or a
text with its lines. Nothing is written and nothing is mended. The verdict is OK, TAMPERED, DAMAGED
(which a command named there mends) or UNVERIFIABLE; only OK is exit code 0.

`evt audit prove P -o FILE` writes a proof that event P stands in the log, for somebody who has not the
log; `evt audit check-proof FILE --line FILE --key KEY` checks it.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

from adapters.cli.audit_inputs import Inputs, check_is_there, gathered, over_rows, tree_beside
from adapters.cli.audit_proof import check_proof, prove
from adapters.cli.audit_report import say
from adapters.cli.audit_views import views_of
from adapters.cli.call import Call
from adapters.cli.failure import BAD, GOOD, USAGE, Failure
from adapters.home import Home
from eventstore.audit.findings import Report
from eventstore.audit.mirror import MirrorCheck
from eventstore.audit.text_rows import TextRows
from eventstore.audit.verdict import Rows, Types, audit
from eventstore.regular_file import opened
from schemas import names

TYPES = Types(erased=names.EVENT_ERASED, key_changed=names.SIGNING_KEY_CHANGED)

SHORTER: Final = (
    "`evt recover` brings back what the mirror holds; where you put an older log back yourself, "
    "`evt recover --from-log` goes on with that one"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("part", nargs="?", choices=("prove", "check-proof"), help="default: judge the log")
    parser.add_argument(
        "subject", nargs="?", metavar="P|FILE", help="prove: a global position; check-proof: a proof"
    )
    parser.add_argument("--log", metavar="FILE", help="judge this log, or text with its lines, and it alone")
    parser.add_argument(
        "--tree-head",
        action="append",
        default=[],
        metavar="FILE",
        help="hold it against the tree heads of this file alone",
    )
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="FILE",
        help="and against the tree heads of this file, kept elsewhere",
    )
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="FILE|KEY",
        help="a public key to trust instead of the home's first one, or a file with some",
    )
    parser.add_argument("--line", metavar="FILE", help="the event's line (prove writes it)")
    parser.add_argument("-o", "--output", metavar="FILE", help="prove: write the proof there, not to stdout")


def run(call: Call) -> int:
    _refuse_what_does_not_go_together(call)
    if call.args.part == "prove":
        return prove(call)
    if call.args.part == "check-proof":
        return check_proof(call)
    report, inputs = _of_a_file(call, Path(call.args.log)) if call.args.log else _of_the_home(call)
    say(call, report, inputs)
    return GOOD if report.verdict == "OK" else BAD


def _refuse_what_does_not_go_together(call: Call) -> None:
    """Raises Failure."""
    args = call.args
    if args.part is None and (args.line or args.output):
        sentence = "--line and -o go with `evt audit prove` or `evt audit check-proof`."
        raise Failure(USAGE, "usage", sentence, "See `evt audit --help`.")
    if args.part is not None and args.subject is None:
        what = "the global position of an event" if args.part == "prove" else "the file of a proof"
        hint = "`evt tail` shows them." if args.part == "prove" else "`evt audit prove P -o FILE` writes one."
        raise Failure(USAGE, "usage", f"`evt audit {args.part}` needs {what}.", hint)
    if args.part is not None and (args.log or args.anchor or args.tree_head):
        sentence = f"--log, --tree-head and --anchor do not go with `evt audit {args.part}`."
        raise Failure(USAGE, "usage", sentence, "A proof carries its own tree head.")
    if args.part == "check-proof" and args.output:
        sentence = "-o goes with `evt audit prove`: checking writes nothing."
        raise Failure(USAGE, "usage", sentence, "Leave it out.")


def _of_the_home(call: Call) -> tuple[Report, Inputs]:
    home = call.home()
    inputs = gathered(call, home, home.tree)
    report = over_rows(home.log, lambda rows: _judged(rows, inputs, home))
    ways_out = (replace(one, remedy=SHORTER) if one.kind == "TRUNCATED" else one for one in report.findings)
    report = replace(report, findings=tuple(ways_out))
    # What a log gives that is not the one that was recorded says nothing of the views.
    if report.verdict != "TAMPERED" and all(finding.kind != "LOG-DAMAGED" for finding in report.findings):
        findings, notes = views_of(call, home)
        report = replace(report, findings=(*report.findings, *findings), notes=(*report.notes, *notes))
    return report, inputs


def _judged(rows: Rows, inputs: Inputs, home: Home) -> Report:
    try:
        mirror = opened(home.mirror)
    except FileNotFoundError:
        report = audit(rows, TYPES, inputs.evidence)
        note = "the mirror is missing: whoever appends next writes it again"
        return replace(report, notes=(*report.notes, note))
    with mirror:
        return audit(rows, TYPES, inputs.evidence, MirrorCheck(mirror, "logs/events.ndjson"))


def _of_a_file(call: Call, path: Path) -> tuple[Report, Inputs]:
    check_is_there(path)
    folder = _tree_for(call, path)
    inputs = gathered(call, None, folder)
    report = over_rows(path, lambda rows: _judged_alone(rows, inputs))
    return report, inputs


def _judged_alone(rows: Rows, inputs: Inputs) -> Report:
    report = audit(rows, TYPES, inputs.evidence)
    if isinstance(rows, TextRows) and rows.torn:
        report = replace(report, notes=(*report.notes, "the last line is torn and does not count"))
    return report


def _tree_for(call: Call, path: Path) -> Path | None:
    """The folder with the tree of the home, or else the one beside the log; None where there is neither."""
    try:
        return call.home().tree
    except Failure as missing:
        if missing.code != "no_home" or call.args.home:
            raise
        return tree_beside(path)
