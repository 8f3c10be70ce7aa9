"""`evt audit` over homes that are honest, crashed, tampered with, or cannot be judged."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from adapters.cli.failure import BAD, GOOD
from adapters.cli.pasted import pasted
from eventstore.sqlite.log import SqliteLog
from eventstore.tree.head import TreeHead
from eventstore.tree.signed_note import sign
from tests.audited import built, forged
from tests.homes import BuiltHome
from tests.reading_evt import Evt
from tests.signed_trees import SignedLog, key_of
from tools.tampering.forged import Forged


@pytest.fixture
def signed(tmp_path: Path) -> SignedLog:
    made = built(tmp_path / "home")
    made.close()
    return made


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(tmp_path / "home", capsys)


def test_an_honest_log_is_ok_and_what_stands_behind_the_last_tree_head_is_counted(
    signed: SignedLog, evt: Evt
) -> None:
    said = evt("audit", "--color", "never")
    assert said.code == GOOD
    assert said.lines[0] == "OK  39 events, 34 of them under a signed tree head"
    assert said.lines[1].startswith(
        "  tree head   over 34 events, its last one of 2026-01-02T03:04:38.000Z ("
    )
    assert said.lines[2] == "  unanchored  5 events behind it, which no tree head covers yet"
    assert "the key lies beside the log" in said.err
    assert "this folder is not in your list of homes" in said.err
    assert f"`evt init {pasted(str(signed.root))}` takes it up." in said.err
    told = evt("audit", "--json").document
    assert (told["verdict"], told["anchored"], told["unanchored"]) == ("OK", 34, 5)
    assert told["tree_head"]["size"] == 34
    assert told["tree_head"]["age_s"] > 0


def test_an_anchor_from_elsewhere_is_counted_and_spares_the_warning(
    signed: SignedLog, evt: Evt, tmp_path: Path
) -> None:
    anchor = tmp_path / "anchor.txt"
    anchor.write_bytes(signed.notes[1] + b"\n" + signed.notes[2])
    said = evt("audit", "--anchor", str(anchor))
    assert said.code == GOOD
    assert "the key lies beside the log" not in said.err
    assert "list of homes" not in said.err
    assert evt("audit", "--json", "--anchor", str(anchor)).document["anchors"] == 2


def test_an_edited_event_is_named_and_the_mirror_that_has_it_still(signed: SignedLog, evt: Evt) -> None:
    home = forged(signed)
    before = signed.mirror.read_bytes()
    home.rows[19].edited(actor="cli:somebody")
    home.rows[21].edited(actor="cli:somebody")
    home.save()
    signed.mirror.write_bytes(before)
    said = evt("audit", "--color", "never")
    assert said.code == BAD
    assert said.lines[:4] == [
        "TAMPERED  39 events, 12 of them under a signed tree head",
        "  EDITED at 20: event 20 is not as it was recorded, nor is 22; the mirror has it as it was",
        "    the tree head over 12 events holds, the one over 23 does not",
        "    `evt recover` puts it back from the mirror",
    ]


Change = Callable[[Forged], None]


def _remove(home: Forged) -> None:
    del home.rows[14:16]


def _remove_unseen(home: Forged) -> None:
    del home.rows[14]
    home.renumber()


def _insert_unseen(home: Forged) -> None:
    home.rows.insert(14, home.other(14))
    home.renumber()


def _swap(home: Forged) -> None:
    home.rows[14].line, home.rows[17].line = home.rows[17].line, home.rows[14].line


def _swap_unseen(home: Forged) -> None:
    home.rows[14], home.rows[17] = home.rows[17], home.rows[14]
    home.renumber()


def _cut(home: Forged) -> None:
    del home.rows[14:]


def _column(home: Forged) -> None:
    home.rows[14].type += "x"


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (_remove, "REMOVED at 15"),
        (_remove_unseen, "REMOVED at 15"),
        (_insert_unseen, "INSERTED at 15"),
        (_swap, "REORDERED at 15"),
        (_swap_unseen, "REORDERED at 15"),
        (_cut, "TRUNCATED by 20"),
        (_column, "EDITED at 15"),
    ],
)
def test_what_was_done_is_called_by_its_name_and_place(
    signed: SignedLog, evt: Evt, change: Change, title: str
) -> None:
    home = forged(signed)
    change(home)
    home.save()
    said = evt("audit", "--json")
    assert said.code == BAD
    first = said.document["findings"][0]
    assert (said.document["verdict"], first["title"], first["first"], first["exact"]) == (
        "TAMPERED",
        title,
        15,
        True,
    )


def test_with_new_tiles_the_place_lies_between_two_tree_heads(signed: SignedLog, evt: Evt) -> None:
    home = forged(signed)
    home.rows[14].edited(actor="cli:somebody")
    home.save()
    home.rebuild_tiles()
    first = evt("audit", "--json").document["findings"][0]
    assert (first["title"], first["exact"]) == ("EDITED between 13 and 23", False)
    assert (first["good_tree_head"], first["bad_tree_head"]) == (12, 23)


def test_a_cut_log_without_its_tiles_is_truncated_and_what_is_left_is_not_vouched_for(
    signed: SignedLog, evt: Evt
) -> None:
    home = forged(signed)
    del home.rows[20:]
    home.save()
    home.rebuild_tiles()
    first = evt("audit", "--json").document["findings"][0]
    assert (first["title"], first["first"], first["last"], first["exact"]) == (
        "TRUNCATED by 14",
        13,
        34,
        False,
    )
    assert "events 13 to 20" in first["text"]


def test_a_tree_head_of_an_unknown_key_is_a_bad_signature(signed: SignedLog, evt: Evt) -> None:
    home = forged(signed)
    home.rebuild_heads(12, key_of(99))
    told = evt("audit", "--json").document
    first = told["findings"][0]
    assert (told["verdict"], first["kind"], first["good_tree_head"], first["bad_tree_head"]) == (
        "TAMPERED",
        "BAD-SIGNATURE",
        12,
        23,
    )
    assert "no known key signed it" in first["text"]


def test_two_histories_of_one_key_are_a_fork(signed: SignedLog, evt: Evt, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_bytes(signed.notes[0] + b"\n" + signed.notes[1] + b"\n")
    home = forged(signed)
    home.rows[14].edited(actor="cli:somebody")
    home.save()
    home.rebuild_tiles()
    home.rebuild_heads(12, signed.keys[0])
    assert evt("audit").code == GOOD
    first = evt("audit", "--json", "--anchor", str(kept)).document["findings"][0]
    assert (first["title"], first["good_tree_head"], first["bad_tree_head"]) == (
        "FORKED between 13 and 23",
        12,
        23,
    )


def test_a_home_that_was_put_back_is_truncated_against_an_anchor(
    signed: SignedLog, evt: Evt, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_bytes(signed.notes[2])
    home = forged(signed)
    home.save(home.rows[:12])
    home.write_mirror()
    home.rebuild_tiles()
    home.write_heads(signed.notes[:1])
    assert evt("audit").code == GOOD
    first = evt("audit", "--json", "--anchor", str(kept)).document["findings"][0]
    assert (first["title"], first["first"], first["exact"]) == ("TRUNCATED by 22", 13, True)


def test_a_log_without_a_tree_head_or_a_key_is_unverifiable(signed: SignedLog, evt: Evt) -> None:
    keys = (signed.tree / "keys").read_bytes()
    (signed.tree / "keys").unlink()
    told = evt("audit", "--json")
    assert (told.code, told.document["verdict"], told.document["findings"][0]["kind"]) == (
        BAD,
        "UNVERIFIABLE",
        "NO-KEY",
    )
    (signed.tree / "keys").write_bytes(keys)
    (signed.tree / "heads").unlink()
    (signed.tree / "checkpoint").unlink()
    told = evt("audit", "--json")
    assert (told.code, told.document["verdict"], told.document["findings"][0]["kind"]) == (
        BAD,
        "UNVERIFIABLE",
        "NO-HEAD",
    )


def test_a_contradiction_is_told_even_where_no_tree_head_is(signed: SignedLog, evt: Evt) -> None:
    home = forged(signed)
    del home.rows[36]
    home.save()
    shutil.rmtree(signed.tree)
    told = evt("audit", "--json").document
    assert (told["verdict"], told["findings"][0]["title"]) == ("TAMPERED", "REMOVED at 37")


def test_an_anchor_of_another_log_is_no_proof(signed: SignedLog, evt: Evt, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    name = "urn:evt:another"
    other.write_bytes(sign(TreeHead(name, 3, bytes(range(32))).text(), [key_of(1, name)]))
    told = evt("audit", "--json", "--anchor", str(other)).document
    assert (told["verdict"], told["findings"][0]["kind"]) == ("UNVERIFIABLE", "OTHER-LOG")


def test_hurt_tiles_beside_a_sound_log_are_damage(signed: SignedLog, evt: Evt) -> None:
    (tile,) = (signed.tree / "tile" / "0" / "000.p").glob("34")
    content = tile.read_bytes()
    tile.write_bytes(content[:-32] + bytes(range(32)))
    told = evt("audit", "--json").document
    assert (told["verdict"], told["findings"][0]["kind"]) == ("DAMAGED", "TILES-DAMAGED")
    assert "event 34" in told["findings"][0]["text"]
    tile.write_bytes(content[:-1])
    assert evt("audit", "--json").document["verdict"] == "DAMAGED"
    shutil.rmtree(signed.tree / "tile")
    assert evt("audit", "--json").document["verdict"] == "DAMAGED"


def test_a_mirror_that_differs_is_damage_and_one_that_lags_is_none(signed: SignedLog, evt: Evt) -> None:
    content = signed.mirror.read_bytes()
    signed.mirror.write_bytes(content.replace(b'"number":7', b'"number":8', 1))
    told = evt("audit", "--json").document
    assert (told["verdict"], told["findings"][0]["kind"]) == ("DAMAGED", "MIRROR-DIFFERS")
    signed.mirror.write_bytes(content[:-40])
    told = evt("audit", "--json").document
    assert told["verdict"] == "OK"
    assert any("events.ndjson ends before event 39" in note for note in told["notes"])
    signed.mirror.write_bytes(content + content.splitlines(keepends=True)[-1])
    assert evt("audit", "--json").document["findings"][0]["kind"] == "MIRROR-DIFFERS"
    signed.mirror.unlink()
    assert evt("audit", "--json").document["verdict"] == "OK"


def test_a_file_that_can_be_read_in_part_only_is_damage(signed: SignedLog, evt: Evt) -> None:
    path = signed.root / "logs" / "events.db"
    home = forged(signed)
    content = bytearray(path.read_bytes())
    page = content.index(home.rows[30].line) // 4096 * 4096
    content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)
    told = evt("audit", "--json")
    assert told.code == BAD
    found = {one["kind"]: one for one in told.document["findings"]}
    assert found["LOG-DAMAGED"]["first"] <= 31
    assert "evt recover" in found["LOG-DAMAGED"]["remedy"]


def test_a_file_whose_lines_are_whole_and_whose_structure_is_not_is_damage(
    signed: SignedLog, evt: Evt
) -> None:
    path = signed.root / "logs" / "events.db"
    forged(signed)  # all of it in the one file
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page + 1] ^= 0x40  # where its first free block would be
    path.write_bytes(content)
    told = evt("audit", "--json")
    assert (told.code, told.document["verdict"]) == (BAD, "DAMAGED")
    (found,) = told.document["findings"]
    assert found["kind"] == "LOG-DAMAGED"
    assert "the file's structure is damaged" in found["text"]
    assert "evt recover" in found["remedy"]
    assert evt("recover").code == GOOD
    assert evt("audit").code == GOOD


def test_an_edit_is_found_in_a_file_that_is_damaged_behind_it(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        made.grow(60)
        made.sign()
    home, path = forged(made), tmp_path / "home" / "logs" / "events.db"
    home.rows[14].edited(actor="cli:anybody"[: len("service")])
    home.save()
    content = bytearray(path.read_bytes())
    page = content.index(home.rows[-2].line) // 4096 * 4096
    content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)
    told = evt("audit", "--json").document
    assert told["verdict"] == "TAMPERED"
    assert [one["kind"] for one in told["findings"]] == ["EDITED", "LOG-DAMAGED"]
    assert told["findings"][0]["first"] == 15


def test_views_that_do_not_follow_from_the_log_have_diverged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BuiltHome(tmp_path / "home") as home:
        home.queue("shop")
        home.store_views()
        rows = home.log.head()
    log = SqliteLog(tmp_path / "home" / "logs" / "events.db")
    made = SignedLog(tmp_path / "home", log, [key_of(3)], Random(1))
    made.tree.mkdir()
    made.publish()
    made.sign()
    made.close()
    evt = Evt(tmp_path / "home", capsys)
    assert evt("audit").code == GOOD
    home.damage_view("tasks", "shop", {"status": "succeeded"})
    told = evt("audit", "--json").document
    (found,) = told["findings"]
    assert (told["verdict"], found["kind"], found["first"]) == ("TAMPERED", "VIEWS-DIVERGED", rows)
