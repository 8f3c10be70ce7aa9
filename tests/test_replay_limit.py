"""Replay reads no more than it must, and what it leaves out changes no row."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.app import LIVE
from adapters.cli.output import Output
from adapters.cli.progress import Progress
from adapters.cli.watched_log import BETWEEN_LOOKS, WatchedLog
from adapters.home import Home
from eventstore.event import ANY, Event, Recorded
from eventstore.memory_log import MemoryLog
from eventstore.moment import rfc3339, utc_day
from eventstore.sqlite.log import SqliteLog
from eventstore.sqlite.versions import sqlite_libraries
from eventstore.sqlite.wal_reset import has_wal_reset_fault
from eventstore.text.mirror import Mirror
from eventstore.unreadable import LineDamaged
from projections import fold as folds
from projections import views
from projections.all_views import ALL, BY_NAME, TO_DO
from projections.batch import next_batch
from projections.comparison import differences
from projections.fold import Fold, fold_events, fold_log
from projections.projection import Projection, Written, by_task
from projections.stored_form import Checkpoint
from projections.views import Views
from schemas import names
from schemas.registry import FACTS
from schemas.standing import MOVES, Standing
from tests.grown_lives import Grown
from tests.homes import BuiltHome
from tests.life_cycles import Lives, received
from tests.service import drop, evt, folder, home_at, task_text
from tools.bench.corpus import copied, corpus

LIVES = st.lists(st.integers(0, 5000), max_size=120)


class Reading(MemoryLog):
    """Remembers which events anybody was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[int] = []

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        for event in super().all(after, upto, types):
            self.given.append(event.global_position)
            yield event


def written(fold: Fold) -> dict[str, Written]:
    return dict(fold.changed(0))


# the fold


@given(LIVES, st.integers(1, 50), st.data())
def test_a_fold_that_looks_ahead_comes_to_the_same_rows(
    numbers: list[int], stretch: int, data: st.DataObject
) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    head = lives.log.head()
    middle = data.draw(st.integers(0, head))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "STRETCH", stretch)
        together = [Fold(projection) for projection in ALL]
        fold_log(together, lives.log, 0, middle)
        fold_log(together, lives.log, middle, head)
    for fold in together:
        one_by_one = Fold(fold.projection)
        fold_events((one_by_one,), lives.log.all())
        assert written(fold) == written(one_by_one), fold.projection.name


