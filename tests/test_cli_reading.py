"""What every reading verb keeps to, and `evt list` and `evt status`."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from adapters.cli.list_tasks import ENDED_SHOWN
from adapters.cli.main import call
from adapters.cli.table import VERBS
from eventstore.file_lock import FileLock
from schemas.service import StopRequested
from tests.homes import START, BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


READING = ("list", "status", "project tasks", "project metrics", "replay", "replay --verify", "version")


@pytest.mark.parametrize("verb", READING)
def test_a_reading_verb_gives_one_json_document(home: BuiltHome, evt: Evt, verb: str) -> None:
    home.succeed("one")
    home.refuse()
    home.store_views()
    said = evt(*verb.split(), "--json")
    assert said.code == 0
    assert said.document is not None
    assert said.err == ""


def test_every_verb_of_the_table_that_reads_has_a_help(evt: Evt, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (
        "status",
        "list",
        "show",
        "wait",
        "tail",
        "project",
        "replay",
        "validate-artifacts",
        "version",
    ):
        assert verb in VERBS
        with pytest.raises(SystemExit) as ended:
            evt(verb, "--help")
        assert ended.value.code == 0
        assert f"usage: evt {verb}" in capsys.readouterr().out


# list


def test_list_names_every_task_and_every_refusal(home: BuiltHome, evt: Evt) -> None:
    home.succeed("Good")
    home.fail("bad")
    refusal = home.refuse()
    home.queue("next")
    said = evt("list")
    assert said.code == 0
    table = {line.split()[0]: line for line in said.lines[1:]}
    assert list(table) == ["Good", "bad", f"refused-{refusal}", "next"]
    assert "the agent was not permitted to use Bash." in table["bad"]
    assert "bad.task.md: the key `env` may not be set." in table[f"refused-{refusal}"]


def test_list_says_what_a_task_waits_for(home: BuiltHome, evt: Evt) -> None:
    home.fail("first")
    home.queue("second", after=("first", "nobody"))
    home.queue("third", not_before=START * 2)
    said = evt("list")
    assert "waits for first (failed), nobody (unknown)" in said.out
    assert "not before 2082-" in said.out


def test_list_shows_the_statuses_that_were_asked_for(home: BuiltHome, evt: Evt) -> None:
    home.succeed("good")
    home.fail("bad")
    home.queue("next")
    rows = evt("list", "--json", "--status", "queued,failed").document
    assert [row["id"] for row in rows] == ["bad", "next"]
    assert evt("list", "--json", "--status", "queued", "--status", "succeeded").document[0]["id"] == "good"


def test_a_status_that_is_none_is_refused_with_the_nearest(evt: Evt) -> None:
    said = evt("list", "--status", "faild")
    assert (said.code, said.out) == (2, "")
    assert said.err == 'evt: "faild" is no status of a task.\n     Did you mean failed?\n'


def test_an_empty_list_says_how_to_begin(evt: Evt) -> None:
    said = evt("list")
    assert (said.code, said.out) == (0, "")
    assert "drop a file" in said.err
    assert evt("list", "--json").document == []


def test_a_list_folds_what_ended_long_ago_and_says_how_many(home: BuiltHome, evt: Evt) -> None:
    home.queue("lives")
    refused = [home.refuse() for _ in range(ENDED_SHOWN + 2)]
    shown = [f"refused-{position}" for position in refused]
    for stored in (False, True):
        if stored:
            home.store_views()
        said = evt("list")
        assert [line.split()[0] for line in said.lines[1:]] == ["lives", *shown[2:]]
        assert "note: 2 more that have ended are not shown: `--all` shows them" in said.err
        few = evt("list", "-n", "1", "--status", "refused")
        assert [line.split()[0] for line in few.lines[1:]] == [shown[-1]]
        assert f"note: {len(refused) - 1} more that have ended are not shown" in few.err
        whole = evt("list", "--all")
        assert len(whole.lines) == len(refused) + 2
        assert "not shown" not in whole.err


def test_a_list_for_programs_is_whole_unless_fewer_are_asked_for(home: BuiltHome, evt: Evt) -> None:
    for _ in range(ENDED_SHOWN + 1):
        home.refuse()
    whole = evt("list", "--json")
    assert (len(whole.document), whole.err) == (ENDED_SHOWN + 1, "")
    fewer = evt("list", "--json", "-n", "3")
    assert len(fewer.document) == 3
    assert f"{ENDED_SHOWN - 2} more that have ended are not shown" in orjson.loads(fewer.err)["note"]


def test_a_list_of_none_of_the_ended_says_that_there_are_some(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.store_views()
    said = evt("list", "-n", "0")
    assert (said.code, said.out) == (0, "")
    assert said.err == "note: 1 more that has ended is not shown: `--all` shows them, `-n N` the newest N.\n"
    assert evt("list", "-n", "-1").code == 2
    assert evt("list", "-n", "1", "--all").code == 2


# status


def test_status_tells_what_runs_waits_and_ended(home: BuiltHome, evt: Evt) -> None:
    home.succeed("good")
    home.queue("now", priority="high")
    home.claim("now")
    home.queue("later", after=("now",))
    home.raw("task-now", "task_dreamt", {})
    said = evt("status", "--json").document
    assert said["counts"] == {"running": 1, "waiting_dependency": 1, "succeeded": 1}
    (running,) = said["running"]
    assert (running["id"], running["last_tool"]) == ("now", "Read shop/cart.py")
    assert running["last_step"].startswith("snapshot after 1.2s")
    assert [(row["id"], row["why"]) for row in said["waiting"]] == [("later", "waits for now (running)")]
    assert [row["id"] for row in said["ended"]] == ["good"]
    assert said["unknown_types"] == {"task_dreamt": 1}
    assert said["position"] == home.log.head()
    told = evt("status").out
    for part in ("Read shop/cart.py", "waits for now (running)", "task_dreamt (1)", "1 running"):
        assert part in told


def test_status_shows_waiting_tasks_in_the_order_of_the_queue(home: BuiltHome, evt: Evt) -> None:
    home.queue("low", priority="low")
    home.queue("old")
    home.queue("young")
    home.queue("urgent", priority="high")
    waiting = evt("status", "--json").document["waiting"]
    assert [row["id"] for row in waiting] == ["urgent", "old", "young", "low"]


def test_status_knows_a_service_by_the_lock_that_it_holds(home: BuiltHome, evt: Evt) -> None:
    assert evt("status", "--json").document["service"]["state"] == "never_started"
    home.started(pid=77)
    lock = FileLock(home.root / "logs" / ".owner")
    with lock:
        service = evt("status", "--json").document["service"]
        assert (service["state"], service["owned"], service["pid"]) == ("running", True, 77)
        assert "running: pid 77, 2 workers" in evt("status").out
    assert evt("status", "--json").document["service"]["state"] == "gone"
    home.stopped()
    assert evt("status", "--json").document["service"]["state"] == "stopped"
    with lock:
        assert evt("status", "--json").document["service"]["state"] == "busy"


def test_status_tells_of_a_service_that_was_told_to_stop(home: BuiltHome, evt: Evt) -> None:
    home.system(StopRequested(reason="SIGINT", running=("old",), grace_s=30))
    home.started(pid=77)
    with FileLock(home.root / "logs" / ".owner"):
        assert evt("status", "--json").document["service"]["stopping"] is None
        home.system(StopRequested(reason="SIGINT", running=("d1", "d2"), grace_s=30))
        service = evt("status", "--json").document["service"]
        assert (service["state"], service["stopping"]["running"]) == ("running", ["d1", "d2"])
        line = evt("status").lines[1]
        assert line.startswith("service  told to stop ")
        assert line.endswith(" (SIGINT): waits up to 30 s for d1, d2; pid 77, 2 workers")
    home.stopped()
    assert evt("status", "--json").document["service"]["stopping"] is None


def test_status_gives_the_lock_back(home: BuiltHome, evt: Evt) -> None:
    lock = FileLock(home.root / "logs" / ".owner")
    with lock:
        pass
    assert evt("status").code == 0
    assert lock.try_acquire()
    lock.release()


def test_status_makes_nothing_in_a_home(home: BuiltHome, evt: Evt) -> None:
    before = sorted(home.root.rglob("*"))
    for verb in (("status",), ("list",), ("tail",), ("replay",), ("project", "queue")):
        assert evt(*verb).code == 0
    assert sorted(home.root.rglob("*")) == before


# a log that is said to lie elsewhere


@pytest.mark.parametrize(
    "verb",
    ["list", "status", "show one", "wait one", "tail", "project tasks", "replay", "create-sample", "add x y"],
)
def test_no_verb_reads_a_home_whose_log_is_said_to_lie_elsewhere(
    home: BuiltHome, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    home.succeed("one")
    before = sorted(home.root.rglob("*"))
    place = {"EVT_HOME": str(home.root)}
    assert call(verb.split(), {**place, "EVT_LOG_URL": "postgres://me:hidden@db/evt"}) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.startswith("evt: EVT_LOG_URL is set in the environment;")) == ("", True)
    assert "hidden" not in said.err
    settings = home.root / ".env"
    settings.write_text("export EVT_LOG_URL='postgres://db/evt' # ours\n", encoding="utf-8", newline="\n")
    assert call([*verb.split(), "--json"], place) == 2
    error = orjson.loads(capsys.readouterr().err.splitlines()[-1])["error"]
    assert error["code"] == "bad_setting"
    assert str(settings) in error["message"]
    assert sorted(home.root.rglob("*")) == sorted([*before, settings])


@pytest.mark.parametrize(
    "written", ["# EVT_LOG_URL=postgres://db\n", "EVT_LOG_URL=\n", "EVT_LOG_URL_OLD=x\n"]
)
def test_a_log_that_is_said_to_lie_here_is_read(home: BuiltHome, evt: Evt, written: str) -> None:
    (home.root / ".env").write_text(written, encoding="utf-8", newline="\n")
    assert evt("list").code == 0


def test_the_environment_wins_over_what_is_written_of_the_log(
    home: BuiltHome, capsys: pytest.CaptureFixture[str]
) -> None:
    (home.root / ".env").write_text("EVT_LOG_URL=postgres://db\n", encoding="utf-8", newline="\n")
    assert call(["list"], {"EVT_HOME": str(home.root), "EVT_LOG_URL": ""}) == 0
    assert capsys.readouterr().out == ""


# a home that is none


def test_no_home_is_said_with_the_way_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in (
        ("list",),
        ("status",),
        ("tail",),
        ("show", "x"),
        ("wait", "x"),
        ("replay",),
        ("create-sample",),
    ):
        assert call(verb, {}) == 2
        assert "evt init" in capsys.readouterr().err


def test_a_log_of_another_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.db").write_bytes(b"not a database at all, but a text" * 50)
    for verb in ("list", "status", "tail", "replay"):
        assert call([verb, "--json"], {"EVT_HOME": str(tmp_path)}) == 2
        assert orjson.loads(capsys.readouterr().err)["error"]["code"] == "log_unreadable"
