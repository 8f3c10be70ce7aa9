"""The Merkle tree is RFC 6962's, each proof leads where it should, and no changed one does."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from eventstore.tree.merkle import (
    BATCH,
    EMPTY,
    Frontier,
    Nodes,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    leaf_hashes,
    node_hash,
    parents,
    root_of,
)

LARGEST = 700
LINES = [b'{"line":%d}' % number for number in range(LARGEST)]
LEAVES = leaf_hashes(LINES)
sizes = st.integers(1, LARGEST)


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + by_definition(leaves[:half]) + by_definition(leaves[half:])).digest()


def perfect(leaves: Sequence[bytes]) -> Nodes:
    """The hashes of all perfect subtrees."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        levels.append(parents(levels[-1]))
    return lambda level, index: levels[level][index]


NODES = perfect(LEAVES)


@pytest.fixture(scope="module")
def oracle() -> InmemoryTree:
    tree = InmemoryTree("sha256")
    tree.append_entries(LINES[:130])
    return tree


def root(size: int) -> bytes:
    return root_of(size, NODES)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# hashes and roots


def test_known_hashes_are_made() -> None:
    """Certificate Transparency's own test values: a leaf of nothing, and a tree of eight leaves."""
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    entries.append("606162636465666768696a6b6c6d6e6f")
    frontier = Frontier()
    frontier.extend(leaf_hashes(map(bytes.fromhex, entries)))
    assert frontier.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_many_leaves_are_hashed_like_one() -> None:
    assert LEAVES == [sha256(b"\x00" + line).digest() for line in LINES] == [*map(leaf_hash, LINES)]
    assert node_hash(LEAVES[0], LEAVES[1]) == sha256(b"\x01" + LEAVES[0] + LEAVES[1]).digest()


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert EMPTY == Frontier().root() == root(0) == sha256(b"").digest()


def test_each_root_is_as_defined_and_as_another_library_has_it(oracle: InmemoryTree) -> None:
    frontier = Frontier()
    for size in range(131):
        expected = by_definition(LEAVES[:size])
        assert frontier.size == size
        assert frontier.root() == root(size) == oracle.get_root(size) == expected, size
        frontier.add(LEAVES[size])


@given(st.lists(st.integers(0, 90), max_size=12))
def test_a_frontier_grows_alike_in_any_portions(portions: list[int]) -> None:
    frontier = Frontier()
    for portion in portions:
        before = frontier.copy()
        more = LEAVES[frontier.size :][:portion]
        frontier.extend(iter(more))
        assert before.size == frontier.size - len(more)
        assert before.root() == root(before.size)
    assert frontier.root() == root(frontier.size)


def test_a_frontier_grows_past_what_it_takes_at_a_time() -> None:
    leaves = leaf_hashes(b"%d" % number for number in range(BATCH + 300))
    frontier = Frontier()
    frontier.extend(leaves)
    assert frontier.size == len(leaves)
    assert frontier.root() == root_of(len(leaves), perfect(leaves))


# inclusion


def test_each_inclusion_proof_is_as_another_library_has_it(oracle: InmemoryTree) -> None:
    for size in range(1, 131):
        for index in range(size):
            proof = inclusion_proof(index, size, NODES)
            assert [LEAVES[index], *proof] == oracle.prove_inclusion(index + 1, size).path
            assert is_included(index, size, LEAVES[index], proof, root(size))


@given(st.data(), sizes)
def test_a_changed_inclusion_proof_leads_nowhere(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, NODES)
    good = [LEAVES[index], root(size), *proof]
    assert is_included(index, size, good[0], good[2:], good[1])
    bad = good.copy()
    place = data.draw(st.integers(0, len(good) - 1))
    bad[place] = flipped(bad[place], data.draw(st.integers(0, 255)))
    assert not is_included(index, size, bad[0], bad[2:], bad[1])
    other = data.draw(st.integers(-1, size).filter(lambda each: each != index))
    assert not is_included(other, size, good[0], proof, good[1])


