"""What a process says: its two ends for the eye, and its whole as a blob, as long as the disk takes it."""

from collections.abc import Callable
from typing import Protocol

from handlers.framing import Ends
from schemas.turn import Captured


class BlobWriter(Protocol):
    async def write(self, data: bytes) -> None: ...

    async def finish(self) -> str: ...

    async def discard(self) -> None: ...


class BlobSink(Protocol):
    async def writer(self) -> BlobWriter: ...


class KeptOutput:
    """A disk that refuses the blob ends no process and fails no task: its text stands in the log all the
    same (64 KiB), and `trouble` says why there is no more.
    """

    def __init__(self, blobs: BlobSink, redact: Callable[[str], str]) -> None:
        self._blobs = blobs
        self._redact = redact
        self._ends = Ends()
        self._writer: BlobWriter | None = None
        self.trouble: str | None = None

    async def take(self, data: bytes) -> None:
        """The next bytes; nothing for none."""
        if not data:
            return
        self._ends.feed(data)
        if self.trouble is not None:
            return
        try:
            if self._writer is None:
                self._writer = await self._blobs.writer()
            await self._writer.write(data)
        except OSError as refusal:
            await self._give_up(refusal)

    async def captured(self) -> Captured:
        """What is shown of it; its blob is finished."""
        sha256 = None
        if self._writer is not None:
            try:
                sha256 = await self._writer.finish()
                self._writer = None
            except OSError as refusal:
                await self._give_up(refusal)
        return self._ends.captured(self._redact, sha256)

    async def discard(self) -> None:
        """Throw away a blob that was not finished."""
        if self._writer is not None:
            await self._writer.discard()

    async def _give_up(self, refusal: OSError) -> None:
        self.trouble = refusal.strerror or str(refusal)
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.discard()


def not_kept(name: str, output: KeptOutput) -> list[str]:
    """What is to be said of an output whose blob the disk refused: nothing, or one note."""
    if output.trouble is None:
        return []
    return [f"artifact_write: {name} could not be kept whole ({output.trouble}): its beginning is in the log"]
