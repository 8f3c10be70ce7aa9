"""`evt tail`: which events it shows, in which words, and as which bytes."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from adapters.cli.words.events import TELLING, words
from eventstore.event import Recorded
from projections.all_views import ALL
from schemas import names
from schemas.attempt import TaskSucceeded
from schemas.registry import FACTS
from tests.homes import START, BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def test_tail_shows_the_last_events_in_order(home: BuiltHome, evt: Evt) -> None:
    home.succeed("good")
    head = home.log.head()
    said = evt("tail", "-n", "3")
    assert [int(line.split()[1]) for line in said.lines] == [head - 2, head - 1, head]
    assert said.lines[-1].split(maxsplit=4) == [
        "2026-01-02T03:04:14.000Z",
        str(head),
        "task-good",
        "task_succeeded",
        "after 5.0s, unchecked",
    ]


def test_tail_json_is_the_stored_lines_byte_for_byte(home: BuiltHome, evt: Evt) -> None:
    home.succeed("good", "ünïcödé 🎉 \x1b[31m")
    said = evt("tail", "--json", "--since", "@1")
    assert said.out.encode() == b"".join(event.line + b"\n" for event in home.log.all())


def test_tail_keeps_to_a_task_and_to_types(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.succeed("two")
    refusal = home.refuse()
    streams = {orjson.loads(line)["stream"] for line in evt("tail", "--json", "--task", "TWO").lines}
    assert streams == {"task-two"}
    both = evt(
        "tail", "--json", "--type", "task_queued,task_claimed", "--type", "tool_used", "--task", "on"
    ).lines
    assert [orjson.loads(line)["type"] for line in both] == ["task_queued", "task_claimed", "tool_used"]
    refused = evt("tail", "--json", "--task", f"refused-{refusal}").lines
    assert [orjson.loads(line)["type"] for line in refused] == ["task_refused", "task_archived"]


def test_the_last_events_of_a_task_are_found_behind_many_others(
    home: BuiltHome, evt: Evt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.cli.tail.FIRST_LOOK", 4)
    home.succeed("one")
    for number in range(40):
        home.raw("notice-1", "task_dreamt", {"number": number})
    said = evt("tail", "--task", "one", "-n", "2", "--json")
    assert [orjson.loads(line)["type"] for line in said.lines] == ["files_modified", "task_succeeded"]


def test_tail_since_starts_at_a_position_and_after_a_time(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")

    def positions(*words: str) -> list[int]:
        return [orjson.loads(line)["global_position"] for line in evt("tail", "--json", *words).lines]

    head = home.log.head()
    assert positions("--since", "@4") == list(range(4, head + 1))
    assert positions("--since", f"@{head + 5}") == []
    assert positions("--since", "2026-01-02T03:04:07Z") == list(range(3, head + 1))
    assert positions("--since", "2026-01-02T03:04:07.000001Z") == list(range(4, head + 1))
    assert positions("--since", "10m") == []
    assert positions("--since", "99999w") == list(range(1, head + 1))
    assert positions("--since", "@4", "-n", "2") == [head - 1, head]


@pytest.mark.parametrize(
    "since", ["", "soon", "@", "@-1", "@1x", "10", "10y", "2026-13-01", "9" * 40 + "s", "²m"]
)
def test_a_since_that_is_no_moment_is_refused_in_one_sentence(evt: Evt, since: str) -> None:
    said = evt("tail", f"--since={since}")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("evt: --since ")
    assert "Write a span" in said.err


def test_an_event_type_that_nobody_knows_is_a_slip(home: BuiltHome, evt: Evt) -> None:
    home.raw("task-one", "task_dreamt", {})
    said = evt("tail", "--type", "task_suceeded")
    assert said.code == 6
    assert "Did you mean task_succeeded?" in said.err
    assert len(evt("tail", "--type", "task_dreamt").lines) == 1
    assert evt("tail", "-n", "-1").code == 2


def test_unknown_types_and_shapes_are_shown_with_a_mark(home: BuiltHome, evt: Evt) -> None:
    home.raw("task-one", "task_dreamt", {"of": "sheep"})
    home.raw("task-one", "tool_used", {"tool": 1})
    home.raw("task-one", "turn_finished", {"report": None})
    lines = evt("tail", "-n", "3").lines
    assert lines[0].endswith('(unknown type) {"of":"sheep"}')
    assert lines[1].endswith('(unknown shape) {"tool":1}')
    assert lines[2].endswith('(unknown shape) {"report":null}')


def test_there_are_words_for_every_event_type() -> None:
    assert TELLING.keys() == FACTS.keys()
    assert TELLING.keys() >= names.ENDS


def test_the_words_of_an_event_are_short_and_one_line(home: BuiltHome) -> None:
    home.queue("one", "x" * 5000 + "\n" * 5)
    for event in home.log.all():
        assert len(words(event)) <= 300
        assert "\n" not in words(event)
    odd = Recorded(1, "task-x", 0, "task_received", START, b'{"data":{"spec":[]},"schema":1}')
    assert words(odd).startswith("(unknown shape)")


def test_hostile_text_is_escaped_wherever_it_stands(home: BuiltHome, evt: Evt) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202etxt.exe\u2066\n\r\x9b31m"
    home.queue("one", f"title {evil}", warnings=(evil,))
    home.claim("one")
    home.finish_turn("one", f"claim {evil}")
    home.task("one", TaskSucceeded(**home.end(), claimed=evil, verified="unchecked", evidence=(evil,)))
    home.fail("two", f"sentence {evil}")
    home.refuse(f"file{evil}.task.md", evil)
    home.raw(f"task-{evil}", f"type{evil}", {evil: evil})
    home.store_views()
    verbs = [("list",), ("status",), ("tail",), ("replay",), ("wait", "two")]
    verbs += [("show", name) for name in ("one", "two", "refused")]
    verbs += [("project", projection.name) for projection in ALL]
    for verb in verbs:
        said = evt(*verb, "--color", "never")
        assert said.code in (0, 5), said.err
        assert not set(said.out + said.err) & set("\x1b\x07\u202e\u2066\r\x9b"), verb


def test_color_is_given_where_it_is_asked_for_and_nowhere_else(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    for verb in (("list",), ("status",), ("show", "one"), ("tail",), ("project", "tasks")):
        assert "\x1b[" not in evt(*verb).out
        assert "\x1b[" in evt(*verb, "--color", "always").out
