"""Let the mediator look at wishes in plain words before they get their place in the queue."""

from collections.abc import Mapping
from typing import Any

from adapters.feed import Feed
from adapters.mediator import Mediator
from adapters.stamp import Stamp
from adapters.todo import keep_drained
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground, allowed_place, place_named
from handlers.mediating.parse import ParsedWish, named_folder
from handlers.mediating.reply import Unusable, read_reply
from handlers.mediation import MEDIATION
from handlers.policies import is_wish
from handlers.ports import Folders
from schemas.mediation import MediationCommand
from schemas.names import task_stream

ACTOR = "service"


class WishReader:
    """Drains the wishes of the view `received`; each one's receipt lets it go on to the queue."""

    def __init__(
        self,
        feed: Feed,
        mediator: Mediator,
        folders: Folders,
        ground: Ground,
        dispatch: AsyncDispatch,
        stamp: Stamp,
    ) -> None:
        self._feed = feed
        self._mediator = mediator
        self._folders = folders
        self._ground = ground
        self._dispatch = dispatch
        self._stamp = stamp

    async def run(self) -> None:
        await keep_drained(self._feed, self.drain)

    async def drain(self) -> None:
        """Ask about every wish that waits, in the order of their arrival."""
        if not self._mediator.on:
            return
        for task_id, row in list(self._feed.live.rows("received").items()):
            if is_wish(row):
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

        async def folder_of(said: str) -> str | None:
            return await self._folder(said, spec)

        await self._mediator.ask("parse", held, say, spec, folder_of=folder_of)

    async def _folder(self, said: str, spec: Mapping[str, Any]) -> str | None:
        """The real path of the folder that answer and person both name, if a task may work there."""
        try:
            named = named_folder(read_reply(said, ParsedWish), str(spec["prompt"]))
        except Unusable:
            return None
        if named is None:
            return None
        real = await self._folders.real(place_named(named, self._ground))
        if real is None or not allowed_place(real, str(spec["task_type"]), self._ground):
            return None
        return real
