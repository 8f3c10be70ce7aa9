"""The agents of a home as their files are at this moment: read when asked, following no link."""

import errno
import os
from pathlib import Path

import trio

from adapters.safe_files import NotRegular, read_at_most
from handlers.agents import FOLDER, Catalogue, Enabled, catalogue
from schemas.agent import MAX_BYTES, Agent, BrokenAgent

SUFFIX = ".md"


class FolderUnread(Exception):
    """A home's folder of agents is there and cannot be looked into; the text says why."""


class AgentFiles:
    """What a verb asks: it blocks. `home` is the home's real path."""

    def __init__(self, home: Path, enabled: Enabled) -> None:
        self._folder = home.joinpath(*FOLDER.split("/"))
        self._enabled = enabled

    def catalogue(self) -> Catalogue:
        """Every agent that there is, broken ones too."""
        try:
            own = _own(self._folder)
        except FolderUnread as unread:
            return catalogue({}, self._enabled, unread=str(unread))
        return catalogue(own, self._enabled)

    def get(self, name: str) -> Agent:
        """Raises AgentUnusable."""
        return self.catalogue().get(name)


class HomeAgents:
    """The same for the service, off the event loop."""

    def __init__(self, files: AgentFiles) -> None:
        self._files = files

    async def names(self) -> frozenset[str]:
        return (await trio.to_thread.run_sync(self._files.catalogue)).names()

    async def get(self, name: str) -> Agent:
        """Raises AgentUnusable."""
        return await trio.to_thread.run_sync(self._files.get, name)


def _own(folder: Path) -> dict[str, bytes | BrokenAgent]:
    """By name, each file of the folder, or why it cannot be read. Raises FolderUnread."""
    for part in (folder.parent, folder):
        # What a link leads to could be changed by whoever may write there.
        if part.is_symlink():
            raise FolderUnread(f"{part} is a link, and none is followed")
    try:
        with os.scandir(folder) as entries:
            paths = [Path(entry.path) for entry in entries]
    except FileNotFoundError:
        return {}
    except OSError as trouble:
        raise FolderUnread(f"{folder} cannot be looked into: {trouble.strerror}") from trouble
    return {
        os.fsencode(path.name).decode("utf-8", "backslashreplace").removesuffix(SUFFIX): _content(path)
        for path in sorted(paths)
        if path.name.endswith(SUFFIX) and not path.name.startswith(".")
    }


def _content(path: Path) -> bytes | BrokenAgent:
    try:
        return read_at_most(path, MAX_BYTES + 1)
    except NotRegular:
        return BrokenAgent(
            "not_a_file", "It is no regular file (a link, a folder or the like).", "Put a regular file there."
        )
    except OSError as trouble:
        if trouble.errno in (errno.EISDIR, errno.EACCES) and path.is_dir():
            return BrokenAgent("not_a_file", "It is a folder.", "Put a regular file there.")
        why = f"It cannot be read: {trouble.strerror or trouble}."
        return BrokenAgent("unreadable", why, "Let the user who runs the service read it.")
