"""Blobs: redacted, named by their hash, compressed the same way each time."""

import hashlib
import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.blob_store import PIECE, REACH, BlobDamaged, BlobStore, _RedactedStream, read_blob

SECRET = "sk-" + "a1B2" * 10
KEY = "-----BEGIN KEY-----\n" + "MIIEvQIBADANBgkqh\n" * 150 + "-----END KEY-----"
PATTERN = re.compile(r"sk-[A-Za-z0-9]{40}|-----BEGIN KEY-----[\s\S]*?-----END KEY-----|password=\S+")


def redact(text: str) -> str:
    text.encode()  # as an engine would that takes only proper text
    return PATTERN.sub("[REDACTED]", text)


def as_it_is(text: str) -> str:
    text.encode()
    return text


def streamed(data: bytes, slice_: int, clean: Callable[[str], str] = redact) -> bytes:
    stream = _RedactedStream(clean)
    pieces = [stream.feed(data[start : start + slice_]) for start in range(0, len(data), slice_)]
    return b"".join([*pieces, stream.finish()])


async def written(store: BlobStore, *pieces: bytes) -> str:
    writer = await store.writer()
    for piece in pieces:
        await writer.write(piece)
    return await writer.finish()


def files_in(root: Path) -> list[Path]:
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def test_a_blob_is_named_by_the_hash_of_its_redacted_bytes(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, redact)
    name = trio.run(store.put, f"key {SECRET} end".encode())
    clean = b"key [REDACTED] end"
    assert name == hashlib.sha256(clean).hexdigest()
    assert trio.run(store.get, name) == clean == read_blob(tmp_path, name)
    assert files_in(tmp_path) == [Path("sha256", name[:2], f"{name}.gz")]


def test_the_same_blob_is_kept_once_and_its_file_is_the_same_anywhere(tmp_path: Path) -> None:
    first, second = BlobStore(tmp_path / "a", redact), BlobStore(tmp_path / "b", redact)
    name = trio.run(first.put, b"text\n" * 1000)
    place = tmp_path / "a" / "sha256" / name[:2] / f"{name}.gz"
    before = place.stat()
    assert trio.run(first.put, b"text\n" * 1000) == name
    assert trio.run(written, second, b"text\n" * 500, b"text\n" * 500) == name
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")
    assert place.read_bytes() == (tmp_path / "b" / "sha256" / name[:2] / f"{name}.gz").read_bytes()


def test_an_empty_blob_is_a_blob(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, redact)
    assert trio.run(store.get, trio.run(written, store)) == b""


def test_a_secret_in_slices_does_not_leak(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, redact)
    data = f"a {SECRET} b".encode()
    name = trio.run(lambda: written(store, *(data[at : at + 1] for at in range(len(data)))))
    assert trio.run(store.get, name) == b"a [REDACTED] b"


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    async def begin_and_discard() -> None:
        writer = await BlobStore(tmp_path, redact).writer()
        await writer.write(b"x" * 100_000)
        with trio.CancelScope() as scope:
            scope.cancel()
            await writer.discard()
        await writer.discard()

    trio.run(begin_and_discard)
    assert files_in(tmp_path) == []


def test_a_cancelled_write_loses_nothing_that_was_heard(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, redact)

    async def cancelled_while_writing() -> str:
        writer = await store.writer()
        with trio.CancelScope() as scope:
            scope.cancel()
            await writer.write(b"x" * 100_000)
        return await writer.finish()

    assert trio.run(store.get, trio.run(cancelled_while_writing)) == b"x" * 100_000


def test_a_blob_that_cannot_be_redacted_is_not_kept(tmp_path: Path) -> None:
    def broken(text: str) -> str:
        raise RuntimeError("no rules")

    with pytest.raises(RuntimeError):
        trio.run(BlobStore(tmp_path, broken).put, b"x")
    with pytest.raises(RuntimeError):
        trio.run(written, BlobStore(tmp_path, broken), b"x")
    assert files_in(tmp_path) == []


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_bytes_that_are_no_text_come_through_unchanged(data: bytes) -> None:
    assert streamed(data, 7, as_it_is) == data


@given(st.text(st.characters(min_codepoint=0x10FF00), max_size=20), st.binary(max_size=9))
def test_the_code_points_that_stand_for_stray_bytes_come_through_unchanged(text: str, stray: bytes) -> None:
    data = text.encode() + stray + text.encode()
    assert streamed(data, 5, as_it_is) == data


@pytest.mark.parametrize("hidden", [SECRET, "password=" + "x" * 400, KEY])
@pytest.mark.parametrize("newlines", [True, False])
def test_a_secret_across_the_end_of_a_piece_does_not_leak(hidden: str, newlines: bool) -> None:
    filler = "some words \n" if newlines else "some words  "
    for offset in {0, 1, len(hidden) // 2, len(hidden) - 1, len(hidden)}:
        before = (filler * (PIECE // len(filler) + 1))[: PIECE - offset - 1] + " "
        data = (before + hidden + " " + filler * 2000).encode()
        assert streamed(data, 100_000) == redact(data.decode()).encode()


def test_the_outcome_does_not_depend_on_the_slices() -> None:
    data = (f"line {SECRET}\nö\xff \n".encode() * 40_000)[: PIECE + 3 * REACH]
    assert streamed(data, 4099) == streamed(data, len(data)) == streamed(data, 65_536)


def test_one_match_that_never_ends_neither_stops_the_stream_nor_leaks() -> None:
    data = b"password=" + b"x" * (2 * PIECE + 3 * REACH)
    clean = streamed(data, 500_000, lambda text: re.sub(r"password=\S+|x{20,}", "[R]", text))
    assert b"x" not in clean


def test_memory_stays_small_however_large_the_blob_is(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, as_it_is)
    line = b"some line of output that is not very long\n" * 1500

    async def write_much() -> str:
        writer = await store.writer()
        for _ in range(400):  # 25 MB
            await writer.write(line)
        return await writer.finish()

    tracemalloc.start()
    name = trio.run(write_much)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 1024 * 1024
    assert len(read_blob(tmp_path, name)) == 400 * len(line)


def test_a_blob_that_is_not_there_or_no_hash_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        trio.run(BlobStore(tmp_path, redact).get, "0" * 64)
    with pytest.raises(ValueError, match="no SHA-256"):
        read_blob(tmp_path, "../../etc/passwd")


@pytest.mark.parametrize("damage", ["cut", "swapped", "noise"])
def test_a_damaged_blob_is_never_given_out(tmp_path: Path, damage: str) -> None:
    store = BlobStore(tmp_path, redact)
    name, other = trio.run(store.put, os.urandom(1000)), trio.run(store.put, b"other")
    place = tmp_path / "sha256" / name[:2] / f"{name}.gz"
    swapped = (tmp_path / "sha256" / other[:2] / f"{other}.gz").read_bytes()
    place.write_bytes({"cut": place.read_bytes()[:-20], "swapped": swapped, "noise": b"noise"}[damage])
    with pytest.raises(BlobDamaged):
        read_blob(tmp_path, name)
