"""A tree of processes on Windows: a Job Object, which every descendant is in and which ends as one.

Its last handle is ours: should this process die, the system ends all that is in the job.
"""

import ctypes
import signal
import sys
from collections.abc import Collection
from typing import Any, Final

_EXTENDED_LIMITS: Final = 9
_PROCESS_LIST: Final = 3
_KILL_ON_JOB_CLOSE: Final = 0x2000
_MOST_LISTED: Final = 4096
# terminate, set quota, suspend and resume: what a job and a start need of a process
_ACCESS: Final = 0x0001 | 0x0100 | 0x0800

CREATE_SUSPENDED: Final = 0x0004
"""The child is made, and runs nothing before it is resumed."""


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("process_time", ctypes.c_int64),
        ("job_time", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("least_working_set", ctypes.c_size_t),
        ("most_working_set", ctypes.c_size_t),
        ("most_processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    )


class _Limits(ctypes.Structure):
    _fields_ = (
        ("basic", _BasicLimits),
        ("input_and_output", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


class _Listed(ctypes.Structure):
    _fields_ = (
        ("assigned", ctypes.c_uint32),
        ("listed", ctypes.c_uint32),
        ("pids", ctypes.c_size_t * _MOST_LISTED),
    )


if sys.platform == "win32":
    from ctypes import wintypes

    def _kernel() -> ctypes.WinDLL:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle, number = wintypes.HANDLE, wintypes.DWORD
        for name, result, arguments in (
            ("CreateJobObjectW", handle, (ctypes.c_void_p, wintypes.LPCWSTR)),
            ("SetInformationJobObject", wintypes.BOOL, (handle, ctypes.c_int, ctypes.c_void_p, number)),
            (
                "QueryInformationJobObject",
                wintypes.BOOL,
                (handle, ctypes.c_int, ctypes.c_void_p, number, ctypes.c_void_p),
            ),
            ("OpenProcess", handle, (number, wintypes.BOOL, number)),
            ("AssignProcessToJobObject", wintypes.BOOL, (handle, handle)),
            ("TerminateJobObject", wintypes.BOOL, (handle, wintypes.UINT)),
            ("CloseHandle", wintypes.BOOL, (handle,)),
            ("GenerateConsoleCtrlEvent", wintypes.BOOL, (number, number)),
            ("GetConsoleCP", wintypes.UINT, ()),
        ):
            function: Any = getattr(kernel, name)
            function.restype, function.argtypes = result, arguments
        return kernel

    def _resume(process: int) -> None:
        resume = ctypes.WinDLL("ntdll").NtResumeProcess
        resume.restype, resume.argtypes = ctypes.c_long, (wintypes.HANDLE,)
        status = resume(process)
        if status < 0:
            raise OSError(f"the child could not be let go on: NTSTATUS {status & 0xFFFFFFFF:#010x}")

    def has_console() -> bool:
        """Whether we have a console that a child could share: only there a polite signal reaches it."""
        return bool(_kernel().GetConsoleCP())

    class Job:
        """The tree of one child that was started suspended; it goes on once it is inside.

        Raises OSError where the system refuses; the child is then still suspended.
        """

        def __init__(self, pid: int) -> None:
            self._pid = pid
            self._asked = False
            self._kernel = _kernel()
            self._handle: int | None = self._made(self._kernel.CreateJobObjectW(None, None))
            try:
                self._take_in(pid)
            except BaseException:
                self.close()
                raise

        def _take_in(self, pid: int) -> None:
            limits = _Limits()
            limits.basic.flags = _KILL_ON_JOB_CLOSE
            size = ctypes.sizeof(limits)
            self._made(
                self._kernel.SetInformationJobObject(
                    self._handle, _EXTENDED_LIMITS, ctypes.byref(limits), size
                )
            )
            process = self._made(self._kernel.OpenProcess(_ACCESS, 0, pid))
            try:
                self._made(self._kernel.AssignProcessToJobObject(self._handle, process))
                _resume(process)
            finally:
                self._kernel.CloseHandle(process)

        def strike(self, by_force: bool) -> Collection[int]:
            """Ask the child's group to end, once, or end all by force; returns the pids of who lived."""
            pids = self._pids()
            if pids and by_force:
                self._made(self._kernel.TerminateJobObject(self._handle, 1))
            elif pids and not self._asked:
                self._asked = True
                # os.kill would end the process at once where there is no console to ask through
                self._kernel.GenerateConsoleCtrlEvent(signal.CTRL_BREAK_EVENT, self._pid)
            return pids

        def close(self) -> None:
            """Let go of the job; what may still be in it ends."""
            handle, self._handle = self._handle, None
            if handle is not None:
                self._kernel.CloseHandle(handle)

        def _pids(self) -> list[int]:
            if self._handle is None:
                return []
            found = _Listed()
            whole = self._kernel.QueryInformationJobObject(
                self._handle, _PROCESS_LIST, ctypes.byref(found), ctypes.sizeof(found), None
            )
            if not whole and not found.listed:
                raise ctypes.WinError(ctypes.get_last_error())
            return list(found.pids[: found.listed])

        @staticmethod
        def _made(result: int | None) -> int:
            if not result:
                raise ctypes.WinError(ctypes.get_last_error())
            return result
