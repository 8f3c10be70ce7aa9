"""A whole world in memory: every port filled by a fake, time by trio's MockClock, and a crash on demand."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson
import trio
from trio._core import _run
from trio.testing import MockClock

from adapters.archiver import Archiver
from adapters.artifact_writer import ArtifactWriter
from adapters.claims import Claims
from adapters.feed import Feed
from adapters.intake import Intake
from adapters.keeper import Keeper
from adapters.policy_runner import PolicyRunner
from adapters.reconcile import Reconcile
from adapters.stamp import Stamp
from adapters.supervisor import Crew, Supervisor
from adapters.timers import Timers
from adapters.worker import Worker, Workshop
from eventstore.event import Event, Place, Recorded
from eventstore.ids import uuid7
from eventstore.log import WrongExpectedVersion
from eventstore.memory_log import MemoryLog
from handlers.deciders import DECIDERS
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground
from handlers.ports import AgentEnd, AgentOrder, Dropped
from projections.all_views import ALL
from projections.live import LiveViews
from schemas.attempt import Conditions, FileChange
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
    made_ids: int = 0

    def now(self) -> int:
        return EPOCH + int(trio.current_time() * 1_000_000)

    def new(self) -> str:
        self.made_ids += 1
        return uuid7(EPOCH + self.made_ids, hashlib.sha256(str(self.made_ids).encode()).digest())

    def restart(self) -> None:
        self.off, self.crash_at = False, None


@dataclass
class InlineLog:
    """No thread hops: they would break virtual time. Crashes before or after the n-th append."""

    world: World

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        await trio.lowlevel.checkpoint()
        world = self.world
        if world.off:
            raise Crashed
        world.appends += 1
        due = world.appends == world.crash_at
        if due and not world.crash_after:
            world.off = True
            raise Crashed
        try:
            places = world.log.append(stream, events, expected)
        except WrongExpectedVersion:
            world.off |= due
            raise
        if due:
            world.off = True
            raise Crashed
        return places

    async def read_stream(self, name: str, after: int) -> list[Recorded]:
        await trio.lowlevel.checkpoint()
        return list(self.world.log.stream(name, after))

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        await trio.lowlevel.checkpoint()
        return list(islice(self.world.log.all(after), limit))


@dataclass
class FakeInbox:
    world: World

    async def scan(self) -> list[Dropped]:
        await trio.lowlevel.checkpoint()
        return [Dropped(name, (len(body),), len(body)) for name, body in sorted(self.world.inbox.items())]

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


@dataclass
class FakeAgent:
    """Edits the file that its prompt names once, as an agent that looks before it writes would."""

    world: World
    executable: str = "/usr/bin/agent"

    async def run(
        self,
        order: AgentOrder,
        started: Callable[[ProcessIdentity], Awaitable[None]],
        heard: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> AgentEnd:
        world, tree = self.world, self.world.trees[order.cwd]
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
class FakeTree:
    world: World

    async def snapshot(self, cwd: str) -> bytes:
        await trio.lowlevel.checkpoint()
        return orjson.dumps(self.world.trees[cwd], option=orjson.OPT_SORT_KEYS)

    async def changes(self, cwd: str, before: bytes) -> tuple[FileChange, ...]:
        await trio.lowlevel.checkpoint()
        was, now = orjson.loads(before), self.world.trees[cwd]
        different = [path for path in sorted(was.keys() | now.keys()) if was.get(path) != now.get(path)]
        return tuple(
            FileChange(
                path=path,
                change="created" if path not in was else "modified" if path in now else "deleted",
            )
            for path in different
        )


@dataclass
class FakeBlobs:
    world: World

    async def put(self, content: bytes) -> str:
        await trio.lowlevel.checkpoint()
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
        return ProcessIdentity(pid=1, started=1, boot_id="b")

    async def kill(self, process: ProcessIdentity | None, session_id: str | None) -> bool:
        await trio.lowlevel.checkpoint()
        was = session_id in self.world.alive
        self.world.alive.discard(session_id or "")
        return was


@dataclass
class FakeRecords:
    async def catch_up(self) -> tuple[None, tuple[str, ...]]:
        await trio.lowlevel.checkpoint()
        return None, ()


@dataclass
class Deaf:
    """Nobody else appends in this world."""

    async def ring(self, after: int) -> None:
        await trio.sleep_forever()


def crew_of(
    world: World,
    workers: int = 2,
    wrap_agent: Callable[[FakeAgent], Any] = lambda agent: agent,
    wrap_tree: Callable[[FakeTree], Any] = lambda tree: tree,
) -> Crew:
    """The same parts as the program's own composition, over fakes."""
    log = InlineLog(world)
    stamp = Stamp(world, world)
    dispatch = AsyncDispatch(log, "urn:evt:world", DECIDERS)
    feed = Feed(log, LiveViews(ALL))
    folders, processes, inbox = FakeFolders(world), FakeProcesses(world), FakeInbox(world)
    tree, blobs = wrap_tree(FakeTree(world)), FakeBlobs(world)
    ground = Ground(home=HOME, base=ROOT, allowed_root=ROOT, windows=False)
    conditions = Conditions(
        executable="/usr/bin/agent",
        executable_found=True,
        max_turns=0,
        timeout_s=300,
        skip_permissions=False,
        workers=workers,
        watcher_running=True,
    )
    claims = Claims(feed, dispatch, stamp, folders, processes, ground, conditions)
    shop = Workshop(
        feed=feed,
        dispatch=dispatch,
        stamp=stamp,
        claims=claims,
        agent=wrap_agent(FakeAgent(world)),
        tree=tree,
        blobs=blobs,
        folders=folders,
        denied=(),
        max_turns=0,
        max_budget_usd=None,
    )
    return Crew(
        feed=feed,
        doorbell=Deaf(),
        dispatch=dispatch,
        stamp=stamp,
        processes=processes,
        reconcile=Reconcile(feed, dispatch, stamp, processes, tree, blobs),
        claims=claims,
        intake=Intake(feed, inbox, folders, ground, dispatch, stamp, lambda text: text),
        policies=PolicyRunner(feed, dispatch, stamp),
        timers=Timers(feed, stamp),
        artifacts=ArtifactWriter(feed, log, FakeOutputs(world), dispatch, stamp),
        archiver=Archiver(feed, inbox, dispatch, stamp),
        keeper=Keeper(feed, FakeRecords(), dispatch, stamp),
        workers=[Worker(f"w{number + 1}", shop) for number in range(workers)],
        fatal=(Crashed,),
        version="0",
    )


def serve(
    world: World, workers: int = 2, drain_wait_s: float = 3600.0, seed: int = 0, **options: Any
) -> bool:
    """Run the whole service in virtual time until it is drained; False when it crashed.

    trio shuffles what is ready to run; with its own switch and a seed it does so the same way each time.
    """

    async def main() -> None:
        with trio.fail_after(100_000):
            await Supervisor(crew_of(world, workers, **options), drain_wait_s).run()

    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # trio's own switch for tests
    _run._r.seed(seed)
    try:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    except (Crashed, ExceptionGroup) as trouble:
        if isinstance(trouble, ExceptionGroup) and trouble.split(Crashed)[1] is not None:
            raise
        return False
    return True
