"""`evt init` in a folder of the first system: its records are kept, and what waited is taken in."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from adapters.demo_home import agent_setting
from adapters.first_system import _relative, spare
from adapters.home import Home
from adapters.home_making import Occupied, make_home
from schemas import names
from tests.service import events, evt, folder, task_text

EVENT = b'{"timestamp":"2025-08-11T10:00:00","event":"task_received","task_id":"old"}\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """As the first system leaves a folder: a file that waits, one that is done, records, an artifact."""
    root = tmp_path / "old"
    for name in ("tasks/processed", "results", "summaries", "logs"):
        (root / name).mkdir(parents=True)
    (root / ".env").write_text(agent_setting(), encoding="utf-8", newline="\n")
    (root / "tasks" / "mend.task.md").write_text(task_text(folder(root)), encoding="utf-8", newline="\n")
    (root / "tasks" / "processed" / "old.completed.task.md").write_bytes(b"done\n")
    (root / "logs" / "events.ndjson").write_bytes(EVENT)
    (root / "logs" / "events.ndjson.1").write_bytes(EVENT * 2)
    (root / "logs" / "metrics.json").write_bytes(b"{}")
    waiting(root, str(root / "tasks" / "mend.task.md"))
    for task_id in ("old", "mend"):
        (root / "results" / f"{task_id}.json").write_bytes(artifact(task_id))
        (root / "summaries" / f"{task_id}_summary.txt").write_bytes(b"as it was\n")
    (root / "results" / "index.json").write_bytes(b'{"old": "results/old.json"}')
    return root


def waiting(root: Path, *paths: str) -> None:
    state = {"pending_files": paths, "updated": "2025-08-11T10:00:00"}
    (root / "logs" / "state.json").write_bytes(orjson.dumps(state))


def artifact(task_id: str) -> bytes:
    return orjson.dumps({"schema_version": "1.0", "task_id": task_id, "success": True})


def adoption(root: Path) -> dict[str, list[str]]:
    (found,) = [event.data for event in events(root) if event.type == names.FIRST_SYSTEM_ADOPTED]
    return dict(found)


def test_its_records_are_moved_and_what_waited_is_done(old: Path, config: dict[str, str]) -> None:
    made = evt(old, "init", **config)
    assert made.returncode == 0, made.stderr
    assert "its records lie in logs/v1 now" in made.stderr
    assert "what waited there is taken in by `evt run`: tasks/mend.task.md" in made.stderr
    kept = old / "logs" / "v1"
    assert (kept / "events.ndjson").read_bytes() == EVENT
    assert (kept / "events.ndjson.1").read_bytes() == EVENT * 2
    assert orjson.loads((kept / "index.json").read_bytes()) == {"old": "results/old.json"}
    assert adoption(old)["left"] == []
    assert evt(old, "audit", **config).returncode == 0
    assert evt(old, "run", "--drain", "--quiet", **config).returncode == 0
    assert [event.stream for event in events(old) if event.type == names.TASK_SUCCEEDED] == ["task-mend"]


def test_its_artifacts_stay_until_a_task_of_that_name_leaves_its_own(
    old: Path, config: dict[str, str]
) -> None:
    assert evt(old, "init", **config).returncode == 0
    assert evt(old, "run", "--drain", "--quiet", **config).returncode == 0
    assert (old / "results" / "old.json").read_bytes() == artifact("old")
    assert (old / "summaries" / "old_summary.txt").read_bytes() == b"as it was\n"
    assert orjson.loads((old / "results" / "mend.json").read_bytes())["schema_version"] != "1.0"
    assert (old / "logs" / "v1" / "mend.json").read_bytes() == artifact("mend")
    assert (old / "logs" / "v1" / "mend_summary.txt").read_bytes() == b"as it was\n"
    assert evt(old, "validate-artifacts", "--ignore-legacy", **config).returncode == 0
    assert (old / "tasks" / "processed" / "old.completed.task.md").read_bytes() == b"done\n"


def test_what_was_put_aside_is_never_put_aside_over_another(tmp_path: Path) -> None:
    for name in ("logs/v1", "results"):
        (tmp_path / name).mkdir(parents=True)
    for content in (artifact("a"), artifact("a") + b"\n"):
        (tmp_path / "results" / "a.json").write_bytes(content)
        spare(tmp_path, "results/a.json")
    assert sorted(path.name for path in (tmp_path / "logs" / "v1").iterdir()) == ["a-2.json", "a.json"]
    (tmp_path / "results" / "b.json").write_bytes(b'{"schema_version":"1.1"}')
    spare(tmp_path, "summaries/b_summary.txt")
    assert (tmp_path / "results" / "b.json").exists()


def test_a_file_that_waited_elsewhere_is_copied_and_one_that_is_gone_or_strange_is_named(
    old: Path, config: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "secret.task.md").write_bytes(b"a text of somebody else\n")
    (old / "later").mkdir()
    (old / "later" / "two.task.fix.md").write_text(task_text(folder(old)), encoding="utf-8", newline="\n")
    waiting(
        old,
        "later/two.task.fix.md",
        str(tmp_path / "secret.task.md"),
        "../secret.task.md",
        "tasks/gone.task.md",
    )
    assert evt(old, "init", **config).returncode == 0
    found = adoption(old)
    assert found["pending"] == ["tasks/two.task.md"]
    assert (old / "later" / "two.task.fix.md").exists()
    assert len(found["left"]) == 3
    assert all("was not taken in" in sentence for sentence in found["left"])
    assert not (old / "tasks" / "secret.task.md").exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"pending_files": 7}', b'{"pending_files": [1]}', b"\xff\x00"]
)
def test_a_list_that_cannot_be_read_is_said_and_hinders_nothing(
    old: Path, config: dict[str, str], content: bytes
) -> None:
    (old / "logs" / "state.json").write_bytes(content)
    made = evt(old, "init", **config)
    assert (made.returncode, "Traceback" in made.stderr) == (0, False)
    assert "state.json cannot be read" in made.stderr
    assert (old / "logs" / "v1" / "state.json").read_bytes() == content


@pytest.mark.parametrize("died_after", ["a move", "all moves", "the log"])
def test_a_try_that_was_cut_off_goes_on_and_is_told_once(
    old: Path, config: dict[str, str], died_after: str
) -> None:
    kept = old / "logs" / "v1"
    kept.mkdir()
    (old / "logs" / "events.ndjson").rename(kept / "events.ndjson")
    if died_after != "a move":
        for name in ("events.ndjson.1", "state.json", "metrics.json"):
            (old / "logs" / name).rename(kept / name)
        (old / "results" / "index.json").rename(kept / "index.json")
    if died_after == "the log":
        kept.rename(old / "v1")
        make_home(old, register=False)
        (old / "v1").rename(kept)
    for _ in range(2):
        assert evt(old, "init", **config).returncode == 0
    assert adoption(old)["pending"] == ["tasks/mend.task.md"]
    assert len(adoption(old)["moved"]) == 5


def test_an_import_and_a_demonstration_take_over_nothing(old: Path) -> None:
    before = sorted(path for path in old.rglob("*"))
    with pytest.raises(Occupied, match="first system"):
        make_home(old, register=False)
    assert sorted(path for path in old.rglob("*")) == before


def test_a_record_that_would_meet_another_in_logs_v1_is_not_moved(old: Path, config: dict[str, str]) -> None:
    (old / "logs" / "v1").mkdir()
    (old / "logs" / "v1" / "state.json").write_bytes(b"older\n")
    made = evt(old, "init", **config)
    assert (made.returncode, "Traceback" in made.stderr) == (74, False)
    assert "state.json" in made.stderr
    assert (old / "logs" / "v1" / "state.json").read_bytes() == b"older\n"


@pytest.mark.skipif(sys.platform == "win32", reason="paths as the two systems write them, seen from POSIX")
@pytest.mark.parametrize(
    ("written", "relative"),
    [
        ("C:\\work\\AI-team\\tasks\\fix.task.md", "tasks/fix.task.md"),
        ("tasks\\fix.task.md", "tasks/fix.task.md"),
        ("tasks/fix.task.md", "tasks/fix.task.md"),
        ("/elsewhere/tasks/fix.task.md", "tasks/fix.task.md"),
        ("/home/of/it/other/fix.task.md", "other/fix.task.md"),
        ("/etc/passwd", None),
        ("C:\\secrets.task.md", None),
    ],
)
def test_a_path_of_either_system_is_taken_from_the_folder_on(written: str, relative: str | None) -> None:
    home = Home(Path("/home/of/it"), named=True)
    try:
        assert _relative(home, written) == relative
    except ValueError:
        assert relative is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep names as text")
def test_a_record_whose_name_is_no_text_is_moved_and_named(old: Path) -> None:
    strange = os.fsencode(old / "logs") + b"/orchestrator.log.\xff"
    os.close(os.open(strange, os.O_CREAT))
    made = make_home(old)
    assert made.adopted is not None
    assert "logs/v1/orchestrator.log.\\udcff" in adoption(old)["moved"]
    assert os.path.lexists(os.fsencode(old / "logs") + b"/v1/orchestrator.log.\xff")


def a_file(place: Path, _: Path) -> None:
    place.write_bytes(b"mine")


def a_link(place: Path, elsewhere: Path) -> None:
    elsewhere.mkdir()
    place.symlink_to(elsewhere)


@pytest.mark.parametrize("hurdle", [a_file, a_link])
def test_records_are_moved_into_a_folder_of_the_home_alone(
    old: Path, tmp_path: Path, hurdle: Callable[[Path, Path], None]
) -> None:
    hurdle(old / "logs" / "v1", tmp_path / "elsewhere")
    with pytest.raises(Occupied, match="v1 is"):
        make_home(old)
    assert (old / "logs" / "events.ndjson").read_bytes() == EVENT
    assert not (old / "blobs").exists()


def test_a_file_where_a_home_has_a_folder_is_named_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "results").write_bytes(b"mine")
    with pytest.raises(Occupied, match="results is no folder"):
        make_home(tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["results"]


def test_of_very_many_files_that_are_gone_a_hundred_are_named_and_the_rest_counted(old: Path) -> None:
    waiting(old, *(f"tasks/gone-{number}.task.md" for number in range(250)))
    make_home(old)
    left = adoption(old)["left"]
    assert len(left) == 101
    assert left[-1] == "150 more were not taken in, either"
