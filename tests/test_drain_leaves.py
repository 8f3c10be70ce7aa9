"""A drain that ends names on stderr what it leaves, and that is no error."""

from pathlib import Path

from tests.service import drop, evt, folder, home_at, task_text


def test_what_waits_longer_than_a_drain_is_named_with_what_it_waits_for(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    drop(home, "dependent", task_text(folder(home), after="never-there"))
    drop(home, "later", task_text(folder(home), not_before="2999-01-01T00:00:00Z"))
    drained = evt(home, "run", "--drain", "--drain-wait", "0", "--quiet")
    assert drained.returncode == 0, drained.stderr
    assert "evt: dependent stays waiting_dependency: waits for never-there" in drained.stderr
    assert "evt: later stays queued: not before 2999-01-01 00:00:00Z" in drained.stderr
    assert not list((home / "tasks").glob("*.task.md"))


def test_a_quiet_drain_ends_with_how_many_came_to_which_end(tmp_path: Path) -> None:
    home = home_at(tmp_path, "LLAMA_MODEL=\n")
    drop(home, "bad", "---\ntype: nosuch\n---\nMend it.\n")
    drop(home, "missing", task_text(home / "nowhere"))
    drop(home, "good", task_text(folder(home)))
    drained = evt(home, "run", "--drain", "--drain-wait", "0", "--quiet")
    assert (drained.returncode, drained.stdout) == (0, ""), drained.stderr
    last = "evt: 1 succeeded, 2 refused: `evt list --status refused` says why"
    assert drained.stderr.splitlines()[-1] == last
    again = evt(home, "run", "--drain", "--drain-wait", "0", "--quiet")
    assert again.stderr.splitlines()[-1] == "evt: ended (drained)"
