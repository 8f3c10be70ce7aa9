"""Tree heads that something has hurt, put right from those beside them that are whole.

The newest one stands at three places: in a file of its own, last in the list of all, and with the key that
signed it. A disk or a hand may hurt each of them, and no tree head follows from what cannot be read.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from adapters.safe_files import replace, unlink, write_atomically
from eventstore.audit.heads import stated_in
from eventstore.regular_file import NotRegular, read_regular
from eventstore.tree.head import SignedHead
from eventstore.tree.signed_note import NoteRefused, VerifyingKey
from handlers.ports.log import HeadRefused

HEADS: Final = "heads"
CHECKPOINT: Final = "checkpoint"
ODD: Final = (NotRegular, IsADirectoryError)


class Hurt(NamedTuple):
    """`places` hold what no known key has signed; `whole` are all tree heads of the folder, oldest first."""

    places: tuple[Path, ...]
    whole: tuple[SignedHead, ...]


class _Place(NamedTuple):
    """What stands in one file: tree heads that a known key signed, and whether there is anything else."""

    signed: list[SignedHead]
    others: bool
    ours: bool
    """Whether one of the others says that it is of this log: then a key may be missing."""


def hurt(folder: Path, remembered: Path, keys: Sequence[VerifyingKey], origin: str) -> Hurt:
    """Look through the tree heads in `folder` and the one beside the key. Raises HeadRefused, OSError.

    HeadRefused where it is rather the keys that are wrong: nothing that they signed may be put away.
    """
    found: dict[Path, _Place] = {}
    for path in (folder / HEADS, folder / CHECKPOINT, remembered):
        with suppress(FileNotFoundError):
            found[path] = _looked_into(path, keys, origin)
    if any(place.ours for place in found.values()) and not any(place.signed for place in found.values()):
        known = folder / "keys"
        raise HeadRefused(f"no key in {known} has signed any tree head of this home: put that file back")
    whole = {one.note: one for path, place in found.items() if path != remembered for one in place.signed}
    return Hurt(
        tuple(path for path, place in found.items() if place.others),
        tuple(sorted(whole.values(), key=lambda one: one.head.size)),
    )


def put_right(found: Hurt, folder: Path, aside: Callable[[], Path]) -> Path:
    """Keep what is hurt in the folder that `aside` names, and leave what is whole. Raises OSError.

    The copies come first, so it can be cut short anywhere and done again.
    """
    kept = aside()
    kept.mkdir()
    for path in found.places:
        try:
            write_atomically(kept / path.name, read_regular(path))
        except ODD:
            replace(path, kept / path.name)
    for path in found.places:
        if path == folder / HEADS and found.whole:
            write_atomically(path, b"".join(one.note + b"\n" for one in found.whole))
        elif path == folder / CHECKPOINT and found.whole:
            write_atomically(path, found.whole[-1].note)
        else:
            unlink(path)
    return kept


def _looked_into(path: Path, keys: Sequence[VerifyingKey], origin: str) -> _Place:
    try:
        content = read_regular(path)
    except ODD:
        return _Place([], others=True, ours=False)
    stated, rest = stated_in(content, path.name)
    place = _Place([], others=False, ours=False)
    for one in stated:
        try:
            place.signed.append(SignedHead.opened(one.note, keys, origin))
        except NoteRefused:
            claim = one.claim
            place = place._replace(
                others=True, ours=place.ours or (claim is not None and claim.origin == origin)
            )
    # The list may end in the beginning of a note; each other file is one note and nothing else.
    alone = path.name == HEADS or (not rest and len(stated) == 1)
    return place._replace(others=place.others or not alone)
