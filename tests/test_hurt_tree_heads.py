"""A tree head that was hurt stops no signing for ever: it is kept aside, and what is whole goes on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from adapters.home_making import make_home
from eventstore.tree.head import read_notes
from schemas import names
from tests.damaged import files_of, last_event
from tests.reading_evt import Evt

RUBBISH: Final = b"\xff\r\n" * 60


@pytest.fixture
def evt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evt:
    """A home of several tree heads."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    evt = Evt(tmp_path / "home", capsys)
    make_home(evt.root)
    assert evt("add", "explain the cart").code == 0
    return evt


def tree(evt: Evt) -> Path:
    return evt.root / "logs" / "tree"


def remembered(evt: Evt) -> Path:
    (found,) = (evt.root.parent / "configuration").rglob("*.head")
    return found


def newest(evt: Evt) -> Path:
    return tree(evt) / "checkpoint"


def listed(evt: Evt) -> Path:
    return tree(evt) / "heads"


def garbled(path: Path) -> None:
    path.write_bytes(RUBBISH)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def rubbish_behind(path: Path) -> None:
    path.write_bytes(path.read_bytes() + RUBBISH)


def forged(path: Path) -> None:
    """The size that the newest one states is another one; its signature stays."""
    text, gap, signatures = path.read_bytes().rpartition(b"\n\n\xe2\x80\x94 ")
    origin, size, rest = text.rsplit(b"\n", 2)
    path.write_bytes(b"\n".join((origin, b"%d" % (int(size) - 1), rest)) + gap + signatures)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


POSIX: Final = pytest.mark.skipif("os.name == 'nt'", reason="Windows has no named pipes in folders")
PLACES: Final = (newest, listed, remembered)


@pytest.mark.parametrize(
    ("place", "hurt"),
    [
        (newest, garbled),
        (newest, emptied),
        (newest, rubbish_behind),
        (newest, forged),
        pytest.param(newest, a_pipe, marks=POSIX),
        (newest, a_folder),
        (listed, garbled),
        (listed, rubbish_behind),
        (listed, forged),
        (remembered, garbled),
        (remembered, emptied),
        (remembered, forged),
    ],
)
def test_what_is_hurt_is_kept_aside_and_the_log_is_signed_again(
    evt: Evt, place: Callable[[Evt], Path], hurt: Callable[[Path], None]
) -> None:
    path = place(evt)
    hurt(path)
    spoilt = path.read_bytes() if path.is_file() else None
    said = evt("recover")
    assert said.code == 0, said.err
    assert "held what no key of this home has signed" in said.err
    assert path.name in said.err
    told = last_event(evt.root, names.LOG_RECOVERED)
    assert told["kept_as"] == "logs/aside-1"
    kept = evt.root / "logs" / "aside-1" / path.name
    assert (kept.read_bytes() if spoilt is not None else None) == spoilt
    assert kept.exists()
    after = evt("audit", "--json").document
    assert (after["verdict"], after["unanchored"], after["findings"]) == ("OK", 0, [])
    assert "tree head" not in evt("add", "explain the door").err
    assert evt("audit").code == 0


@pytest.mark.parametrize("place", [newest, remembered])
def test_until_then_each_verb_says_where_and_what_to_do(evt: Evt, place: Callable[[Evt], Path]) -> None:
    garbled(place(evt))
    said = evt("add", "explain the shelf")
    assert said.code == 0
    assert f"{place(evt)} is no tree head of this home" in said.err
    assert "`evt recover` puts it right from the others" in said.err


@pytest.mark.parametrize("hurt", [garbled, forged])
def test_the_audit_names_the_way_out(evt: Evt, hurt: Callable[[Path], None]) -> None:
    hurt(newest(evt))
    (found,) = evt("audit", "--json").document["findings"]
    assert found["kind"] == "BAD-SIGNATURE"
    assert "`evt recover` keeps it aside" in found["remedy"]


def test_whole_tree_heads_between_hurt_ones_stay(evt: Evt) -> None:
    before, _ = read_notes(listed(evt))
    assert len(before) == 2
    listed(evt).write_bytes(b"\n".join((before[0], RUBBISH + b"\n", *before[1:])) + b"\n")
    assert evt("recover").code == 0
    after, torn = read_notes(listed(evt))
    assert (after[: len(before)], torn) == (before, b"")
    assert len(after) > len(before)


def test_where_all_three_are_hurt_a_new_row_of_tree_heads_begins(evt: Evt) -> None:
    for place in PLACES:
        garbled(place(evt))
    assert evt("recover").code == 0
    assert len(list((evt.root / "logs" / "aside-1").iterdir())) == 3
    assert evt("audit", "--json").document["verdict"] == "OK"


def test_tree_heads_of_a_key_that_is_missing_are_not_put_away(evt: Evt) -> None:
    other = evt.root.parent / "configuration" / "other"
    (tree(evt) / "keys").write_bytes(b"")
    key = remembered(evt).with_suffix("")
    key.rename(other)
    before = files_of(evt.root)
    said = evt("recover")
    assert "no key in" in said.err
    assert "put that file back" in said.err
    assert files_of(evt.root)["logs/tree/heads"] == before["logs/tree/heads"]


def test_whole_tree_heads_are_left_alone(evt: Evt) -> None:
    before = files_of(evt.root)
    said = evt("recover")
    assert (said.code, said.err) == (0, "")
    assert files_of(evt.root) == before


def test_a_head_that_only_the_key_remembers_is_never_taken_for_the_homes_own(evt: Evt) -> None:
    """It may be of a log that was put back: then `evt recover --from-log` asks a person."""
    for place in (newest, listed):
        garbled(place(evt))
    own = remembered(evt).read_bytes()
    assert evt("recover").code == 0
    notes, _ = read_notes(listed(evt))
    assert own not in notes
    assert evt("audit").code == 0
