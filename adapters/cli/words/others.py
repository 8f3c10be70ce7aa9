"""The other tasks that a task waits for, and whether it waits for itself."""

from collections.abc import Callable
from typing import Final

from projections.projection import Row

NAMED: Final = 8
"""So many tasks of a circle are named, the rest counted."""


class Others:
    """`look_up` gives the row of a task by its key. One object serves a whole list: it asks once for each.

    Tasks that wait for themselves are the strongly connected components of more than one task, or of one
    that names itself: Tarjan, "Depth-first search and linear graph algorithms" (1972), without recursion.
    """

    def __init__(self, look_up: Callable[[str], Row | None]) -> None:
        self._look_up = look_up
        self._rows: dict[str, Row | None] = {}
        self._number: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        self._component: dict[str, int] = {}
        self._open: list[str] = []

    def row(self, name: str) -> Row | None:
        """The row of the task of that id, in whatever case it is written."""
        key = name.lower()
        if key not in self._rows:
            self._rows[key] = self._look_up(key)
        return self._rows[key]

    def circle(self, row: Row) -> list[str]:
        """The ids along which a task waits for itself, itself first and last; empty where it does not.

        The shortest such way.
        """
        start = str(row["task_id"]).lower()
        self._rows.setdefault(start, row)
        if start not in self._number:
            self._walk(start)
        before: dict[str, str] = {}
        reached = [start]
        for key in reached:  # breadth first, within the component: grows while it is walked
            for name in self._waits(key):
                if name == start:
                    return self._way(start, key, before)
                if name not in before and self._component[name] == self._component[start]:
                    before[name] = key
                    reached.append(name)
        return []

    def _waits(self, key: str) -> list[str]:
        row = self.row(key)
        if row is None or row["status"] != "waiting_dependency":
            return []
        return [name.lower() for name in row["waits_for"]]

    def _way(self, start: str, last: str, before: dict[str, str]) -> list[str]:
        way = [start]
        while last != start:
            way.append(last)
            last = before[last]
        way.append(start)
        rows = [self.row(key) for key in reversed(way)]
        return [str(row["task_id"]) for row in rows if row is not None]

    def _walk(self, start: str) -> None:
        path = [(start, iter(self._enter(start)))]
        while path:
            key, rest = path[-1]
            for name in rest:
                if name not in self._number:
                    path.append((name, iter(self._enter(name))))
                    break
                if name not in self._component:  # it is on the way here, or tied to what is
                    self._lowest[key] = min(self._lowest[key], self._number[name])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    self._lowest[above] = min(self._lowest[above], self._lowest[key])
                if self._lowest[key] == self._number[key]:
                    self._close(key)

    def _enter(self, key: str) -> list[str]:
        self._number[key] = self._lowest[key] = len(self._number)
        self._open.append(key)
        return self._waits(key)

    def _close(self, key: str) -> None:
        while True:
            member = self._open.pop()
            self._component[member] = self._number[key]
            if member == key:
                return


def some_of(ids: list[str]) -> list[str]:
    """The first few of them, for a sentence, and how many there are besides."""
    left = len(ids) - NAMED
    return ids if left <= 1 else [*ids[:NAMED], f"{left} more"]
