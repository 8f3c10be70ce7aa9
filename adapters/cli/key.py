"""The key that signs this home's tree heads: show the public part, or change it.

`evt key` prints the public keys, one a line: hand them to whoever is to check the log elsewhere.
`evt key change` begins a new one, which the old one vouches for in the next tree head; with `--lost`
where the old one is gone: who trusted it has to be told of the new one.
"""

import argparse

from adapters.cli.call import Call
from adapters.cli.failure import BAD, CONFLICT, GOOD, UNAVAILABLE, Failure
from adapters.cli.reading_log import reading_log
from adapters.cli.writing import at_desk
from adapters.desk import BRIEFLY_S, Desk
from eventstore.event import Recorded
from handlers.ports.log import HeadRefused
from schemas import names
from schemas.record import ChangeSigningKey

SHOW = "show"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=(SHOW, "change"), default=SHOW, help="default: show")
    parser.add_argument("--lost", action="store_true", help="change: the private key is lost")


def run(call: Call) -> int:
    if call.args.action == SHOW:
        return _show(call)
    with at_desk(call) as desk, desk.ownership(BRIEFLY_S) as owner:
        if not owner:
            sentence = f"a service works in the home {desk.home.root}, and signs with the key as it is."
            raise Failure(CONFLICT, "already_running", sentence, "Stop it first.")
        return _change(call, desk)


def _show(call: Call) -> int:
    home = call.home()
    path = home.tree / "keys"
    keys = path.read_text(encoding="utf-8").split() if path.exists() else []
    if not keys:
        sentence = f"the home {home.root} has no key yet."
        raise Failure(UNAVAILABLE, "no_key", sentence, "The first event that is appended makes one.")
    with reading_log(call) as (_, log):
        changes = list(log.all(types=frozenset({names.SIGNING_KEY_CHANGED})))
    if call.output.json:
        call.output.document({"keys": keys, "changes": [_change_row(event) for event in changes]})
        return GOOD
    for key in keys:
        call.output.line(key)
    for event in changes:
        call.output.note(f"note: changed at event {event.global_position}, {event.when}, by {event.actor}")
    return GOOD


def _change_row(event: Recorded) -> dict[str, object]:
    return {"position": event.global_position, "time": event.when, "actor": event.actor, **event.data}


def _change(call: Call, desk: Desk) -> int:
    tree = desk.storage.tree
    try:
        coming, current = tree.change_key(lost=call.args.lost)
        if not _announced(desk, coming.key_id.hex()):
            desk.dispatch(
                ChangeSigningKey(
                    **desk.stamp(desk.actor),
                    key=coming.key_id.hex(),
                    vkey=coming.vkey(),
                    previous=None if current is None else current.key_id.hex(),
                )
            )
        desk.sign_as_owner("rotation")
        tree.finish_change()
    except HeadRefused as refused:
        hint = "`evt audit` says what is wrong with the log."
        raise Failure(BAD, "head_refused", f"the key was not changed: {refused}", hint) from None
    if call.output.json:
        call.output.document({"key": coming.vkey()})
    else:
        call.output.line(f"from now on {coming.vkey()} signs")
    return GOOD


def _announced(desk: Desk, key: str) -> bool:
    """A change that was cut short has its event already."""
    events = desk.storage.raw.all(types=frozenset({names.SIGNING_KEY_CHANGED}))
    return any(event.data["key"] == key for event in events)
