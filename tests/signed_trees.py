"""Logs with their trees, as the signer leaves them: tiles, signed tree heads, changed keys, erased events."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventstore.event import ANY, Event
from eventstore.ids import command_event_id
from eventstore.log import Append
from eventstore.sqlite.erasing import erase_line
from eventstore.sqlite.log import SqliteLog
from eventstore.tombstone import tombstone
from eventstore.tree.head import TreeHead, append_note
from eventstore.tree.merkle import leaf_hash
from eventstore.tree.signed_note import SigningKey, sign
from eventstore.tree.tiles import Tiles
from schemas import names

ORIGIN = "urn:evt:0190-home"
START = 1_767_323_045_000_000
SECOND = 1_000_000
WORDS = ("fix the total", "naïve", 'he said "no"', "a\\b", "日本語", "line\nbreak", "[erased]", "")


def key_of(seed: int, name: str = ORIGIN) -> SigningKey:
    """Always the same one for a seed."""
    secret = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(secret))


@dataclass
class SignedLog:
    """The folder `logs` below `root`. `notes` are all tree heads that were signed, oldest first."""

    root: Path
    log: SqliteLog
    keys: list[SigningKey]
    random: Random
    notes: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @classmethod
    def create(cls, root: Path, seed: int = 0) -> Self:
        (root / "logs" / "tree").mkdir(parents=True)
        log = SqliteLog.create(root / "logs" / "events.db")
        made = cls(root, log, [key_of(seed)], Random(seed))
        made.append(names.SYSTEM, names.HOME_CREATED, {"home_id": "0190-home", "version": "0.1.0"})
        made.publish()
        return made

    @property
    def tree(self) -> Path:
        return self.root / "logs" / "tree"

    @property
    def mirror(self) -> Path:
        return self.root / "logs" / "events.ndjson"

    def close(self) -> None:
        """Nothing is left beside the log."""
        self.write_mirror()
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def append(self, stream: str, type: str, data: dict[str, Any]) -> int:
        return self.log.append(stream, [self._event(self.log.head(), type, data)], ANY)[0].global_position

    def grow(self, count: int) -> None:
        """So many events of types that nobody knows, in a few streams, in one transaction."""
        head = self.log.head()
        wishes = []
        for number in range(head, head + count):
            data = {"number": number, "text": self.random.choice(WORDS), "parts": [{"word": f"w{number}"}]}
            stream = f"task-{self.random.randrange(7)}"
            wishes.append(Append(stream, [self._event(number, f"thing_{number % 3}_done", data)], ANY))
        self.log.append_group(wishes)

    def _event(self, number: int, type: str, data: dict[str, Any]) -> Event:
        return Event(
            id=command_event_id("a-test", number),
            type=type,
            data=data,
            time=START + number * SECOND,
            actor="service",
            source=ORIGIN,
        )

    def publish(self) -> None:
        text = "".join(f"{key.verifying.vkey()}\n" for key in self.keys)
        (self.tree / "keys").write_text(text, encoding="utf-8", newline="\n")

    def sign(self, reason: str = "events", keys: list[SigningKey] | None = None) -> int:
        """Announce a tree head, and sign it; its size."""
        keys = keys or self.keys[-1:]
        data = {
            "key": keys[-1].verifying.key_id.hex(),
            "reason": reason,
            "size_before": 0,
            "root_before": None,
        }
        self.append(names.SYSTEM, names.TREE_HEAD_SIGNED, data)
        self.extend_tiles()
        return self.sign_tiles(keys)

    def extend_tiles(self) -> None:
        tiles = Tiles(self.tree)
        tiles.extend(leaf_hash(event.line) for event in self.log.all(tiles.size()))

    def sign_tiles(self, keys: list[SigningKey]) -> int:
        tiles = Tiles(self.tree)
        size = tiles.size()
        note = sign(TreeHead(ORIGIN, size, tiles.root(size)).text(), keys)
        append_note(self.tree / "heads", note)
        (self.tree / "checkpoint").write_bytes(note)
        self.notes.append(note)
        self.sizes.append(size)
        return size

    def rotate(self, seed: int) -> None:
        """Another key signs from here on, which the one before vouches for."""
        old, new = self.keys[-1], key_of(seed)
        data = {
            "key": new.verifying.key_id.hex(),
            "vkey": new.verifying.vkey(),
            "previous": old.verifying.key_id.hex(),
        }
        self.append(names.SYSTEM, names.SIGNING_KEY_CHANGED, data)
        self.keys.append(new)
        self.publish()
        self.sign("rotation", [old, new])

    def erase(self, position: int, *fields: str, finish: bool = True) -> None:
        """As `evt erase` does it, but for the tree head that follows."""
        event = next(self.log.all(position - 1, position))
        buried = tombstone(event.line, fields)
        orders = [one.data for one in self.log.all(types=frozenset({names.EVENT_ERASED}))]
        leaves = [str(order["leaf"]) for order in orders if order["position"] == position]
        data = {
            "position": position,
            "leaf": leaves[0] if leaves else leaf_hash(event.line).hex(),
            "tombstone": leaf_hash(buried).hex(),
            "fields": list(fields),
            "blobs": [],
            "reason": "a test",
        }
        self.append(names.SYSTEM, names.EVENT_ERASED, data)
        if finish:
            self.log.close()
            path = self.root / "logs" / "events.db"
            erase_line(path, position, fields, leaf_hash(event.line), leaf_hash(buried))
            self.log = SqliteLog(path)

    def write_mirror(self) -> None:
        self.mirror.write_bytes(b"".join(event.line + b"\n" for event in self.log.all()))