@pytest.mark.parametrize("size", [1, 2, 3, 8, 13])
def test_an_inclusion_proof_of_another_length_or_form_is_refused(size: int) -> None:
    for index in range(size):
        leaf, proof, top = LEAVES[index], inclusion_proof(index, size, NODES), root(size)
        assert not is_included(index, size, leaf, [*proof, leaf], top)
        if proof:
            assert not is_included(index, size, leaf, proof[:-1], top)
            assert not is_included(index, size, leaf, proof[1:], top)
            assert not is_included(index, size, leaf, [*proof[:-1], proof[-1][:-1]], top)
        assert not is_included(index, size, leaf + b"\0", proof, top)
        assert not is_included(index, 0, leaf, proof, top)


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    """The leaf whose line is two hashes would, if leaves and nodes were hashed alike."""
    pair = node_hash(LEAVES[0], LEAVES[1])
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != pair
    assert not is_included(0, 4, pair, [node_hash(LEAVES[2], LEAVES[3])], root(4))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (5, 3)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"a tree of {size} leaves has no leaf {index}"):
        inclusion_proof(index, size, NODES)


# consistency


def subproof(old: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if whole else [by_definition(leaves)]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= half:
        return [*subproof(old, leaves[:half], whole), by_definition(leaves[half:])]
    return [*subproof(old - half, leaves[half:], False), by_definition(leaves[:half])]


def test_each_consistency_proof_is_as_defined() -> None:
    """pymerkle is no witness here: its proofs go down to other nodes than those of the RFC."""
    for size in range(1, 50):
        for old in range(1, size + 1):
            proof = consistency_proof(old, size, NODES)
            assert list(proof) == subproof(old, LEAVES[:size], True)
            assert is_consistent(old, root(old), size, root(size), proof)


@given(st.data(), sizes)
def test_a_changed_consistency_proof_leads_nowhere(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(old, size, NODES)
    good = [root(old), root(size), *proof]
    assert is_consistent(old, good[0], size, good[1], good[2:])
    bad = good.copy()
    place = data.draw(st.integers(0, len(good) - 1))
    bad[place] = flipped(bad[place], data.draw(st.integers(0, 255)))
    assert not is_consistent(old, bad[0], size, bad[1], bad[2:])
    assert not is_consistent(old, good[0], size, good[1], [*proof, good[0]])
    if proof:
        assert not is_consistent(old, good[0], size, good[1], proof[:-1])
        assert not is_consistent(old, good[0], size, good[1], [*proof[:-1], b""])


@given(st.data(), sizes)
def test_a_tree_with_a_changed_past_is_not_consistent(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size))
    changed = LEAVES[:size]
    place = data.draw(st.integers(0, old - 1))
    changed[place] = flipped(changed[place], data.draw(st.integers(0, 255)))
    other = perfect(changed)
    proof = consistency_proof(old, size, other)
    assert not is_consistent(old, root(old), size, root_of(size, other), proof)


def test_every_tree_grows_from_nothing_without_a_proof() -> None:
    for size in (0, 1, 2, 7):
        assert consistency_proof(0, size, NODES) == ()
        assert is_consistent(0, EMPTY, size, root(size), ())
    assert not is_consistent(0, LEAVES[0], 7, root(7), ())
    assert not is_consistent(0, EMPTY, 7, root(7), (LEAVES[0],))
    assert not is_consistent(0, LEAVES[0], 0, LEAVES[0], ())
    assert not is_consistent(3, root(3), 2, root(2), ())
    assert not is_consistent(1, root(1), 2, root(2), ())


def test_a_tree_is_consistent_with_itself_alone() -> None:
    assert consistency_proof(5, 5, NODES) == ()
    assert is_consistent(5, root(5), 5, root(5), ())
    assert not is_consistent(5, root(5), 5, root(6), ())
    assert not is_consistent(5, root(5), 5, root(5), (LEAVES[0],))


@pytest.mark.parametrize(("old", "new"), [(2, 1), (-1, 1)])
def test_a_smaller_tree_has_no_larger_beginning(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not begin with one of"):
        consistency_proof(old, new, NODES)
