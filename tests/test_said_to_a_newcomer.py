"""What somebody reads who writes a word wrong, or reads a page for the first time."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cli.columns import cut_within, width
from adapters.cli.main import parser_of
from adapters.cli.output import LEAST, Output
from adapters.cli.run import already_running
from adapters.cli.table import VERBS
from adapters.cli.words.events import event_line
from adapters.desk import Desk
from adapters.home import Home
from eventstore.event import Recorded
from schemas import names
from schemas.service import StopRequested
from tests.homes import BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ("audit 5", '"5" is none of these: `evt audit` takes prove, check-proof.', "See `evt audit --help`."),
        (
            "audit prov",
            '"prov" is none of these: `evt audit` takes prove, check-proof.',
            "Did you mean prove?",
        ),
        ("agents lst", '"lst" is none of these: `evt agents` takes list, show, check.', "Did you mean list?"),
        ("key chang", '"chang" is none of these: `evt key` takes show, change.', "Did you mean change?"),
        (
            "list --color x",
            '--color: "x" is none of these: it may be auto, always, never.',
            "See `evt list -",
        ),
    ],
)
def test_a_wrong_word_is_answered_with_those_there_are_and_the_nearest(
    evt: Evt, words: str, said: str, hint: str
) -> None:
    answer = evt(*words.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"evt: {said}\n     {hint}")


def test_a_home_without_a_name_is_no_home_that_is_not_named(evt: Evt) -> None:
    for words in (("--home", "", "list"), ("list", "--home="), ("init", "--home", " ")):
        said = evt(*words)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("evt: --home is empty.\n")


def test_the_help_for_programs_is_json(evt: Evt) -> None:
    for words in (("help", "--json"), ("--json", "--help")):
        shown = {row["verb"]: (row["group"], row["line"]) for row in evt(*words).document}
        assert shown == {name: (verb.group, verb.line) for name, verb in VERBS.items() if verb.group}
    nothing = evt("--json")
    assert (nothing.code, nothing.out) == (2, "")
    assert orjson.loads(nothing.err)["error"]["message"] == "no verb is named."


class Terminal(io.StringIO):
    """Where it is written, as a terminal is."""

    def isatty(self) -> bool:
        return True


class Narrow(Output):
    """On a terminal of so many columns."""

    def __init__(self, columns: int) -> None:
        self.screen = Terminal()
        self._columns = columns
        super().__init__("never", {"TERM": "xterm"}, json=False, out=self.screen)

    @property
    def width(self) -> int:
        return self._columns


@given(st.lists(st.tuples(*[st.text("ab 漢", min_size=1, max_size=60)] * 4), min_size=1, max_size=5))
def test_a_row_is_one_line_of_a_terminal_of_forty_columns(rows: list[tuple[str, ...]]) -> None:
    output = Narrow(40)
    output.table(rows, ("id", "status", "since", "title, or why"), ["red"] * len(rows), styled=1)
    lines = output.screen.getvalue().split("\n")[:-1]
    assert len(lines) == len(rows) + 1
    assert all(width(line) <= 40 for line in lines)


@pytest.mark.parametrize("dated", [False, True])
@pytest.mark.parametrize("columns", [40, 60, 80, 91, 92, 120])
def test_an_event_is_one_line_of_the_terminal(home: BuiltHome, columns: int, dated: bool) -> None:
    told = [event_line(Narrow(columns), event, dated=dated) for event in home.log.all()]
    assert max(map(width, told)) <= columns
    assert all(event.type[:3] in line for event, line in zip(home.log.all(), told, strict=True))


def test_a_wide_terminal_has_place_and_stream_of_an_event(home: BuiltHome) -> None:
    event = next(home.log.all(0, 1))
    told = event_line(Narrow(200), event)
    assert f"{event.global_position:>6}  {event.stream}" in told
    assert event.type in told


def test_columns_are_cut_only_where_the_last_one_has_too_little() -> None:
    row = ("a" * 20, "waiting_dependency", "12s ago", "Mend what is broken here")
    heads = ("id", "status", "since", "title, or why")
    assert _told(row, heads, 90) == "  ".join(row)
    assert _told(row, heads, 51 + LEAST) == "  ".join([*row[:3], "Mend what i…"])
    assert _told(row, heads, 48) == "aaaaaaaa…aaaaaa  waiting…  12s ago  Mend what i…"


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("columns", [64, 80])
def test_a_page_of_help_keeps_to_the_terminal(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    page = parser_of(name).format_help()
    assert [line for line in page.split("\n") if len(line) > columns] == []
    monkeypatch.setenv("COLUMNS", "400")
    assert page.split() == parser_of(name).format_help().split(), "nothing but its lines is another"


def test_names_that_are_cut_keep_both_ends() -> None:
    assert cut_within("refused-8-of-a-long-name-10", 12) == "refuse…me-10"
    assert cut_within("short", 12) == "short"
    assert {cut_within(f"refused-with-a-long-name-{number}", 12) for number in (8, 10)} == {
        "refuse…ame-8",
        "refuse…me-10",
    }


def test_a_column_that_finds_no_room_is_left_out_and_its_head_returned() -> None:
    row = ("all", "100", "7", "3", "0.1200")
    heads = ("metrics", "received", "interrupted", "failed", "USD")
    output = Narrow(34)
    assert output.table([row], heads, spare=("interrupted", "failed")) == ["interrupted"]
    assert output.screen.getvalue().split("\n")[0] == "metrics  received  failed  USD"
    assert Narrow(80).table([row], heads, spare=("interrupted", "failed")) == []


@given(st.integers(9, 60), st.integers(2, 14))
def test_a_table_too_wide_for_any_line_becomes_lines_with_all_its_cells(columns: int, fields: int) -> None:
    heads = ("key", *(f"field-{number:02}" for number in range(fields)))
    output = Narrow(columns)
    output.table([("k", *map(str, range(fields)))], heads)
    said = output.screen.getvalue()
    assert {*said.split()} >= {"k", *map(str, range(fields))}
    if len(said.split("\n")) > 3:
        assert [line.split() for line in said.split("\n")[1:-1]] == [
            [head, str(number)] for number, head in enumerate(heads[1:])
        ]
    else:
        assert max(map(width, said.split("\n"))) <= columns


def test_a_long_line_of_status_is_folded_below_its_label_on_a_terminal_alone() -> None:
    text = "nobody answers there: start Ollama, or look at OLLAMA_HOST"
    output = Narrow(50)
    output.labelled("model", text)
    first, *rest = output.screen.getvalue().split("\n")[:-1]
    assert first.startswith("model    nobody")
    assert all(line.startswith(" " * 9) and len(line) <= 50 for line in rest)
    assert " ".join([first[9:], *(line.strip() for line in rest)]) == text
    piped = io.StringIO()
    Output("never", {}, json=False, out=piped).labelled("model", text)
    assert piped.getvalue() == f"model    {text}\n"


def _told(row: tuple[str, ...], heads: tuple[str, ...], columns: int) -> str:
    output = Narrow(columns)
    output.table([row], heads)
    return output.screen.getvalue().split("\n")[1]


def test_a_tail_from_beyond_the_end_says_where_the_log_ends(home: BuiltHome, evt: Evt) -> None:
    head = home.log.head()
    said = evt("tail", "--since", f"@{head + 5}")
    assert (said.code, said.out) == (0, "")
    assert said.err == f"note: there is no event {head + 5} yet: the log ends at {head}.\n"
    told = evt("tail", "--json", "--since", f"@{head + 5}")
    assert orjson.loads(told.err)["note"] == f"there is no event {head + 5} yet: the log ends at {head}."
    assert evt("tail", "--since", f"@{head + 1}").err == ""


class Owned:
    """A desk at a home of which a service says in the log that it works."""

    def __init__(self, home: BuiltHome) -> None:
        self.home = Home(home.root, named=True)
        self.storage = self
        self.log = home.log

    def service(self) -> Recorded:
        return list(self.log.all(types=frozenset({names.ORCHESTRATOR_STARTED})))[-1]


def test_a_second_service_is_told_that_the_first_one_is_about_to_end(home: BuiltHome) -> None:
    home.system(StopRequested(reason="SIGINT", running=("old",), grace_s=30))
    home.started(pid=77)
    desk = cast(Desk, Owned(home))
    assert "stop that one first" in already_running(desk).hint
    home.system(StopRequested(reason="SIGINT", running=("d1",), grace_s=30))
    told = already_running(desk)
    assert "is owned by the service with pid 77" in told.sentence
    assert told.hint.startswith("It was told to stop ")
    assert told.hint.endswith(
        " (SIGINT): waits up to 30 s for d1. Wait until it has ended, then start again."
    )
