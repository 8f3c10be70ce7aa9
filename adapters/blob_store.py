"""Large outputs, redacted, compressed, and named by the SHA-256 of the redacted bytes."""

import codecs
import contextlib
import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import trio

from adapters.safe_files import close_to_others, make_folder, replace, sync_folder, temporary_beside, unlink
from eventstore.regular_file import read_regular

BATCH: Final = 64 * 1024
"""Bytes that are gathered before a thread is asked to take them, and packed ones before they are written."""

PIECE: Final = 1024 * 1024
"""Characters that are redacted at once."""

REACH: Final = 8 * 1024
"""Characters on each side of a cut that are looked at: no shorter secret is cut in two."""

STEP: Final = 512
GZIP_FORMAT: Final = 31  # zlib's word for gzip; its header then carries no time and no name
HASH = re.compile(r"[0-9a-f]{64}")

# Redaction patterns run in an engine that takes only proper text. A byte that is no UTF-8
# is shown to it as one of the last 128 code points (private use), and brought back after.
STRAY = re.compile("[\udc80-\udcff\U0010ff80-\U0010ffff]")
LAST_CODE_POINTS = re.compile("[\U0010ff80-\U0010ffff]+")
HIDE: Final = {0xDC80 + i: 0x10FF80 + i for i in range(128)}
REVEAL: Final = {shown: byte for byte, shown in HIDE.items()}


class BlobDamaged(OSError):
    """What the file holds is not what its name says."""


class BlobStore:
    """Blobs below `root`, each at `sha256/ab/<hash>.gz`.

    `redact` must be pure: near a cut it is asked about the same text more than once.
    """

    def __init__(self, root: Path, redact: Callable[[str], str]) -> None:
        self._root = root
        self._redact = redact
        self._lasting: set[str] = set()

    async def put(self, content: bytes) -> str:
        """Redact, keep, and return the SHA-256 (hex) of the redacted bytes. Raises OSError."""
        return await trio.to_thread.run_sync(self._put, content)

    async def get(self, sha256: str) -> bytes:
        """The bytes. Raises FileNotFoundError, BlobDamaged, ValueError (no SHA-256)."""
        return await trio.to_thread.run_sync(read_blob, self._root, sha256)

    async def writer(self) -> "BlobWriter":
        """Begin a blob that arrives piece by piece; nothing is written yet."""
        return BlobWriter(_Keeping(self._root, self._redact, self._lasting))

    def _put(self, content: bytes) -> str:
        keeping = _Keeping(self._root, self._redact, self._lasting)
        try:
            for start in range(0, len(content), PIECE):
                keeping.feed(content[start : start + PIECE])
            return keeping.finish()
        except BaseException:
            keeping.discard()
            raise


