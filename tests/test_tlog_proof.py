"""Proofs follow c2sp.org/tlog-proof: each true one is accepted offline, and no changed one is."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.tree.head import SignedHead, TreeHead
from eventstore.tree.merkle import Frontier, inclusion_proof, leaf_hashes, node_hash, root_of
from eventstore.tree.proof import Proof, ProofRefused
from eventstore.tree.signed_note import NoteRefused, SigningKey, sign

ORIGIN = "urn:evt:01jd3v6kq8e0r8m1n4k5x7y9zt"
KEY = SigningKey.parse(
    "PRIVATE+KEY+urn:evt:01jd3v6kq8e0r8m1n4k5x7y9zt+4e803236+AXO/oRUrsn9HZLHmkqRtbeQASBkxj4b8TLnzY6xbSYdU"
)
"""Made for tests."""

KNOWN = [KEY.verifying]
SIZE = 100
LINES = [b'{"line":%d}' % number for number in range(SIZE)]
LEAVES = leaf_hashes(LINES)


def node(level: int, index: int) -> bytes:
    frontier = Frontier()
    frontier.extend(LEAVES[index << level : (index + 1) << level])
    return frontier.root()


def head(size: int, *keys: SigningKey) -> SignedHead:
    return SignedHead.signed(TreeHead(ORIGIN, size, root_of(size, node)), keys or [KEY])


def proof(index: int, size: int, extra: bytes = b"") -> Proof:
    return Proof(index, inclusion_proof(index, size, node), head(size).note, extra)


GOOD = proof(5, 7)
TEXT = GOOD.text()


def test_a_proof_is_a_text_as_the_specification_shows_it() -> None:
    expected = [
        "c2sp.org/tlog-proof@v1",
        "extra ZXh0cmE=",
        "index 5",
        *TEXT.split("\n")[2:5],
        "",
        *head(7).note.decode().split("\n"),
    ]
    assert proof(5, 7, b"extra").text().split("\n") == expected
    assert len(GOOD.hashes) == 3


@given(st.data(), st.integers(1, SIZE), st.binary(max_size=20))
def test_each_proof_of_each_line_is_accepted(data: st.DataObject, size: int, extra: bytes) -> None:
    index = data.draw(st.integers(0, size - 1))
    made = proof(index, size, extra)
    for form in (made.text(), made.text().encode()):
        read = Proof.parse(form)
        assert read == made
        assert read.check(LINES[index], KNOWN) == head(size)
        assert read.check(LINES[index], KNOWN, ORIGIN).head.size == size
        assert read.check_leaf(LEAVES[index], KNOWN) == head(size)
    other = data.draw(st.integers(0, SIZE - 1).filter(lambda each: each != index))
    with pytest.raises(ProofRefused, match="do not lead from the line to the root"):
        made.check(LINES[other], KNOWN)


def test_a_proof_with_any_bit_flipped_is_refused() -> None:
    content = TEXT.encode()
    for bit in range(len(content) * 8):
        bad = bytearray(content)
        bad[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoteRefused):
            Proof.parse(bytes(bad)).check(LINES[5], KNOWN)


def test_a_proof_that_is_cut_anywhere_is_refused() -> None:
    for end in range(len(TEXT)):
        with pytest.raises(NoteRefused):
            Proof.parse(TEXT[:end]).check(LINES[5], KNOWN)


FIRST = "the first line of a proof is c2sp.org/tlog-proof@v1"
INDEX = "index 5\n"
CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "nothing": (lambda t: "", FIRST),
    "another version": (lambda t: t.replace("@v1", "@v2"), FIRST),
    "CR LF": (lambda t: t.replace("\n", "\r\n"), FIRST),
    "a BOM": (lambda t: f"\ufeff{t}", FIRST),
    "no index": (lambda t: t.replace(INDEX, ""), "names the index of the leaf"),
    "an index with a zero before it": (lambda t: t.replace("x 5", "x 05"), "names the index"),
    "a negative index": (lambda t: t.replace("x 5", "x -5"), "names the index"),
    "an index of words": (lambda t: t.replace("x 5", "x five"), "names the index"),
    "two indexes": (lambda t: t.replace(INDEX, INDEX * 2), "is no base64"),
    "extra data behind the index": (lambda t: t.replace(INDEX, f"{INDEX}extra AAAA\n"), "is no base64"),
    "extra data that is no base64": (lambda t: t.replace("index", "extra *\nindex"), "the extra data in the"),
    "extra data that is empty": (lambda t: t.replace("index", "extra \nindex"), "has no line for it"),
    "a hash in hex": (lambda t: t.replace(INDEX, f"{INDEX}{LEAVES[0].hex()}\n"), "has 32 bytes"),
    "65 hashes": (lambda t: t.replace(INDEX, INDEX + "AAAA\n" * 62), "at most 64 hashes"),
    "no empty line": (lambda t: t.partition("\n\n")[0], "ends with an empty line and a signed"),
    "no tree head": (lambda t: t.partition("\n\n")[0] + "\n\n", "ends with an empty line and a signed"),
    "an index past the tree": (lambda t: t.replace("x 5", "x 7"), "leaf 7 lies past the tree's size, 7"),
    "another index": (lambda t: t.replace("x 5", "x 4"), "it was not leaf 4"),
    "half a surrogate pair": (lambda t: f"{t}\ud800", "a note is UTF-8"),
    "too long": (lambda t: t + "a" * 2**21, "at most 2097152 bytes"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_proof_that_breaks_a_rule_is_refused_with_that_rule(case: str) -> None:
    change, said = CHANGES[case]
    with pytest.raises(NoteRefused) as refused:
        Proof.parse(change(TEXT)).check(LINES[5], KNOWN)
    assert said in str(refused.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ProofRefused, match="a proof is UTF-8"):
        Proof.parse(b"\xff")


def test_a_key_vouches_for_its_own_log_alone() -> None:
    other = SigningKey.generate("urn:evt:other")
    forged = Proof(5, GOOD.hashes, head(7, other).note)
    with pytest.raises(ProofRefused, match="none of the known keys that signed it is a key of the log"):
        forged.check(LINES[5], [KEY.verifying, other.verifying])
    both = Proof(5, GOOD.hashes, head(7, other, KEY).note)
    assert both.check(LINES[5], [KEY.verifying, other.verifying]).head == head(7).head


def test_a_proof_of_another_log_or_of_an_unknown_key_is_refused() -> None:
    with pytest.raises(NoteRefused, match="it heads the log"):
        GOOD.check(LINES[5], KNOWN, "urn:evt:other")
    with pytest.raises(NoteRefused, match="no known key signed it"):
        GOOD.check(LINES[5], [SigningKey.generate(ORIGIN).verifying])


def test_a_note_that_is_no_tree_head_proves_nothing() -> None:
    with pytest.raises(NoteRefused, match="three lines or more"):
        Proof(0, (), sign("hello\n", [KEY])).check(LINES[0], KNOWN)


def test_two_hashes_as_a_line_do_not_pass_for_an_inner_node() -> None:
    pair = LEAVES[4] + LEAVES[5]
    shorter = Proof(2, GOOD.hashes[1:], GOOD.note)
    with pytest.raises(ProofRefused):
        shorter.check(pair, KNOWN)
    with pytest.raises(ProofRefused):
        shorter.check_leaf(node_hash(LEAVES[4], LEAVES[5]), KNOWN)
