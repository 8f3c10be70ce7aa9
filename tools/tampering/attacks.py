"""What an intruder can do to a log, and what the audit then has to say."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from eventstore.tree.merkle import leaf_hash
from eventstore.tree.signed_note import sign
from schemas import names
from tools.tampering.expected import Expected, exact
from tools.tampering.forged import Forged, flipped, is_plain, stranger

Attack = Callable[[Forged], Expected]


# with the tiles as they were: the place must be exact


def flip_a_bit_of_a_line(forged: Forged) -> Expected:
    at = forged.any_anchored()
    forged.rows[at].line = flipped(forged.random, forged.rows[at].line)
    forged.save()
    return exact(at + 1, "EDITED")


def flip_a_bit_of_the_file(forged: Forged) -> Expected:
    """Of the bytes on the disk, where the line stands: no database is asked."""
    at = forged.any_anchored()
    path = forged.root / "logs" / "events.db"
    before, line, after = path.read_bytes().rpartition(forged.rows[at].line)
    path.write_bytes(before + flipped(forged.random, line) + after if line else after)
    if forged.is_as_it_was(at):  # the line goes over several pages, or these bytes were left over
        return flip_a_bit_of_a_line(forged)
    return exact(at + 1, "EDITED")


def change_a_column(forged: Forged) -> Expected:
    """What verbs look at, the line staying as it was; also behind the last tree head."""
    row = forged.random.choice([row for row in forged.rows if is_plain(row)])
    at = row.global_position - 1
    name = forged.random.choice(("stream", "position", "prev", "type", "time"))
    if name in ("stream", "type"):
        setattr(row, name, getattr(row, name) + "x")
    else:
        setattr(row, name, getattr(row, name) + 1)
    forged.save()
    return exact(at + 1, "EDITED")


def change_a_word(forged: Forged) -> Expected:
    at = forged.any_anchored()
    forged.rows[at].edited(actor="cli:somebody")
    forged.save()
    return exact(at + 1, "EDITED")


def remove(forged: Forged) -> Expected:
    at = forged.any_anchored()
    gone = forged.rows[at : at + forged.random.choice((1, 1, 2, 5))]
    del forged.rows[at : at + len(gone)]
    forged.save()
    # Where all that followed is gone, it is a cut.
    return forged.explained(gone, exact(at + 1, "REMOVED", "TRUNCATED"))


def remove_and_renumber(forged: Forged) -> Expected:
    at = forged.any_anchored()
    del forged.rows[at]
    forged.renumber()
    forged.save()
    # Nobody knows what stood behind the last one that was signed (where a new key's order was moved, by
    # the old key), nor a tombstone that has moved.
    sample = forged.sample
    unknown = at + 1 in (sample.anchored, sample.rotated) or sample.buried == at + 2
    return exact(at + 1, "REMOVED", *(("TRUNCATED", "EDITED") if unknown else ()))


def insert_and_renumber(forged: Forged) -> Expected:
    at = forged.any_anchored()
    forged.rows.insert(at, forged.other(at))
    forged.renumber()
    forged.save()
    # A tombstone that has moved is explained by nothing: then it cannot be told what was done.
    return exact(at + 1, "INSERTED", *(("EDITED",) if forged.sample.buried == at + 1 else ()))


def swap_lines(forged: Forged) -> Expected:
    one, other = forged.two()
    rows = forged.rows
    rows[one].line, rows[other].line = rows[other].line, rows[one].line
    forged.save()
    return exact(one + 1, "REORDERED", "EDITED")


def swap_and_renumber(forged: Forged) -> Expected:
    one, other = forged.two()
    rows = forged.rows
    rows[one], rows[other] = rows[other], rows[one]
    forged.renumber()
    forged.save()
    return exact(one + 1, "REORDERED", "EDITED")


def cut(forged: Forged) -> Expected:
    left = forged.random.randrange(forged.sample.anchored)
    gone = forged.rows[left:]
    forged.save(forged.rows[:left])
    return forged.explained(gone, exact(left + 1, "TRUNCATED"))


# in the text alone


KIND_OF_TEXT = {
    "flip": "EDITED",
    "remove": "REMOVED",
    "insert": "INSERTED",
    "swap": "REORDERED",
    "cut": "TRUNCATED",
}


def tamper_with_the_text(forged: Forged) -> Expected:
    """Lines of the mirror, which is then judged alone."""
    at = forged.any_anchored()
    lines = [row.line for row in forged.rows]
    how = forged.random.choice(list(KIND_OF_TEXT))
    kind, first, gone = KIND_OF_TEXT[how], at + 1, forged.rows[at:] if how == "cut" else []
    if how == "flip":
        lines[at] = flipped(forged.random, lines[at]).replace(b"\n", b"N")
    elif how == "remove":
        del lines[at]
    elif how == "insert":
        lines.insert(at, forged.other(at).line)
    elif how == "swap":
        one, other = forged.two()
        lines[one], lines[other] = lines[other], lines[one]
        first = one + 1
    else:
        del lines[at:]
    path = forged.root / "logs" / "events.ndjson"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    # The last line of all is cut off rather than removed; behind the last tree head nobody knows the lines.
    also = ("TRUNCATED", "EDITED") if how == "remove" and at + 1 == forged.sample.anchored else ()
    expected = Expected(frozenset({kind, *also}), first=first, words=("--log", str(path)))
    return forged.explained(gone, expected)


# with the tiles made anew: between the last tree head that holds and the first that does not


def edit_and_rebuild_tiles(forged: Forged) -> Expected:
    at = forged.any_anchored()
    forged.rows[at].edited(actor="cli:somebody")
    forged.save()
    forged.rebuild_tiles()
    return Expected(frozenset({"EDITED"}), between=forged.between(at))


def remove_and_rebuild_tiles(forged: Forged) -> Expected:
    at = forged.any_anchored()
    del forged.rows[at]
    forged.renumber()
    forged.save()
    forged.rebuild_tiles()
    return Expected(frozenset({"EDITED", "TRUNCATED"}), between=forged.between(at))


def edit_and_lose_the_tiles(forged: Forged) -> Expected:
    at = forged.any_anchored()
    forged.rows[at].edited(actor="cli:somebody")
    forged.save()
    forged.rebuild_tiles(0)
    return Expected(frozenset({"EDITED"}), between=forged.between(at))


# with tree heads of one's own


def edit_and_sign_oneself(forged: Forged) -> Expected:
    """Tiles and tree heads from the edited event on; the auditor knows the key, or has an anchor."""
    at = forged.any_anchored()
    sample = forged.sample
    forged.rows[at].edited(actor="cli:somebody")
    forged.save()
    forged.rebuild_tiles()
    good, bad = forged.between(at)
    key = stranger(1)
    forged.rebuild_heads(good, key)
    if forged.random.random() < 0.5:
        words = ("--key", sample.keys[0].verifying.vkey())
        return Expected(frozenset({"BAD-SIGNATURE"}), between=(good, len(forged.rows)), words=words)
    size, note = forged.random.choice([pair for pair in sample.heads() if pair[0] >= bad])
    words = ("--anchor", forged.keep("anchor", note))
    if sample.rotated is not None and size > sample.rotated > good:
        # Its key was brought in by a tree head that is gone.
        return Expected(frozenset({"BAD-SIGNATURE"}), words=words)
    return Expected(frozenset({"FORKED"}), between=(good, size), words=words)


def own_keys_everywhere(forged: Forged) -> Expected:
    """The public key, too; the auditor has an anchor, which no key of this home has signed."""
    at = forged.any_anchored()
    forged.rows[at].edited(actor="cli:somebody")
    forged.save()
    forged.rebuild_tiles()
    key = stranger(2)
    forged.rebuild_heads(0, key)
    (forged.tree / "keys").write_text(f"{key.verifying.vkey()}\n", encoding="utf-8", newline="\n")
    words = ("--anchor", forged.keep("anchor", forged.sample.notes[-1]))
    return Expected(frozenset({"BAD-SIGNATURE"}), words=words)


def foreign_signature(forged: Forged) -> Expected:
    """The log is as it was; one of its tree heads is signed by somebody else."""
    sample, notes = forged.sample, list(forged.sample.notes)
    chosen = forged.random.randrange(len(notes))
    text = notes[chosen].decode().partition("\n\n")[0] + "\n"
    notes[chosen] = sign(text, [stranger(3)])
    forged.write_heads(notes)
    if forged.random.random() < 0.5:
        (forged.tree / "checkpoint").write_bytes(sample.notes[-1])
    return Expected(frozenset({"BAD-SIGNATURE"}))


def flip_a_bit_of_a_tree_head(forged: Forged) -> Expected:
    chosen = forged.random.randrange(len(forged.sample.notes))
    path = forged.tree / "heads"
    content = path.read_bytes()
    note = forged.sample.notes[chosen]
    path.write_bytes(content.replace(note, flipped(forged.random, note)))
    return Expected(frozenset({"BAD-SIGNATURE"}))


def fork(forged: Forged) -> Expected:
    """With the home's own key: another history from some event on. Anchors on both sides were kept."""
    sample = forged.sample
    at = max(1, forged.any_anchored())
    gone, forged.rows = forged.rows[at:], forged.rows[:at]
    while len(forged.rows) < sample.anchored + 3:
        forged.rows.append(forged.other(len(forged.rows)))
    forged.renumber()
    forged.save()
    forged.rebuild_tiles()
    good, bad = forged.between(at)
    forged.rebuild_heads(good, sample.keys[-1], [*(s + 1 for s in sample.sizes), len(forged.rows)])
    kept = [note for size, note in sample.heads() if size in (good, bad)]
    words = ("--anchor", forged.keep("anchors", *kept), *forged.all_keys())
    return forged.explained(gone, Expected(frozenset({"FORKED"}), between=(good, bad), words=words))


