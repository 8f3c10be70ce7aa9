"""Erase text of one event for good: a leaked secret, a name. That it was erased stays provable.

Without `--field` it lists what event P holds; `--field spec.prompt` names what goes (several are
allowed, and a field that holds others stands for all texts in it that can go). Of the log, its mirror,
the views and the artifacts no copy is left; the blobs that the event names go, too, and other events
that named the same ones are told of. Backups are not touched.
"""

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.cli.call import Call
from adapters.cli.erasable import NEEDED, STANDING, erasable, missed, repeats, stands_for
from adapters.cli.failure import BAD, CONFLICT, DISK_FAILED, GOOD, NOT_FOUND, USAGE, Failure
from adapters.cli.progress import Progress
from adapters.cli.writing import at_desk
from adapters.desk import BRIEFLY_S, Desk
from adapters.erasing import (
    Unerased,
    also_naming,
    blobs_of,
    carry_out,
    changed,
    copies,
    original_leaf,
    pending,
    standing_texts,
)
from eventstore.event import Recorded
from eventstore.tombstone import NoSuchField, tombstone
from eventstore.tree.merkle import leaf_hash
from handlers.ports.log import HeadRefused
from schemas import names
from schemas.record import EraseEvent
from schemas.shown import quoted, shown

SHOWN: Final = 60
"""Characters of a text that are shown where its names are listed."""

UNFINISHED: Final = "It is recorded and not yet carried out everywhere: then `evt erase --finish`."


