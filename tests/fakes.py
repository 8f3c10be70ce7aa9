"""What lies outside in a simulated world: folders, files, processes, an agent; every port has its fake."""

import errno
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import trio

from eventstore.ids import uuid7
from eventstore.memory_log import MemoryLog
from handlers.ports.agent import AgentEnd, AgentOrder
from handlers.ports.files import Compared, Dropped
from handlers.ports.log import HeadStanding, Kept, Lag
from schemas import names
from schemas.attempt import CheckResult, FileChange
from schemas.process import ProcessIdentity
from schemas.turn import Captured

EPOCH = 1_790_000_000_000_000
HOME, ROOT = "/home", "/srv"


class Crashed(Exception):
    """The machine is off: nothing that comes later happens."""


@dataclass
class World:
    """What survives a crash: the log, the folders, the files, the processes."""

    log: MemoryLog = field(default_factory=MemoryLog)
    inbox: dict[str, bytes] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    archive: dict[str, bytes] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, dict[str, str]] = field(default_factory=lambda: {"/srv/shop": {"cart.py": "one"}})
    alive: set[str] = field(default_factory=set)
    runs: dict[str, int] = field(default_factory=dict)
    most_at_once: int = 0
    appends: int = 0
    crash_at: int | None = None
    crash_after: bool = True
    off: bool = False
    signed: int = 0
    made_ids: int = 0
    lives: int = 1
    epoch: int = EPOCH
    free: int = 2**40
    refuses: set[str] = field(default_factory=set)
    sync_s: float = 0.0
    said: list[str] = field(default_factory=list)
    moods: list[str] = field(default_factory=list)
    orders: list[AgentOrder] = field(default_factory=list)

    def now(self) -> int:
        return self.epoch + int(trio.current_time() * 1_000_000)

    def new(self) -> str:
        self.made_ids += 1
        return uuid7(EPOCH + self.made_ids, hashlib.sha256(str(self.made_ids).encode()).digest())

    def write(self, what: str) -> None:
        """Raises OSError while the disk is full, or takes nothing of that kind."""
        if self.free <= 0 or what in self.refuses:
            raise OSError(errno.ENOSPC, "No space left on device")

    def restart(self) -> None:
        self.off, self.crash_at = False, None
        self.lives += 1


