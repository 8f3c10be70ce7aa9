"""Changed keys and erased events in an audit: who vouches for what."""

import shutil
import sys
from pathlib import Path

import orjson
import pytest

from adapters.cli.failure import BAD, GOOD
from adapters.signing_keys import SigningKeys
from adapters.trusted_homes import TrustedHomes
from eventstore.tree.signed_note import sign
from schemas import names
from tests.audited import again, built, forged
from tests.reading_evt import Evt
from tests.signed_trees import ORIGIN, SignedLog, key_of


@pytest.fixture
def signed(tmp_path: Path) -> SignedLog:
    made = built(tmp_path / "home")
    made.close()
    return made


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(tmp_path / "home", capsys)


# keys


@pytest.mark.skipif(sys.platform != "linux", reason="the configuration folder is where the variable says")
def test_a_home_that_was_put_back_is_known_by_what_its_signer_remembers(
    signed: SignedLog, evt: Evt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    TrustedHomes().add(signed.root)
    SigningKeys("0190-home", ORIGIN).remember(signed.notes[2])
    said = evt("audit")
    assert said.code == GOOD
    assert "the key lies beside the log" not in said.err
    home = forged(signed)
    home.save(home.rows[:12])
    home.write_mirror()
    home.rebuild_tiles()
    home.write_heads(signed.notes[:1])
    first = evt("audit", "--json").document["findings"][0]
    assert first["title"] == "TRUNCATED by 22"
    assert "your configuration folder remembers" in first["text"]
    # A copy elsewhere, such as a backup, may well be older.
    shutil.copytree(signed.root, tmp_path / "backup")
    assert evt("audit", "--home", str(tmp_path / "backup")).code == GOOD


def test_a_changed_key_is_followed_from_either_end(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        made.rotate(5)
        made.grow(3)
        made.rotate(6)
        made.grow(3)
        made.sign()
    assert evt("audit").code == GOOD
    for key in made.keys:
        said = evt("audit", "--json", "--key", key.verifying.vkey())
        assert (said.code, said.document["anchored"]) == (GOOD, made.sizes[-1])
    assert evt("audit", "--key", key_of(77).verifying.vkey()).code == BAD


def test_a_replaced_key_vouches_for_nothing_later(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        made.rotate(5)
        made.grow(3)
        made.sign("events", made.keys[:1])
    first = evt("audit", "--json").document["findings"][0]
    assert (first["kind"], first["good_tree_head"]) == ("BAD-SIGNATURE", made.sizes[-2])
    assert "another one has replaced" in first["text"]


def test_a_key_that_nobody_vouched_for_is_not_trusted_unless_it_is_given(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        new = key_of(5)
        data = {"key": new.verifying.key_id.hex(), "vkey": new.verifying.vkey(), "previous": None}
        made.append(names.SYSTEM, names.SIGNING_KEY_CHANGED, data)
        made.keys.append(new)
        made.publish()
        made.sign("rotation")
    first = evt("audit", "--json").document["findings"][0]
    assert first["kind"] == "BAD-SIGNATURE"
    assert "give both with --key" in first["text"]
    keys = [word for key in made.keys for word in ("--key", key.verifying.vkey())]
    assert evt("audit", *keys).code == GOOD
    assert evt("audit", "--key", str(made.tree / "keys")).code == GOOD


def test_a_signature_cannot_bring_in_a_key_that_no_signed_event_names(signed: SignedLog, evt: Evt) -> None:
    """Anybody can add a signature to a note; the event that names the key must stand below its root."""
    home, own = forged(signed), key_of(99)
    text = signed.notes[2].decode().partition("\n\n")[0] + "\n"
    home.write_heads([*signed.notes[:2], sign(text, [signed.keys[0], own])])
    assert evt("audit").code == GOOD
    made = again(signed)
    data = {
        "key": own.verifying.key_id.hex(),
        "vkey": own.verifying.vkey(),
        "previous": signed.keys[0].verifying.key_id.hex(),
    }
    made.append(names.SYSTEM, names.SIGNING_KEY_CHANGED, data)
    made.sign("rotation", [own])
    made.close()
    assert evt("audit", "--json").document["findings"][0]["kind"] == "BAD-SIGNATURE"


# erased events


def test_an_erased_event_is_proved_by_the_event_that_orders_it(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        made.erase(5, "text")
        made.erase(5, "parts[0].word")
        made.sign("erasure")
    said = evt("audit", "--json")
    assert (said.code, said.document["erased"]) == (GOOD, [5])
    assert "erased" in evt("audit").out


def test_an_erasure_that_nobody_signed_is_not_taken_for_one(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        made.erase(5, "text")
    told = evt("audit", "--json").document
    assert (told["verdict"], told["findings"][0]["title"]) == ("UNVERIFIABLE", "ERASURE-UNPROVED at 5")


def test_an_erasure_that_is_not_carried_out_yet_is_no_alarm(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        made.erase(5, "text", finish=False)
        made.sign("erasure")
    told = evt("audit", "--json").document
    assert told["verdict"] == "OK"
    assert "event 5 is still to be erased: `evt erase --finish`" in told["notes"]


def test_a_tombstone_with_more_changed_than_was_ordered_is_an_edited_line(tmp_path: Path, evt: Evt) -> None:
    with built(tmp_path / "home") as made:
        made.erase(5, "text")
        made.sign("erasure")
    home = forged(made)
    data = orjson.loads(home.rows[4].line)["data"]
    home.rows[4].edited(data={**data, "number": 5000})
    home.save()
    first = evt("audit", "--json").document["findings"][0]
    assert (first["title"], first["exact"]) == ("EDITED at 5", True)
