"""Tree heads follow c2sp.org/tlog-checkpoint, and the file of notes outlives a write that is broken off."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.tree.head import NotesDamaged, SignedHead, TreeHead, append_note, read_notes
from eventstore.tree.merkle import EMPTY, leaf_hash
from eventstore.tree.signed_note import NoteRefused, SigningKey, sign

ORIGIN = "urn:evt:01jd3v6kq8e0r8m1n4k5x7y9zt"
KEY = SigningKey.parse(
    "PRIVATE+KEY+urn:evt:01jd3v6kq8e0r8m1n4k5x7y9zt+4e803236+AXO/oRUrsn9HZLHmkqRtbeQASBkxj4b8TLnzY6xbSYdU"
)
"""Made for tests."""

NEXT_KEY = SigningKey.generate(ORIGIN)
KNOWN = [KEY.verifying]
ROOT = leaf_hash(b"")
BASE64_OF_ROOT = "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="


def note(size: int, *keys: SigningKey) -> bytes:
    return SignedHead.signed(TreeHead(ORIGIN, size, leaf_hash(b"%d" % size)), keys or [KEY]).note


# heads


def test_a_head_is_three_lines() -> None:
    assert TreeHead(ORIGIN, 17, ROOT).text() == f"{ORIGIN}\n17\n{BASE64_OF_ROOT}\n"


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_each_head_is_read_as_it_was_written(size: int, root: bytes) -> None:
    head = TreeHead(ORIGIN, size, root)
    assert TreeHead.parse(head.text()) == head


def test_lines_of_extensions_are_passed_over() -> None:
    text = f"example.com/behind-the-sofa\n20852163\n{BASE64_OF_ROOT}\nmore\nand more\n"
    assert TreeHead.parse(text) == TreeHead("example.com/behind-the-sofa", 20_852_163, ROOT)


SIZE_SAID = "the size of a tree head is a plain decimal"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "three lines or more"),
        (f"{ORIGIN}\n17\n", "three lines or more"),
        (f"{ORIGIN}\n17\n{BASE64_OF_ROOT}", "three lines or more"),
        (f"\n17\n{BASE64_OF_ROOT}\n", "none of them empty"),
        (f"{ORIGIN}\n\n{BASE64_OF_ROOT}\n", "none of them empty"),
        (f"{ORIGIN}\n17\n{BASE64_OF_ROOT}\n\nmore\n", "none of them empty"),
        *[
            (f"{ORIGIN}\n{size}\n{BASE64_OF_ROOT}\n", SIZE_SAID)
            for size in ("017", "-1", "+1", " 1", "1 ", "1e3", "0x1", "١", "1_0", "00", "9" * 5000)
        ],
        (f"{ORIGIN}\n17\n{BASE64_OF_ROOT[:-1]}\n", "is no base64"),
        (f"{ORIGIN}\n17\n{BASE64_OF_ROOT[:-2]}1=\n", "is no base64"),
        (f"{ORIGIN}\n17\n AAAA\n", "is no base64"),
        (f"{ORIGIN}\n17\nAAAA\n", "has 32 bytes, not 3"),
        (f"{ORIGIN}\n17\n{ROOT.hex()}\n", "has 32 bytes, not 48"),
    ],
)
def test_what_is_no_head_is_refused(text: str, said: str) -> None:
    with pytest.raises(NoteRefused) as refused:
        TreeHead.parse(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "head",
    [
        TreeHead("", 1, ROOT),
        TreeHead("two\nlines", 1, ROOT),
        TreeHead(ORIGIN, -1, ROOT),
        TreeHead(ORIGIN, 1, ROOT[1:]),
        TreeHead("a\ttab", 1, ROOT),
    ],
)
def test_what_is_no_head_is_not_signed(head: TreeHead) -> None:
    with pytest.raises(NoteRefused):
        SignedHead.signed(head, [KEY])


def test_a_signed_head_opens_for_who_knows_one_of_its_keys() -> None:
    head = TreeHead(ORIGIN, 0, EMPTY)
    signed = SignedHead.signed(head, [KEY, NEXT_KEY])
    assert signed.signers == (KEY.verifying, NEXT_KEY.verifying)
    assert SignedHead.opened(signed.note, signed.signers) == signed
    assert SignedHead.opened(signed.note, KNOWN, ORIGIN) == SignedHead(head, signed.note, (KEY.verifying,))
    with pytest.raises(NoteRefused, match="no known key signed it"):
        SignedHead.opened(signed.note, [SigningKey.generate(ORIGIN).verifying])


def test_a_head_of_another_log_is_refused() -> None:
    with pytest.raises(NoteRefused, match=r"it heads the log 'urn:evt:01.*', not 'urn:evt:other'"):
        SignedHead.opened(note(3), KNOWN, "urn:evt:other")


def test_a_signed_text_that_is_no_head_is_refused() -> None:
    with pytest.raises(NoteRefused, match="three lines or more"):
        SignedHead.opened(sign("not a head\n", [KEY]), KNOWN)


# the file of notes

NOTES = [note(3), note(300, KEY, NEXT_KEY), note(301, NEXT_KEY)]


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    path = tmp_path / "heads"
    for each in NOTES:
        assert append_note(path, each) == b""
    return path


def test_each_note_is_followed_by_an_empty_line(heads: Path) -> None:
    assert heads.read_bytes() == b"".join(each + b"\n" for each in NOTES)
    assert read_notes(heads) == (NOTES, b"")


def test_a_file_that_is_not_there_holds_no_notes(tmp_path: Path) -> None:
    assert read_notes(tmp_path / "heads") == ([], b"")


def test_a_note_cut_at_any_byte_is_told_of_and_cut_off(heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # some hundred of them take their time
    whole = heads.read_bytes()
    start = len(whole) - len(NOTES[1]) - len(NOTES[2]) - 2
    for end in range(start, len(whole)):
        heads.write_bytes(whole[:end])
        notes, torn = read_notes(heads)
        last = len(notes) - 1
        assert notes[:last] == NOTES[:last]
        assert NOTES[last].startswith(notes[last])  # without its second signature it is a note still
        SignedHead.opened(notes[last], [KEY.verifying, NEXT_KEY.verifying])
        kept = b"".join(each + b"\n" for each in notes)
        assert whole[:end] in (kept + torn, kept.removesuffix(b"\n"))
        assert append_note(heads, NOTES[0]) == torn
        assert read_notes(heads) == ([*notes, NOTES[0]], b"")


@pytest.mark.parametrize("rest", [b"\0" * 4096, b"urn:evt:home\n30\0\0\0", b"\n", b"urn"])
def test_what_a_power_cut_leaves_is_cut_off(heads: Path, rest: bytes) -> None:
    good = heads.read_bytes()
    heads.write_bytes(good + rest)
    assert read_notes(heads) == (NOTES, rest)
    assert append_note(heads, NOTES[0]) == rest
    assert heads.read_bytes() == good + NOTES[0] + b"\n"


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "CR LF": lambda good: good.replace(b"\n", b"\r\n"),
    "CR LF at the end": lambda good: good + b"and\r\n",
    "another text behind": lambda good: good + b"line\n" * 10,
    "two texts behind": lambda good: good + b"text\n\ntext\n\n",
    "no note for long": lambda good: good + b"text\n" * 100_000,
}


@pytest.mark.parametrize("case", DAMAGE)
def test_nothing_is_added_to_or_cut_from_what_are_no_notes(heads: Path, case: str) -> None:
    bad = DAMAGE[case](heads.read_bytes())
    heads.write_bytes(bad)
    assert read_notes(heads)[1]
    with pytest.raises(NotesDamaged, match="holds no signed note at byte"):
        append_note(heads, NOTES[0])
    assert heads.read_bytes() == bad


def test_damage_in_the_middle_ends_the_notes(heads: Path) -> None:
    good = heads.read_bytes()
    heads.write_bytes(good.replace(b"\n300\n", b"\n\n300\n"))
    notes, rest = read_notes(heads)
    assert notes == NOTES[:1]
    assert rest.endswith(NOTES[2] + b"\n")


@pytest.mark.parametrize(
    "bad", [b"", b"text\n", NOTES[0] + b"\n", NOTES[0][:-1], sign("two\n\nparagraphs\n", [KEY])]
)
def test_what_is_no_note_is_not_added(heads: Path, bad: bytes) -> None:
    good = heads.read_bytes()
    with pytest.raises(ValueError, match="only a note whose text has no empty line"):
        append_note(heads, bad)
    assert heads.read_bytes() == good


def test_a_note_that_does_not_reach_the_disk_is_taken_back(
    heads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError("the disk is full")

    good = heads.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the disk is full"):
        append_note(heads, NOTES[0])
    assert heads.read_bytes() == good


def test_a_note_is_on_the_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bytes] = []
    path = tmp_path / "heads"
    monkeypatch.setattr(os, "fsync", lambda descriptor: held.append(path.read_bytes()))
    append_note(path, NOTES[0])
    assert held[0] == NOTES[0] + b"\n"
    assert len(held) == (1 if os.name == "nt" else 2)  # the file, and the new name in its folder
    append_note(path, NOTES[1])
    assert held[-1] == path.read_bytes()