@dataclass
class FakeInbox:
    world: World
    reason: str | None = None

    async def scan(self) -> list[Dropped]:
        await trio.lowlevel.checkpoint()
        return [Dropped(name, (len(body),), len(body)) for name, body in sorted(self.world.inbox.items())]

    async def is_written(self, name: str) -> bool:
        await trio.lowlevel.checkpoint()
        return name in self.world.written

    async def read(self, name: str, limit: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if name not in self.world.inbox:
            raise FileNotFoundError(name)
        return self.world.inbox[name][:limit]

    async def archive(self, name: str, sha256: str | None, target: str) -> str | None:
        await trio.lowlevel.checkpoint()
        self._alive()
        body = self.world.inbox.get(name)
        if body is None:
            return target if target in self.world.archive else None
        if hashlib.sha256(body).hexdigest() != sha256:
            return None
        self.world.archive[target] = self.world.inbox.pop(name)
        return target

    async def rearchive(self, old: str, target: str) -> str | None:
        await trio.lowlevel.checkpoint()
        self._alive()
        if old in self.world.archive:
            self.world.archive[target] = self.world.archive.pop(old)
        return target if target in self.world.archive else None

    async def write_reason(self, target: str, text: str) -> None:
        await trio.lowlevel.checkpoint()
        self._alive()
        self.world.archive[target] = text.encode()

    async def hint(self) -> None:
        await trio.sleep(0.5)

    def _alive(self) -> None:
        if self.world.off:
            raise Crashed


def in_a_mood(mood: str, now: int) -> tuple[list[dict[str, Any]], AgentEnd]:
    """What an agent in trouble says, and how it ends: the shapes of the real one's lines."""
    failed = {"type": "result", "subtype": "success", "is_error": True, "num_turns": 1}
    nothing = AgentEnd("exited", 1, 900, Captured(), Captured(), 0)
    init = {"type": "system", "subtype": "init", "claude_code_version": "2.1.330", "model": "m"}
    kind, _, argument = mood.partition(" ")
    match kind:
        case "network":
            return [init, {**failed, "result": "API Error: 500", "api_error_status": 500}], nothing
        case "auth":
            return [init, {**failed, "result": "Invalid API key", "api_error_status": 401}], nothing
        case "quota":
            resets = now // 1_000_000 + int(argument)
            told = {"status": "rejected", "resetsAt": resets, "rateLimitType": "five_hour"}
            limit = {"type": "rate_limit_event", "rate_limit_info": told}
            return [init, limit, {**failed, "result": "limit reached", "api_error_status": 429}], nothing
        case "silent":
            return [init], AgentEnd("inactivity", -15, 60_000, Captured(), Captured(), 0)
        case "die":
            return [init], AgentEnd("exited", -9, 900, Captured(), Captured(), 0)
        case "unstartable":
            note = "The agent's program could not be started."
            return [], AgentEnd("not_started", None, 0, Captured(), Captured(), 0, note)
        case _:
            raise ValueError(mood)


@dataclass
class FakeAgent:
    """Edits the file that its prompt names once, as an agent that looks before it writes would.

    First it goes through the world's moods, one a turn.
    """

    world: World
    executable: str = "/usr/bin/agent"

    async def run(
        self,
        order: AgentOrder,
        started: Callable[[ProcessIdentity], Awaitable[None]],
        heard: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> AgentEnd:
        world, tree = self.world, self.world.trees[order.cwd]
        world.orders.append(order)
        if world.moods:
            lines, end = in_a_mood(world.moods.pop(0), world.now())
            if end.ended != "not_started":
                await started(ProcessIdentity(pid=len(world.orders) + 1000, started=1, boot_id="b"))
            for line in lines:
                await heard(line)
            return end
        world.alive.add(order.session_id)
        world.most_at_once = max(world.most_at_once, len(world.alive))
        try:
            await started(ProcessIdentity(pid=len(world.runs) + 2, started=1, boot_id="b"))
            await trio.sleep(3)
            use = {"type": "tool_use", "id": f"toolu_{order.session_id}", "name": "Edit"}
            result = {"type": "tool_result", "content": "The file has been updated."}
            content = [{**use, "input": {"file_path": "cart.py"}}]
            await heard({"type": "assistant", "message": {"content": content}})
            word = next(line for line in order.prompt.splitlines() if line.startswith("append "))
            if word not in tree["cart.py"]:
                tree["cart.py"] += f"\n{word}"
            await heard({"type": "user", "message": {"content": [{**result, "tool_use_id": use["id"]}]}})
            world.runs[word] = world.runs.get(word, 0) + 1
            await trio.sleep(60 if "slowly" in word else 2)
            await heard(
                {
                    "type": "result",
                    "subtype": "error_during_execution" if "badly" in word else "success",
                    "is_error": "badly" in word,
                    "num_turns": 2,
                    "result": "done",
                    "total_cost_usd": 0.01,
                }
            )
        finally:
            if not world.off:
                world.alive.discard(order.session_id)
        return AgentEnd("exited", 0, 5000, Captured(text="said"), Captured(), 0)


@dataclass
class FakeChecks:
    """`grep WORD FILE` looks into the fake tree as the real one would; `wait S` passes after S seconds."""

    world: World

    async def run(self, index: int, command: str, cwd: str, session_id: str) -> CheckResult:
        self.world.alive.add(session_id)
        try:
            kind, word, *file = command.split()
            await trio.sleep(float(word) if kind == "wait" else 1)
        finally:
            if not self.world.off:
                self.world.alive.discard(session_id)
        passed = kind == "wait" or word in self.world.trees[cwd].get(file[0], "")
        return CheckResult(
            index=index,
            command=command,
            ended="exited",
            exit_code=0 if passed else 1,
            passed=passed,
            elapsed_ms=1000,
        )


@dataclass
class FakeTree:
    world: World

    async def snapshot(self, cwd: str) -> bytes:
        await trio.lowlevel.checkpoint()
        return orjson.dumps(self.world.trees[cwd], option=orjson.OPT_SORT_KEYS)

    async def changes(self, cwd: str, before: bytes) -> Compared:
        await trio.lowlevel.checkpoint()
        was, now = orjson.loads(before), self.world.trees[cwd]
        different = [path for path in sorted(was.keys() | now.keys()) if was.get(path) != now.get(path)]
        return Compared(
            tuple(
                FileChange(
                    path=path,
                    change="created" if path not in was else "modified" if path in now else "deleted",
                )
                for path in different
            )
        )


@dataclass
class FakeBlobs:
    world: World

    async def put(self, content: bytes) -> str:
        await trio.lowlevel.checkpoint()
        self.world.write("blobs")
        name = hashlib.sha256(content).hexdigest()
        self.world.blobs[name] = content
        return name

    async def get(self, sha256: str) -> bytes:
        await trio.lowlevel.checkpoint()
        if sha256 not in self.world.blobs:
            raise FileNotFoundError(sha256)
        return self.world.blobs[sha256]


@dataclass
class FakeOutputs:
    world: World

    async def write(self, path: str, content: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self.world.off:
            raise Crashed
        self.world.write("outputs")
        self.world.outputs[path] = content


@dataclass
class FakeFolders:
    world: World

    async def real(self, path: str) -> str | None:
        await trio.lowlevel.checkpoint()
        return path if path in self.world.trees or path == ROOT else None

    async def read_text(self, directory: str, name: str, limit: int) -> str | None:
        await trio.lowlevel.checkpoint()
        return None

    async def executable(self, name: str) -> str | None:
        await trio.lowlevel.checkpoint()
        return name


@dataclass
class FakeProcesses:
    world: World

    def own(self) -> ProcessIdentity:
        return ProcessIdentity(pid=1, started=self.world.lives, boot_id="b")

    async def alive(self, process: ProcessIdentity) -> bool:
        await trio.lowlevel.checkpoint()
        return process == self.own()

    async def kill(self, process: ProcessIdentity | None, session_id: str | None) -> bool:
        await trio.lowlevel.checkpoint()
        was = session_id in self.world.alive
        self.world.alive.discard(session_id or "")
        return was


@dataclass
class FakeRecords:
    """The mirror is as long as the log was when the disk last took it."""

    world: World
    mirrored: int = 0

    async def catch_up(self) -> Kept:
        await trio.lowlevel.checkpoint()
        head = self.world.log.head()
        try:
            if head > self.mirrored:
                self.world.write("mirror")
        except OSError as full:
            return Kept(mirror=Lag(head - self.mirrored, str(full.strerror)))
        self.mirrored = head
        return Kept()


@dataclass
class FakeDisk:
    """Whose room is set by hand."""

    world: World
    path: str = f"{HOME}/logs"

    async def free(self) -> int:
        await trio.lowlevel.checkpoint()
        return max(0, self.world.free)


@dataclass
class FakeHeads:
    """Tree heads without keys: how many events the newest one covers."""

    world: World

    async def size(self) -> int:
        await trio.lowlevel.checkpoint()
        return self.world.signed

    async def ready(self) -> HeadStanding:
        await trio.lowlevel.checkpoint()
        last = next(iter(self.world.log.all(max(0, self.world.log.head() - 1))), None)
        announced = last is not None and last.type == names.TREE_HEAD_SIGNED
        pending = announced and self.world.log.head() > self.world.signed
        return HeadStanding("00000000", self.world.signed, None, pending)

    async def sign(self) -> int:
        await trio.lowlevel.checkpoint()
        self.world.signed = self.world.log.head()
        return self.world.signed


@dataclass
class Listening:
    """Hears what others append."""

    world: World

    async def ring(self, after: int) -> None:
        while True:
            await trio.sleep(0.25)
            if self.world.log.head() > after:
                return


@dataclass
class Deaf:
    """Nobody else appends in this world."""

    async def ring(self, after: int) -> None:
        await trio.sleep_forever()