@given(LIVES)
def test_after_an_event_of_gone_after_no_row_is_left_whatever_it_was(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    events = list(lives.log.all())
    for projection in ALL:
        if not projection.gone_after:
            continue
        assert projection.keys is by_task
        assert projection.types is None or projection.gone_after <= projection.types
        fold = Fold(projection)
        fold_events((fold,), events)
        for event in events:
            if event.type in projection.gone_after:
                for row in (None, {}, *fold.rows().values()):
                    assert [projection.apply(key, row, event) for key in by_task(event)] == [None]


def test_rows_that_end_soon_are_not_worked_out() -> None:
    lives = Lives(MemoryLog())
    lives.whole("a")
    lives.whole("b")
    queue = BY_NAME["queue"]
    applied: list[str] = []

    def counting(key: str, row: dict[str, object] | None, event: Recorded) -> dict[str, object] | None:
        applied.append(event.type)
        return queue.apply(key, row, event)

    fold = Fold(Projection("queue", 1, queue.types, by_task, counting, queue.gone_after))
    fold_log((fold,), lives.log, 0, lives.log.head())
    assert applied == [names.TASK_SUCCEEDED] * 2


QUIET = {
    "tasks": {
        names.TOOL_USED,
        names.STEP_STARTED,
        names.AGENT_STARTED,
        names.LEASE_EXTENDED,
        "task_dreamt_of",
    },
    "queue": {names.TASK_SUCCEEDED, names.TASK_FAILED, names.TASK_RELEASED},
    "metrics": {names.TASK_CLAIMED, names.TASK_INTERRUPTED, names.RETRY_SCHEDULED, names.RETRY_REQUESTED},
}
NEEDED = {"tasks": names.TURN_FINISHED, "queue": names.TASK_QUEUED, "metrics": names.TASK_SUCCEEDED}


@pytest.mark.parametrize("view", sorted(QUIET))
def test_a_body_that_a_rule_does_not_need_is_never_read(view: str) -> None:
    lives = Lives(MemoryLog())
    lives.whole("a")
    fold = Fold(BY_NAME[view])
    fold_events((fold,), lives.log.all())
    for event_type in sorted(QUIET[view]):
        fold.apply(Recorded(99, "task-a", 9, event_type, lives.now, b"no JSON at all"))
    with pytest.raises(LineDamaged, match="event 100 is damaged"):
        fold.apply(Recorded(100, "task-a", 10, NEEDED[view], lives.now, b"no JSON at all"))


@given(LIVES)
def test_a_standing_changes_only_by_the_types_that_are_said_to_change_it(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    standing = Standing()
    for event in lives.log.all():
        after = standing.after(event.type, event.data)
        assert after == standing or event.type in MOVES
        standing = after


@given(st.integers(0, 253_402_300_799_999_999))
def test_the_day_is_the_beginning_of_the_time(moment: int) -> None:
    assert utc_day(moment) == rfc3339(moment)[:10]


# batches and restart


def checkpoints(**at: int) -> dict[str, Checkpoint]:
    return {name: Checkpoint(1, position, "") for name, position in at.items()}


@pytest.mark.parametrize(
    ("at", "head", "told"),
    [
        ({"tasks": 0, "queue": 0}, 25, (("tasks", "queue"), 0, 10)),
        ({"tasks": 20, "queue": 20}, 25, (("tasks", "queue"), 20, 25)),
        ({"tasks": 0, "queue": 3}, 25, (("tasks",), 0, 3)),
        ({"tasks": 25, "queue": 3}, 25, (("queue",), 3, 13)),
        ({"tasks": 25, "queue": 24}, 25, (("queue",), 24, 25)),
        ({"tasks": 25, "queue": 25}, 25, None),
        ({"tasks": 0, "queue": 0}, 0, None),
    ],
)
def test_the_hindmost_views_go_first_and_as_far_as_the_next_ones(
    at: dict[str, int], head: int, told: tuple[tuple[str, ...], int, int] | None
) -> None:
    batch = next_batch([BY_NAME["tasks"], BY_NAME["queue"]], checkpoints(**at), head, 10)
    found = None if batch is None else (tuple(one.name for one in batch.projections), batch.start, batch.end)
    assert found == told


@settings(max_examples=25, deadline=None)
@given(LIVES, st.integers(1, 9), st.integers(0, 4))
def test_views_come_out_the_same_however_few_rows_stay_in_memory(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], batch: int, kept: int
) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    path = tmp_path_factory.mktemp("views") / "views.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "BATCH", batch)
        patch.setattr(views, "KEPT_ROWS", kept)
        stored = Views(path, ALL)
        stored.catch_up(lives.log)
        stored.close()
    assert differences(path, lives.log, ALL).identical


def test_a_restart_reads_the_tail_and_nothing_before_it(tmp_path: Path) -> None:
    log = Reading()
    lives = Grown(log)
    lives.grow(range(3, 4000, 37))
    path = tmp_path / "views.db"
    first = Views(path, ALL)
    first.catch_up(log)
    first.close()
    reached = log.head()
    lives.tell("Z", received("Z"))
    log.given.clear()
    again = Views(path, ALL)
    assert again.catch_up(log) == log.head()
    again.close()
    # The event of the checkpoint tells whether it is still this log.
    assert set(log.given) == {reached, log.head()}
    assert differences(path, log, ALL).identical


def test_a_service_keeps_no_view_in_memory_that_has_a_row_for_each_task_there_ever_was() -> None:
    # The metrics have one for each day.
    assert set(LIVE) <= {projection.name for projection in TO_DO} | {"metrics"}


def test_the_index_of_a_second_run_names_what_the_first_one_did(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    place = folder(home)
    for name in ("one", "two"):
        drop(home, name, task_text(place))
        ran = evt(home, "run", "--drain", "--drain-wait", "0")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    index = json.loads((home / "results" / "index.json").read_text(encoding="utf-8"))
    assert index == {"one": "results/one.json", "two": "results/two.json"}


# what a person sees of it


class Shown(Progress):
    """Shows every line, whenever it comes."""

    def __init__(self, output: Output, *, visible: bool) -> None:
        super().__init__(output, {})
        self.visible = visible
        self.lines: list[str] = []

    def due(self) -> bool:
        return self.visible

    def show(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def long_home(tmp_path: Path) -> Iterator[Home]:
    with BuiltHome(tmp_path / "home") as built:
        built.many("chat-1", 4 * BETWEEN_LOOKS)
    yield Home(built.root, named=True)


@pytest.fixture
def output() -> Output:
    return Output("never", {}, json=False)


def test_a_long_reading_shows_how_far_it_is_how_fast_and_how_long_yet(
    long_home: Home, output: Output
) -> None:
    progress = Shown(output, visible=True)
    log = WatchedLog(long_home, progress)
    list(log.all(log.head() - 1))
    assert progress.lines == []
    assert len(list(log.all())) == log.head() == 4 * BETWEEN_LOOKS + 1
    log.close()
    positions = [BETWEEN_LOOKS * number for number in (1, 2, 3, 4)]
    bars = ["####................", "#########...........", "##############......", "###################."]
    for line, position, bar in zip(progress.lines, positions, bars, strict=True):
        assert line.startswith(f"[{bar}] {position} of {log.upto} events, ")
        assert line.endswith(" left")
        assert "/s, " in line


def test_the_bar_never_goes_back(long_home: Home, output: Output) -> None:
    progress = Shown(output, visible=True)
    log = WatchedLog(long_home, progress)
    list(log.all())
    list(log.all())
    log.close()
    assert len(progress.lines) == 4


def test_where_nobody_looks_nothing_is_shown(long_home: Home, output: Output) -> None:
    progress = Shown(output, visible=False)
    log = WatchedLog(long_home, progress)
    list(log.all())
    log.close()
    assert progress.lines == []


# the log to measure on


def test_a_corpus_is_a_whole_log_and_the_same_each_time(tmp_path: Path) -> None:
    one, other = corpus(1500, tmp_path / "one"), corpus(1500, tmp_path / "other")
    assert one.mirror.read_bytes() == other.mirror.read_bytes()
    mine = copied(one, tmp_path / "mine")
    log = SqliteLog(mine.log)
    assert Mirror(mine.mirror, log).catch_up(thorough=True) is None
    ends: dict[str, Recorded] = {}
    for event in log.all():
        FACTS[event.type].model_validate(dict(event.data))
        ends[event.stream] = event
    assert log.head() == one.events
    event = next(log.all(0, 1))
    for stream, last in sorted(ends.items())[:5]:
        more = Event(f"more-{stream}", "more", {}, event.time, "me", "here")
        assert log.append(stream, [more], ANY)[0].position == last.position + 1
        assert [found.position for found in log.stream(stream)] == list(range(last.position + 2))
    log.close()


def test_a_corpus_that_is_there_is_used_again(tmp_path: Path) -> None:
    made = corpus(10, tmp_path)
    before = made.log.stat()
    assert corpus(10, tmp_path) == made
    assert made.log.stat() == before


# the libraries


@pytest.mark.parametrize(
    ("version", "faulty"),
    [
        ("3.6.23", False),
        ("3.7.0", True),
        ("3.40.1", True),
        ("3.44.5", True),
        ("3.44.6", False),
        ("3.45.0", True),
        ("3.50.6", True),
        ("3.50.7", False),
        ("3.51.0", True),
        ("3.51.2", True),
        ("3.51.3", False),
        ("3.54.1", False),
        ("4.0.0", False),
    ],
)
def test_the_versions_that_may_damage_a_file_are_known(version: str, faulty: bool) -> None:
    assert has_wal_reset_fault(version) is faulty


def test_the_log_is_opened_with_a_library_that_has_no_such_fault() -> None:
    log, stored_views = sqlite_libraries()
    assert (log.module, log.opens, log.wal_reset_fault) == ("apsw", "logs/events.db", False)
    assert (stored_views.module, stored_views.opens) == ("sqlite3", "logs/views.db")
    assert log.source_id[:4].isdigit()
    assert stored_views.source_id[:4].isdigit()
