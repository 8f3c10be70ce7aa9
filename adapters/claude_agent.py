"""The Claude Code CLI as a child process: how it is called, fed, listened to and ended."""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import trio

from adapters.claude_program import CannotStart, command
from adapters.kept_output import BlobSink, KeptOutput, not_kept
from adapters.process_tree import Child, FolderMoved, ProcessTrees, TreeSurvives
from handlers.agent_call import arguments, turn_environment
from handlers.framing import Line, LineFramer
from handlers.ports.agent import AgentEnd, AgentOrder
from handlers.stream import parse_line, redacted
from schemas.process import ProcessIdentity
from schemas.turn import Captured

LINE_LIMIT = 8 * 1024 * 1024
_CHUNK = 64 * 1024
# After the tree has been ended its pipes are at their end too. Should a stranger hold one
# open, we listen on for this long after each word of his, and in all.
_SILENCE_S = 2.0
_LISTEN_ON_S = 30.0
# Before a silence is believed we look once more: we may have slept ourselves while it spoke.
_SECOND_LOOK_S = 1.0


_Ending = Literal["exited", "lingering", "timeout", "inactivity"]


@dataclass(kw_only=True)
class ClaudeAgent:
    """Runs one turn of the CLI at a time, any number of them side by side.

    `environ` is the service's environment, of which the agent sees its part. `blobs` gets
    all that the agent says and redacts it; `redact` does so for what is shown of it.
    `grace_s` lies between asking and forcing an end, `result_grace_s` between the last
    result and the end of an agent that does not go.
    """

    executable: str
    environ: Mapping[str, str]
    env_allow: Sequence[str] = ()
    blobs: BlobSink
    redact: Callable[[str], str]
    trees: ProcessTrees = field(default_factory=ProcessTrees)
    skip_permissions: bool = False
    grace_s: float = 5.0
    result_grace_s: float = 5.0
    line_limit: int = LINE_LIMIT

    async def run(
        self,
        order: AgentOrder,
        started: Callable[[ProcessIdentity], Awaitable[None]],
        heard: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> AgentEnd:
        """Run one turn to its end; nothing of it lives on when this returns or raises.

        What `started` or `heard` raises ends the agent and comes out here. What the blobs refuse is
        a note. Raises TreeSurvives when a process cannot be ended.
        """
        env = turn_environment(self.environ, self.env_allow, order.session_id)
        try:
            async with _kept_as_file(order.instructions) as instructions:
                child = await self._spawn(order, instructions, env)
                turn = _Turn(self, order, child, heard)
                try:
                    await started(child.identity)
                    return await turn.run()
                finally:
                    with trio.CancelScope(shield=True):
                        await turn.close()
        except CannotStart as problem:
            return AgentEnd("not_started", None, 0, Captured(), Captured(), 0, str(problem))

    async def _spawn(self, order: AgentOrder, instructions: Path | None, env: dict[str, str]) -> Child:
        path, separator = env.get("PATH", ""), ";" if sys.platform == "win32" else ":"
        if not await trio.Path(order.cwd).is_dir():
            raise CannotStart(f"The working directory {order.cwd!r} is not there.")
        file = None if instructions is None else str(instructions)
        after = arguments(order, file, self.skip_permissions)
        try:
            words = await trio.to_thread.run_sync(command, self.executable, path, separator)
            return await self.trees.spawn([*words, *after], order.cwd, env)
        except FolderMoved as moved:
            raise CannotStart(str(moved)) from moved
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            raise CannotStart(
                f"The agent's program {self.executable!r} could not be started: {reason}."
            ) from problem


@asynccontextmanager
async def _kept_as_file(text: str | None) -> AsyncIterator[Path | None]:
    """The text in a file that only we may read, in a folder of its own, for as long as it is needed."""
    if text is None:
        yield None
        return

    try:
        path = await trio.to_thread.run_sync(_put_into_file, text)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise CannotStart(f"The agent's instructions could not be written: {reason}.") from problem
    try:
        yield path
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(partial(shutil.rmtree, path.parent, ignore_errors=True))


def _put_into_file(text: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="evt-agent-"))  # its mode is 0700
    path = folder / "instructions.md"
    try:
        path.touch(mode=0o600)
        path.write_text(text, "utf-8", "replace", "\n")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return path


