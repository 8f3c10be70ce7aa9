"""The loop of every to-do list: look, do what is due, wait until something moved."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from adapters.automations.feed import Feed

Item = TypeVar("Item")


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    """Do every item; one that cannot be done holds up no other. Raises the first OSError at the end."""
    failed: OSError | None = None
    for item in items:
        try:
            await work(item)
        except OSError as error:
            failed = failed or error
    if failed is not None:
        raise failed


async def keep_drained(feed: Feed, drain: Callable[[], Awaitable[None]]) -> None:
    """Drain for ever. What fails raises: the supervisor says so and starts the loop again."""
    while True:
        position = await feed.advance()
        await drain()
        await feed.moved(position)
