"""A check of a task file: one command in the system's shell, its words kept, its tree ended."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import trio

from adapters.kept_output import BlobSink, KeptOutput, not_kept
from adapters.process_tree import Child, FolderMoved, ProcessTrees, TreeSurvives
from handlers.agent_call import SESSION_VARIABLE, turn_environment
from schemas.attempt import CheckResult
from schemas.turn import Captured

OUTPUT_LIMIT: Final = 16 * 1024 * 1024
"""Bytes; a check that says more is ended, and has failed."""

_CHUNK: Final = 64 * 1024
# The pipe is at its end once the tree has been ended. Should a stranger hold it open, we
# listen on for this long after each word of his, and in all.
_SILENCE_S: Final = 2.0
_LISTEN_ON_S: Final = 30.0

_AGENTS_OWN: Final = ("ANTHROPIC_", "CLAUDE_CODE_")


def check_environment(
    environ: Mapping[str, str], extra: Sequence[str], session_id: str, windows: bool = sys.platform == "win32"
) -> dict[str, str]:
    """What a check sees: the agent's environment without what is the agent's own.

    A check runs the project's code, which has no business with the agent's key: not even
    where `extra` lets the agent see it.
    """
    seen = turn_environment(environ, extra, session_id, windows)
    return {
        name: value
        for name, value in seen.items()
        if name == SESSION_VARIABLE or not name.upper().startswith(_AGENTS_OWN)
    }


def shell(
    command: str, environ: Mapping[str, str], windows: bool = sys.platform == "win32"
) -> list[str] | str:
    """The words that have the system's shell run a command; on Windows the command line itself.

    There `/s` takes away the first and the last quote and leaves all between them as it is.
    """
    if not windows:
        return ["/bin/sh", "-c", command]
    named = {name.upper(): value for name, value in environ.items()}
    program = named.get("COMSPEC") or named.get("SYSTEMROOT", r"C:\Windows") + r"\System32\cmd.exe"
    return f'"{program}" /d /s /c "{command}"'


@dataclass(frozen=True)
class CheckRunner:
    """Runs checks, any number of them side by side; each for `timeout_s` seconds at most.

    `environ` is the service's environment, of which a check sees less than the agent does.
    `blobs` gets all that it says and redacts it; `redact` does so for what is shown of it.
    """

    trees: ProcessTrees
    environ: Mapping[str, str]
    env_allow: Sequence[str]
    blobs: BlobSink
    redact: Callable[[str], str]
    timeout_s: float = 300.0
    output_limit: int = OUTPUT_LIMIT

    async def run(self, index: int, command: str, cwd: str, session_id: str) -> CheckResult:
        """Run one check to its end; nothing of it lives on when this returns or is cancelled.

        `cwd` is a real path. What the blobs refuse is a note. Raises on cancellation TreeSurvives when
        a process cannot be ended.
        """
        env = check_environment(self.environ, self.env_allow, session_id)
        try:
            child = await self.trees.spawn(shell(command, env), cwd, env, merged=True)
        except FolderMoved as moved:
            return _not_started(index, command, str(moved))
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            return _not_started(index, command, f"The system's shell could not be started: {reason}.")
        check = _Check(self, child, session_id)
        try:
            return await check.run(index, command)
        finally:
            with trio.CancelScope(shield=True):
                await check.close()


def _not_started(index: int, command: str, note: str) -> CheckResult:
    return CheckResult(
        index=index,
        command=command,
        ended="not_started",
        exit_code=None,
        passed=False,
        elapsed_ms=0,
        note=note,
    )


class _Check:
    """One check from its first byte to the end of its last child."""

    def __init__(self, runner: CheckRunner, child: Child, session_id: str) -> None:
        if child.process.stdin is None or child.process.stdout is None:
            raise RuntimeError("the child was started without pipes")
        self._runner, self._child, self._session_id = runner, child, session_id
        self._stdin, self._stdout = child.process.stdin, child.process.stdout
        self._running = trio.CancelScope()
        self._listening = trio.CancelScope()
        self._until = float("inf")
        self._kept = KeptOutput(runner.blobs, runner.redact)
        self._said = 0
        self._failure: Exception | None = None
        self._tree_ended = False
        self._notes: list[str] = []

    async def run(self, index: int, command: str) -> CheckResult:
        began = trio.current_time()
        self._running.deadline = began + self._runner.timeout_s
        await self._stdin.aclose()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            with self._running:
                await self._child.process.wait()
            elapsed_ms = int((trio.current_time() - began) * 1000)
            stopped = self._running.cancelled_caught
            late = stopped and self._said <= self._runner.output_limit
            await self._end_tree(left_behind=not stopped)
            self._hang_up()
        if self._failure is not None:
            raise self._failure
        ended: Literal["exited", "timeout"] = "timeout" if late else "exited"
        code = self._child.process.returncode
        output = await self._captured()
        return CheckResult(
            index=index,
            command=command,
            ended=ended,
            exit_code=code,
            passed=code == 0 and not stopped and self._said <= self._runner.output_limit,
            elapsed_ms=elapsed_ms,
            output=output,
            note="; ".join(self._notes) or None,
        )

    async def close(self) -> None:
        """End what is left, in whatever state the check was left. Raises TreeSurvives."""
        try:
            if not self._tree_ended:
                await self._runner.trees.end(self._child, self._session_id)
                await self._child.process.wait()
        finally:
            await self._stdin.aclose()
            await self._stdout.aclose()
            await self._kept.discard()

    async def _end_tree(self, left_behind: bool) -> None:
        try:
            lived = await self._runner.trees.end(self._child, self._session_id)
            await self._child.process.wait()
            if lived and left_behind:
                self._notes.append("it left processes behind, which were ended")
        except TreeSurvives as problem:
            self._notes.append(str(problem))
        self._tree_ended = True

    async def _listen(self) -> None:
        """Keep what it says, up to the limit; a failure is raised once the tree has been ended."""
        try:
            while chunk := await self._receive():
                room = self._runner.output_limit - self._said
                self._said += len(chunk)
                await self._kept.take(chunk[: max(room, 0)])
                if 0 <= room < len(chunk):
                    limit = self._runner.output_limit
                    self._notes.append(f"it said more than {limit:,} bytes: the first are kept, it was ended")
                    self._running.cancel()
        except Exception as failure:  # noqa: BLE001 - raised again once the tree has been ended
            self._failure = failure
            self._running.cancel()

    async def _receive(self) -> bytes:
        with trio.CancelScope(deadline=self._deadline()) as self._listening:
            return bytes(await self._stdout.receive_some(_CHUNK))
        self._notes.append("something held its output open, which was read no further")
        return b""

    def _deadline(self) -> float:
        over = self._until < float("inf")
        return min(self._until, trio.current_time() + _SILENCE_S) if over else self._until

    def _hang_up(self) -> None:
        """Nobody should be speaking any more: take what is there, and wait no longer for the end."""
        self._until = trio.current_time() + _LISTEN_ON_S
        self._listening.deadline = self._deadline()

    async def _captured(self) -> Captured:
        """What is shown of it; its blob is finished."""
        shown = await self._kept.captured()
        self._notes += not_kept("its output", self._kept)
        if self._said > shown.size:
            return shown.model_copy(update={"size": self._said, "truncated": True})
        return shown
