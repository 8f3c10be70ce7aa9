"""What a crash, a change of keys or an erasure leaves, of which the audit must not warn."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from eventstore.sqlite.log import SqliteLog
from eventstore.tree.tiles import Tiles
from tests.signed_trees import SignedLog
from tools.tampering.forged import Forged

Case = Callable[[Forged], tuple[str, ...]]
"""Brings a copy into a state that is honest; what further arguments the audit gets."""


def _resumed(forged: Forged) -> SignedLog:
    """The log, to go on with."""
    sample, log = forged.sample, SqliteLog(forged.root / "logs" / "events.db")
    return SignedLog(forged.root, log, list(sample.keys), forged.random)


def as_it_is(forged: Forged) -> tuple[str, ...]:
    return ()


def mirror_cut_anywhere(forged: Forged) -> tuple[str, ...]:
    path = forged.root / "logs" / "events.ndjson"
    content = path.read_bytes()
    path.write_bytes(content[: forged.random.randrange(len(content))])
    return ()


def mirror_missing(forged: Forged) -> tuple[str, ...]:
    (forged.root / "logs" / "events.ndjson").unlink()
    return ()


def events_behind_the_last_tree_head(forged: Forged) -> tuple[str, ...]:
    made = _resumed(forged)
    made.grow(forged.random.randint(1, 400))
    made.log.close()
    return ()


def tiles_longer_than_tree_heads(forged: Forged) -> tuple[str, ...]:
    """The crash came between the tiles and the signature; perhaps in the midst of the tiles."""
    made = _resumed(forged)
    made.grow(forged.random.randint(1, 300))
    tiles = Tiles(forged.tree)
    made.extend_tiles()
    tiles.cut(forged.random.randint(forged.sample.anchored, tiles.size()))
    made.close()
    return ()


def tree_head_torn(forged: Forged) -> tuple[str, ...]:
    """The crash came while the signature was written."""
    made = _resumed(forged)
    made.grow(3)
    made.sign()
    made.close()
    note = made.notes[-1]
    left = forged.random.randrange(1, len(note) + 1)
    torn = (forged.tree / "heads").read_bytes().removesuffix(note + b"\n") + note[:left]
    (forged.tree / "heads").write_bytes(torn)
    (forged.tree / "checkpoint").write_bytes(forged.sample.notes[-1])
    return ()


def checkpoint_not_replaced(forged: Forged) -> tuple[str, ...]:
    path = forged.tree / "checkpoint"
    if len(forged.sample.notes) > 1 and forged.random.random() < 0.7:
        path.write_bytes(forged.sample.notes[-2])
    else:
        path.unlink()
    return ()


def key_changed(forged: Forged) -> tuple[str, ...]:
    made = _resumed(forged)
    made.grow(5)
    made.rotate(forged.random.randrange(10**6))
    made.grow(5)
    made.sign()
    if forged.random.random() < 0.5:
        made.rotate(forged.random.randrange(10**6))
    made.close()
    chosen = forged.random.choice([None, *made.keys])
    return () if chosen is None else ("--key", chosen.verifying.vkey())


def erased(forged: Forged) -> tuple[str, ...]:
    made = _resumed(forged)
    texts = [
        event.global_position
        for event in made.log.all(1, forged.sample.anchored)
        if event.data.get("text") and event.data["text"] != "[erased]"
    ]
    for position in forged.random.sample(texts, min(len(texts), 3)):
        made.erase(position, "text")
        if forged.random.random() < 0.5:
            made.erase(position, "parts")
    made.sign("erasure")
    made.close()
    return ()


def erasure_not_carried_out(forged: Forged) -> tuple[str, ...]:
    """Ordered and signed; the crash came before the line was replaced."""
    made = _resumed(forged)
    texts = [
        event.global_position for event in made.log.all(1, forged.sample.anchored) if "parts" in event.data
    ]
    for position in forged.random.sample(texts, min(len(texts), 1)):
        made.erase(position, "parts", finish=False)
    made.sign("erasure")
    made.close()
    return ()


def with_an_anchor(forged: Forged) -> tuple[str, ...]:
    kept = forged.random.sample(forged.sample.notes, forged.random.randint(1, len(forged.sample.notes)))
    return ("--anchor", forged.keep("anchor", *kept))


def the_text_alone(forged: Forged) -> tuple[str, ...]:
    path = forged.root / "logs" / "events.ndjson"
    if forged.random.random() < 0.3:
        with path.open("ab") as file:
            file.write(b'{"actor":"cli:somebo')
    # An older tree head cannot know what was erased since.
    notes = forged.sample.notes if forged.sample.buried is None else forged.sample.notes[-1:]
    kept = forged.keep("tree-head", forged.random.choice(notes))
    return ("--log", str(path), "--tree-head", kept, *forged.all_keys())


HONEST: Mapping[str, Case] = MappingProxyType(
    {
        case.__name__: case
        for case in (
            as_it_is,
            mirror_cut_anywhere,
            mirror_missing,
            events_behind_the_last_tree_head,
            tiles_longer_than_tree_heads,
            tree_head_torn,
            checkpoint_not_replaced,
            key_changed,
            erased,
            erasure_not_carried_out,
            with_an_anchor,
            the_text_alone,
        )
    }
)