def roll_back(forged: Forged) -> Expected:
    """The whole home is put back to what it was; an anchor remembers more."""
    sample = forged.sample
    which = forged.random.randrange(len(sample.sizes) - 1)
    size = sample.sizes[which]
    later = forged.random.randrange(which + 1, len(sample.sizes))
    gone = forged.rows[size:]
    forged.save(forged.rows[:size])
    forged.rebuild_tiles()
    forged.write_heads(sample.notes[: which + 1])
    words = ("--anchor", forged.keep("anchor", sample.notes[later]), *forged.all_keys())
    return forged.explained(gone, Expected(frozenset({"TRUNCATED"}), first=size + 1, words=words))


def bury_without_an_order(forged: Forged) -> Expected:
    """A tombstone where nothing was erased."""
    at = forged.any_anchored()
    forged.rows[at].edited(data={"text": "[erased]"})
    forged.save()
    return exact(at + 1, "EDITED")


def bury_and_order_it_oneself(forged: Forged) -> Expected:
    """And the event that says so, which nobody has signed."""
    at = forged.any_anchored()
    row = forged.rows[at]
    before = row.leaf
    row.edited(data={"text": "[erased]"})
    order = forged.other(len(forged.rows))
    order.edited(
        type=names.EVENT_ERASED,
        data={
            "position": at + 1,
            "leaf": before.hex(),
            "tombstone": leaf_hash(row.line).hex(),
            "fields": ["text"],
            "blobs": [],
            "reason": "so there",
        },
    )
    forged.rows.append(order)
    forged.renumber()
    forged.save()
    verdicts = frozenset({"UNVERIFIABLE", "DAMAGED"})  # the latter where the mirror has the line as it was
    return Expected(frozenset({"ERASURE-UNPROVED"}), first=at + 1, verdicts=verdicts)


ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        attack.__name__: attack
        for attack in (
            flip_a_bit_of_a_line,
            flip_a_bit_of_the_file,
            change_a_column,
            change_a_word,
            remove,
            remove_and_renumber,
            insert_and_renumber,
            swap_lines,
            swap_and_renumber,
            cut,
            tamper_with_the_text,
            bury_without_an_order,
            bury_and_order_it_oneself,
            edit_and_rebuild_tiles,
            remove_and_rebuild_tiles,
            edit_and_lose_the_tiles,
            edit_and_sign_oneself,
            own_keys_everywhere,
            foreign_signature,
            flip_a_bit_of_a_tree_head,
            fork,
            roll_back,
        )
    }
)
