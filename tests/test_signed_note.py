"""Signed notes follow c2sp.org/signed-note: what is well signed opens, and nothing else does."""

import re
from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.tree.signed_note import KeyRefused, NoteRefused, SigningKey, VerifyingKey, opened, sign

NAME = "urn:evt:01jd3v6kq8e0r8m1n4k5x7y9zt"
KEY = SigningKey.parse(
    "PRIVATE+KEY+urn:evt:01jd3v6kq8e0r8m1n4k5x7y9zt+4e803236+AXO/oRUrsn9HZLHmkqRtbeQASBkxj4b8TLnzY6xbSYdU"
)
"""Made for tests."""

OTHER = SigningKey.generate(NAME)
KNOWN = (KEY.verifying,)
TEXT = "urn:evt:home\n17\nno hash, but text\n"
NOTE = sign(TEXT, [KEY])
LINE = NOTE.decode().rsplit("\n", 2)[1]

SPECIFIED_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPECIFIED_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""


def line(name: str, content: bytes) -> str:
    return f"— {name} {b64encode(content).decode()}"


def with_lines(*lines: str) -> bytes:
    return "\n".join([TEXT, *lines, ""]).encode()


def test_the_example_of_the_specification_opens() -> None:
    key = VerifyingKey.parse(SPECIFIED_KEY)
    assert key.vkey() == SPECIFIED_KEY
    assert opened(SPECIFIED_NOTE.encode(), [key]) == ("This is an example message.\n", (key,))


def test_a_note_is_its_text_an_empty_line_and_the_signatures() -> None:
    note = sign(TEXT, [KEY, OTHER])
    key_id = KEY.verifying.key_id
    first, second = line(NAME, key_id + KEY.signature(TEXT.encode())), note.decode().rsplit("\n", 2)[1]
    assert note == with_lines(first, second)
    assert opened(note, [OTHER.verifying, KEY.verifying]) == (TEXT, (KEY.verifying, OTHER.verifying))
    assert opened(note, [OTHER.verifying]) == (TEXT, (OTHER.verifying,))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.just("\n")))
def test_any_text_of_whole_lines_is_signed_and_opens_as_it_was(text: str) -> None:
    text += "\n"
    assert opened(sign(text, [KEY]), KNOWN) == (text, KNOWN)


def test_a_note_with_any_bit_flipped_is_refused() -> None:
    for bit in range(len(NOTE) * 8):
        bad = bytearray(NOTE)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoteRefused):
            opened(bytes(bad), KNOWN)


def test_a_note_that_is_cut_anywhere_is_refused() -> None:
    for end in range(len(NOTE)):
        with pytest.raises(NoteRefused):
            opened(NOTE[:end], KNOWN)


BAD_ID = bytes([KEY.verifying.key_id[0] ^ 1]) + KEY.verifying.key_id[1:]
SIGNATURE = KEY.signature(TEXT.encode())
REFUSED: dict[str, tuple[bytes, str]] = {
    "unknown key": (sign(TEXT, [OTHER]), "no known key signed it"),
    "right name, wrong key id": (with_lines(line(NAME, BAD_ID + SIGNATURE)), "no known key signed it"),
    "right key id, wrong name": (
        with_lines(line("urn:evt:other", KEY.verifying.key_id + SIGNATURE)),
        "no known key signed it",
    ),
    "false signature": (with_lines(line(NAME, KEY.verifying.key_id + bytes(64))), "is false"),
    "short signature": (with_lines(line(NAME, KEY.verifying.key_id + SIGNATURE[:63])), "is false"),
    "true, then false": (with_lines(LINE, line(NAME, KEY.verifying.key_id + bytes(64))), "is false"),
    "key id alone": (with_lines(line(NAME, KEY.verifying.key_id)), "is no longer than its key id"),
    "no base64": (with_lines(f"— {NAME} not*base64"), "is no base64"),
    "no base64 of an unknown key": (with_lines(LINE, "— example.com/x ****"), "is no base64"),
    "base64 without padding": (NOTE.replace(b"=", b""), "is no base64"),
    "base64 of a URL": (with_lines(f"— {NAME} __--"), "is no base64"),
    "base64 spelled otherwise": (with_lines("— example.com/x AAAAAAB="), "is no base64"),
    "base64 that is no ASCII": (with_lines(f"— {NAME} ÄÖÜ="), "is no base64"),
    "no base64 at all": (with_lines(f"— {NAME}"), "is no longer than its key id"),
    "17 signatures": (
        with_lines(LINE, *(line("example.com/x", bytes([n]) * 9) for n in range(16))),
        "at most 16 signatures, this one 17",
    ),
    "CR LF": (NOTE.replace(b"\n", b"\r\n"), r"no control character but the newline, and there is '\r'"),
    "a CR": (NOTE[:-1] + b"\r\n", "no control character"),
    "a tab": (b"a\tb\n\n" + NOTE.rpartition(b"\n\n")[2], "no control character"),
    "a NUL": (NOTE + b"\0", "no control character"),
    "missing em dash": (NOTE.replace("— ".encode(), b""), "begins with an em dash"),
    "a hyphen": (NOTE.replace("—".encode(), b"-"), "begins with an em dash"),
    "an en dash": (NOTE.replace("—".encode(), "–".encode()), "begins with an em dash"),
    "no space behind the em dash": (NOTE.replace("— ".encode(), "—".encode()), "begins with an em dash"),
    "no name": (with_lines(f"—  {NAME} AAAAAAAA"), "is no key's name"),
    "a name with a plus": (with_lines(LINE, "— a+b AAAAAAAA"), "is no key's name"),
    "a name with a wide space": (with_lines(LINE, "— a\u2003b AAAAAAAA"), "is no key's name"),
    "no empty line": (TEXT.encode() + LINE.encode() + b"\n", "divides a note's text from its signatures"),
    "no signature": (TEXT.encode() + b"\n", "whole lines of signatures"),
    "no last newline": (NOTE[:-1], "whole lines of signatures"),
    "an empty line behind": (NOTE + b"\n", "whole lines of signatures"),
    "a line behind": (NOTE + b"and this\n", "begins with an em dash"),
    "no UTF-8": (b"\xff" + NOTE, "a note is UTF-8"),
    "half a surrogate pair": (b"\xed\xa0\x80" + NOTE, "a note is UTF-8"),
    "nothing": (b"", "divides a note's text from its signatures"),
    "too long": (b"a" * 2**20 + NOTE, "at most 1048576 bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_note_that_breaks_a_rule_is_refused_with_that_rule(case: str) -> None:
    note, said = REFUSED[case]
    with pytest.raises(NoteRefused) as refused:
        opened(note, KNOWN)
    assert said in str(refused.value)


def test_sixteen_signatures_are_accepted_and_unknown_ones_ignored() -> None:
    others = [line(NAME, bytes([n]) * 9) for n in range(14)]
    note = with_lines(*others, LINE, line("witness.example", KEY.verifying.key_id + b"x" * 5000))
    assert opened(note, KNOWN) == (TEXT, KNOWN)


def test_who_signed_twice_is_named_once() -> None:
    assert opened(with_lines(LINE, LINE), [*KNOWN, *KNOWN]) == (TEXT, KNOWN)


def test_two_keys_of_one_name_and_id_cannot_be_told_apart() -> None:
    twin = VerifyingKey(NAME, KEY.verifying.key_id, OTHER.verifying.public)
    with pytest.raises(NoteRefused, match="two known keys are called"):
        opened(NOTE, [KEY.verifying, twin])


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        ("no newline", [KEY], "ends in a newline"),
        ("", [KEY], "ends in a newline"),
        ("a\r\n", [KEY], "no control character"),
        ("\ud800\n", [KEY], "halves of surrogate pairs"),
        (TEXT, [], "by one key or more"),
        (TEXT, [KEY, KEY], "by each once"),
        (TEXT, [SigningKey.generate(NAME) for _ in range(17)], "at most 16"),
    ],
)
def test_what_could_not_be_opened_is_not_signed(text: str, keys: list[SigningKey], said: str) -> None:
    with pytest.raises(NoteRefused, match=said):
        sign(text, keys)


