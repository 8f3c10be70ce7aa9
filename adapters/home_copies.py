"""Copy what lies beside a log: its blobs, each held against its name, and the files of its tree."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.blob_store import BlobDamaged, read_blob
from adapters.safe_files import replace, sync_folder, temporary_beside, unlink, write_atomically
from eventstore.regular_file import opened, read_regular

BLOB = re.compile(r"([0-9a-f]{64})\.gz")
NEWEST: Final = ("keys", "heads", "checkpoint")
"""What speaks of the tiles is copied after them."""


def blobs_in(root: Path) -> Iterator[tuple[str, Path]]:
    """SHA-256 and file of each blob; other files are no blobs."""
    for path in sorted((root / "sha256").glob("??/*.gz")):
        if (name := BLOB.fullmatch(path.name)) and path.parent.name == name[1][:2]:
            yield name[1], path


def copy_blobs(source: Path, target: Path) -> int:
    """Copy those that are not there yet; how many. Raises BlobDamaged, and copies no such one; OSError."""
    copied = 0
    for name, path in blobs_in(source):
        place = target / "sha256" / name[:2] / path.name
        if place.exists():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(place)
        try:
            read_blob(source, name)
            with opened(path) as old, temporary.open("xb") as new:
                shutil.copyfileobj(old, new)
                new.flush()
                os.fsync(new.fileno())
            replace(temporary, place)
        except FileNotFoundError:
            if path.exists():
                raise
            continue  # erased meanwhile
        finally:
            unlink(temporary)
        sync_folder(place.parent)
        copied += 1
    return copied


def check_blobs(root: Path) -> int:
    """How many there are. Raises BlobDamaged for one that is not what its name says, OSError."""
    names = [name for name, _ in blobs_in(root)]
    for name in names:
        read_blob(root, name)
    return len(names)


def copy_tree(source: Path, target: Path) -> None:
    """Tiles first, then what speaks of them, so that each state of the copy is sound. Raises OSError."""
    if not source.is_dir():
        return
    files = [path for path in sorted((source / "tile").rglob("*")) if path.is_file()]
    files += [source / name for name in NEWEST]
    for path in files:
        try:
            content = read_regular(path)
        except FileNotFoundError:
            continue  # a part of a tile goes when the tile is full
        place = target / path.relative_to(source)
        if place.exists() and read_regular(place) == content:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, content)


__all__ = ["BlobDamaged", "blobs_in", "check_blobs", "copy_blobs", "copy_tree"]
