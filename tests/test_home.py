"""A home: how it is made, found, and trusted."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.cli.main import call
from adapters.desk import desk
from adapters.home import Home, NoHome, find_home
from adapters.home_making import Occupied, make_home
from adapters.trusted_homes import TrustedHomes
from eventstore.sqlite.log import SqliteLog
from schemas import names


def first_events(home: Path) -> list[str]:
    log = SqliteLog(home / "logs" / "events.db", read_only=True)
    try:
        return [event.type for event in log.all()]
    finally:
        log.close()


def test_event_one_of_a_home_is_home_created(tmp_path: Path) -> None:
    made = make_home(tmp_path / "new", register=False)
    assert made.created
    assert first_events(made.root) == [names.HOME_CREATED]


def test_making_a_home_twice_is_making_it_once(tmp_path: Path) -> None:
    first = make_home(tmp_path, register=False)
    again = make_home(tmp_path, register=False)
    assert (again.created, again.home_id) == (False, first.home_id)
    assert first_events(tmp_path) == [names.HOME_CREATED]


def test_a_home_whose_making_died_before_its_first_event_is_finished(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    SqliteLog.create(tmp_path / "logs" / "events.db").close()
    assert make_home(tmp_path, register=False).created
    assert first_events(tmp_path) == [names.HOME_CREATED]


def test_settings_that_stand_there_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_CONCURRENT_TASKS=1\n", encoding="utf-8", newline="\n")
    make_home(tmp_path, register=False)
    assert (tmp_path / ".env").read_text(encoding="utf-8") == "MAX_CONCURRENT_TASKS=1\n"


def test_a_file_cannot_become_a_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Occupied, match="is a file"):
        make_home(tmp_path / "file", register=False)


def test_a_folder_of_the_first_system_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "state.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Occupied, match="first system"):
        make_home(tmp_path, register=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["logs", "state.json"]


def test_a_home_is_found_by_name_then_environment_then_upward(tmp_path: Path) -> None:
    named, ambient, above = (make_home(tmp_path / name, register=False).root for name in ("n", "e", "a"))
    below = above / "sample" / "deep"
    below.mkdir(parents=True)
    assert find_home(str(named), str(ambient), below).root == named
    assert find_home(None, str(ambient), below).root == ambient
    found = find_home(None, None, below)
    assert (found.root, found.named) == (above, False)


def test_where_there_is_no_home_the_sentence_says_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(NoHome, match=str(tmp_path)):
        find_home(None, None, tmp_path)
    with pytest.raises(NoHome, match="--home names"):
        find_home(str(tmp_path), None, tmp_path)


def test_only_homes_that_were_made_here_are_trusted(tmp_path: Path) -> None:
    trusted = TrustedHomes(tmp_path / "config")
    assert not trusted.trusts(tmp_path / "home")
    trusted.add(tmp_path / "home")
    trusted.add(tmp_path / "home")
    assert trusted.known() == [str(tmp_path / "home")]
    assert TrustedHomes(tmp_path / "config").trusts(tmp_path / "home")


def test_a_list_of_homes_that_is_no_list_trusts_nobody(tmp_path: Path) -> None:
    (tmp_path / "homes.json").write_text("oops", encoding="utf-8")
    assert TrustedHomes(tmp_path).known() == []


def test_the_tilde_of_nobody_names_no_home(tmp_path: Path) -> None:
    with pytest.raises(NoHome, match="no such person"):
        find_home("~nobody-at-all/home", None, tmp_path)


@pytest.mark.parametrize("name", ["results", "tasks", "summaries"])
def test_a_folder_of_a_home_that_leads_elsewhere_is_named_before_anything_is_done(
    tmp_path: Path, name: str
) -> None:
    home = make_home(tmp_path / "home", register=False).root
    for inner in (home / name).iterdir():
        inner.rmdir()
    (home / name).rmdir()
    (home / name).symlink_to(tmp_path)
    with pytest.raises(NoHome, match=f"{name} is no folder of this home"), desk(Home(home, named=True), {}):
        pass
    assert first_events(home) == [names.HOME_CREATED]


def test_a_new_home_ends_in_a_tree_head_so_that_it_can_be_proved_from_the_first_event(tmp_path: Path) -> None:
    made = make_home(tmp_path / "new")
    logs = made.root / "logs"
    assert (logs / "tree" / "checkpoint").read_text("utf-8").splitlines()[1] == "2"
    assert len((logs / "events.ndjson").read_bytes().splitlines()) == 2
    assert make_home(tmp_path / "new").unsigned is None
    assert len((logs / "events.ndjson").read_bytes().splitlines()) == 2


def test_a_folder_that_holds_the_private_keys_does_not_become_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    with pytest.raises(Occupied, match="where the private key of its log would lie"):
        make_home(tmp_path)
    assert not (tmp_path / "logs").exists()


def test_homes_that_are_made_at_once_are_all_in_the_list(tmp_path: Path) -> None:
    places = [tmp_path / f"home-{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda place: TrustedHomes(tmp_path / "config").add(place), places))
    assert sorted(TrustedHomes(tmp_path / "config").known()) == sorted(map(str, places))


def test_who_stands_in_a_home_whose_log_is_gone_is_shown_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_home(tmp_path / "home").root
    for name in ("events.db", "events.db-wal", "events.db-shm"):
        (root / "logs" / name).unlink(missing_ok=True)
    monkeypatch.chdir(root / "tasks")
    assert call(["list"], {}) == 2
    assert f"`evt recover --home {root}` makes the log again" in capsys.readouterr().err
