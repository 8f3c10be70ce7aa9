"""A lock between processes, which the system takes back when its holder dies."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _FAIL_AT_ONCE = 0x1
    _EXCLUSIVE = 0x2
    _HELD_BY_OTHER = (33, 997)  # ERROR_LOCK_VIOLATION, ERROR_IO_PENDING
    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)

    class _Overlapped(ctypes.Structure):
        _fields_ = [
            ("Internal", ctypes.c_void_p),
            ("InternalHigh", ctypes.c_void_p),
            ("Offset", wintypes.DWORD),
            ("OffsetHigh", wintypes.DWORD),
            ("hEvent", wintypes.HANDLE),
        ]

    def _far_byte() -> _Overlapped:
        # Locks of Windows are mandatory: the byte lies where no file reaches, so that all may be read.
        return _Overlapped(Offset=0, OffsetHigh=0x4000_0000)

    def lock(descriptor: int, *, blocking: bool) -> bool:
        """Lock an open file for this descriptor alone; False when another holds it. Raises OSError."""
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(descriptor))
        flags = _EXCLUSIVE if blocking else _EXCLUSIVE | _FAIL_AT_ONCE
        if _kernel32.LockFileEx(handle, flags, 0, 1, 0, ctypes.byref(_far_byte())):
            return True
        error = ctypes.get_last_error()
        if not blocking and error in _HELD_BY_OTHER:
            return False
        raise ctypes.WinError(error)

    def unlock(descriptor: int) -> None:
        """Give back what `lock` took."""
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(descriptor))
        if not _kernel32.UnlockFileEx(handle, 0, 1, 0, ctypes.byref(_far_byte())):
            raise ctypes.WinError(ctypes.get_last_error())

    def is_written(path: Path) -> bool:
        """Whether somebody has the file open for writing; False where that cannot be told."""
        read, share_read_and_delete, existing, sharing_violation = 0x8000_0000, 0x5, 3, 32
        _kernel32.CreateFileW.restype = wintypes.HANDLE
        handle = _kernel32.CreateFileW(str(path), read, share_read_and_delete, None, existing, 0, None)
        if handle == wintypes.HANDLE(-1).value:
            return ctypes.get_last_error() == sharing_violation
        _kernel32.CloseHandle(wintypes.HANDLE(handle))
        return False

    def foreign_owner(path: Path) -> tuple[int, str | None] | None:
        """None: here it is access lists that say who may, and the system keeps to them."""
        return None

else:
    import fcntl
    import signal
    from contextlib import suppress
    from functools import cache

    def lock(descriptor: int, *, blocking: bool) -> bool:
        """Lock an open file for this descriptor alone; False when another holds it. Raises OSError."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give back what `lock` took."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def is_written(path: Path) -> bool:
        """Whether somebody has the file open for writing; False where that cannot be told.

        Linux refuses a lease for reading on such a file (fcntl(2), "Leases"); others have no leases, nor
        has a file of another user. Some network disks refuse every lease, and tell nothing by it.
        """
        if sys.platform != "linux" or not _lease_is_refused(path):
            return False
        try:
            return _grants_leases(path.parent, path.lstat().st_dev)
        except OSError:
            return False  # it was taken away meanwhile

    def _lease_is_refused(path: Path) -> bool:
        """As for a file that is open for writing; Linux alone."""
        if sys.platform != "linux":
            return False
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            # Whoever opens it in this instant makes the kernel signal us: SIGIO would end the process.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)  # gives the lease back
        return False

    @cache
    def _grants_leases(folder: Path, device: int) -> bool:
        """Whether a file there that nobody writes has a lease; asked once for each disk."""
        probe = folder / f".{os.getpid()}.lease.tmp"
        try:
            os.close(os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            return not _lease_is_refused(probe)
        except OSError:
            return False
        finally:
            with suppress(OSError):
                probe.unlink()

    def foreign_owner(path: Path) -> tuple[int, str | None] | None:
        """Number and name of the other user that owns a file; None for our own. Raises OSError."""
        number = path.stat().st_uid
        if number == os.geteuid():
            return None
        try:
            return number, path.owner()
        except KeyError:
            return number, None  # a number that nobody bears here


class FileLock:
    """An exclusive lock on a file, made when it is not there and never removed.

    Two FileLocks exclude each other, in one process too. A started program does not inherit it.
    With `keep_open` the file stays open until `close`, for who takes the lock often.
    """

    def __init__(self, path: Path, *, keep_open: bool = False) -> None:
        self.path = path
        self._keep_open = keep_open
        self._kept: int | None = None
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock; without `blocking`, False when another holds it.

        Raises RuntimeError when this very object holds it already, OSError from the system.
        """
        if self._descriptor is not None:
            raise RuntimeError(f"the lock {self.path} is held already")
        while True:
            descriptor, self._kept = self._kept, None
            if descriptor is None:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                taken = lock(descriptor, blocking=blocking)
                current = taken and self._is_current(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if current:
                self._descriptor = descriptor
                return True
            os.close(descriptor)
            if not taken:
                return False

    def try_acquire(self) -> bool:
        """Take the lock if it is free."""
        return self.acquire(blocking=False)

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            unlock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if self._keep_open:
            self._kept = descriptor
        else:
            os.close(descriptor)

    def close(self) -> None:
        """Give back what is held, and the file."""
        self.release()
        if self._kept is not None:
            descriptor, self._kept = self._kept, None
            os.close(descriptor)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _is_current(self, descriptor: int) -> bool:
        """False when the file was removed or replaced meanwhile: a lock on it would bind nobody."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False
