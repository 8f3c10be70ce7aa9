"""The Claude Code CLI as a child process: how it is called, fed, listened to and ended."""

import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any, Protocol

import trio

from adapters.process_tree import Child, FolderMoved, ProcessTrees, TreeSurvives
from handlers.agent_call import arguments, turn_environment
from handlers.framing import Ends, Line, LineFramer
from handlers.ports import AgentEnd, AgentOrder
from handlers.stream import parse_line
from schemas.process import ProcessIdentity
from schemas.turn import Captured

LINE_LIMIT = 8 * 1024 * 1024
_CHUNK = 64 * 1024
# After the tree has been ended its pipes are at their end too. Should a stranger hold one
# open, we listen on for this long after each word of his, and in all.
_SILENCE_S = 2.0
_LISTEN_ON_S = 30.0

_SHIM_TARGET = re.compile(r'"%(?:~dp0|dp0%)\\?([^"%]+\.(?:[cm]?js|exe))"', re.IGNORECASE)


class CannotStart(Exception):
    """The agent's program cannot be started; the message is a sentence for a person."""


class BlobWriter(Protocol):
    async def write(self, data: bytes) -> None: ...

    async def finish(self) -> str: ...

    async def discard(self) -> None: ...


class BlobSink(Protocol):
    async def writer(self) -> BlobWriter: ...


def command(executable: str, search_path: str, separator: str) -> list[str]:
    """The words that start a program: its full path, or for a Windows shim what it would start.

    A bare name is sought on the search path alone, never in a current directory. Reads
    the disk. Raises CannotStart.
    """
    found = _found(executable, search_path.split(separator))
    if found is None:
        raise CannotStart(
            f"The agent's program {executable!r} was not found; set CLAUDE_EXECUTABLE to its full path."
        )
    program = Path(found).absolute()
    if program.suffix.lower() not in (".cmd", ".bat"):
        return [str(program)]
    # A shim runs in cmd.exe, where a quote in an argument can begin another command.
    named = _SHIM_TARGET.findall(program.read_text(encoding="utf-8", errors="replace"))
    targets = [PureWindowsPath(target) for target in named]
    real = next((program.parent.joinpath(*target.parts) for target in targets if target.stem != "node"), None)
    if real is None or not real.is_file():
        raise CannotStart(
            f"{program} is a shim whose program is not known; set CLAUDE_EXECUTABLE to claude.exe itself."
        )
    if real.suffix.lower() == ".exe":
        return [str(real)]
    node = _found("node", [str(program.parent), *search_path.split(separator)])
    if node is None:
        raise CannotStart(f"{program} needs node, which was not found on the PATH.")
    return [node, str(real)]


def _found(name: str, folders: Sequence[str]) -> str | None:
    if Path(name).name != name:
        return shutil.which(name)
    for folder in folders:
        if folder and Path(folder).is_absolute() and (hit := shutil.which(str(Path(folder) / name))):
            return hit
    return None


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

        What `started` or `heard` raises ends the agent and comes out here. Raises OSError
        when the blobs cannot be written, TreeSurvives when a process cannot be ended.
        """
        env = turn_environment(self.environ, self.env_allow, order.session_id)
        async with _kept_as_file(order.instructions) as instructions:
            try:
                child = await self._spawn(order, instructions, env)
            except CannotStart as problem:
                return AgentEnd("not_started", None, 0, Captured(), Captured(), 0, str(problem))
            turn = _Turn(self, order, child, heard)
            try:
                await started(child.identity)
                return await turn.run()
            finally:
                with trio.CancelScope(shield=True):
                    await turn.close()

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

    folder = Path(await trio.to_thread.run_sync(tempfile.mkdtemp, "", "evt-agent-"))  # its mode is 0700
    path = folder / "instructions.md"
    try:
        path.touch(mode=0o600)
        await trio.to_thread.run_sync(path.write_text, text, "utf-8", "replace", "\n")
        yield path
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))


class _Output:
    """One of the agent's two outputs: listened to up to its end, kept whole as a blob."""

    def __init__(self, agent: ClaudeAgent, stream: trio.abc.ReceiveStream | None) -> None:
        if stream is None:
            raise RuntimeError("the child was started without a pipe")
        self._agent = agent
        self._stream = stream
        self._writer: BlobWriter | None = None
        self._ends = Ends()
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
        if data := b"".join(line.data for line in lines):
            self._ends.feed(data)
            if self._writer is None:
                self._writer = await self._agent.blobs.writer()
            await self._writer.write(data)
        return lines

    async def _receive(self) -> bytes:
        with trio.CancelScope(deadline=self._deadline()) as self._waiting:
            return bytes(await self._stream.receive_some(_CHUNK))
        self.cut_off = True
        return b""

    def _deadline(self) -> float:
        over = self._until < float("inf")
        return min(self._until, trio.current_time() + _SILENCE_S) if over else self._until

    def hang_up(self) -> None:
        """Nobody should be speaking any more: take what is there, and wait no longer for the end."""
        self._until = trio.current_time() + _LISTEN_ON_S
        if self._waiting is not None:
            self._waiting.deadline = self._deadline()

    async def captured(self) -> Captured:
        """What is shown of it; its blob is finished."""
        sha256 = None if self._writer is None else await self._writer.finish()
        self._writer = None
        return self._ends.captured(self._agent.redact, sha256)

    async def close(self) -> None:
        """Throw away a blob that was not finished."""
        await self._stream.aclose()
        if self._writer is not None:
            await self._writer.discard()


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
        self._limit = trio.CancelScope(deadline=self._began + order.timeout_s)
        self._feeding = trio.CancelScope()
        self._result_heard = False
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
                with self._limit:
                    await self._child.process.wait()
                elapsed_ms = int((trio.current_time() - self._began) * 1000)
                # A result that comes from here on is about commands that we have ended.
                late, answered = self._limit.cancelled_caught, self._result_heard
                await self._end_tree()
                self._feeding.cancel()
                self._out.hang_up()
                self._err.hang_up()
        finally:
            if self._failure is not None:
                raise self._failure
        return AgentEnd(
            ended="timeout" if late and not answered else "exited",
            exit_code=self._child.process.returncode,
            elapsed_ms=elapsed_ms,
            stdout=await self._out.captured(),
            stderr=await self._err.captured(),
            unparsed_lines=self._unparsed + self._out.framer.too_long,
            note=self._note(late, answered),
        )

    def _note(self, late: bool, answered: bool) -> str | None:
        notes = list(self._troubles)
        if late and answered:
            notes.append("it did not go after its result, and was ended")
        elif self._left_behind and not late:
            notes.append("it left processes behind, which were ended")
        if self._out.cut_off or self._err.cut_off:
            notes.append("something held its output open, which was read no further")
        if self._out.framer.too_long:
            notes.append(f"{self._out.framer.too_long} of its lines were too long to be read: see the blob")
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
        await self._heard(said)
        if said.get("type") == "result":
            self._result_heard = True
            self._limit.deadline = min(self._until(), trio.current_time() + self._agent.result_grace_s)
        elif said.get("type") in ("assistant", "user") or said.get("subtype") == "init":
            self._result_heard = False  # another turn in the same process: it goes on
            self._limit.deadline = self._until()

    def _until(self) -> float:
        return self._began + self._order.timeout_s
