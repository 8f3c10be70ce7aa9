"""The agents of a dead service are ended at the same time: one that will not go delays none of the others."""

from dataclasses import dataclass, field
from typing import Any, cast

import trio

from adapters.automations.feed import Feed
from adapters.automations.reconcile import Reconcile
from adapters.automations.stamp import Stamp
from handlers.attempt_state import AttemptState
from handlers.dispatch import AsyncDispatch
from handlers.ports.agent import Processes
from handlers.ports.files import Blobs, WorkTree
from schemas.attempt import InterruptAttempt
from schemas.process import ProcessIdentity
from tests.fakes import FakeProcesses, World

SESSIONS = {f"t{number}": f"00000000-0000-7000-8000-00000000000{number}" for number in range(4)}
DEAD = ProcessIdentity(pid=7, started=0, boot_id="b")


@dataclass
class Claims:
    """Feed and dispatch in one: tasks that a dead service left running."""

    closed: list[InterruptAttempt] = field(default_factory=list)

    @property
    def live(self) -> "Claims":
        return self

    def rows(self, view: str) -> dict[str, Any]:
        row = {"status": "running", "process": DEAD.model_dump(), "lease_until": 0}
        return {name: {**row, "task_id": name} for name in SESSIONS}

    async def advance(self) -> None:
        await trio.lowlevel.checkpoint()

    async def state(self, _: object, stream: str) -> tuple[AttemptState, int]:
        await trio.lowlevel.checkpoint()
        session_id = SESSIONS[stream.removeprefix("task-")]
        return AttemptState(attempt=1, open=True, session_id=session_id), 0

    async def __call__(self, command: InterruptAttempt) -> None:
        await trio.lowlevel.checkpoint()
        self.closed.append(command)


@dataclass
class Stubborn(FakeProcesses):
    """No agent goes before all of them were told to."""

    told: set[str] = field(default_factory=set)
    all_told: trio.Event = field(default_factory=trio.Event)

    async def kill(self, process: ProcessIdentity | None, session_id: str | None) -> bool:
        self.told.add(session_id or "")
        if self.told == set(SESSIONS.values()):
            self.all_told.set()
        await self.all_told.wait()
        return session_id != SESSIONS["t2"]


def stamp(actor: str) -> dict[str, Any]:
    return {"command_id": "0190aaaa-0000-7000-8000-000000000000", "time": 1, "actor": actor}


def test_agents_that_will_not_go_are_waited_for_together() -> None:
    async def main() -> Claims:
        claims = Claims()
        reconcile = Reconcile(
            cast(Feed, claims),
            cast(AsyncDispatch, claims),
            cast(Stamp, stamp),
            cast(Processes, Stubborn(World())),
            cast(WorkTree, None),
            cast(Blobs, None),
        )
        with trio.fail_after(5):
            assert await reconcile.close_foreign() is False
        return claims

    closed = trio.run(main).closed
    assert [one.task_id for one in closed] == list(SESSIONS)
    assert [one.agent_was_alive for one in closed] == [True, True, False, True]
    assert all(one.service_died for one in closed)
