"""The loop of every to-do list: look, do what is due, wait until something moved."""

from collections.abc import Awaitable, Callable

from adapters.feed import Feed


async def keep_drained(feed: Feed, drain: Callable[[], Awaitable[None]]) -> None:
    """Drain for ever. What fails raises: the supervisor says so and starts the loop again."""
    while True:
        position = await feed.advance()
        await drain()
        await feed.moved(position)
