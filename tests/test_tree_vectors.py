"""Tree, tiles, proofs and notes agree with what Go's transparency log packages made."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from eventstore.tree.head import SignedHead, TreeHead
from eventstore.tree.merkle import (
    EMPTY,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hashes,
)
from eventstore.tree.signed_note import SigningKey, VerifyingKey, opened, sign
from eventstore.tree.tiles import Tiles

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "samples" / "tree" / "vectors.json").read_text(encoding="utf-8")
)
SIZE = 70_000


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    return leaf_hashes(b"leaf %d" % index for index in range(SIZE))


@pytest.fixture(scope="module")
def tiles(leaves: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Tiles:
    """Grown from one size of the vectors to the next, as a log grows from tree head to tree head."""
    tree = Tiles(tmp_path_factory.mktemp("tree"))
    for each in VECTORS["trees"]:
        held = tree.size()
        assert tree.extend(leaves[held : each["size"]]) == each["size"]
        for tile in each["tiles"]:
            content = (tree.folder / tile["path"]).read_bytes()
            assert sha256(content).hexdigest() == tile["sha256"], tile["path"]
    return tree


def test_each_root_is_the_same(tiles: Tiles, leaves: list[bytes]) -> None:
    for each in VECTORS["trees"]:
        frontier = Frontier()
        frontier.extend(leaves[: each["size"]])
        assert frontier.root().hex() == tiles.root(each["size"]).hex() == each["root"]


def test_each_inclusion_proof_is_the_same(tiles: Tiles, leaves: list[bytes]) -> None:
    for each in VECTORS["inclusion"]:
        index, size = each["index"], each["size"]
        proof = inclusion_proof(index, size, tiles.node)
        assert [part.hex() for part in proof] == each["proof"]
        assert is_included(index, size, leaves[index], proof, tiles.root(size))


def test_each_consistency_proof_is_the_same(tiles: Tiles) -> None:
    for each in VECTORS["consistency"]:
        old, size = each["old"], each["size"]
        proof = consistency_proof(old, size, tiles.node)
        assert [part.hex() for part in proof] == each["proof"]
        assert is_consistent(old, tiles.root(old), size, tiles.root(size), proof)


def test_each_key_is_read_and_written_alike() -> None:
    for each in VECTORS["keys"]:
        key = SigningKey.parse(each["private"])
        assert key.text() == each["private"]
        assert key.verifying.vkey() == each["vkey"]
        assert VerifyingKey.parse(each["vkey"]) == key.verifying


def test_each_note_is_signed_to_the_same_bytes_and_opens() -> None:
    for each in VECTORS["notes"]:
        keys = [SigningKey.parse(VECTORS["keys"][place]["private"]) for place in each["keys"]]
        note = sign(each["text"], keys)
        assert note.decode() == each["note"]
        verifying = tuple(key.verifying for key in keys)
        assert opened(note, verifying) == (each["text"], verifying)


def test_the_notes_over_tree_heads_head_these_trees() -> None:
    roots = {0: EMPTY.hex(), **{each["size"]: each["root"] for each in VECTORS["trees"]}}
    keys = [VerifyingKey.parse(each["vkey"]) for each in VECTORS["keys"]]
    origin = keys[0].name
    heads = [each for each in VECTORS["notes"] if each["text"].startswith(origin)]
    assert [len(each["keys"]) for each in heads] == [1, 1, 1, 1, 2]
    for each in heads:
        signed = SignedHead.opened(each["note"].encode(), keys, origin)
        assert signed.head == TreeHead(origin, signed.head.size, bytes.fromhex(roots[signed.head.size]))
        assert signed.head.text() == each["text"]
        assert signed.signers == tuple(keys[place] for place in each["keys"])
