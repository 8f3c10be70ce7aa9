"""Files: the inbox, what is written for people, working directories, blobs and the disk."""

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from schemas.attempt import FileChange
from schemas.shown import shown

NAMED: Final = 3
"""So many places that could not be looked at are named, the others counted."""

LONGEST_PLACE: Final = 200


class Compared(NamedTuple):
    """What differs from a snapshot, sorted by path; and the places that could not be looked at, each with
    its reason: what lies there counts as it was, and nobody knows whether it is.
    """

    files: tuple[FileChange, ...]
    unseen: tuple[str, ...] = ()

    def unseen_in_words(self) -> str | None:
        """A sentence for people, None where everything was looked at."""
        if not self.unseen:
            return None
        more = len(self.unseen) - NAMED
        first = "; ".join(shown(place, LONGEST_PLACE) for place in self.unseen[:NAMED])
        places = "1 place" if len(self.unseen) == 1 else f"{len(self.unseen)} places"
        return f"{places} could not be looked at: {first}{f' and {more} more' if more > 0 else ''}"


class WorkTree(Protocol):
    """The working directory as it is: which files, and what is in them."""

    async def snapshot(self, cwd: str) -> bytes:
        """A canonical description; equal states give equal bytes. Raises OSError."""
        ...

    async def changes(self, cwd: str, before: bytes) -> Compared:
        """What differs now from `before`. Raises OSError when nothing of it can be seen."""
        ...


class Blobs(Protocol):
    async def put(self, content: bytes) -> str:
        """Redact, keep, and return the SHA-256 (hex) of the redacted bytes."""
        ...

    async def get(self, sha256: str) -> bytes:
        """The bytes. Raises OSError when they are not there, or not whole."""
        ...


@dataclass(frozen=True)
class Dropped:
    """One file of the inbox as a scan saw it. `fingerprint` changes when the file does.

    `problem` is set where it is not to be read (a symlink, a directory, a device): a sentence,
    whose `code` is for programs and whose `remedy` says what to do.
    """

    name: str
    fingerprint: tuple[int, ...]
    size: int
    problem: str | None = None
    code: str = "not_a_file"
    remedy: str = "Put a regular file there."


class Inbox(Protocol):
    """The folder `tasks/`. `reason` says why it is not watched, so that hints come late; None where it is."""

    @property
    def reason(self) -> str | None: ...

    async def scan(self) -> list[Dropped]:
        """The task files that lie in `tasks/` now, sorted by age, then name."""
        ...

    async def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of it; OSError when it cannot be read."""
        ...

    async def is_written(self, name: str) -> bool:
        """Whether somebody has it open for writing; False also where that cannot be told."""
        ...

    async def archive(self, name: str, sha256: str | None, target: str) -> str | None:
        """Move `tasks/<name>` to `target` (relative to the home).

        Done already (the target stands, the source is gone): returns the target.
        A file whose content is no longer `sha256` is left alone: returns None.
        """
        ...

    async def rearchive(self, old: str, target: str) -> str | None:
        """Rename within the archive (both relative to the home); None when it is gone."""
        ...

    async def write_reason(self, target: str, text: str) -> None:
        """Write a small text file (relative to the home) atomically."""
        ...

    async def hint(self) -> None:
        """Return when something may have changed in the inbox."""
        ...


class Outputs(Protocol):
    """The files made from the log: artifacts, their index, summaries."""

    async def write(self, path: str, content: bytes) -> None:
        """Write atomically (relative to the home), so that a crash leaves old or new."""
        ...


class Folders(Protocol):
    async def real(self, path: str) -> str | None:
        """The real path of a directory; None when there is none."""
        ...

    async def read_text(self, directory: str, name: str, limit: int) -> str | None:
        """A small text file inside a directory, no link followed; None when there is none."""
        ...

    async def executable(self, name: str) -> str | None:
        """The full path of a program, as a shell would find it; None when there is none."""
        ...


class Disk(Protocol):
    """The disk that the home's log lies on."""

    path: str

    async def free(self) -> int:
        """The bytes that we may still write. Raises OSError."""
        ...
