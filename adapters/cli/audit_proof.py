"""Write a proof that one event stands in the log, and check one without the log."""

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from adapters.cli.audit_inputs import content_of, gathered
from adapters.cli.call import Call
from adapters.cli.failure import BAD, GOOD, NOT_FOUND, USAGE, Failure
from adapters.cli.out_file import out_file
from adapters.home import Home
from adapters.safe_files import write_atomically
from eventstore.audit.erased import Erased, Erasure
from eventstore.audit.heads import Stated
from eventstore.event import Recorded
from eventstore.line import NotALine, parse
from eventstore.log import Log, LogUnreadable
from eventstore.sqlite.frozen import in_use
from eventstore.sqlite.log import SqliteLog
from eventstore.tree.head import SignedHead
from eventstore.tree.merkle import inclusion_proof, leaf_hash
from eventstore.tree.proof import Proof, ProofRefused
from eventstore.tree.signed_note import NoteRefused, VerifyingKey
from eventstore.tree.tiles import Tiles, TilesDamaged
from schemas import names
from schemas.shown import shown
from schemas.upcasts import UPCASTS

T = TypeVar("T")


def prove(call: Call) -> int:
    position = _position(call.args.subject)
    line, output = (out_file(Path(name)) if name else None for name in (call.args.line, call.args.output))
    home = call.home()
    event, leaf, end = _read(
        home, lambda log: (*_there(log, position, f"there is no event {position}: the log"), log.head())
    )
    inputs = gathered(call, home, home.tree)
    keys = inputs.evidence.keys if call.args.key else inputs.evidence.known
    # One that covers more than there is tells of events that are missing: `evt audit` says so.
    heads = [head for head in inputs.evidence.heads if head.claim is not None and head.claim.size <= end]
    proof = _proof(home, position, leaf, heads, keys)
    _write(call, proof, event, line, output)
    if leaf != leaf_hash(event.line):
        call.output.note(
            f"note: texts of event {position} were erased: the proof is of the line as it was, whose hash "
            f"is {leaf.hex()}, and not of the one that stands there now."
        )
    return GOOD


def check_proof(call: Call) -> int:
    path = Path(call.args.subject)
    try:
        proof = Proof.parse(content_of(path, "a proof"))
    except ProofRefused as why:
        sentence = f"{shown(str(path))} is no proof: {shown(str(why))}."
        raise Failure(USAGE, "unreadable", sentence, "`evt audit prove P -o FILE` writes one.") from None
    home = None if call.args.key and call.args.line else _home(call)
    keys = gathered(call, None, None if home is None else home.tree).evidence
    trusted = keys.keys if call.args.key else keys.known
    if not trusted:
        raise Failure(USAGE, "no_key", "there is no public key to check it with.", "Give one with --key.")
    line, leaf = _line(call, home, proof)
    try:
        signed = proof.check_leaf(leaf, trusted)
    except NoteRefused as why:
        return _say_checked(call, proof, line, None, str(why))
    return _say_checked(call, proof, line, signed, None)


def _home(call: Call) -> Home:
    """Raises Failure: whoever has a proof and no log must give what the log would say."""
    try:
        return call.home()
    except Failure as nowhere:
        if nowhere.code != "no_home":
            raise
        raise _alone() from None


def _alone() -> Failure:
    sentence = "without a home a proof is checked with the line of the event and the public key of the log."
    return Failure(USAGE, "no_home", sentence, "Give both: --line FILE --key FILE or KEY.")


def _position(text: str) -> int:
    digits = text.removeprefix("@")
    if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:19]) < 2**63:
        sentence = f"{shown(text, 40)} is no global position."
        raise Failure(USAGE, "usage", sentence, "`evt tail` shows them: whole numbers from 1.")
    return int(digits[:19])


def _leaf(log: Log, event: Recorded) -> bytes:
    """The hash of the line, of an erased one that of the line as it was."""
    later = log.all(event.global_position, types=frozenset({names.EVENT_ERASED}))
    said = [Erasure.said(one.global_position, one.data) for one in later]
    leaves = [leaf_hash(event.line)]
    Erased([one for one in said if one is not None]).apply([event.line], leaves)
    return leaves[0]


