"""Let the mediator look at wishes in plain words before they get their place in the queue."""

from collections.abc import Mapping
from typing import Any

from adapters.automations.feed import Feed
from adapters.automations.mediator import Mediator
from adapters.automations.stamp import Stamp
from adapters.automations.todo import keep_drained
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground, allowed_place
from handlers.mediating.parse import ParsedWish, may_become, named_folder
from handlers.mediating.reply import Unusable, read_reply
from handlers.mediation import MEDIATION
from handlers.policies import is_wish
from handlers.ports.agent import Agents, AgentUnusable
from handlers.ports.files import Folders
from schemas.mediation import MediationCommand
from schemas.names import task_stream
from schemas.task_fields import agent_for

ACTOR = "service"


class WishReader:
    """Drains the wishes of the view `received`; each one's receipt lets it go on to the queue."""

    def __init__(
        self,
        feed: Feed,
        mediator: Mediator,
        folders: Folders,
        agents: Agents,
        ground: Ground,
        dispatch: AsyncDispatch,
        stamp: Stamp,
    ) -> None:
        self._feed = feed
        self._mediator = mediator
        self._folders = folders
        self._agents = agents
        self._ground = ground
        self._dispatch = dispatch
        self._stamp = stamp

    async def run(self) -> None:
        await keep_drained(self._feed, self.drain)

    async def drain(self, only: str | None = None) -> None:
        """Ask about every wish that waits, in the order of their arrival; or about one task's alone."""
        if not self._mediator.on:
            return
        for task_id, row in list(self._feed.live.rows("received").items()):
            if is_wish(row) and (only is None or task_id == only.lower()):
                await self._read(task_id)

    async def _read(self, task_id: str) -> None:
        state, _ = await self._dispatch.state(MEDIATION, task_stream(task_id))
        if state.spec is None or state.parsed:
            return
        spec = state.spec

        def held() -> dict[str, Any]:
            return {**self._stamp(ACTOR), "task_id": task_id, "attempt": 0}

        async def say(command: MediationCommand) -> None:
            await self._dispatch(command)

        async def look_up(said: str) -> Mapping[str, Any]:
            return await self._known(said, spec)

        await self._mediator.ask("parse", held, say, spec, look_up=look_up)

    async def _known(self, said: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """What must be known of the home to judge an answer: its folder, and what the task may become."""
        try:
            wish = read_reply(said, ParsedWish)
        except Unusable:
            return {}
        return {"folder": await self._folder(wish, spec), "kinds": await self._kinds(wish, spec)}

    async def _folder(self, wish: ParsedWish, spec: Mapping[str, Any]) -> str | None:
        """The real path of the folder that answer and person both name, if a task may work there."""
        named = named_folder(wish, spec)
        real = None if named is None else await self._folders.real(named)
        if real is None or not allowed_place(real, str(spec["task_type"]), self._ground):
            return None
        return real

    async def _kinds(self, wish: ParsedWish, spec: Mapping[str, Any]) -> tuple[str, ...]:
        """The type of the answer, if its agent can be used and may do no more than the task's own."""
        try:
            agent = await self._agents.get(str(spec["agent"]))
            other = await self._agents.get(agent_for(wish.type))
        except AgentUnusable:
            return ()
        return (wish.type,) if may_become(agent, str(spec["task_type"]), other, wish.type) else ()
