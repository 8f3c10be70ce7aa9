"""Pipes, devices, huge files, circles of links and odd modes where the home has its files."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from adapters.cli.failure import Failure
from adapters.cli.log_place import refuse_another_log
from adapters.cli.output import Output
from adapters.config.settings import read_settings
from adapters.config.table import BadSetting
from adapters.home_making import make_home
from adapters.safe_files import NotRegular, make_folder, write_atomically
from adapters.volume import network_volume
from eventstore.bell import Bell, stamp_of
from eventstore.regular_file import read_regular, regular
from tests.service import environment, home_at

ROOT = Path(__file__).resolve().parent.parent
LONG_S = 60
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, links and modes as POSIX has them")


def evt(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """A process of its own: one that waits at a pipe is ended."""
    return subprocess.run(
        [sys.executable, "-m", "adapters.cli", *words],
        cwd=ROOT,
        env=environment(EVT_HOME=str(home), **more),
        capture_output=True,
        check=False,
        timeout=LONG_S,
    )


def piped(place: Path) -> Path:
    """A pipe that nobody writes to, in place of what stood there."""
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    return place


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home", register=False).root


@pytest.mark.parametrize("words", [("list",), ("add", "explain a module")])
def test_a_pipe_for_the_settings_is_refused_at_once(home: Path, words: Sequence[str]) -> None:
    piped(home / ".env")
    said = evt(home, *words)
    assert (said.returncode, said.stdout) == (2, b"")
    assert b".env cannot be read: it is no regular file" in said.stderr


def test_settings_are_a_text_file_and_nothing_that_has_no_end(home: Path) -> None:
    (home / ".env").unlink()
    (home / ".env").symlink_to("/dev/zero")
    with pytest.raises(BadSetting, match="no regular file"):
        read_settings(home, {})
    with pytest.raises(Failure, match="no regular file"):
        refuse_another_log(home, {})


def test_settings_of_more_than_a_mebibyte_are_refused_unread(home: Path) -> None:
    os.truncate(home / ".env", 2**33)
    with pytest.raises(BadSetting, match="larger than 1 MiB"):
        read_settings(home, {})
    with pytest.raises(Failure, match="larger than 1 MiB"):
        refuse_another_log(home, {})


def test_settings_may_be_a_link_to_a_text_file(home: Path, tmp_path: Path) -> None:
    (home / ".env").replace(tmp_path / "settings")
    (tmp_path / "settings").write_bytes(b"MAX_CONCURRENT_TASKS=5\r\n")
    (home / ".env").symlink_to(tmp_path / "settings")
    assert read_settings(home, {}).workers == 5


@pytest.mark.parametrize("name", ["CLAUDE_BASE_CWD", "CLAUDE_ALLOWED_ROOT"])
def test_a_folder_whose_links_lead_in_a_circle_is_a_bad_setting(
    home: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    if sys.version_info < (3, 13):  # later ones take such a link for a name like others
        with pytest.raises(BadSetting, match=name):
            read_settings(home, {name: str(tmp_path / "a" / "x")})
    else:
        read_settings(home, {name: str(tmp_path / "a" / "x")})


@pytest.mark.parametrize("name", ["CLAUDE_BASE_CWD", "CLAUDE_ALLOWED_ROOT"])
def test_a_folder_with_a_nul_in_its_name_is_a_bad_setting(home: Path, name: str) -> None:
    (home / ".env").write_bytes(f"{name}=/a\0b\n".encode())
    with pytest.raises(BadSetting, match=name):
        read_settings(home, {})


@pytest.mark.parametrize("verb", ["add", "audit"])
def test_a_pipe_for_the_mirror_is_refused_at_once(home: Path, verb: str) -> None:
    piped(home / "logs" / "events.ndjson")
    said = evt(home, verb, *(["explain a module"] if verb == "add" else []))
    assert said.returncode == 74
    assert b"it is no regular file" in said.stderr
    assert b"events.ndjson" in said.stderr


def test_a_pipe_for_the_views_is_kept_aside_and_they_are_made_anew(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    views = home / "logs" / "views.db"
    views.with_name("views.db-wal").unlink(missing_ok=True)
    views.with_name("views.db-shm").unlink(missing_ok=True)
    piped(views)
    read = evt(home, "list")
    assert (read.returncode, b"views.db cannot be read: it is no regular file" in read.stderr) == (0, True)
    assert evt(home, "run", "--drain").returncode == 0
    assert views.is_file()
    assert views.with_name("views.db.aside-1").is_fifo()


def test_a_pipe_for_the_tree_head_holds_up_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    home = make_home(tmp_path / "home").root
    piped(home / "logs" / "tree" / "checkpoint")
    said = evt(home, "add", "explain a module", XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert said.returncode == 0
    assert b"the tree head could not be written" in said.stderr
    assert b"it is no regular file" in said.stderr


def test_a_backup_names_the_blob_that_is_a_pipe(home: Path, tmp_path: Path) -> None:
    name = "ab" * 32
    folder = home / "blobs" / "sha256" / "ab"
    folder.mkdir(parents=True)
    piped(folder / f"{name}.gz")
    said = evt(home, "backup", str(tmp_path / "copy"))
    assert said.returncode == 74
    assert f"it is no regular file ({folder / name}.gz)".encode() in said.stderr


@pytest.mark.parametrize("read_along", [False, True])
def test_a_pipe_for_the_bell_is_replaced_by_a_bell(tmp_path: Path, read_along: bool) -> None:
    place = piped(tmp_path / ".bell")
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK) if read_along else None
    assert stamp_of(place) is None
    bell = Bell(place)
    bell.ring()
    first = stamp_of(place)
    bell.ring()
    bell.close()
    assert place.is_file()
    assert first is not None
    assert stamp_of(place) != first
    if reader is not None:
        os.close(reader)


def test_a_bell_that_is_a_link_is_not_rung_in_another_s_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"kept as it is")
    (tmp_path / ".bell").symlink_to(tmp_path / "other")
    bell = Bell(tmp_path / ".bell")
    bell.ring()
    bell.close()
    assert (tmp_path / "other").read_bytes() == b"kept as it is"
    assert not (tmp_path / ".bell").is_symlink()


def test_only_a_regular_file_is_opened_and_a_folder_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    for odd in (piped(tmp_path / "pipe"), tmp_path / "link"):
        with pytest.raises(NotRegular, match="no regular file"):
            read_regular(odd)
        with pytest.raises(NotRegular, match="no regular file"):
            regular(odd, os.O_WRONLY)
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_no_umask_opens_a_home_to_others_or_closes_it_to_its_owner(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_folder(tmp_path / "folder")
        write_atomically(tmp_path / "folder" / "file", b"text")
        write_atomically(tmp_path / "folder" / "own", b"text", mode=0o600)
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "folder", *tmp_path.glob("folder/*"))]
    assert all(mode & 0o600 == 0o600 and not mode & 0o022 for mode in modes)
    assert (tmp_path / "folder" / "own").stat().st_mode & 0o777 == 0o600


def test_a_new_home_is_its_owner_s_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    before = os.umask(0)
    try:
        home = make_home(tmp_path / "home").root
    finally:
        os.umask(before)
    folders = [path for path in (home, *home.iterdir()) if path.is_dir()]
    assert [path.name for path in folders if path.stat().st_mode & 0o022] == []
    assert (home / ".env").stat().st_mode & 0o777 == 0o600
    (head,) = tmp_path.glob("config/**/*.head")
    assert head.stat().st_mode & 0o777 == 0o600


def test_where_nothing_says_what_is_mounted_a_folder_is_this_machine_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_proc(**_: object) -> list[object]:
        raise FileNotFoundError(2, "No such file or directory", "/proc/self/mounts")

    monkeypatch.setattr(psutil, "disk_partitions", without_proc)
    assert network_volume(tmp_path) is None


def test_a_home_s_path_does_not_act_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = Output("never", {}, json=False)
    output.failure(Failure(2, "no_home", f"{tmp_path}/\x1b[31mred is no home.", "Look\nthere."))
    said = capfd.readouterr().err
    assert "\x1b" not in said
    assert "\\x1b[31mred" in said
    odd = tmp_path / "a\x1b[31mred\nb"
    made = evt(tmp_path, "init", str(odd), XDG_CONFIG_HOME=str(tmp_path / "config"))
    assert made.returncode == 0
    assert b"\x1b" not in made.stdout + made.stderr
    assert len(made.stdout.splitlines()) == 4
