"""The Merkle tree over the log's lines, its proofs and how they are checked (RFC 6962, section 2.1)."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import islice
from typing import Final, Self

EMPTY: Final[bytes] = sha256(b"").digest()
"""The root of a tree without leaves."""

HASH_SIZE: Final = 32
LEAF: Final = b"\x00"
NODE: Final = b"\x01"
BATCH: Final = 2**11
"""Leaves that `Frontier.extend` takes at a time: few enough to stay in a processor's cache."""

Nodes = Callable[[int, int], bytes]
"""(level, index) → the hash of a perfect subtree: leaves index·2^level up to (index + 1)·2^level."""


def leaf_hash(line: bytes) -> bytes:
    """The hash of a leaf: 32 bytes over the stored line, without its newline."""
    return sha256(LEAF + line).digest()


def leaf_hashes(lines: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of many lines, quicker."""
    digest, prefix = sha256, LEAF
    return [digest(prefix + line).digest() for line in lines]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: 32 bytes over those of its children."""
    return sha256(NODE + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """The next level up; an odd last hash has no parent yet and is left out."""
    digest, prefix = sha256, NODE
    each = iter(hashes)
    return [digest(prefix + left + right).digest() for left, right in zip(each, each, strict=False)]


class Frontier:
    """A growing tree of which only the roots of its perfect subtrees are kept: one a level at most."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes | None] = []

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self._take([leaf])

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes (of 32 bytes each); many at a time are quicker than one by one."""
        each = iter(leaves)
        while batch := list(islice(each, BATCH)):
            self._take(batch)

    def _take(self, hashes: list[bytes]) -> None:
        self.size += len(hashes)
        peaks, level = self._peaks, 0
        while hashes:
            if level == len(peaks):
                peaks.append(None)
            if (waiting := peaks[level]) is not None:
                hashes.insert(0, waiting)
            peaks[level] = hashes[-1] if len(hashes) % 2 else None
            hashes = parents(hashes)
            level += 1

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return _joined([peak for peak in self._peaks if peak is not None]) if self.size else EMPTY

    def copy(self) -> Self:
        """Another frontier that starts from here."""
        other = type(self)()
        other.size, other._peaks = self.size, self._peaks.copy()
        return other


def root_of(size: int, nodes: Nodes) -> bytes:
    """The root of the first `size` leaves. Raises what `nodes` raises."""
    return _range_root(0, size, nodes) if size else EMPTY


def inclusion_proof(index: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """What proves that leaf `index` (from 0) is in the tree of `size` leaves (section 2.1.1).

    Raises ValueError where that tree has no such leaf, and what `nodes` raises.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    proof = []
    level, node, last = 0, index, size - 1
    while last:
        if node % 2:
            proof.append(nodes(level, node - 1))
        elif node < last:
            stop = min(size, (node + 2) << level)  # the last node of a level may be no perfect subtree
            proof.append(_range_root((node + 1) << level, stop, nodes))
        level, node, last = level + 1, node >> 1, last >> 1
    return tuple(proof)


def consistency_proof(old: int, new: int, nodes: Nodes) -> tuple[bytes, ...]:
    """What proves that the tree of `new` leaves begins with the tree of `old` ones (section 2.1.2).

    It is empty from nothing to anything, and from a tree to itself. Raises ValueError where `old`
    is the larger, and what `nodes` raises.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not begin with one of {old}")
    if not old:
        return ()
    proof = []
    start, stop = 0, new
    while old != stop:
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        if old <= middle:
            proof.append(_range_root(middle, stop, nodes))
            stop = middle
        else:
            proof.append(_range_root(start, middle, nodes))
            start = middle
    if start:  # otherwise it is the old root, which the verifier knows
        proof.append(_range_root(start, stop, nodes))
    return tuple(reversed(proof))


def is_included(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf hash to the root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    node, last, reached = index, size - 1, leaf
    for sibling in proof:
        if not last:
            return False
        if node % 2 or node == last:
            reached = node_hash(sibling, reached)
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    return not last and reached == root


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof leads from the old root to the new one (RFC 9162, section 2.1.4.2)."""
    if not 0 <= old_size <= size or not _are_hashes(old_root, root, *proof):
        return False
    if old_size == size:
        return not proof and old_root == root and (size > 0 or root == EMPTY)
    if not old_size:
        return not proof and old_root == EMPTY
    path = list(proof)
    if not old_size & (old_size - 1):  # a perfect tree: its root begins the path
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old_size - 1, size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    reached_old = reached = path[0]
    for sibling in path[1:]:
        if not last:
            return False
        if node % 2 or node == last:
            reached_old = node_hash(sibling, reached_old)
            reached = node_hash(sibling, reached)
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    return not last and reached_old == old_root and reached == root


def _range_root(start: int, stop: int, nodes: Nodes) -> bytes:
    """The root over leaves start..stop; `start` is a multiple of a power of two not below their number."""
    count = stop - start
    return _joined(
        [nodes(level, (stop >> level) - 1) for level in range(count.bit_length()) if count >> level & 1]
    )


def _joined(peaks: Sequence[bytes]) -> bytes:
    """One root over neighbouring perfect subtrees, the smallest (the last leaves) first."""
    reached = peaks[0]
    for peak in peaks[1:]:
        reached = node_hash(peak, reached)
    return reached


def _are_hashes(*values: bytes) -> bool:
    """Another length could pass for an inner node."""
    return all(len(value) == HASH_SIZE for value in values)
