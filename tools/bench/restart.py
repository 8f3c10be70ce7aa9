"""Work B2: how long the service reads before it works, with a long log and with a short one."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from adapters.app import live_views
from adapters.storage import open_storage
from tools.bench.long_home import TAIL, LongHome, long_home
from tools.bench.table import Table
from tools.bench.turns import Contestant, in_turns, rows

GOAL: Final = "≤ 1.2"
SHORT: Final = 10_000


def measure(events: int, rounds: int) -> list[Table]:
    """With so many events beside 10,000."""
    short, long = long_home(min(SHORT, events)), long_home(events)
    stored = in_turns(
        Contestant(f"{min(SHORT, events)} events", partial(_ready, short, LongHome.views_behind)),
        [Contestant(f"{events} events", partial(_ready, long, LongHome.views_behind), GOAL)],
        rounds,
    )
    lost = in_turns(
        Contestant(f"{min(SHORT, events)} events, views lost", partial(_ready, short, LongHome.no_views)),
        [Contestant(f"{events} events, views lost", partial(_ready, long, LongHome.no_views))],
        1,
    )
    for home in (short, long):
        home.views_at_the_head()
    found = [*rows(stored, "ms"), *rows(lost, "ms")]
    note = f"The views lacked the last {TAIL} events; without any, all of the log is read."
    return [Table("Until the service works", tuple(found[0]), found, (note,))]


def _ready(home: LongHome, before: Callable[[LongHome], None]) -> float:
    """Milliseconds until the service's views answer for the log's head."""
    before(home)
    began = time.perf_counter()
    storage = open_storage(home.home)
    try:
        storage.records.check()
        live_views(home.home, storage)
        return (time.perf_counter() - began) * 1000
    finally:
        storage.close()
