"""`evt recover` makes the log again from the mirror and from what the log still gives, and loses nothing."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from adapters import safe_files
from adapters.cli.main import call
from adapters.home import Home
from adapters.log_recovery import Unrecoverable, recover
from eventstore.file_lock import FileLock
from eventstore.sqlite.check import check
from eventstore.sqlite.salvage import SalvagedLog
from schemas import names
from tests import damaged_home
from tests.damaged import (
    files_of,
    flip,
    last_event,
    leaf_pages,
    log_of,
    newer,
    other_program,
    past_the_triggers,
    spoil_page,
    stored,
    whole_again,
    without_wal,
)
from tests.exported import mirror_of
from tests.reading_evt import Evt

sound, home, lines = damaged_home.sound, damaged_home.home, damaged_home.lines
own_configuration, evt = damaged_home.own_configuration, damaged_home.evt


# the log is gone, or is none


GONE: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "gone": (lambda content: None, "The log was gone."),
    "empty": (lambda content: b"", "The log is empty (0 bytes)"),
    "a text": (lambda content: b"a text\n" * 900, "The log is no SQLite"),
    "zeroes": (lambda content: bytes(40_960), "The log is no SQLite"),
    "cut in the middle": (lambda content: content[:9000], "The log is damaged"),
}
"""What becomes of the file's bytes, and what is said of it."""


@pytest.mark.parametrize("how", GONE)
def test_the_log_comes_back_from_its_mirror(home: Path, evt: Evt, lines: list[bytes], how: str) -> None:
    hurt, says = GONE[how]
    kept = hurt(log_of(home).read_bytes())
    log_of(home).unlink()
    if kept is not None:
        log_of(home).write_bytes(kept)
    refused = evt("add", "explain the cart")
    assert (refused.code, "evt recover" in refused.err) == (2, True), refused.err
    said = evt("recover")
    assert said.code == 0, said.err
    assert said.lines[0].startswith(says), said.out
    assert f"the log was made again: {len(lines)} events" in said.out
    aside = home / "logs" / "aside-1" / "events.db"
    assert (aside.read_bytes() if aside.exists() else None) == kept
    whole_again(evt, lines)


