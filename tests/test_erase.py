"""`evt erase`: what leaked is gone from every file, and the proof still holds."""

import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.desk import Desk
from adapters.signing_keys import SigningKeys
from adapters.tree_keeping import TreeKeeping
from eventstore.event import ANY, Event
from eventstore.file_lock import FileLock
from eventstore.line import render
from eventstore.sqlite.erasing import NotErased, erase_line
from eventstore.sqlite.log import SqliteLog
from eventstore.tombstone import NoSuchField, texts, tombstone
from eventstore.tree.merkle import leaf_hash
from schemas import names
from schemas.mediation import MediationFinished
from schemas.record import FinishErasure
from tests.log_contract import fact
from tests.reading_evt import Evt
from tests.service import events, folder, home_at
from tests.service import evt as program

LEAK = "the password of the cellar is swordfish-and-more"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_at(tmp_path / "home")


@pytest.fixture
def evt(home: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home, capsys)


def leaked(evt: Evt, home: Path) -> tuple[int, ...]:
    """The events that hold the leak after a task with it was added."""
    evt("add", f"analyze this: {LEAK}", "--cwd", str(folder(home)))
    return tuple(event.global_position for event in events(home) if LEAK.encode() in event.line)


def holding(home: Path) -> list[str]:
    return [
        path.relative_to(home).as_posix()
        for path in sorted(home.rglob("*"))
        if path.is_file() and LEAK.encode() in path.read_bytes()
    ]


def fields_of(evt: Evt, position: int) -> list[str]:
    said = evt("erase", str(position))
    assert said.code == 0
    return [
        line.split()[1]
        for line in said.lines
        if line.strip().startswith("--field") and LEAK[:20] in line
    ]


def erase_all(evt: Evt, home: Path) -> None:
    for position in leaked(evt, home):
        wanted = [word for name in fields_of(evt, position) for word in ("--field", name)]
        assert evt("erase", str(position), *wanted, "--reason", "it leaked").code == 0


def test_after_an_erasure_no_file_of_the_home_holds_the_text(evt: Evt, home: Path) -> None:
    erase_all(evt, home)
    assert holding(home) == []


def test_the_home_works_on_after_an_erasure_and_the_views_are_those_of_the_log(evt: Evt, home: Path) -> None:
    erase_all(evt, home)
    assert evt("replay", "--verify").code == 0
    assert evt("list", "--json").document[0]["title"] == "[erased]"
    assert evt("add", "analyze something else", "--cwd", str(folder(home))).code == 0


def test_the_tree_keeps_the_hash_of_what_was_erased(evt: Evt, home: Path) -> None:
    evt("add", f"analyze this: {LEAK}", "--cwd", str(folder(home)))
    before = [leaf_hash(event.line).hex() for event in events(home)]
    evt("erase", "2", "--field", "spec.prompt", "--reason", "it leaked")
    evt("erase", "2", "--field", "spec.title", "--reason", "that, too")
    first, second = (event.data for event in events(home) if event.type == names.EVENT_ERASED)
    assert first["leaf"] == second["leaf"] == before[1]
    assert second["tombstone"] == leaf_hash(events(home)[1].line).hex() != first["tombstone"]
    with SqliteLogAt(home) as log:
        keys = SigningKeys(events(home)[0].data["home_id"], f"urn:evt:{events(home)[0].data['home_id']}")
        keeping = TreeKeeping(home / "logs" / "tree", log, keys, keys.name)
        assert keeping.ready_now().size == log.head()


class SqliteLogAt:
    def __init__(self, home: Path) -> None:
        self.log = SqliteLog(home / "logs" / "events.db")

    def __enter__(self) -> SqliteLog:
        return self.log

    def __exit__(self, *error: object) -> None:
        self.log.close()


