"""Check a log of evt without evt. It needs Python and the package `cryptography`, and no network.

    python verify_log.py KEY TREE_HEAD LINES    LINES (events.ndjson) begins with what was signed
    python verify_log.py KEY PROOF LINE         the file LINE holds the line of an event in the log

KEY is a public key as `evt key` prints it. Trees are RFC 6962's; the forms of the files are c2sp.org's
signed-note, tlog-checkpoint and tlog-proof.
"""

import json
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def leaf_hash(line):
    return sha256(b"\0" + line).digest()


def node_hash(left, right):
    return sha256(b"\1" + left + right).digest()


def root_of(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_of(leaves[:middle]), root_of(leaves[middle:]))


def leaves_of(lines):
    """The hashes of the lines; of one whose text was erased that of the line as it was."""
    told = [json.loads(line)["data"] for line in lines if line.endswith(b',"type":"event_erased"}')]
    erased = {(one["position"], one["tombstone"]): one["leaf"] for one in told}
    for position, line in enumerate(lines, 1):
        leaf = leaf_hash(line)
        yield bytes.fromhex(erased.get((position, leaf.hex()), leaf.hex()))


def root_by(index, size, reached, path):
    """The root to which a proof leads (RFC 9162, section 2.1.3.2)."""
    last = size - 1
    for sibling in path:
        if index % 2 or index == last:
            reached = node_hash(sibling, reached)
            while index and not index % 2:
                index, last = index >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        index, last = index >> 1, last >> 1
    return reached if index == last == 0 else None


def signed_head(note, key):
    """Size and root of a tree head that this key has signed."""
    name, key_id, public = key.strip().split("+", 2)
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        signer, signature = line.removeprefix("— ").split(" ")
        if signer == name and b64decode(signature)[:4].hex() == key_id:
            verifier = Ed25519PublicKey.from_public_bytes(b64decode(public)[1:])
            verifier.verify(b64decode(signature)[4:], f"{text}\n".encode())
            origin, size, root = text.split("\n")[:3]
            return (int(size), b64decode(root)) if origin == name else sys.exit("it heads another log")
    return sys.exit("this key has not signed the tree head")


def main(key, file, lines):
    try:
        content, text = Path(file).read_text(encoding="utf-8"), Path(lines).read_bytes()
    except OSError as missing:
        sys.exit(str(missing))
    proof, _, note = content.partition("\n\n") if content.startswith("c2sp.org/") else ("", "", content)
    try:
        size, root = signed_head(note, key)
    except InvalidSignature:
        sys.exit("the signature of the tree head is false")
    except ValueError as odd:
        sys.exit(f"this is no key, or no tree head: {odd}")
    if proof:
        words = [line.split(" ") for line in proof.split("\n")[1:] if not line.startswith("extra ")]
        index = int(words[0][1])
        path = [b64decode(word) for (word,) in words[1:]]
        good = index < size and root_by(index, size, leaf_hash(text.removesuffix(b"\n")), path) == root
        what = f"event {index + 1}"
    else:
        found = text.split(b"\n")[:size]
        good, what = len(found) == size and root_of(list(leaves_of(found))) == root, f"{size} events"
    sys.stdout.write(f"{what}: {'as signed' if good else 'NOT as signed'}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 4 else __doc__)
