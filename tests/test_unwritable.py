"""A file that cannot be made from the log ends a drain: loudly, by its name, without harm to the log."""

from pathlib import Path

from schemas import names
from tests.service import drop, events, evt, folder, home_at, task_text


def test_a_drain_ends_although_an_artifact_cannot_be_written_and_names_it(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    in_the_way = home / "results" / "one.json" / "somebody's"
    in_the_way.mkdir(parents=True)
    drop(home, "one", task_text(folder(home)))
    ended = evt(home, "run", "--drain", "--quiet")
    assert ended.returncode == 74, ended.stderr
    assert "results/one.json" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [event.type for event in events(home) if event.type in names.ENDS] == [names.TASK_SUCCEEDED]

    in_the_way.rmdir()
    in_the_way.parent.rmdir()
    again = evt(home, "run", "--drain", "--quiet")
    assert again.returncode == 0, again.stderr
    assert (home / "results" / "one.json").is_file()
