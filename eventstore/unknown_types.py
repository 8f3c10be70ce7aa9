"""Types that this program does not know: kept in the log, counted, and shown."""

from collections.abc import Collection
from typing import Protocol


class CountsTypes(Protocol):
    def count_types(self) -> dict[str, int]:
        """How many events of each type the log holds."""
        ...


def unknown_types(log: CountsTypes, known: Collection[str]) -> dict[str, int]:
    """Type → number of events, of all types outside `known`, sorted by name."""
    return {name: count for name, count in sorted(log.count_types().items()) if name not in known}