# keys


def test_a_new_key_is_read_back_as_it_was_written() -> None:
    key = SigningKey.generate("example.com/größer")
    again = SigningKey.parse(f" {key.text()}\n")
    assert (again.text(), again.verifying) == (key.text(), key.verifying)
    assert VerifyingKey.parse(key.verifying.vkey()) == key.verifying
    assert opened(sign(TEXT, [again]), [key.verifying]) == (TEXT, (key.verifying,))
    assert SigningKey.generate("example.com/größer").text() != key.text()


def test_a_signing_key_is_not_shown() -> None:
    seed = KEY.text().rpartition("+")[2]
    assert seed not in repr(KEY)
    assert repr(KEY) == f"SigningKey({KEY.verifying.vkey()!r})"


VKEY = KEY.verifying.vkey()
BAD_VKEYS: dict[str, tuple[str, str]] = {
    "empty": ("", "has a name, a key id and a key"),
    "two parts": ("name+00000000", "has a name, a key id and a key"),
    "no name": ("+" + VKEY.split("+", 1)[1], "is no key's name"),
    "a space in the name": (f"a {VKEY}", "is no key's name"),
    "upper-case key id": (VKEY.replace("+4e", "+4E"), "lower-case hex"),
    "short key id": (VKEY.replace("4e803236", "4e80323"), "lower-case hex"),
    "key id of another": (VKEY.replace("4e803236", "4e803237"), "another key id"),
    "name of another": (f"x{VKEY}", "another key id"),
    "no base64": (VKEY[:-1] + "*", "is no base64"),
    "a newline": (f"{VKEY}\n", "is no base64"),
    "short": ("a+00000000+" + b64encode(b"\x01" + bytes(31)).decode(), "none of Ed25519"),
    "another type": ("a+00000000+" + b64encode(b"\x04" + bytes(32)).decode(), "none of Ed25519"),
    "nothing": ("a+00000000+", "none of Ed25519"),
    "half a surrogate pair": ("\ud800+00000000+AA==", "is no Unicode"),
}


@pytest.mark.parametrize("case", BAD_VKEYS)
def test_a_verifier_key_that_breaks_a_rule_is_refused(case: str) -> None:
    text, said = BAD_VKEYS[case]
    with pytest.raises(KeyRefused) as refused:
        VerifyingKey.parse(text)
    assert said in str(refused.value)


BREAK: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: "",
    "a verifier key": lambda text: VKEY,
    "lower case": str.lower,
    "cut": lambda text: text[:-4],
    "another seed": lambda text: text[:-4] + "AAAA",
    "another id": lambda text: text.replace("4e803236", "00000000"),
    "a line break inside": lambda text: text[:-20] + "\n" + text[-20:],
}


@pytest.mark.parametrize("case", BREAK)
def test_a_signing_key_that_breaks_a_rule_is_refused_and_not_told(case: str) -> None:
    text = BREAK[case](KEY.text())
    with pytest.raises(KeyRefused) as refused:
        SigningKey.parse(text)
    assert not re.search(r"AXO/|kqRt", str(refused.value))