@dataclass(frozen=True)
class Done:
    """An erasure that was carried out. `gone` are its texts, None where they are not known any more.

    `poorer` are the positions of other events that named a blob which went with it.
    """

    position: int
    fields: tuple[str, ...]
    files: tuple[str, ...]
    gone: list[str] | None
    poorer: tuple[int, ...]

    def covers(self, fields: Sequence[str]) -> bool:
        """Whether these are the fields, or hold them."""
        return all(
            any(name == field or name.startswith((f"{field}.", f"{field}[")) for name in self.fields)
            for field in fields
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("position", type=int, nargs="?", metavar="P", help="the event's global position")
    parser.add_argument("--reason", metavar="REASON", help="why; recorded, so it must not tell the secret")
    parser.add_argument(
        "--field", action="append", default=[], metavar="NAME", help="what to erase, such as spec.prompt"
    )
    parser.add_argument("--finish", action="store_true", help="carry out erasures that were cut short")


def run(call: Call) -> int:
    if call.args.finish:
        with at_desk(call) as desk, desk.ownership(BRIEFLY_S) as owner:
            return _finish(call, _owned(desk, owner))
    if call.args.position is None:
        raise Failure(USAGE, "usage", "name the event by its global position.", "`evt tail` shows them.")
    with at_desk(call) as desk:
        event = _event(desk, call.args.position)
        if not call.args.field:
            return _list(call, event)
        if not (call.args.reason or "").strip():
            sentence = "say why with --reason: what was erased can no longer be seen."
            raise Failure(USAGE, "usage", sentence, 'For example --reason "a password".')
        with desk.ownership(BRIEFLY_S) as owner:
            return _erase(call, _owned(desk, owner), event)


def _owned(desk: Desk, owner: bool) -> Desk:
    if owner:
        return desk
    if desk.service() is None:
        sentence = f"another verb is at work in the home {desk.home.root}."
        raise Failure(CONFLICT, "already_running", sentence, "Try again when it is done.")
    sentence = f"a service works in the home {desk.home.root}."
    raise Failure(CONFLICT, "already_running", sentence, "Stop it first: an erasure rewrites its files.")


def _event(desk: Desk, position: int) -> Recorded:
    event = next(iter(desk.storage.raw.all(max(0, position - 1), position)), None) if position > 0 else None
    if event is None:
        sentence = f"there is no event {position}: the log ends at {desk.storage.raw.head()}."
        raise Failure(NOT_FOUND, "not_found", sentence, "`evt tail` shows the positions.")
    if event.type in STANDING:
        sentence = f"event {position} is {event.type}, on which the proof stands: nothing of it is erased."
        raise Failure(USAGE, "not_erasable", sentence, "What a task was given stands in other events.")
    return event


def _list(call: Call, event: Recorded) -> int:
    """What of the event can go. Raises Failure where nothing can, or where a reason was given already."""
    found, position = dict(erasable(event)), event.global_position
    if not found:
        sentence = f"event {position} holds no text that could be erased."
        raise Failure(USAGE, "nothing_to_erase", sentence, "`evt tail` shows what other events hold.")
    if call.args.reason is not None:
        hint = f"`evt erase {position}` lists them. Nothing was erased."
        raise Failure(USAGE, "usage", f"say what of event {position} is to be erased, with --field.", hint)
    if call.output.json:
        call.output.document({"position": position, "type": event.type, "fields": found})
        return GOOD
    call.output.line(f"event {position} ({event.type}) holds what can be erased:")
    for name, text in found.items():
        call.output.line(f"  --field {shlex.quote(name)}   {quoted(text, SHOWN)}")
    call.output.note("note: nothing was erased: name what is to go with --field, and say why with --reason.")
    return GOOD


def _erase(call: Call, desk: Desk, event: Recorded) -> int:
    if done := _carry_out_all(call, desk):
        event = _event(desk, event.global_position)
        if any(one.position == event.global_position and one.covers(call.args.field) for one in done):
            return _say(call, desk, done)  # the same words again, after they had been cut short
    fields = _fields(event, call.args.field)
    buried = _tombstone(event, fields)
    if repeats(call.args.reason, changed(event.line, buried)):
        sentence = "the reason repeats a part of what is to be erased, and it stays for ever."
        raise Failure(USAGE, "usage", sentence, "Say why without it. Nothing was erased.")
    _sign_first(desk, event.global_position)
    desk.dispatch(
        EraseEvent(
            **desk.stamp(desk.actor),
            position=event.global_position,
            leaf=original_leaf(desk, event).hex(),
            tombstone=leaf_hash(buried).hex(),
            fields=fields,
            blobs=blobs_of(desk.home, event),
            reason=call.args.reason.strip(),
        )
    )
    done += _carry_out_all(call, desk)
    _warn_of_need(call, desk, event)
    _warn_of_rewordings(call, desk, event)
    return _say(call, desk, done)


def _warn_of_rewordings(call: Call, desk: Desk, event: Recorded) -> None:
    """What was made of a text is no copy of it that could be sought: whoever erases must look himself."""
    if event.type not in (names.TASK_RECEIVED, names.TURN_FINISHED):
        return
    made = [str(one.global_position) for one in desk.storage.raw.stream(event.stream, -1) if _reworded(one)]
    if made:
        noun = "event" if len(made) == 1 else "events"
        call.output.note(f"note: what was made of this task's texts stands in the {noun} {', '.join(made)}")


def _reworded(event: Recorded) -> bool:
    """Whether an event may hold a task's texts in other words."""
    match event.type:
        case names.SUMMARIZED:
            return True
        case names.MEDIATION_FINISHED:
            return bool(event.data["by"] == "model")
        case names.TASK_QUEUED:
            return "model" in (event.data.get("decided") or {}).values()
        case _:
            return False


def _warn_of_need(call: Call, desk: Desk, event: Recorded) -> None:
    """What waits or runs goes on with what is left of it."""
    task_id = names.task_of(event.stream)
    if task_id is None or event.type not in NEEDED:
        return
    state = desk.task(task_id)
    if state.received is not None and state.status not in names.ENDED:
        name = state.received["task_id"]
        call.output.note(
            f"note: task {name} is {state.status}, and its agent is given what is left: `evt cancel {name}`"
        )


def _fields(event: Recorded, asked: Sequence[str]) -> tuple[str, ...]:
    """What is to be erased. Raises Failure for what is not there."""
    try:
        return tuple(dict.fromkeys(name for field in asked for name in stands_for(event, field)))
    except NoSuchField as missing:
        hint = f"`evt erase {event.global_position}` lists what it holds."
        sentence = f"event {event.global_position} has no text {quoted(missing.field)}."
        raise Failure(NOT_FOUND, "not_found", sentence, hint) from None


def _tombstone(event: Recorded, fields: tuple[str, ...]) -> bytes:
    """The line that will stand there. Raises Failure for what cannot be missed."""
    buried = tombstone(event.line, fields)
    if buried == event.line:
        sentence = f"{', '.join(fields)} of event {event.global_position} was erased before."
        hint = f"`evt erase {event.global_position}` lists what is left."
        raise Failure(CONFLICT, "conflict", sentence, hint)
    if (place := missed(event, buried)) is not None:
        sentence = f"{place} of event {event.global_position} cannot be erased: views are folded by it."
        hint = f"`evt erase {event.global_position}` lists what can go."
        raise Failure(USAGE, "not_erasable", sentence, hint)
    return buried


def _sign_first(desk: Desk, position: int) -> None:
    """The tree must know the line as it was. Raises Failure where it cannot."""
    try:
        if desk.storage.tree.size_now() < position:
            desk.sign_as_owner("erasure")
    except HeadRefused as refused:
        hint = "`evt audit` says what is wrong with the log."
        raise Failure(BAD, "head_refused", f"nothing was erased: {refused}", hint) from None


def _carry_out_all(call: Call, desk: Desk) -> list[Done]:
    """What the log orders and has no receipt yet. Raises Failure."""
    progress, done = Progress(call.output, call.environ), []
    try:
        for row in pending(desk):
            progress.show(f"event {row['position']}: writing the log, its mirror and the views anew")
            gone = standing_texts(desk, row)
            files = carry_out(desk, row)
            fields, poorer = tuple(row["fields"]), also_naming(desk, row)
            done.append(Done(row["position"], fields, files, gone, poorer))
    except Unerased as stuck:
        raise Failure(BAD, "unfinished", f"{stuck}.", UNFINISHED) from None
    except OSError as trouble:
        where = f" ({trouble.filename})" if trouble.filename else ""
        raise Failure(DISK_FAILED, "io", f"{trouble.strerror or trouble}{where}.", UNFINISHED) from None
    finally:
        progress.clear()
    return done


def _finish(call: Call, desk: Desk) -> int:
    done = _carry_out_all(call, desk)
    try:
        desk.sign_as_owner("erasure")
    except (HeadRefused, OSError) as refused:
        desk.notes.append(str(refused))
    return _say(call, desk, done)


def _say(call: Call, desk: Desk, done: list[Done]) -> int:
    progress = Progress(call.output, call.environ)
    progress.show("looking for copies")
    left = copies(desk, [text for one in done for text in one.gone or ()])
    progress.clear()
    if call.output.json:
        call.output.document({"erased": [_document(one) for one in done], "copies": left})
        return GOOD
    for one in done:
        call.output.line(f"erased {', '.join(one.fields)} of event {one.position}")
        for path in one.files:
            call.output.line(f"  written anew  {shown(path)}")
        for position in one.poorer:
            call.output.note(f"note: event {position} named the same blob, which is gone")
        if one.gone is None:
            call.output.note(f"note: copies of what event {one.position} held can no longer be looked for")
    if not done:
        call.output.line("no erasure waits to be carried out")
    for place in left:
        call.output.note(f"note: the same text stands in {shown(place)}")
    if left:
        call.output.note("note: erase or delete these, too, and what backups hold.")
    return GOOD


def _document(one: Done) -> dict[str, Any]:
    return {
        "position": one.position,
        "fields": one.fields,
        "files": one.files,
        "also_named_by": one.poorer,
    }