class _Output:
    """One of the agent's two outputs: listened to up to its end, kept whole as a blob."""

    def __init__(self, agent: ClaudeAgent, stream: trio.abc.ReceiveStream | None) -> None:
        if stream is None:
            raise RuntimeError("the child was started without a pipe")
        self._stream = stream
        self.kept = KeptOutput(agent.blobs, agent.redact)
        self._waiting: trio.CancelScope | None = None
        self._until = float("inf")
        self.framer = LineFramer(agent.line_limit)
        self._ended = False
        self.cut_off = False

    async def next(self) -> list[Line] | None:
        """What has come, cut into lines, after the blob has got it; None at the end."""
        if self._ended:
            return None
        chunk = await self._receive()
        self._ended = not chunk
        lines = self.framer.feed(chunk) if chunk else self.framer.rest()
        await self.kept.take(b"".join(line.data for line in lines))
        return lines

    async def _receive(self) -> bytes:
        try:
            with trio.CancelScope(deadline=self._deadline()) as self._waiting:
                return bytes(await self._stream.receive_some(_CHUNK))
        finally:
            self._waiting = None
        self.cut_off = True
        return b""

    @property
    def busy(self) -> bool:
        """Whether we still have to do with what came, and could not hear more."""
        return not self._ended and self._waiting is None

    def _deadline(self) -> float:
        over = self._until < float("inf")
        return min(self._until, trio.current_time() + _SILENCE_S) if over else self._until

    def hang_up(self) -> None:
        """Nobody should be speaking any more: take what is there, and wait no longer for the end."""
        self._until = trio.current_time() + _LISTEN_ON_S
        if self._waiting is not None:
            self._waiting.deadline = self._deadline()

    async def close(self) -> None:
        """Throw away a blob that was not finished."""
        await self._stream.aclose()
        await self.kept.discard()


