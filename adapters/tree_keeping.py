"""The home's Merkle tree beside its log: tiles brought up to the head, and the head signed."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

import trio

from adapters.safe_files import write_atomically
from adapters.signing_keys import VARIABLE, KeyUnusable, SigningKeys
from adapters.tree_mending import CHECKPOINT, HEADS, hurt, put_right
from eventstore.file_lock import FileLock
from eventstore.log import Log
from eventstore.regular_file import read_regular
from eventstore.tree.head import NotesDamaged, SignedHead, TreeHead, append_note, read_notes
from eventstore.tree.merkle import leaf_hashes
from eventstore.tree.signed_note import NoteRefused, SigningKey, VerifyingKey
from eventstore.tree.tiles import Tiles, TilesDamaged
from handlers.ports.log import HeadRefused, HeadStanding
from schemas import names

KEYS: Final = "keys"
BATCH: Final = 1000
GO_ON: Final = (
    "run `evt recover`; if you put an older log back yourself, `evt recover --from-log` goes on with that one"
)


class TreeKeeping:
    """Makes tree heads. `log` is the bare one; `keys` hold the private key of `origin`."""

    def __init__(self, folder: Path, log: Log, keys: SigningKeys, origin: str) -> None:
        self._folder = folder
        self._log = log
        self._keys = keys
        self._origin = origin
        self._lock = FileLock(folder / ".lock")

    def prepare(self) -> None:
        """Have a key, and publish its public part. Raises HeadRefused, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._signing()

    def size_now(self) -> int:
        """The size of the newest tree head, 0 where there is none. Raises HeadRefused, OSError."""
        head = self._newest(self._known_keys())
        return 0 if head is None else head.size

    def ready_now(self) -> HeadStanding:
        """Whether a tree head may be signed, and after which one. Raises HeadRefused, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            key, _ = self._signing()
            head = self._checked(Tiles(self._folder))
        last = next(iter(self._log.all(max(0, self._log.head() - 1))), None)
        size = 0 if head is None else head.size
        pending = last is not None and last.type == names.TREE_HEAD_SIGNED and last.global_position > size
        return HeadStanding(key.verifying.key_id.hex(), size, None if head is None else head.root, pending)

    def sign_now(self) -> TreeHead:
        """A tree head over all that stands in the log. Raises HeadRefused, OSError."""
        with self._lock:
            key, coming = self._signing()
            tiles = Tiles(self._folder)
            before = self._checked(tiles)
            upto = self._log.head()
            try:
                root = self._grown(tiles, before, upto)
            except TilesDamaged:  # where the root before it does not show it
                self._make_again(tiles, before)
                root = self._grown(tiles, before, upto)
            head = TreeHead(self._origin, upto, root)
            signers = (key,) if coming is None else (key, coming)
            note = SignedHead.signed(head, signers).note
            # What the key remembers comes first: a crash in between leaves a head that was not published,
            # and the next one follows from it all the same.
            self._keys.remember(note)
            try:
                append_note(self._folder / HEADS, note)
            except NotesDamaged as damaged:
                raise HeadRefused(str(damaged)) from damaged
            write_atomically(self._folder / CHECKPOINT, note)
        return head

    def change_key(self, *, lost: bool) -> tuple[VerifyingKey, VerifyingKey | None]:
        """The next key, made now or by a change that was cut short, and the one at work, if it is here.

        Raises HeadRefused (without `lost` also where the one at work is not here), OSError.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            if self._keys.given:
                raise HeadRefused(
                    f"{VARIABLE} brings the key: write it to {self._keys.path} and take it out of the "
                    "environment; the new one is there afterwards"
                )
            current, coming = self._keys.key(), self._keys.next_key()
            if current is not None:
                self._check_vouched(current, coming)
            with self._lock:
                self._checked(Tiles(self._folder))  # before anything says that there is a new one
            if current is None and not lost:
                raise HeadRefused(
                    f"the private key of this home is not here ({self._keys.path}): bring it, "
                    "or say `--lost`, and nobody vouches for the new one"
                )
            coming = coming or self._keys.create_next()
        except KeyUnusable as unusable:
            raise HeadRefused(str(unusable)) from unusable
        return coming.verifying, None if current is None else current.verifying

    def parted_now(self) -> str | None:
        """Why no tree head follows from the last one that the key remembers; None where one does.

        Raises HeadRefused, where the log does not follow from those in its own folder either; OSError.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if (remembered := self._keys.remembered()) is None:
                return None
            known, tiles = self._known_keys(), Tiles(self._folder)
            try:
                self._follows(tiles, self._opened(remembered, known, self._keys.path.with_suffix(".head")))
            except HeadRefused as parted:
                if (head := self._newest(known)) is not None:
                    self._follows(tiles, head)
                return str(parted).partition(";")[0]
        return None

    def set_aside(self, folder: Path) -> None:
        """Somebody who knows it put an older log back: what the key remembers moves there. Raises OSError."""
        with self._lock:
            if (remembered := self._keys.remembered()) is not None:
                folder.mkdir()
                write_atomically(folder / CHECKPOINT, remembered)
                self._keys.forget()

    def mend_now(self, aside: Callable[[], Path]) -> tuple[str, Path] | None:
        """What was wrong with the tree heads, and the folder that `aside` named, which holds it now.

        None where each can be read. Raises HeadRefused, OSError.
        """
        if not self._folder.is_dir():
            return None
        with self._lock:
            with suppress(HeadRefused):
                self._signing()  # publishes our own key, should its line be gone
            try:
                found = hurt(self._folder, self._keys.head_path, self._known_keys(), self._origin)
            except KeyUnusable as unusable:
                raise HeadRefused(str(unusable)) from unusable
            if not found.places:
                return None
            kept = put_right(found, self._folder, aside)
        places = " and ".join("/".join(path.parts[-2:]) for path in found.places)
        return f"{places} held what no key of this home has signed", kept

    def finish_change(self) -> None:
        """The new key has signed: from now on it alone does."""
        self._keys.take_next()

    async def size(self) -> int:
        """See size_now."""
        return await trio.to_thread.run_sync(self.size_now)

    async def ready(self) -> HeadStanding:
        """See ready_now."""
        return await trio.to_thread.run_sync(self.ready_now)

    async def sign(self) -> int:
        """See sign_now; the size of the tree."""
        return (await trio.to_thread.run_sync(self.sign_now)).size

    def _signing(self) -> tuple[SigningKey, SigningKey | None]:
        """The key at work, and during a change of keys the next one."""
        try:
            key, coming = self._keys.key(), self._keys.next_key()
            if coming is not None and not self._announced(coming.verifying):
                coming = None  # a change was begun and nobody said so yet
            if key is None and coming is None and not self._known_keys():
                key = self._keys.create()
        except KeyUnusable as unusable:
            raise HeadRefused(f"the tree head cannot be signed: {unusable}") from unusable
        if key is not None:
            self._check_vouched(key, coming)
        elif coming is not None:
            key, coming = coming, None  # the key before it is lost
        if key is None:
            raise HeadRefused(
                f"the private key of this home is not here ({self._keys.path}): bring it from where the home "
                "was made, or begin a new one with `evt key change --lost`"
            )
        for one in (key, coming):
            if one is not None:
                self._publish(one.verifying)
        return key, coming

    def _check_vouched(self, key: SigningKey, coming: SigningKey | None) -> None:
        """A tree head of another key than the last one would stand as false for ever. Raises HeadRefused."""
        before = [one for one in self._known_keys() if coming is None or one != coming.verifying]
        if before and before[-1] != key.verifying:
            raise HeadRefused(
                f"{self._keys.where} is key {key.verifying.key_id.hex()}, and the tree heads of this home "
                f"are signed with {before[-1].key_id.hex()}: put that one there, or take this one away and "
                "begin a new one with `evt key change --lost`"
            )

    def _announced(self, key: VerifyingKey) -> bool:
        events = self._log.all(types=frozenset({names.SIGNING_KEY_CHANGED}))
        return any(event.data["vkey"] == key.vkey() for event in events)

    def _known_keys(self) -> list[VerifyingKey]:
        """The public keys in the tree's folder, oldest first. Raises HeadRefused."""
        path = self._folder / KEYS
        try:
            lines = read_regular(path).decode().split()
        except FileNotFoundError:
            return []
        except UnicodeDecodeError as error:
            raise HeadRefused(f"{path} holds no keys ({error}): put it back, or move it away") from error
        try:
            return [VerifyingKey.parse(line) for line in lines]
        except NoteRefused as error:
            raise HeadRefused(f"{path} holds a line that is no key ({error}): put it back") from error

    def _publish(self, key: VerifyingKey) -> None:
        known = self._known_keys()
        if key not in known:
            text = "".join(f"{one.vkey()}\n" for one in (*known, key))
            write_atomically(self._folder / KEYS, text.encode())

    def _newest(self, known: list[VerifyingKey]) -> TreeHead | None:
        """The newest tree head in the folder that one of the known keys signed."""
        try:
            note = read_regular(self._folder / CHECKPOINT)
        except FileNotFoundError:
            notes, _ = read_notes(self._folder / HEADS)
            if not notes:
                return None
            note = notes[-1]
        return self._opened(note, known, self._folder / CHECKPOINT)

    def _opened(self, note: bytes, known: list[VerifyingKey], path: Path) -> TreeHead:
        try:
            return SignedHead.opened(note, known, self._origin).head
        except NoteRefused as error:
            raise HeadRefused(
                f"{path} is no tree head of this home ({error}): `evt audit` says what else was changed, "
                "and `evt recover` puts it right from the others"
            ) from error

    def _checked(self, tiles: Tiles) -> TreeHead | None:
        """The newest tree head, after the log and the tiles were held against it. Raises HeadRefused."""
        known = self._known_keys()
        head = self._newest(known)
        if (remembered := self._keys.remembered()) is not None:
            ours = self._opened(remembered, known, self._keys.path.with_suffix(".head"))
            head = ours if head is None or ours.size > head.size else head
            self._follows(tiles, ours)
        if head is not None:
            self._follows(tiles, head)
        return head

    def _follows(self, tiles: Tiles, head: TreeHead) -> None:
        """Whether the tree as it stands has grown out of `head`; tiles that are hurt are made again."""
        if self._log.head() < head.size:
            raise HeadRefused(
                f"a tree head over {head.size} events was signed, and the log ends at {self._log.head()}: "
                f"the log was cut or is an older copy; {GO_ON}"
            )
        if not self._holds(tiles, head):
            self._make_again(tiles, head)

    def _make_again(self, tiles: Tiles, head: TreeHead | None) -> None:
        """All tiles up to `head`, from the log. Raises HeadRefused."""
        tiles.cut(0)
        if head is None:
            return
        tiles.extend(self._leaves(0, head.size))
        if not self._holds(tiles, head):
            raise HeadRefused(
                f"the first {head.size} events are not those that were signed; "
                f"`evt audit` names the place; {GO_ON}"
            )

    def _grown(self, tiles: Tiles, before: TreeHead | None, upto: int) -> bytes:
        """The root over the first `upto` events, with tiles for all of them. Raises TilesDamaged."""
        size = 0 if before is None else before.size
        if tiles.size() > size:
            tiles.cut(size)  # a head was begun and never signed
        tiles.extend(self._leaves(size, upto))
        return tiles.root(upto)

    def _holds(self, tiles: Tiles, head: TreeHead) -> bool:
        """Whether the tiles give the head's root, and the log's last signed line is the tiles' one."""
        try:
            if tiles.size() < head.size or tiles.root(head.size) != head.root:
                return False
            if not head.size:
                return True
            (there,) = tiles.leaves(head.size - 1, head.size)
        except TilesDamaged:
            return False
        return there in self._leaves(head.size - 1, head.size)

    def _leaves(self, after: int, upto: int) -> Iterator[bytes]:
        """The hashes of the log's lines; of an erased one that of the line as it was."""
        erased: dict[int, bytes] = {}
        for event in self._log.all(after, types=frozenset({names.EVENT_ERASED})):
            erased[int(event.data["position"])] = bytes.fromhex(event.data["leaf"])
        events = self._log.all(after, upto)
        while batch := list(islice(events, BATCH)):
            hashes = leaf_hashes([event.line for event in batch])
            for event, leaf in zip(batch, hashes, strict=True):
                yield erased.get(event.global_position, leaf)
