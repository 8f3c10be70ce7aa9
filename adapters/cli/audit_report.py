"""What an audit has found, for people and as JSON."""

from typing import Any, Final

from adapters.cli.audit_inputs import Inputs
from adapters.cli.call import Call
from adapters.cli.moments import ago, millisecond, now
from adapters.cli.pasted import pasted
from eventstore.audit.findings import Finding, Report
from eventstore.moment import rfc3339
from eventstore.tree.signed_note import encoded
from schemas.shown import shown

STYLES: Final = {"OK": "green", "TAMPERED": "red", "DAMAGED": "yellow", "UNVERIFIABLE": "yellow"}
OWN_KEYS: Final = (
    "the key lies beside the log: who could change all of both would pass; hold them against a key or a "
    "tree head that is kept elsewhere (--key, --anchor)"
)


def say(call: Call, report: Report, inputs: Inputs) -> None:
    if call.output.json:
        call.output.document(as_document(report, inputs))
        return
    output, style = call.output, STYLES[report.verdict]
    output.line(f"{output.paint(report.verdict, style, 'bold')}  {_counted(report)}")
    for finding in report.findings:
        _say_finding(call, finding, style)
    for label, text in _facts(report):
        output.line(f"  {label.ljust(11)} {shown(text)}")
    for note in (*report.notes, *inputs.notes):
        output.note(f"note: {shown(note)}")
    if inputs.own_keys and not report.anchors and report.verdict == "OK":
        output.note(f"note: {OWN_KEYS}.")
        if inputs.unlisted is not None:
            output.note(
                "note: this folder is not in your list of homes, so what your configuration folder may "
                f"remember of it was not asked: `evt init {pasted(str(inputs.unlisted))}` takes it up."
            )


def as_document(report: Report, inputs: Inputs) -> dict[str, Any]:
    head = report.head
    return {
        "verdict": report.verdict,
        "events": report.events,
        "anchored": report.anchored,
        "unanchored": report.unanchored,
        "origin": report.origin,
        "tree_head": None
        if head is None
        else {
            "size": head.head.size,
            "root": encoded(head.head.root),
            "keys": [key.key_id.hex() for key in head.signers],
            "time": None if report.newest is None else rfc3339(report.newest),
            "age_s": None if report.newest is None else max(0, now() - report.newest) // 1_000_000,
        },
        "tree_heads": report.heads,
        "anchors": report.anchors,
        "erased": list(report.erased),
        "own_keys": inputs.own_keys,
        "findings": [_finding(finding) for finding in report.findings],
        "notes": [*report.notes, *inputs.notes],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "title": finding.title,
        "text": finding.text,
        "first": finding.first,
        "last": finding.last,
        "exact": finding.exact,
        "count": finding.count,
        "good_tree_head": finding.good,
        "bad_tree_head": finding.bad,
        "remedy": finding.remedy,
    }


def _counted(report: Report) -> str:
    events = "1 event" if report.events == 1 else f"{report.events} events"
    if not report.anchored:
        return f"{events}, none of them under a signed tree head"
    if not report.unanchored:
        return f"{events}, all of them under a signed tree head"
    return f"{events}, {min(report.anchored, report.events)} of them under a signed tree head"


def _say_finding(call: Call, finding: Finding, style: str) -> None:
    output = call.output
    output.line(f"  {output.paint(finding.title, style)}: {shown(finding.text)}")
    if finding.bad is not None and finding.kind not in ("BAD-SIGNATURE", "TRUNCATED"):
        held = f"over {finding.good} events holds" if finding.good else "before it is none"
        output.line(f"    the tree head {held}, the one over {finding.bad} does not")
    if finding.remedy:
        output.line(f"    {shown(finding.remedy)}")


def _facts(report: Report) -> list[tuple[str, str]]:
    facts = []
    if report.head is not None:
        age = ""
        if report.newest is not None:
            age = f", its last one of {millisecond(report.newest)} ({ago(report.newest, now())})"
        keys = " and ".join(key.key_id.hex() for key in report.head.signers)
        facts.append(("tree head", f"over {report.anchored} events{age}, signed with key {keys}"))
    if report.unanchored and report.head is not None:
        events = "1 event" if report.unanchored == 1 else f"{report.unanchored} events"
        facts.append(("unanchored", f"{events} behind it, which no tree head covers yet"))
    if report.erased:
        facts.append(("erased", f"texts of {', '.join(map(str, report.erased))}, as the log itself says"))
    return facts
