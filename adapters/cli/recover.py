"""Make the log again from its mirror, and from what can still be read of the log itself.

Both are looked through, each line. What stands there is moved to `logs/aside-1` (or the next free
number); nothing is deleted. Where both hold different events at one place, and the tree of hashes
does not say which is right, you choose. Where you have put an older log back yourself, `--from-log` goes on
with that one.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from adapters.cli.call import Call
from adapters.cli.failure import BAD, GOOD, Failure
from adapters.cli.log_place import refuse_another_log
from adapters.cli.taken import owning
from adapters.cli.writing import at_desk
from adapters.home import Home, NoHome, expanded
from adapters.log_recovery import Recovery, Unrecoverable, free_aside, recover
from eventstore.two_copies import Name
from handlers.ports.log import HeadRefused
from schemas.moving import NoteRecovery
from schemas.service import NoteMirror


def arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--from-mirror", action="store_true", help="where they differ, the mirror is right")
    which.add_argument("--from-log", action="store_true", help="where they differ, the log is right")
    parser.add_argument("--yes", action="store_true", help="end the log before events that cannot be joined")


def run(call: Call) -> int:
    home = _home(call)
    chosen: Name | None = "mirror" if call.args.from_mirror else "log" if call.args.from_log else None
    with owning(home):
        try:
            done = recover(home, chosen, accept_loss=call.args.yes)
        except Unrecoverable as no:
            raise Failure(BAD, "unrecoverable", str(no), no.hint) from None
    if done.problem is not None:
        _record(call, done)
    done = _heads_mended(call, done)
    done = _went_on(call, done) if chosen == "log" else _parted(call, done)
    _say(call, done)
    return GOOD


def _heads_mended(call: Call, done: Recovery) -> Recovery:
    """A signed tree head that was hurt stops all that come after it, though the log is sound."""
    with at_desk(call) as desk, desk.ownership() as owner:
        try:
            mended = desk.storage.tree.mend_now(lambda: free_aside(desk.home)) if owner else None
        except HeadRefused as refused:
            return replace(done, notes=(*done.notes, str(refused)))
        if mended is None:
            return done
        problem, kept = mended[0], mended[1].relative_to(desk.home.root).as_posix()
        events = desk.storage.raw.head()
        desk.dispatch(NoteRecovery(**desk.stamp(desk.actor), events=events, problem=problem, kept_as=kept))
    return replace(done, notes=(*done.notes, f"{problem}: what is whole stays, and that is kept in {kept}"))


def _went_on(call: Call, done: Recovery) -> Recovery:
    """The log that a person put back is right, though a tree head over another one was signed here."""
    with at_desk(call) as desk, desk.ownership() as owner:
        try:
            if not owner or (problem := desk.storage.tree.parted_now()) is None:
                return done
            aside = free_aside(desk.home)
            desk.storage.tree.set_aside(aside)
        except HeadRefused as refused:
            hint = "`evt audit` says what is wrong with the log."
            raise Failure(BAD, "head_refused", str(refused), hint) from None
        kept, events = aside.relative_to(desk.home.root).as_posix(), desk.storage.raw.head()
        desk.dispatch(NoteRecovery(**desk.stamp(desk.actor), events=events, problem=problem, kept_as=kept))
    said = f"{problem}: this log goes on, and that tree head is kept in {kept}"
    return replace(done, notes=(*done.notes, said))


def _parted(call: Call, done: Recovery) -> Recovery:
    """The log and its mirror agree, and a later one was signed: only a person knows whether that is meant."""
    with at_desk(call) as desk:
        try:
            problem = desk.storage.tree.parted_now()
        except HeadRefused:
            return done  # not even from its own tree heads: each verb says so, and the audit where
    if problem is None:
        return done
    way = "if you put this older log back yourself, `evt recover --from-log` goes on with it"
    return replace(done, notes=(*done.notes, f"{problem}: {way}"))


def _home(call: Call) -> Home:
    """As every verb finds it; and where the log itself is gone, the folder that holds its mirror."""
    try:
        return call.home()
    except Failure as failure:
        named = call.args.home or call.environ.get("EVT_HOME")
        here = Path.cwd().resolve()
        try:
            folders = [expanded(named).resolve()] if named else [here, *here.parents]
        except NoHome:
            raise failure from None
        for folder in folders:
            home = Home(folder, named=bool(named))
            if failure.code == "no_home" and home.mirror.is_file():
                refuse_another_log(folder, call.environ)
                return home
        raise


def _record(call: Call, done: Recovery) -> None:
    with at_desk(call) as desk:
        stamp, problem = desk.stamp(desk.actor), done.problem or ""
        if done.new_log:
            desk.dispatch(NoteRecovery(**stamp, events=done.events, problem=problem, kept_as=done.kept_as))
        else:
            desk.dispatch(NoteMirror(**stamp, problem=problem, bytes_cut=0, lines_written=done.events))


def _say(call: Call, done: Recovery) -> None:
    if call.output.json:
        call.output.document(
            {
                "events": done.events,
                "problem": done.problem,
                "log_made_again": done.new_log,
                "mirror_made_again": done.new_mirror,
                "kept_as": done.kept_as,
                "notes": list(done.notes),
            }
        )
        return
    if done.problem is None:
        call.output.line(f"the log is sound: {done.events} events, and its mirror agrees")
    else:
        call.output.line(f"{done.problem[0].upper()}{done.problem[1:]}.")
        again = "the log was made again" if done.new_log else "the mirror was made again from the log"
        call.output.line(f"{again}: {done.events} events")
    if done.kept_as is not None:
        call.output.line(f"what stood there is kept in {done.kept_as}")
    for note in done.notes:
        call.output.note(f"note: {note}")
