"""Where the log and its mirror differ: the tree of hashes says who is right, or else a person does."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from adapters.home_making import make_home
from schemas import names
from tests import damaged_home
from tests.damaged import files_of, last_event, leaf_pages, log_of, stored, whole_again
from tests.exported import mirror_of
from tests.reading_evt import Evt

sound, home, lines = damaged_home.sound, damaged_home.home, damaged_home.lines
own_configuration, evt = damaged_home.own_configuration, damaged_home.evt


# both hold something else


def forked(home: Path, lines: list[bytes]) -> list[bytes]:
    """The mirror says another thing at event 25, and the log does, too."""
    other = lines[24].replace(b"[[[{}]]]", b"[[[[]]]]")
    mirror_of(home).write_bytes(b"".join([*lines[:24], other]))
    return [*lines[:24], other]


def test_where_both_differ_the_person_chooses(home: Path, evt: Evt, lines: list[bytes]) -> None:
    forked(home, lines)
    before = files_of(home)
    said = evt("recover")
    assert said.code == 1
    assert "different events at position 25" in said.err
    assert "--from-mirror" in said.err
    assert "--from-log" in said.err
    assert files_of(home) == before
    assert evt("recover", "--from-mirror", "--from-log").code == 2


def test_the_mirror_can_be_chosen(home: Path, evt: Evt, lines: list[bytes]) -> None:
    other, old = forked(home, lines), log_of(home).read_bytes()
    said = evt("recover", "--from-mirror")
    assert said.code == 0, said.err
    assert "had parted at event 25" in said.err
    assert (home / "logs" / "aside-1" / "events.db").read_bytes() == old
    whole_again(evt, other)


def test_the_log_can_be_chosen(home: Path, evt: Evt, lines: list[bytes]) -> None:
    bad = b"".join(forked(home, lines))
    said = evt("recover", "--from-log")
    assert said.code == 0, said.err
    assert "the mirror was made again from the log" in said.out
    assert (home / "logs" / "aside-1" / "events.ndjson").read_bytes() == bad
    assert stored(home)[: len(lines)] == lines
    assert last_event(home, names.MIRROR_REPAIRED)["lines_written"] == len(lines)
    assert mirror_of(home).read_bytes() == b"".join(stored(home))


@pytest.fixture
def signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    """A home with a signed tree, whose log ends in one file."""
    evt = Evt(tmp_path / "signed", capsys)
    make_home(evt.root)
    assert evt("add", "explain the cart").code == 0
    return evt


def test_the_tree_of_hashes_says_which_of_two_is_right(signed: Evt) -> None:
    wanted = stored(signed.root)
    bad = b"".join(wanted).replace(b"explain the cart", b"explain the card")
    assert bad != b"".join(wanted)
    mirror_of(signed.root).write_bytes(bad)
    said = signed("recover")
    assert said.code == 0, said.err
    assert "are not in the tree of hashes as the mirror had them" in said.err
    assert stored(signed.root)[: len(wanted)] == wanted
    assert mirror_of(signed.root).read_bytes() == b"".join(stored(signed.root))


def test_a_log_that_was_changed_where_it_stands_is_put_right_by_the_mirror_and_the_tree(signed: Evt) -> None:
    wanted = stored(signed.root)
    place = log_of(signed.root)
    leaf_pages(signed.root)
    content = place.read_bytes()
    assert b"explain the cart" in content
    place.write_bytes(content.replace(b"explain the cart", b"explain the card"))
    assert stored(signed.root) != wanted
    said = signed("recover")
    assert said.code == 0, said.err
    assert "are not in the tree of hashes as the log had them" in said.err
    whole_again(signed, wanted)


# the mirror alone


MIRRORS: dict[str, Callable[[list[bytes]], bytes]] = {
    "missing": lambda lines: b"",
    "behind": lambda lines: b"".join(lines[:10]),
    "torn last line": lambda lines: b"".join(lines)[:-30],
    "missing final newline": lambda lines: b"".join(lines)[:-1],
    "CR LF": lambda lines: b"".join(lines).replace(b"\n", b"\r\n"),
    "BOM": lambda lines: b"\xef\xbb\xbf" + b"".join(lines),
    "NUL tail": lambda lines: b"".join(lines) + bytes(4096),
    "gap": lambda lines: b"".join([*lines[:9], *lines[10:]]),
    "swapped lines": lambda lines: b"".join([*lines[:9], lines[10], lines[9], *lines[11:]]),
    "other key order": lambda lines: b"".join(
        [*lines[:9], orjson.dumps(dict(reversed(orjson.loads(lines[9]).items()))) + b"\n", *lines[10:]]
    ),
    "a line twice": lambda lines: b"".join([*lines[:9], lines[8], *lines[9:]]),
    "an empty line": lambda lines: b"".join([*lines[:9], b"\n", *lines[9:]]),
    "a claim far away": lambda lines: b"".join(
        [*lines, orjson.dumps({**orjson.loads(lines[-1]), "global_position": 2**62}, option=1 << 5) + b"\n"]
    ),
}


@pytest.mark.parametrize("how", MIRRORS)
def test_a_hurt_mirror_of_a_sound_log_is_made_again(
    home: Path, evt: Evt, lines: list[bytes], how: str
) -> None:
    mirror_of(home).write_bytes(MIRRORS[how](lines))
    said = evt("recover")
    assert said.code == 0, said.err
    assert stored(home)[: len(lines)] == lines
    assert mirror_of(home).read_bytes() == b"".join(stored(home))
    again = evt("recover")
    assert again.out == f"the log is sound: {len(stored(home))} events, and its mirror agrees\n"


@pytest.mark.parametrize("how", [how for how in MIRRORS if how not in ("missing", "behind", "gap")])
def test_a_hurt_mirror_is_enough_where_the_log_is_gone(
    home: Path, evt: Evt, lines: list[bytes], how: str
) -> None:
    """All but what the hurt took away: the torn line, the line that has other bytes."""
    mirror_of(home).write_bytes(MIRRORS[how](lines))
    log_of(home).unlink()
    said = evt("recover", "--yes")
    assert said.code == 0, said.err
    lost = {"torn last line": 25, "other key order": 9}
    assert stored(home)[: lost.get(how, len(lines))] == lines[: lost.get(how, len(lines))]
    assert last_event(home, names.LOG_RECOVERED)["events"] == lost.get(how, len(lines))


def test_what_was_erased_does_not_come_back_from_an_old_mirror(signed: Evt) -> None:
    old = mirror_of(signed.root).read_bytes()
    erased = signed("erase", "3", "--field", "spec.prompt", "--field", "spec.title", "--reason", "leaked")
    assert erased.code == 0, erased.err
    wanted = stored(signed.root)
    assert b"explain the cart" not in wanted[2]
    mirror_of(signed.root).write_bytes(old + b"".join(wanted[len(old.splitlines()) :]))
    said = signed("recover")
    assert said.code == 0, said.err
    assert stored(signed.root)[: len(wanted)] == wanted
    assert mirror_of(signed.root).read_bytes() == b"".join(stored(signed.root))