def test_copies_that_are_left_are_named(evt: Evt, home: Path) -> None:
    first, second, *_ = leaked(evt, home)
    (home / "tasks" / "processed" / "mine.task.md").write_text(f"analyze this: {LEAK}\n", encoding="utf-8")
    (home / "logs" / "aside-1").mkdir()
    (home / "logs" / "aside-1" / "events.db").write_bytes(b"\0" * 5000 + f"analyze this: {LEAK}".encode())
    said = evt("erase", str(first), "--field", "spec.prompt", "--field", "spec.title", "--reason", "leaked")
    assert f"event {second} (task_queued): title" in said.err
    assert "tasks/processed/mine.task.md" in said.err
    assert "logs/aside-1/events.db" in said.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("erase",), 2, "global position"),
        (("erase", "99", "--field", "x", "--reason", "r"), 6, "there is no event 99"),
        (("erase", "1", "--field", "x", "--reason", "r"), 2, "on which the proof stands"),
        (("erase", "2", "--field", "spec.prompt"), 2, "say why"),
        (("erase", "2", "--reason", "r"), 2, "say what of event 2 is to be erased"),
        (("erase", "2", "--field", "spec.nothing", "--reason", "r"), 6, 'has no text "spec.nothing"'),
        (("erase", "2", "--field", "spec.priority", "--reason", "r"), 2, "cannot be erased"),
        (("erase", "2", "--field", "task_id", "--reason", "r"), 2, "cannot be erased"),
        (("erase", "3", "--field", "executor", "--reason", "r"), 2, "cannot be erased"),
        (("erase", "2", "--field", "spec.prompt", "--reason", "analyze something!"), 2, "the reason repeats"),
        (("erase", "-3", "--field", "x", "--reason", "r"), 6, "there is no event -3"),
    ],
)
def test_what_cannot_be_erased_is_said_in_a_sentence_and_nothing_changes(
    evt: Evt, home: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    evt("add", "analyze something", "--cwd", str(folder(home)))
    before = [event.line for event in events(home)]
    done = evt(*words)
    assert done.code == code
    assert said in done.err
    assert [event.line for event in events(home)] == before


def dies(*_: object) -> None:
    raise KeyboardInterrupt


def erase(evt: Evt, position: int, *fields: str) -> int:
    wanted = [word for field in fields for word in ("--field", field)]
    return evt("erase", str(position), *wanted, "--reason", "it leaked").code


def finish(evt: Evt, position: int) -> int:
    return evt("erase", "--finish").code


def the_same_again(evt: Evt, position: int) -> int:
    return erase(evt, position, "spec.prompt", "spec.title")


@pytest.mark.parametrize("go_on", [finish, the_same_again])
@pytest.mark.parametrize(
    "step", ["adapters.erasing.erase_line", "adapters.record_keeping.RecordKeeping.begin_anew"]
)
def test_an_erasure_that_was_cut_short_is_carried_out_later(
    evt: Evt, home: Path, monkeypatch: pytest.MonkeyPatch, step: str, go_on: Callable[[Evt, int], int]
) -> None:
    first, second, *_ = leaked(evt, home)
    with monkeypatch.context() as patched:
        patched.setattr(step, dies)
        assert the_same_again(evt, first) == 130
    assert evt("project", "erasures", "--json").document["rows"][str(first)]["pending"] is True
    assert go_on(evt, first) == 0
    assert events(home)[first - 1].data["spec"]["prompt"] == "[erased]"
    assert erase(evt, second, "title") == 0
    assert holding(home) == []
    assert evt("audit").code == 0


def test_a_mirror_that_a_verb_put_aside_in_between_is_erased_too(
    evt: Evt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = leaked(evt, home)
    with monkeypatch.context() as patched:
        patched.setattr("adapters.record_keeping.RecordKeeping.begin_anew", dies)
        the_same_again(evt, first)
    assert evt("add", "analyze something else", "--cwd", str(folder(home))).code == 0
    (aside,) = (home / "logs").glob("events.ndjson.aside-*")
    assert LEAK.encode() in aside.read_bytes().splitlines()[first - 1]
    assert evt("erase", "--finish").code == 0
    assert LEAK.encode() not in aside.read_bytes().splitlines()[first - 1]
    assert len(aside.read_bytes().splitlines()) >= second


def test_before_the_receipt_the_new_mirror_is_on_the_disk(
    evt: Evt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = leaked(evt, home)
    synced: list[int] = []
    before_receipt: list[int] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    def receipt(**fields: object) -> FinishErasure:
        before_receipt.extend(synced)
        return FinishErasure.model_validate(fields)

    monkeypatch.setattr("os.fsync", noted)
    monkeypatch.setattr("adapters.erasing.FinishErasure", receipt)
    assert erase(evt, first, "spec.prompt") == 0
    assert (home / "logs" / "events.ndjson").stat().st_ino in before_receipt


def test_an_erasure_whose_tree_head_was_cut_off_is_signed_by_finishing_it(
    evt: Evt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = leaked(evt, home)
    with monkeypatch.context() as patched:
        patched.setattr(Desk, "sign", lambda *_: None)
        assert erase(evt, first, "spec.prompt") == 0
    assert evt("audit").code == 1
    assert evt("erase", "--finish").code == 0
    assert evt("audit").code == 0


def test_an_erasure_that_makes_the_log_much_smaller_comes_to_its_end(evt: Evt, home: Path) -> None:
    task = home / "long.task.md"
    context = " ".join(f"{LEAK} {number}" for number in range(5000))
    task.write_text(
        f"---\ntype: analyze\n---\n# T\n\nLook.\n\n**Context:**\n{context}\n", encoding="utf-8", newline="\n"
    )
    assert evt("add", str(task), "--cwd", str(folder(home))).code == 0
    task.unlink()
    assert erase(evt, 2, "spec.context") == 0
    assert holding(home) == []
    assert evt("add", "analyze something else", "--cwd", str(folder(home))).code == 0
    assert evt("audit").code == 0


def test_whose_task_still_waits_is_told_what_its_agent_is_given(evt: Evt, home: Path) -> None:
    first, *_ = leaked(evt, home)
    said = evt("erase", str(first), "--field", "spec.prompt", "--reason", "it leaked")
    assert "is queued, and its agent is given what is left: `evt cancel " in said.err


def test_a_field_that_holds_others_stands_for_those_that_can_go(evt: Evt, home: Path) -> None:
    first, *_ = leaked(evt, home)
    assert erase(evt, first, "spec") == 0
    spec = events(home)[first - 1].data["spec"]
    assert [spec["prompt"], spec["title"], spec["cwd"]] == ["[erased]"] * 3
    assert [spec["priority"], spec["task_type"], spec["agent"]] == ["medium", "analyze", "analyze"]
    assert evt("audit").code == 0
    assert evt("replay", "--verify").code == 0


def test_while_another_verb_has_the_home_nothing_is_erased(evt: Evt, home: Path) -> None:
    first, *_ = leaked(evt, home)
    before = [event.line for event in events(home)]
    with FileLock(home / "logs" / ".owner"):
        said = evt("erase", str(first), "--field", "spec.prompt", "--reason", "it leaked")
    assert said.code == 7
    assert "another verb is at work" in said.err
    assert [event.line for event in events(home)] == before


def test_a_text_under_any_key_is_listed_and_can_be_erased(evt: Evt, home: Path) -> None:
    task = home / "odd.task.md"
    keys = '"a.b": one-text\n"c[0]": two-text\n"": three-text\n"e\\e[31m": four-text\n'
    task.write_text(f"---\ntype: analyze\n{keys}---\n# T\n\nLook.\n", encoding="utf-8", newline="\n")
    assert evt("add", str(task), "--cwd", str(folder(home))).code == 0
    said = evt("erase", "2")
    assert (said.code, "nothing was erased" in said.err) == (0, True)
    assert "\x1b" not in said.out
    assert evt("erase", "2", "--json").document["fields"]['spec.metadata["a.b"]'] == "one-text"
    for key in ('["a.b"]', '["c[0]"]', '[""]', r'["e\u001b[31m"]'):
        assert f"'spec.metadata{key}'" in said.out
        assert erase(evt, 2, f"spec.metadata{key}") == 0
    assert set(events(home)[1].data["spec"]["metadata"].values()) == {"[erased]"}
    assert evt("audit").code == 0


def test_a_field_that_holds_others_stands_for_every_text_in_it() -> None:
    line = render("task-x", _event({"a": {"b": "one", "n": 3, "c": ["two", {"d": "three"}]}, "e": "four"}))
    buried = tombstone(line.splice(1, 0), ("a",))
    expected = _event({"a": {"b": "[erased]", "n": 3, "c": ["[erased]", {"d": "[erased]"}]}, "e": "four"})
    assert buried == render("task-x", expected).splice(1, 0)


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(st.dictionaries(KEYS, DATA, max_size=4))
def test_whatever_the_data_each_name_erases_its_text_and_the_line_is_as_the_log_writes_one(
    data: dict[str, object],
) -> None:
    line = render("task-x", _event(data)).splice(7, 3)
    named = list(texts(data))
    assert len({name for name, _ in named}) == len(named)
    for number, (name, _) in enumerate(named):
        buried = tombstone(line, (name,))
        envelope = orjson.loads(buried)
        left = [text for _, text in texts(envelope["data"])]
        written = [text for _, text in texts(orjson.loads(line)["data"])]
        place = [name for name, _ in texts(orjson.loads(line)["data"])].index(name)
        assert left == [*written[:place], "[erased]", *written[place + 1 :]], number
        assert buried == render("task-x", _event(envelope["data"])).splice(7, 3)


@pytest.mark.parametrize(
    "field", ["", "nothing", "a[3]", "a.b.c", "n", "e.x", "..", "[0]", '["a', '["\\x"]', '["a"]["c"]']
)
def test_a_field_that_is_not_there_is_refused(field: str) -> None:
    line = render("task-x", _event({"a": {"b": "one"}, "n": 3, "e": "four"})).splice(1, 0)
    with pytest.raises(NoSuchField):
        tombstone(line, (field,))


def test_every_text_is_listed_with_a_name_that_erases_it() -> None:
    data = {"a": {"b": "one", "c": ["two", {"d": "three"}]}, "n": 1}
    assert dict(texts(data)) == {"a.b": "one", "a.c[0]": "two", "a.c[1].d": "three"}


def test_a_line_that_is_not_the_one_that_was_meant_stays(tmp_path: Path) -> None:
    log = SqliteLog.create(tmp_path / "events.db")
    log.append("task-x", [fact(1)], ANY)
    (event,) = log.all()
    with pytest.raises(NotErased, match="is not the one"):
        erase_line(log.path, 1, ("text",), b"\0" * 32, b"\1" * 32)
    with pytest.raises(NotErased, match="has no text 'nothing'"):
        erase_line(log.path, 1, ("nothing",), leaf_hash(event.line), b"\1" * 32)
    assert [found.line for found in log.all()] == [event.line]


def _event(data: dict[str, object]) -> Event:
    return Event(id="0", type="t", data=data, time=0, actor="cli:x", source="urn:evt:x")


def test_a_service_first_carries_out_what_was_cut_short(
    evt: Evt, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = leaked(evt, home)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("adapters.erasing.erase_line", dies)
        evt("erase", str(first), "--field", "spec.prompt", "--reason", "it leaked")
    said = program(home, "run", "--drain")
    assert said.returncode == 0, said.stderr
    assert f"the erasure of event {first} was cut short and is done now" in said.stderr
    assert events(home)[first - 1].data["spec"]["prompt"] == "[erased]"
    ended = next(event for event in events(home) if event.type == names.TASK_FAILED)
    assert ended.data["reason"] == "prompt_erased"


def test_who_erases_a_prompt_is_told_where_a_model_has_put_it_in_other_words(evt: Evt, home: Path) -> None:
    leaked(evt, home)
    received = next(event for event in events(home) if event.type == names.TASK_RECEIVED)
    shaped = MediationFinished(purpose="shape", attempt=0, by="model", model="tiny", text="Look at the key")
    log = SqliteLog(home / "logs" / "events.db")
    source = received.envelope["source"]
    told = fact(type=names.MEDIATION_FINISHED, data=shaped.model_dump(mode="json"), source=source)
    (place,) = log.append(received.stream, [told], ANY)
    log.close()
    said = evt("erase", str(received.global_position), "--field", "spec.prompt", "--reason", "leak")
    assert said.code == 0
    assert f"stands in the event {place.global_position}" in said.err


def test_where_no_model_had_a_part_nobody_is_sent_looking(evt: Evt, home: Path) -> None:
    first, *_ = leaked(evt, home)
    said = evt("erase", str(first), "--field", "spec.prompt", "--reason", "leak")
    assert said.code == 0 and "was made of this task's texts" not in said.err
