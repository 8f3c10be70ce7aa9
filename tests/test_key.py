"""`evt key`: shown to whoever is to check the log, and changed so that the old one vouches for the new."""

import os
import threading
from pathlib import Path

import pytest

from adapters.desk import Desk
from eventstore.file_lock import FileLock
from eventstore.tree.head import read_notes
from eventstore.tree.signed_note import SigningKey, VerifyingKey, opened
from schemas import names
from schemas.record import HeadReason
from tests.reading_evt import Evt
from tests.service import events, folder, home_at
from tests.service import evt as program


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_at(tmp_path / "home")


@pytest.fixture
def evt(home: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home, capsys)


def add(evt: Evt, home: Path) -> None:
    assert evt("add", "analyze the prices", "--cwd", str(folder(home))).code == 0


def signers(home: Path, evt: Evt) -> list[list[str]]:
    """The key ids under each tree head, oldest first."""
    known = [VerifyingKey.parse(line) for line in evt("key").lines]
    notes, _ = read_notes(home / "logs" / "tree" / "heads")
    return [[key.key_id.hex() for key in opened(note, known)[1]] for note in notes]


def private_key(home: Path) -> Path:
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "evt" / "keys"
    return config / str(events(home)[0].data["home_id"])


def test_every_verb_that_appends_ends_in_a_tree_head_over_the_whole_log(evt: Evt, home: Path) -> None:
    add(evt, home)
    assert events(home)[-1].type == names.TREE_HEAD_SIGNED
    size = (home / "logs" / "tree" / "checkpoint").read_text("utf-8").splitlines()[1]
    assert int(size) == len(events(home))


def test_a_verb_signs_what_it_appended_though_another_one_has_the_home_for_a_moment(
    evt: Evt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = FileLock(home / "logs" / ".owner")
    sign = Desk.sign
    others: list[threading.Timer] = []

    def busy(desk: Desk, reason: HeadReason) -> None:
        owner.acquire()
        others.append(threading.Timer(0.2, owner.release))
        others[0].start()
        sign(desk, reason)

    monkeypatch.setattr(Desk, "sign", busy)
    add(evt, home)
    others[0].join()
    assert events(home)[-1].type == names.TREE_HEAD_SIGNED


def test_a_verb_that_appends_nothing_signs_nothing(evt: Evt, home: Path) -> None:
    add(evt, home)
    before = len(events(home))
    for words in (("list",), ("status",), ("key",), ("cancel", "nobody")):
        evt(*words)
    assert len(events(home)) == before


def test_a_new_key_is_vouched_for_by_the_old_one_in_the_next_tree_head(evt: Evt, home: Path) -> None:
    add(evt, home)
    assert evt("key", "change").code == 0
    add(evt, home)
    old, both, new = signers(home, evt)
    assert both == [*old, *new]
    (event,) = [event for event in events(home) if event.type == names.SIGNING_KEY_CHANGED]
    assert [event.data["previous"], event.data["key"]] == both


def test_a_change_that_was_cut_short_before_the_signature_goes_on_with_the_same_key(
    evt: Evt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(evt, home)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("adapters.desk.Desk.sign_as_owner", dies)
        assert evt("key", "change").code == 130
    assert evt("key", "change").code == 0
    changes = [event for event in events(home) if event.type == names.SIGNING_KEY_CHANGED]
    assert len(changes) == 1
    add(evt, home)
    assert signers(home, evt)[-1] == [changes[0].data["key"]]


def test_a_key_that_was_changed_signs_no_more_if_it_is_put_back(evt: Evt, home: Path) -> None:
    add(evt, home)
    old = private_key(home).read_bytes()
    assert evt("key", "change").code == 0
    private_key(home).write_bytes(old)
    heads = len(signers(home, evt))
    done = evt("add", "analyze the prices again", "--cwd", str(folder(home)))
    assert done.code == 0
    assert "the tree heads of this home are signed with" in done.err
    assert len(signers(home, evt)) == heads
    assert evt("audit").code == 0


def test_a_lost_key_is_replaced_only_when_somebody_says_so(evt: Evt, home: Path) -> None:
    add(evt, home)
    private_key(home).unlink()
    refused = evt("key", "change")
    assert refused.code == 1
    assert "`--lost`" in refused.err
    assert evt("key", "change", "--lost").code == 0
    (event,) = [event for event in events(home) if event.type == names.SIGNING_KEY_CHANGED]
    assert event.data["previous"] is None
    assert signers(home, evt)[-1] == [event.data["key"]]


def test_without_the_key_a_verb_does_its_work_and_says_that_nothing_was_signed(evt: Evt, home: Path) -> None:
    add(evt, home)
    private_key(home).unlink()
    done = evt("add", "analyze the prices again", "--cwd", str(folder(home)))
    assert done.code == 0
    assert "private key of this home is not here" in done.err


def test_a_private_key_in_the_homes_env_file_is_refused(evt: Evt, home: Path) -> None:
    key = SigningKey.generate("urn:evt:x").text()
    with (home / ".env").open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"EVT_SIGNING_KEY={key}\n")
    done = evt("add", "analyze the prices", "--cwd", str(folder(home)))
    assert done.code == 2
    assert "never lies in the home" in done.err
    assert key not in done.err


def test_the_closing_tree_head_is_the_last_write_of_a_service(evt: Evt, home: Path) -> None:
    assert program(home, "run", "--drain").returncode == 0
    told = [event.type for event in events(home)]
    assert told[-2:] == [names.ORCHESTRATOR_STOPPED, names.TREE_HEAD_SIGNED]
    mirror = (home / "logs" / "events.ndjson").read_bytes().splitlines()
    assert len(mirror) == len(told)
    size = (home / "logs" / "tree" / "checkpoint").read_text("utf-8").splitlines()[1]
    assert int(size) == len(told)


def test_a_home_whose_private_key_is_elsewhere_is_taken_up_again_with_a_word_about_it(
    evt: Evt, home: Path
) -> None:
    add(evt, home)
    private_key(home).unlink()
    done = program(home, "init")
    assert done.returncode == 0
    assert "private key of this home is not here" in done.stderr
    assert "taken up again" in done.stdout
