"""Erased events in an audit: a tombstone counts as the line that it stands for, if the log says so."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eventstore.line import NotALine, parse
from eventstore.tombstone import NoSuchField, tombstone

HASH_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class Erasure:
    """What the event at the global position `event` says: the line at `position`, whose hash was `leaf`,
    is one with the hash `tombstone` now, and below each of `fields` every text is erased.
    """

    event: int
    position: int
    leaf: bytes
    tombstone: bytes
    fields: tuple[str, ...]

    @classmethod
    def said(cls, event: int, data: Mapping[str, Any]) -> "Erasure | None":
        """By the payload of an erasing event; None for one that says nothing of the kind."""
        position, fields = data.get("position"), data.get("fields")
        leaf, buried = _hash(data.get("leaf")), _hash(data.get("tombstone"))
        if type(position) is not int or leaf is None or buried is None or not isinstance(fields, list):
            return None
        # Only what stands earlier can be erased: the event is valid under the tree heads after it.
        return cls(event, position, leaf, buried, tuple(map(str, fields))) if 0 < position < event else None


class Erased:
    """`buried` maps the positions of tombstones to the events that ordered them; `waiting` are positions
    whose last order is not carried out: another line stands there, and a known one.
    """

    def __init__(self, erasures: Iterable[Erasure]) -> None:
        self.buried: dict[int, int] = {}
        self.waiting: set[int] = set()
        self._orders: dict[int, list[Erasure]] = {}
        self._known: dict[bytes, int] = {}
        for one in sorted(erasures, key=lambda erasure: erasure.event):
            self._orders.setdefault(one.position, []).append(one)
            self._known |= {one.leaf: one.position, one.tombstone: one.position}

    def apply(self, lines: Sequence[bytes], leaves: list[bytes]) -> None:
        """Put the hashes of lines as they were among `leaves`, which are those of `lines`."""
        if not self._known:
            return
        for index, leaf in enumerate(leaves):
            position = self._known.get(leaf)
            if position is not None:
                leaves[index] = self._as_it_was(position, lines[index], leaf)

    def _as_it_was(self, position: int, line: bytes, leaf: bytes) -> bytes:
        orders = self._orders[position]
        # Of an event that was erased twice each order has a tombstone of its own, and one of them stands.
        met = next((one for one in orders if one.tombstone == leaf and _is_tombstone(line, one)), None)
        if met is not None:
            self.buried[position] = met.event
        if leaf != orders[-1].tombstone and (met is not None or leaf == orders[-1].leaf):
            self.waiting.add(position)
        return leaf if met is None else met.leaf


def _is_tombstone(line: bytes, order: Erasure) -> bool:
    """Whether it is that event's line, and every text below the fields is erased: again changes nothing."""
    try:
        return parse(line).global_position == order.position and tombstone(line, order.fields) == line
    except (NotALine, NoSuchField, TypeError):
        return False


def _hash(text: Any) -> bytes | None:
    if not isinstance(text, str) or len(text) != HASH_DIGITS:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None
