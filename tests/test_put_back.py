"""A backup that is put back where the home was: what is missing is told, and one can go on with it."""

import shutil
from pathlib import Path

import pytest

from adapters.home_making import make_home
from schemas import names
from tests.damaged import files_of, last_event
from tests.reading_evt import Evt


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    """A home that is gone but for its backup, in whose place the backup was put back."""
    evt, backup = Evt(tmp_path / "home", capsys), str(tmp_path / "backup")
    make_home(evt.root)
    assert evt("add", "explain the cart").code == 0
    assert evt("backup", backup).code == 0
    assert evt("add", "explain the till").code == 0
    shutil.rmtree(evt.root)
    told = evt("import", backup)
    assert told.code == 0, told.err
    assert "`evt recover --from-log` goes on with that one" in told.err
    return evt


def test_events_that_a_backup_lacks_are_told_as_long_as_nobody_says_that_it_is_meant(evt: Evt) -> None:
    (found,) = evt("audit", "--json").document["findings"]
    assert found["kind"] == "TRUNCATED"
    assert "`evt recover --from-log`" in found["remedy"]
    assert "your configuration folder remembers" in found["text"]
    assert "`evt recover --from-log`" in evt("add", "explain the shelf").err
    said = evt("recover")
    assert said.out.startswith("the log is sound")
    assert "`evt recover --from-log` goes on with it" in said.err
    assert evt("audit").code == 1


@pytest.mark.parametrize("meanwhile", [0, 1, 4], ids=["at-once", "shorter-still", "longer-by-now"])
def test_who_means_the_older_log_goes_on_with_it_and_it_is_signed_again(evt: Evt, meanwhile: int) -> None:
    for number in range(meanwhile):
        assert evt("add", f"explain shelf {number}").code == 0
    said = evt("recover", "--from-log")
    assert said.code == 0, said.err
    assert "that tree head is kept in logs/aside-1" in said.err
    told = last_event(evt.root, names.LOG_RECOVERED)
    assert told["kept_as"] == "logs/aside-1"
    assert "signed" in str(told["problem"])
    after = evt("audit", "--json").document
    assert (after["verdict"], after["unanchored"]) == ("OK", 0)
    assert "tree head" not in evt("add", "explain the door").err
    assert evt("audit").code == 0


def test_the_tree_head_that_was_put_aside_still_tells_what_is_missing(evt: Evt) -> None:
    assert evt("recover", "--from-log").code == 0
    anchor = evt.root / "logs" / "aside-1" / "checkpoint"
    assert evt("audit", "--anchor", str(anchor)).code == 1


def test_a_second_time_there_is_nothing_to_put_aside(evt: Evt) -> None:
    assert evt("recover", "--from-log").code == 0
    before = files_of(evt.root)
    said = evt("recover", "--from-log")
    assert (said.code, said.err) == (0, "")
    assert files_of(evt.root).keys() == before.keys()


def test_a_home_made_of_a_text_is_good_at_once_where_its_tree_heads_were_signed(
    evt: Evt, tmp_path: Path
) -> None:
    assert evt("recover", "--from-log").code == 0
    text = tmp_path / "log.ndjson"
    assert evt("export", "-o", str(text)).code == 0
    shutil.rmtree(evt.root)
    assert evt("import", str(text)).code == 0
    assert evt("audit", "--json").document["verdict"] == "OK"


def test_one_goes_on_with_it_even_where_its_tree_is_gone(evt: Evt) -> None:
    shutil.rmtree(evt.root / "logs" / "tree")
    assert evt("recover", "--from-log").code == 0
    assert evt("audit", "--json").document["verdict"] == "OK"


def test_a_key_is_not_changed_where_no_tree_head_could_follow(evt: Evt) -> None:
    before = files_of(evt.root)
    said = evt("key", "change")
    assert said.code == 1
    assert "the key was not changed" in said.err
    assert files_of(evt.root) == before
    assert not list((evt.root.parent / "configuration").rglob("*.next"))


def test_an_event_is_proved_by_the_heads_that_the_log_still_has(evt: Evt, tmp_path: Path) -> None:
    proof = str(tmp_path / "proof")
    assert evt("audit", "prove", "1", "-o", proof, "--line", str(tmp_path / "line")).code == 0
    assert evt("audit", "check-proof", proof, "--line", str(tmp_path / "line")).code == 0


def test_what_is_done_in_a_copy_is_nothing_to_the_home_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evt, copy = Evt(tmp_path / "home", capsys), Evt(tmp_path / "copy", capsys)
    make_home(evt.root)
    shutil.copytree(evt.root, copy.root)
    assert "tree head" not in copy("add", "explain the cart").err
    assert copy("audit", "--json").document["verdict"] == "OK"
    assert evt("audit", "--json").document["verdict"] == "OK"
    assert "tree head" not in evt("add", "explain the till").err
    assert evt("audit", "--json").document["unanchored"] == 0
    # The copy is that of an older home now, and goes ways of its own.
    assert "tree head" not in copy("add", "explain the shelf").err
    assert copy("audit", "--json").document["verdict"] == "OK"
