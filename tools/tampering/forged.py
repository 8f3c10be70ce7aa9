"""A copy of a home whose log, tiles, tree heads and mirror can be rewritten, as an intruder would."""

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Self
from uuid import UUID

import apsw
import orjson

from eventstore.tree.head import TreeHead, append_note
from eventstore.tree.merkle import leaf_hash
from eventstore.tree.signed_note import SigningKey, sign
from eventstore.tree.tiles import Tiles
from schemas import names
from tests.signed_trees import ORIGIN, SignedLog, key_of
from tests.unguarded import unguarded
from tools.tampering.expected import Expected

COLUMNS = ("global_position", "stream", "position", "prev", "type", "time", "line")
EVERY = "SELECT global_position, stream, position, prev, type, time, line FROM events ORDER BY 1"


@dataclass
class Row:
    """A row of the table `events`; `leaf` is the hash that an honest tree has for it."""

    global_position: int
    stream: str
    position: int
    prev: int
    type: str
    time: int
    line: bytes
    leaf: bytes

    def values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in COLUMNS)

    def copy(self) -> Self:
        return replace(self)

    def edited(self, **changes: Any) -> None:
        """Change keys of the line, the columns with them; the leaf is that of the new line."""
        envelope = {**orjson.loads(self.line), **changes}
        self.line = orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)
        self.leaf = leaf_hash(self.line)
        for name in ("global_position", "stream", "position", "type"):
            if name in changes:
                setattr(self, name, changes[name])


@dataclass(frozen=True)
class Sample:
    """An honest log that copies are made of. `rotated` is the size at which its key was changed, `buried`
    the position of an event of which a text was erased.
    """

    folder: Path
    sizes: tuple[int, ...]
    notes: tuple[bytes, ...]
    keys: tuple[SigningKey, ...]
    rotated: int | None = None
    buried: int | None = None

    @classmethod
    def of(cls, made: SignedLog, rotated: int | None = None, buried: int | None = None) -> Self:
        return cls(made.root, tuple(made.sizes), tuple(made.notes), tuple(made.keys), rotated, buried)

    @classmethod
    def grown(cls, folder: Path, seed: int) -> Self:
        """The seed says how long it is, how often signed, whether with two keys and an erasure."""
        random = Random(seed)  # noqa: S311 not for secrets
        rotated = buried = None
        with SignedLog.create(folder, seed) as made:
            for number in range(random.randint(4, 9)):
                made.grow(random.choice((1, 3, 20, 60, 100)))
                if number == 2 and random.random() < 0.3:
                    made.rotate(seed + 1_000_000)
                    rotated = made.sizes[-1]
                if number == 3 and random.random() < 0.4:
                    buried = _erase(made, random)
                made.sign()
            made.grow(random.choice((0, 0, 1, 30)))
        return cls.of(made, rotated, buried)

    @property
    def anchored(self) -> int:
        return self.sizes[-1]

    def heads(self) -> list[tuple[int, bytes]]:
        """Sizes and notes."""
        return list(zip(self.sizes, self.notes, strict=True))

    def copy(self, folder: Path, random: Random) -> "Forged":
        shutil.copytree(self.folder, folder)
        return Forged(folder, self, random)


def _erase(made: SignedLog, random: Random) -> int | None:
    """The position; the tree has known the line before it is erased."""
    positions = [event.global_position for event in made.log.all(1, made.sizes[-1]) if "text" in event.data]
    if not positions:
        return None
    chosen = random.choice(positions)
    made.erase(chosen, "text")
    return chosen