class BlobWriter:
    """One blob under way, for one task. End it with `finish` or with `discard`."""

    def __init__(self, keeping: "_Keeping") -> None:
        self._keeping = keeping
        self._waiting = bytearray()

    async def write(self, data: bytes) -> None:
        """Take more bytes; a thread is asked only now and then. Raises OSError."""
        self._waiting += data
        if len(self._waiting) >= BATCH:
            await trio.to_thread.run_sync(self._flush)

    async def finish(self) -> str:
        """Keep the blob and return the SHA-256 (hex) of the redacted bytes. Raises OSError."""
        return await trio.to_thread.run_sync(self._finish)

    async def discard(self) -> None:
        """Throw it away; after `finish` this does nothing. Works in a cancelled scope, too."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._keeping.discard)

    def _flush(self) -> None:
        # Emptied only in here: a cancelled `write` has then lost nothing, and what was
        # heard up to the cancellation can still be finished.
        waiting, self._waiting = self._waiting, bytearray()
        for start in range(0, len(waiting), PIECE):
            self._keeping.feed(bytes(waiting[start : start + PIECE]))

    def _finish(self) -> str:
        try:
            self._flush()
            return self._keeping.finish()
        except BaseException:
            self._keeping.discard()
            raise


class _Keeping:
    """A blob on its way to the disk: redacted, hashed, compressed, then named.

    A small one is gathered in memory, and one that is there already is not written again.
    `lasting` are the folders whose names are known to be durable.
    """

    def __init__(self, root: Path, redact: Callable[[str], str], lasting: set[str]) -> None:
        self._folder = root / "sha256"
        self._lasting = lasting
        self._redacted = _RedactedStream(redact)
        self._hash = hashlib.sha256()
        self._packer = zlib.compressobj(wbits=GZIP_FORMAT)
        self._packed = bytearray()
        self._temporary: Path | None = None
        self._file: BinaryIO | None = None

    def feed(self, data: bytes) -> None:
        self._take(self._redacted.feed(data))

    def finish(self) -> str:
        self._take(self._redacted.finish())
        self._packed += self._packer.flush()
        name = self._hash.hexdigest()
        place = self._folder / name[:2] / f"{name}.gz"
        if place.exists():
            self.discard()
            return name
        file, temporary = self._write()
        file.flush()
        os.fsync(file.fileno())
        file.close()
        make_folder(place.parent)
        replace(temporary, place)
        sync_folder(place.parent)
        if name[:2] not in self._lasting:
            sync_folder(self._folder)
            self._lasting.add(name[:2])
        return name

    def discard(self) -> None:
        if self._file is not None and self._temporary is not None:
            with contextlib.suppress(OSError):  # what could not be flushed is thrown away anyhow
                self._file.close()
            unlink(self._temporary)

    def _take(self, clean: bytes) -> None:
        self._hash.update(clean)
        self._packed += self._packer.compress(clean)
        if len(self._packed) >= BATCH:
            self._write()

    def _write(self) -> tuple[BinaryIO, Path]:
        """Bring what is packed to the disk, into a file that bears no name yet."""
        if self._file is None or self._temporary is None:
            make_folder(self._folder)
            self._temporary = temporary_beside(self._folder / "blob")
            self._file = self._temporary.open("xb")
            close_to_others(self._temporary)
        self._file.write(self._packed)
        self._packed.clear()
        return self._file, self._temporary


class _RedactedStream:
    """Redacts bytes that arrive in any slices; the outcome does not depend on the slices.

    Text is redacted a piece at a time, cut at the end of a line where that can be. A cut is
    made only where redacting both sides of it apart gives the same as redacting them together,
    so it goes through no secret. Where no such place is found, one match fills everything
    around; the cut is made all the same, and each side of it matches by itself.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""

    def feed(self, data: bytes) -> bytes:
        self._text += self._decoder.decode(data)
        ready: list[bytes] = []
        while len(self._text) >= PIECE + REACH:
            cut = self._cut()
            ready.append(self._clean(self._text[:cut]))
            self._text = self._text[cut:]
        return b"".join(ready)

    def finish(self) -> bytes:
        rest, self._text = self._text + self._decoder.decode(b"", final=True), ""
        return self._clean(rest)

    def _clean(self, text: str) -> bytes:
        return _revealed(self._redact(_hidden(text)))

    def _cut(self) -> int:
        return next((place for place in self._places() if self._parts_cleanly(place)), PIECE)

    def _places(self) -> Iterator[int]:
        """Where a piece might end: after its last lines, then anywhere, going back."""
        end = PIECE
        for _ in range(4):
            newline = self._text.rfind("\n", PIECE - REACH, end)
            if newline < 0:
                break
            yield newline + 1
            end = newline
        yield from range(PIECE, PIECE - 2 * REACH, -STEP)

    def _parts_cleanly(self, place: int) -> bool:
        left = _hidden(self._text[place - REACH : place])
        right = _hidden(self._text[place : place + REACH])
        return self._redact(left + right) == self._redact(left) + self._redact(right)


def _hidden(text: str) -> str:
    """Proper text: stray bytes (surrogates) become the last code points, one for one.

    Where those code points are meant, their own four bytes are hidden instead.
    """
    if text.isascii() or not STRAY.search(text):
        return text
    bare = LAST_CODE_POINTS.sub(lambda found: found[0].encode().decode("ascii", "surrogateescape"), text)
    return bare.translate(HIDE)


def _revealed(text: str) -> bytes:
    """The bytes that `_hidden` was given, as far as redaction left them."""
    if LAST_CODE_POINTS.search(text):
        text = text.translate(REVEAL)
    return text.encode("utf-8", "surrogateescape")


def read_blob(root: Path, sha256: str) -> bytes:
    """The bytes of a blob, checked against its name.

    Raises FileNotFoundError, BlobDamaged, OSError, ValueError (the name is no SHA-256).
    """
    if not HASH.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is no SHA-256 in hex")
    packed = read_regular(root / "sha256" / sha256[:2] / f"{sha256}.gz")
    try:
        content = gzip.decompress(packed)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BlobDamaged(f"blob {sha256} cannot be unpacked: {error}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BlobDamaged(f"blob {sha256} holds other bytes than its name says")
    return content