def test_a_home_whose_log_is_gone_is_found_upward_by_its_mirror(
    home: Path, lines: list[bytes], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of(home).unlink()
    monkeypatch.chdir(home / "tasks")
    assert call(["recover"], {}) == 0
    assert "made again" in capsys.readouterr().out
    assert stored(home)[: len(lines)] == lines


@pytest.mark.parametrize(
    ("make", "says"),
    [(other_program, "belongs to another program"), (newer, "was written by a newer version")],
)
def test_a_file_that_others_may_need_is_not_replaced(
    home: Path, evt: Evt, make: Callable[[Path], None], says: str
) -> None:
    make(log_of(home))
    before = files_of(home)
    for words in (
        ("status",),
        ("add", "explain the cart"),
        ("recover",),
        ("recover", "--from-mirror", "--yes"),
    ):
        said = evt(*words)
        assert (said.code in (1, 2), says in said.err) == (True, True), said.err
    assert files_of(home) == before


def test_where_nothing_is_left_a_backup_is_named(home: Path, evt: Evt) -> None:
    log_of(home).write_bytes(b"")
    mirror_of(home).write_bytes(b"not an event\n")
    before = files_of(home)
    said = evt("recover")
    assert (said.code, "line 1 (byte 0)" in said.err, "evt import" in said.err) == (1, True, True), said.err
    assert files_of(home) == before


def test_a_mirror_that_is_no_homes_is_refused(home: Path, evt: Evt, lines: list[bytes]) -> None:
    strange = orjson.loads(lines[0])
    strange["type"] = "task_dreamt"
    mirror_of(home).write_bytes(orjson.dumps(strange, option=orjson.OPT_SORT_KEYS) + b"\n")
    log_of(home).unlink()
    said = evt("recover")
    assert (said.code, "event 1 is task_dreamt, not home_created" in said.err) == (1, True), said.err


# the log is behind its mirror


def test_a_log_whose_wal_was_deleted_comes_back(home: Path, evt: Evt, tmp_path: Path) -> None:
    taken = shutil.copyfile(log_of(home), tmp_path / "earlier.db")
    assert evt("add", "explain the cart").code == 0
    wanted = stored(home)
    without_wal(home, taken)
    before = files_of(home)
    for words in (("add", "another"), ("run", "--drain")):
        refused = evt(*words)
        assert refused.code == 1, refused.err
        assert "`evt recover --from-mirror`" in refused.err
    assert files_of(home) == before
    said = evt("recover", "--from-mirror")
    assert said.code == 0, said.err
    assert said.lines[0] == f"The log ended at event {26}, its mirror at {len(wanted)}."
    whole_again(evt, wanted)


def test_an_empty_wal_beside_a_whole_log_changes_nothing(home: Path, evt: Evt, lines: list[bytes]) -> None:
    log_of(home).with_name("events.db-wal").write_bytes(b"")
    assert stored(home) == lines
    assert evt("add", "explain the cart").code == 0
    assert stored(home)[: len(lines)] == lines
    assert "sound" in evt("recover").out


# the log is damaged


@pytest.mark.parametrize("page", [0, 1, 2, -1])
def test_a_spoilt_page_is_named_and_made_again(home: Path, evt: Evt, lines: list[bytes], page: int) -> None:
    pages = leaf_pages(home)
    assert len(pages) >= 4
    spoil_page(home, pages[page])
    read = evt("tail", "--since", "@1", "--json")
    assert (read.code, "is damaged" in read.err, "`evt recover`" in read.err) == (2, True, True), read.err
    if page in (1, 2):  # of the first nothing was read before, and of the last not even where it ends
        assert "behind event " in read.err
    checked = evt("recover")
    assert checked.code == 0, checked.err
    assert checked.lines[0].startswith("The log is damaged"), checked.out
    assert " event " in checked.lines[0], checked.out
    whole_again(evt, lines)


def test_an_append_to_a_log_whose_end_is_spoilt_is_refused(home: Path, evt: Evt) -> None:
    spoil_page(home, leaf_pages(home)[-1])
    before = files_of(home)
    said = evt("add", "explain the cart")
    assert (said.code, "`evt recover`" in said.err) == (2, True), said.err
    assert files_of(home) == before


def test_a_line_that_is_no_json_any_more_is_named(home: Path, evt: Evt, lines: list[bytes]) -> None:
    flip(home, b'{"deep":[[[{}]]]', b'{"deep":[[[{}]]}')
    for words in (("tail",), ("replay",)):
        said = evt(*words)
        assert "Traceback" not in said.err
        if said.code:
            assert "event 25 is damaged" in said.err, said.err
    assert evt("tail").code == 2
    recovered = evt("recover")
    assert (recovered.code, "at event 25" in recovered.out) == (0, True), recovered.out
    whole_again(evt, lines)


def test_an_event_that_is_missing_is_named(home: Path, evt: Evt, lines: list[bytes]) -> None:
    past_the_triggers(home, "DELETE FROM events WHERE global_position = 7")
    said = evt("tail", "--since", "@1")
    assert (said.code, "is damaged at event 7" in said.err, "it is missing" in said.err) == (2, True, True)
    assert evt("recover").code == 0
    whole_again(evt, lines)


def test_rows_that_are_not_what_their_lines_say_are_found(home: Path, evt: Evt, lines: list[bytes]) -> None:
    for position in (9, 10):
        other = lines[18 - position].rstrip(b"\n")
        past_the_triggers(
            home, f"UPDATE events SET line = x'{other.hex()}' WHERE global_position = {position}"
        )
    assert evt("recover").lines[0].startswith("The log is damaged at event 9 ")
    whole_again(evt, lines)


def test_what_the_damaged_log_alone_has_joins_what_the_mirror_has(
    home: Path, evt: Evt, lines: list[bytes]
) -> None:
    spoil_page(home, leaf_pages(home)[0])
    mirror_of(home).write_bytes(b"".join(lines[:20]))
    said = evt("recover")
    assert said.code == 0, said.err
    assert "6 events stood in the damaged log alone" in said.err
    whole_again(evt, lines)


def test_two_damaged_copies_make_one_whole_log(home: Path, evt: Evt, lines: list[bytes]) -> None:
    spoil_page(home, leaf_pages(home)[0])
    bad = [*lines[:22], b'{"half":\n', *lines[23:]]
    mirror_of(home).write_bytes(b"".join(bad))
    said = evt("recover")
    assert said.code == 0, said.err
    assert "the mirror was damaged, too, at line 23" in said.err
    assert (home / "logs" / "aside-1" / "events.ndjson").read_bytes() == b"".join(bad)
    whole_again(evt, lines)


# what neither can give


def test_what_would_be_lost_is_named_with_line_and_byte_and_lost_only_on_request(
    home: Path, evt: Evt, lines: list[bytes]
) -> None:
    log_of(home).write_bytes(b"")
    bad = b"".join([*lines[:9], lines[9][:50] + b"\n", *lines[10:]])
    mirror_of(home).write_bytes(bad)
    before = files_of(home)
    said = evt("recover", "--from-mirror")
    assert said.code == 1
    assert f"line 10 (byte {len(b''.join(lines[:9]))}): no JSON" in said.err, said.err
    assert "can give event 10" in said.err
    assert "events from 11 on are there" in said.err
    assert "evt recover --yes" in said.err
    assert files_of(home) == before
    again = evt("recover", "--yes")
    assert again.code == 0, again.err
    assert "events from 11 on did not join event 9" in again.err
    assert stored(home)[:9] == lines[:9]
    assert (home / "logs" / "aside-1" / "events.ndjson").read_bytes() == bad
    assert last_event(home, names.LOG_RECOVERED)["kept_as"] == "logs/aside-1"


# somebody else works there


def test_a_home_at_work_is_left_alone_and_the_owner_named(home: Path, evt: Evt) -> None:
    log_of(home).write_bytes(b"")
    before = files_of(home)
    with FileLock(home / "logs" / ".owner"):
        said = evt("recover")
    assert said.code == 7
    assert "is owned by another process" in said.err
    assert "pid 4242" in said.err
    assert files_of(home) == before


def test_json_tells_all_of_it(home: Path, evt: Evt, lines: list[bytes]) -> None:
    assert evt("recover", "--json").document == {
        "events": len(lines),
        "problem": None,
        "log_made_again": False,
        "mirror_made_again": False,
        "kept_as": None,
        "notes": [],
    }
    log_of(home).unlink()
    said = evt("recover", "--json").document
    assert (said["problem"], said["log_made_again"]) == ("the log was gone", True)


# crashes and chance


class Crash(Exception):
    """The process ends here."""


@pytest.mark.parametrize("moment", range(6))
def test_a_crash_at_any_rename_leaves_a_home_that_recovers(
    home: Path, evt: Evt, lines: list[bytes], moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that the damaged log alone had are not lost either: they stand in the mirror by then."""
    spoil_page(home, leaf_pages(home)[0])
    for suffix in ("-wal", "-shm"):
        log_of(home).with_name(f"events.db{suffix}").write_bytes(b"")
    mirror_of(home).write_bytes(b"".join(lines[:20]))
    renames = 0
    real = safe_files.replace

    def dying(source: Path, target: Path) -> None:
        nonlocal renames
        if renames == moment:
            raise Crash
        renames += 1
        real(source, target)

    monkeypatch.setattr("adapters.log_recovery.replace", dying)
    try:
        recover(Home(home, named=True), None, accept_loss=False)
    except Crash:
        assert moment < 5
    else:
        assert renames <= moment
    monkeypatch.setattr("adapters.log_recovery.replace", real)
    assert evt("recover").code == 0
    assert stored(home)[: len(lines)] == lines


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_hurt_no_event_is_lost_that_either_copy_has_in_its_place(
    home: Path, lines: list[bytes], seed: int
) -> None:
    """Either it is refused and all is as it was before, or all that was left is back."""
    chance = random.Random(seed)
    leaf_pages(home)
    for path in (log_of(home), mirror_of(home)):
        content = bytearray(path.read_bytes())
        for _ in range(chance.choice([0, 1, 3])):
            content[chance.randrange(100, len(content))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
    before = files_of(home)
    found = Home(home, named=True)
    with SalvagedLog(log_of(home)) as log:
        events = [log.event(position) for position in range(1, len(lines) + 1)]
    left = {event.line + b"\n" for event in events if event is not None} & set(lines)
    left |= {line for line in lines if line in mirror_of(home).read_bytes()}
    try:
        done = recover(found, None, accept_loss=False)
    except Unrecoverable as no:
        assert files_of(home) == before, no
        return
    again = stored(home)
    assert len(again) == done.events == check(log_of(home))
    assert [orjson.loads(line)["global_position"] for line in again] == list(range(1, len(again) + 1))
    assert mirror_of(home).read_bytes() == b"".join(again)
    for line, found_there in zip(lines, again, strict=False):
        assert found_there == line or line not in left
    assert all(line in again for line in left)