def _proof(
    home: Home, position: int, leaf: bytes, heads: Sequence[Stated], keys: Sequence[VerifyingKey]
) -> Proof:
    """By the newest tree head that covers the event. Raises Failure."""
    signed = [head for head in (_opened(stated.note, keys) for stated in heads) if head is not None]
    newest = max(signed, key=lambda head: head.head.size, default=None)
    if newest is None:
        sentence = "there is no tree head that a known key signed."
        raise Failure(BAD, "unanchored", sentence, "`evt audit` says what is wrong.")
    size = newest.head.size
    if position > size:
        sentence = f"event {position} stands under no tree head yet: the newest one covers {size} events."
        raise Failure(BAD, "unanchored", sentence, "The next verb that writes has one signed.")
    try:
        hashes = inclusion_proof(position - 1, size, Tiles(home.tree).node)
    except TilesDamaged as damage:
        raise Failure(BAD, "unprovable", f"the tiles are damaged: {damage}.", "Run `evt audit`.") from None
    proof = Proof(position - 1, hashes, newest.note)
    try:
        proof.check_leaf(leaf, keys)
    except NoteRefused as why:
        sentence = f"event {position} cannot be proved: {why}."
        raise Failure(BAD, "unprovable", sentence, "Run `evt audit`, which says what was changed.") from None
    return proof


def _opened(note: bytes, keys: Sequence[VerifyingKey]) -> SignedHead | None:
    try:
        return SignedHead.opened(note, keys)
    except NoteRefused:
        return None


def _write(call: Call, proof: Proof, event: Recorded, line: Path | None, output: Path | None) -> None:
    if line is not None:
        write_atomically(line, event.line + b"\n")
    if output is not None:
        write_atomically(output, proof.text().encode())
    if call.output.json:
        said = {
            "position": proof.index + 1,
            "proof": proof.text(),
            "line": event.line.decode("utf-8", "replace"),
        }
        call.output.document(said)
    elif call.args.output:
        call.output.line(f"the proof of event {proof.index + 1} is {shown(call.args.output)}")
    else:
        call.output.write(proof.text())


def _line(call: Call, home: Home | None, proof: Proof) -> tuple[bytes, bytes]:
    """The line and its hash; of an erased event in our own log that of the line as it was. Raises Failure."""
    if call.args.line:
        line = content_of(Path(call.args.line), "the line of an event").rstrip(b"\r\n")
        return line, leaf_hash(line)
    if home is None:
        raise _alone()
    position, hint = proof.index + 1, "Give the event's line with --line."
    sentence = f"the proof is of event {position}, and the log here"
    event, leaf = _read(home, lambda log: _there(log, position, sentence, hint))
    return event.line, leaf


def _read(home: Home, work: Callable[[Log], T]) -> T:
    """What `work` finds in the home's log. Nothing is left beside it: see audit_inputs.over_rows."""
    if not in_use(home.log):
        with (
            suppress(LogUnreadable),
            closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True, still=True)) as log,
        ):
            return work(log)
    with closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as log:
        return work(log)


def _there(log: Log, position: int, sentence: str, hint: str = "") -> tuple[Recorded, bytes]:
    """The event and its leaf. Raises Failure, which begins with `sentence`."""
    event = next(log.all(position - 1, position), None)
    if event is None:
        raise Failure(NOT_FOUND, "not_found", f"{sentence} ends at {log.head()}.", hint)
    return event, _leaf(log, event)


def _say_checked(call: Call, proof: Proof, line: bytes, signed: SignedHead | None, why: str | None) -> int:
    try:
        event: Recorded | None = parse(line)
    except NotALine:
        event = None
    if call.output.json:
        call.output.document(
            {
                "proved": signed is not None,
                "position": proof.index + 1,
                "reason": why,
                "type": None if event is None else event.type,
                "stream": None if event is None else event.stream,
                "time": None if event is None else event.when,
                "origin": None if signed is None else signed.head.origin,
                "size": None if signed is None else signed.head.size,
                "keys": [] if signed is None else [key.key_id.hex() for key in signed.signers],
            }
        )
    elif signed is None:
        call.output.line(f"{call.output.paint('NOT PROVED', 'red', 'bold')}  {shown(why or '')}")
    else:
        what = "" if event is None else f", {shown(event.type)} of {shown(event.stream)} at {event.when},"
        keys = " and ".join(key.key_id.hex() for key in signed.signers)
        proved = call.output.paint("PROVED", "green", "bold")
        call.output.line(
            f"{proved}  event {proof.index + 1}{what} stands in the log {shown(signed.head.origin)}"
        )
        call.output.line(f"  tree head   over {signed.head.size} events, signed with key {keys}")
    return GOOD if signed is not None else BAD
