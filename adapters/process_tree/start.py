"""How a child begins: in the very folder that was checked, marked, and as the parent of its orphans."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

from adapters.process_tree.mark import limits_for
from schemas.shown import shown

if sys.platform == "linux":
    import resource

_MOVED: Final = (
    "The working directory {} is no longer the folder that was checked: a part of it is gone or a link."
)
_PR_SET_CHILD_SUBREAPER: Final = 36


class FolderMoved(OSError):
    """The working directory is no longer what its path said when it was checked; the text is a sentence."""


def compare_again(path: str) -> None:
    """Windows: no directory can be handed over, so look right before the start. Raises FolderMoved."""
    try:
        real = Path(path).resolve(strict=True)
    except OSError as trouble:
        raise FolderMoved(_MOVED.format(shown(path))) from trouble
    if real != Path(path):
        raise FolderMoved(_MOVED.format(shown(path)))


def subreaper() -> Callable[[], bool]:
    """Linux: what makes the process that calls it the parent of its orphaned descendants.

    Everything is looked up now: between fork and exec nothing may be imported or searched.
    """
    # PyDLL keeps the interpreter's lock: letting go of it and waiting for it is no thing to do there.
    prctl = ctypes.PyDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    prctl.restype = ctypes.c_int

    def begin() -> bool:
        done: int = prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        return done == 0

    return begin


if sys.platform != "win32":

    def held_folder(path: str) -> int:
        """A descriptor of the directory that bears this real path: no link is followed on the way.

        POSIX. Raises FolderMoved where a part of it is a link or gone, OSError for any other trouble.
        """
        # O_PATH: a folder that may be passed through need not be one that may be listed
        flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
        pure = PurePosixPath(path)
        if not pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"{path!r} is no real path")
        handle = os.open("/", flags)
        for part in pure.parts[1:]:
            above = handle
            try:
                handle = os.open(part, flags, dir_fd=above)
            except OSError as trouble:
                if trouble.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                    raise FolderMoved(_MOVED.format(shown(path))) from trouble
                raise
            finally:
                os.close(above)
        return handle

    def beginning(handle: int, session_id: str | None) -> dict[str, Any]:
        """The arguments that start a child in a directory held by a descriptor, as head of a tree."""
        steps: list[Callable[[], object]] = []
        where: dict[str, Any] = {}
        held = f"/proc/self/fd/{handle}"
        if Path(held).exists():
            where["cwd"] = held
        else:
            steps.append(partial(os.fchdir, handle))  # no /proc: macOS, some sandboxes
        if sys.platform == "linux":
            steps.append(subreaper())
            limits = None if session_id is None else limits_for(session_id)
            if limits is not None:
                steps.append(partial(_limit, limits))
        return {**where, "preexec_fn": partial(_each, tuple(steps))} if steps else where

    def _each(steps: tuple[Callable[[], object], ...]) -> None:
        for step in steps:
            step()


if sys.platform == "linux":

    def _limit(limits: tuple[int, int]) -> None:
        try:
            resource.setrlimit(resource.RLIMIT_RTTIME, limits)
        except (OSError, ValueError):
            return  # forbidden here: the tree is then known by its other traits alone