class Forged:
    """`rows` are those of the log; nothing is written before `save`."""

    def __init__(self, root: Path, sample: Sample, random: Random) -> None:
        self.root = root
        self.sample = sample
        self.random = random
        self.tree = root / "logs" / "tree"
        self.rows = self._load()

    def any_anchored(self) -> int:
        """The index of an event below a tree head; not of one that explains others."""
        return self.random.choice([n for n in range(self.sample.anchored) if is_plain(self.rows[n])])

    def two(self) -> tuple[int, int]:
        """Two of them, the earlier one first."""
        one, other = self.any_anchored(), self.any_anchored()
        while one == other:
            other = self.any_anchored()
        return min(one, other), max(one, other)

    def other(self, at: int) -> Row:
        """An event that was never recorded, as it could stand at an index."""
        model = self.rows[max(0, min(at, len(self.rows) - 1))].copy()
        model.edited(id=str(UUID(int=self.random.getrandbits(128))), data={"text": "never said"})
        return model

    def between(self, at: int) -> tuple[int, int]:
        """The sizes of the last tree head that does not cover the event of an index, and of the next one."""
        sizes = self.sample.sizes
        return max((size for size in sizes if size <= at), default=0), min(
            size for size in sizes if size > at
        )

    def explained(self, gone: Sequence[Row], expected: Expected) -> Expected:
        """Where the event has gone that explains a tombstone, that one is edited, and may come first."""
        if all(is_plain(row) for row in gone):
            return expected
        return replace(expected, kinds=expected.kinds | {"EDITED"}, first=None, between=None)

    def all_keys(self) -> tuple[str, ...]:
        """As arguments."""
        return tuple(word for key in self.sample.keys for word in ("--key", key.verifying.vkey()))

    # the log

    def save(self, rows: Sequence[Row] | None = None) -> None:
        """Write the rows past the triggers; the mirror is written anew or left as it was, by chance."""
        self.rows = list(self.rows if rows is None else rows)
        with unguarded(self._path) as connection:
            connection.execute("BEGIN; DELETE FROM events")
            connection.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", [row.values() for row in self.rows]
            )
            connection.execute("COMMIT")
        if self.random.random() < 0.5:
            self.write_mirror()

    def renumber(self) -> None:
        """Give every row the place at which it stands, so that no gap is seen."""
        heads: dict[str, tuple[int, int]] = {}
        for place, row in enumerate(self.rows, 1):
            position, prev = heads.get(row.stream, (-1, 0))
            if (row.global_position, row.position) != (place, position + 1):
                row.edited(global_position=place, position=position + 1)
            row.prev = prev
            heads[row.stream] = position + 1, place

    def write_mirror(self) -> None:
        (self.root / "logs" / "events.ndjson").write_bytes(b"".join(row.line + b"\n" for row in self.rows))

    # the tree

    def rebuild_tiles(self, size: int | None = None) -> None:
        """Over the rows as they are now."""
        shutil.rmtree(self.tree / "tile")
        Tiles(self.tree).extend(row.leaf for row in self.rows[:size])

    def rebuild_heads(self, after: int, key: SigningKey, sizes: Sequence[int] | None = None) -> None:
        """Keep tree heads of up to `after` events; sign others over the tiles, of the same or these sizes."""
        sample, tiles = self.sample, Tiles(self.tree)
        kept = [note for size, note in zip(sample.sizes, sample.notes, strict=True) if size <= after]
        sizes = [size for size in sizes or sample.sizes if after < size <= tiles.size()]
        made = [sign(TreeHead(ORIGIN, size, tiles.root(size)).text(), [key]) for size in sizes]
        self.write_heads([*kept, *made])

    def write_heads(self, notes: Sequence[bytes]) -> None:
        for name in ("heads", "checkpoint"):
            (self.tree / name).unlink(missing_ok=True)
        for note in notes:
            append_note(self.tree / "heads", note)
        if notes:
            (self.tree / "checkpoint").write_bytes(notes[-1])

    def keep(self, name: str, *notes: bytes) -> str:
        """A file with tree heads that was kept elsewhere."""
        path = self.root.with_name(f"{self.root.name}-{name}")
        path.write_bytes(b"".join(note + b"\n" for note in notes))
        return str(path)

    @property
    def _path(self) -> Path:
        return self.root / "logs" / "events.db"

    def is_as_it_was(self, at: int) -> bool:
        """Whether the file still holds the line of an index."""
        with closing(apsw.Connection(str(self._path))) as connection:
            line = connection.execute("SELECT line FROM events WHERE global_position = ?", (at + 1,)).get
        return bool(line == self.rows[at].line)

    def _load(self) -> list[Row]:
        leaves = Tiles(self.tree)
        with closing(apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            found: Any = connection.execute(EVERY).fetchall()
        known = list(leaves.leaves(0, leaves.size()))
        return [
            Row(*(*row, known[number] if number < len(known) else leaf_hash(row[6])))
            for number, row in enumerate(found)
        ]


def is_plain(row: Row) -> bool:
    """Whether no other line, and no key, hangs on it."""
    return row.type not in (names.EVENT_ERASED, names.SIGNING_KEY_CHANGED)


def flipped(random: Random, content: bytes) -> bytes:
    """With one bit turned."""
    at = random.randrange(len(content) * 8)
    changed = bytearray(content)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def stranger(seed: int) -> SigningKey:
    """A key of somebody else."""
    return key_of(seed + 9_000_000)