class _Turn:
    """One process from its first byte to the end of its last child."""

    def __init__(
        self,
        agent: ClaudeAgent,
        order: AgentOrder,
        child: Child,
        heard: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self._agent, self._order, self._child, self._heard = agent, order, child, heard
        self._out = _Output(agent, child.process.stdout)
        self._err = _Output(agent, child.process.stderr)
        self._began = trio.current_time()
        self._limit = trio.CancelScope()
        self._feeding = trio.CancelScope()
        self._result_at: float | None = None
        self._life = self._began
        self._looking_until: float | None = None
        self._left_behind = False
        self._ended = False
        self._troubles: list[str] = []
        self._unparsed = 0
        self._failure: Exception | None = None

    async def run(self) -> AgentEnd:
        """Listen until the process ends or has to be ended."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._guarded, self._listen, nursery.cancel_scope)
                nursery.start_soon(self._guarded, self._drain, nursery.cancel_scope)
                nursery.start_soon(self._feed)
                # A result that comes from here on is about commands that we have ended.
                ended = await self._wait()
                elapsed_ms = int((trio.current_time() - self._began) * 1000)
                await self._end_tree()
                self._feeding.cancel()
                self._out.hang_up()
                self._err.hang_up()
        finally:
            if self._failure is not None:
                raise self._failure
        stdout, stderr = await self._out.kept.captured(), await self._err.kept.captured()
        return AgentEnd(
            ended="exited" if ended == "lingering" else ended,
            exit_code=self._child.process.returncode,
            elapsed_ms=elapsed_ms,
            stdout=stdout,
            stderr=stderr,
            unparsed_lines=self._unparsed + self._out.framer.too_long,
            note=self._note(ended),
        )

    async def _wait(self) -> _Ending:
        """Wait for the process's own end; how it went, or why it has to be ended."""
        while True:
            with trio.CancelScope(deadline=self._deadline()) as self._limit:
                await self._child.process.wait()
                return "exited"
            if self._child.process.returncode is not None:
                return "exited"  # it went by itself while we slept
            now = trio.current_time()
            if now < self._deadline():
                continue  # it spoke after all
            if self._result_at is not None:
                return "lingering"
            if now >= self._until():
                return "timeout"
            if self._looking_until is not None and not self._out.busy:
                return "inactivity"
            self._looking_until = now + _SECOND_LOOK_S

    def _deadline(self) -> float:
        """When it has to be ended, as far as can be told by now."""
        until = self._until()
        if self._result_at is not None:
            return min(until, self._result_at + self._agent.result_grace_s)
        if self._order.inactivity_s <= 0:
            return until
        return min(until, self._looking_until or self._life + self._order.inactivity_s)

    def _until(self) -> float:
        return self._began + self._order.timeout_s

    def _note(self, ended: _Ending) -> str | None:
        notes = list(self._troubles)
        if ended == "lingering":
            notes.append("it did not go after its result, and was ended")
        elif ended == "inactivity":
            notes.append(f"it said nothing for {self._order.inactivity_s:g} s, and was ended")
        elif self._left_behind and ended == "exited":
            notes.append("it left processes behind, which were ended")
        if self._out.cut_off or self._err.cut_off:
            notes.append("something held its output open, which was read no further")
        if self._out.framer.too_long:
            notes.append(f"{self._out.framer.too_long} of its lines were too long to be read: see the blob")
        notes += not_kept("stdout", self._out.kept) + not_kept("stderr", self._err.kept)
        return "; ".join(notes) or None

    async def close(self) -> None:
        """End what is left, in whatever state the turn was left. Raises TreeSurvives."""
        try:
            if not self._ended:
                await self._agent.trees.end(self._child, self._order.session_id, self._agent.grace_s)
                await self._child.process.wait()
        finally:
            if self._child.process.stdin is not None:
                await self._child.process.stdin.aclose()
            await self._out.close()
            await self._err.close()

    async def _end_tree(self) -> None:
        try:
            self._left_behind = await self._agent.trees.end(
                self._child, self._order.session_id, self._agent.grace_s
            )
            await self._child.process.wait()
        except TreeSurvives as problem:
            self._troubles.append(str(problem))
        self._ended = True

    async def _guarded(self, work: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        """Keep a failure to be raised as it is, not inside a group, and stop the others."""
        try:
            await work()
        except Exception as failure:  # noqa: BLE001 - raised again once the others have stopped
            self._failure = self._failure or failure
            scope.cancel()

    async def _feed(self) -> None:
        stdin = self._child.process.stdin
        if stdin is None:
            raise RuntimeError("the child was started without a pipe")
        with self._feeding:
            try:
                await stdin.send_all(self._order.prompt.encode("utf-8", "replace"))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # it did not want to hear the rest; how it ended tells the story
            finally:
                await stdin.aclose()

    async def _drain(self) -> None:
        while await self._err.next() is not None:
            pass

    async def _listen(self) -> None:
        while (lines := await self._out.next()) is not None:
            for line in lines:
                if line.whole and line.data.strip():
                    await self._take(line.data)

    async def _take(self, raw: bytes) -> None:
        said = parse_line(raw)
        if said is None:
            self._unparsed += 1
            return
        # Before anything of it is cut to what the log holds: half of a secret would be known by nobody.
        said = redacted(said, self._agent.redact)
        await self._heard(said)
        self._life, self._looking_until = trio.current_time(), None
        if said.get("type") == "result":
            self._result_at = self._life
        elif said.get("type") in ("assistant", "user") or said.get("subtype") == "init":
            self._result_at = None  # another turn in the same process: it goes on
        self._limit.deadline = self._deadline()
