"""Bytes become lines without loss, and their ends are kept in bounded memory."""

import re

from hypothesis import given
from hypothesis import strategies as st

from handlers.framing import TEXT_LIMIT, Ends, LineFramer
from schemas.turn import Captured


@given(st.binary(max_size=60), st.integers(1, 8), st.integers(1, 7))
def test_framing_gives_every_byte_once_and_never_a_whole_line_over_the_limit(
    data: bytes, size: int, limit: int
) -> None:
    framer, data = LineFramer(limit), data.replace(b"\x01", b"\n")
    lines = [line for at in range(0, len(data), size) for line in framer.feed(data[at : at + size])]
    lines += framer.rest()
    assert b"".join(line.data for line in lines) == data
    expected = re.findall(rb"[^\n]*\n|[^\n]+", data)
    assert [line.data for line in lines if line.whole] == [line for line in expected if len(line) <= limit]
    assert framer.too_long == sum(len(line) > limit for line in expected)


def test_what_is_shown_of_an_output_is_redacted_before_it_is_cut() -> None:
    ends = Ends()
    ends.feed(b"a" * (TEXT_LIMIT - 3) + b"SECRET" + b"b" * 100_000)
    shown = ends.captured(lambda text: text.replace("SECRET", "[---]"), "0" * 64)
    assert shown.text == "a" * (TEXT_LIMIT - 3) + "[--"
    assert (shown.head, shown.tail) == ("a" * 2048, "b" * 2048)
    assert (shown.size, shown.truncated) == (TEXT_LIMIT - 3 + 6 + 100_000, True)


def test_a_short_output_is_shown_whole() -> None:
    ends = Ends()
    ends.feed(b"one\n")
    ends.feed(b"two \xff\n")
    shown = ends.captured(str, "0" * 64)
    assert shown.head == shown.tail == shown.text == "one\ntwo \ufffd\n"
    assert not shown.truncated
    assert Ends().captured(str, None) == Captured()
