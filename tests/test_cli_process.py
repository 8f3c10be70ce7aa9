"""`evt` as a process of its own: closed pipes, full disks, odd terminals, other languages, Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.homes import BuiltHome

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "adapters.cli")
FULL = Path("/dev/full")
posix = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals and /dev/full are POSIX")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        built.succeed("one", "it works 🎉")
        built.queue("two", "汉字 🎉")
        built.store_views()
        yield built


def environment(home: BuiltHome, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "TERM"}}
    return {**kept, "EVT_HOME": str(home.root), "PYTHONUTF8": "0", **more}


def evt(home: BuiltHome, *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *words], cwd=ROOT, env=environment(home, **more), capture_output=True, check=False
    )


def begun(home: BuiltHome, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=ROOT,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("verb", ["list", "show one", "tail", "status"])
def test_signs_of_any_language_are_written_as_utf8_whatever_the_language_is(
    home: BuiltHome, verb: str
) -> None:
    said = evt(home, *verb.split(), LANG="C", LC_ALL="C", TERM="dumb", COLUMNS="0")
    note = b"No service runs in this home: `evt run` does the work.\n" if verb == "list" else b""
    assert (said.returncode, said.stderr) == (0, note)
    text = said.stdout.decode("utf-8")
    assert "🎉" in text or verb == "status"
    assert "\x1b" not in text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode whatever is set")
def test_a_name_in_utf8_is_not_called_something_else_because_the_language_is_c(
    home: BuiltHome, tmp_path: Path
) -> None:
    place = tmp_path / "hôme"
    home.root.rename(place)
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    said = evt(home, "list", **ascii_only, EVT_HOME=str(place)).stderr.decode()
    assert said.startswith(
        f"evt: {place}/logs/events.db cannot be opened: this process reads names of files as"
    )
    assert "set LC_ALL=C.UTF-8" in said
    said = evt(home, "list", "--home", "hôme", **ascii_only).stderr.decode()
    assert said.startswith('evt: the argument "hôme" is UTF-8, and this process reads arguments as')
    assert "Set LC_ALL=C.UTF-8" in said


def test_the_lines_of_tail_json_are_those_of_the_log(home: BuiltHome) -> None:
    said = evt(home, "tail", "--json", "-n", "1000", LANG="C", LC_ALL="C")
    assert said.stdout == b"".join(event.line + b"\n" for event in home.log.all())


def test_a_reader_who_goes_ends_tail_in_silence(home: BuiltHome) -> None:
    for _ in range(3):
        home.raw("task-one", "task_dreamt", {"text": "x" * 200_000})
    with begun(home, "tail", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"actor"')
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "verb",
    [
        *("list", "status --json", "tail", "show one", "project tasks", "replay", "version"),
        *("--help", "help", "list --help", "help show", "completion bash"),
    ],
)
def test_a_full_disk_under_stdout_is_said_with_74(home: BuiltHome, verb: str) -> None:
    with FULL.open("wb") as full:
        said = subprocess.run(
            [*COMMAND, *verb.split()],
            cwd=ROOT,
            env=environment(home),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert said.returncode == 74
    said_last = b"".join(said.stderr.splitlines()[-2:])
    assert b"No space left on device (stdout)." in said_last
    assert b"Make room there" in said_last
    assert b"Traceback" not in said.stderr


@posix
def test_tail_follows_what_others_append_until_it_is_interrupted(home: BuiltHome) -> None:
    home.raw("task-one", "task_dreamt", {"number": -1})
    with begun(home, "tail", "-f", "-n", "1", "--json", "--type", "task_dreamt,task_queued") as process:
        assert process.stdout is not None
        assert orjson.loads(process.stdout.readline())["data"] == {"number": -1}
        for number in range(3):
            home.raw("task-one", "task_dreamt", {"number": number})
            home.raw("task-one", "tool_used", {})
            assert orjson.loads(process.stdout.readline())["data"] == {"number": number}
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=60)
    assert (process.returncode, rest, error) == (130, b"", b"")


@posix
def test_tail_follows_from_a_position_that_is_still_to_come(home: BuiltHome) -> None:
    start = home.log.head() + 2
    with begun(home, "tail", "-f", "--json", "--since", f"@{start}", "--task", "one") as process:
        assert process.stdout is not None and process.stderr is not None
        # Said once it has looked where the log ends: what is written from now on is what comes.
        assert b"there is no event" in process.stderr.readline()
        for number in range(3):
            home.raw("task-one", "task_dreamt", {"number": number})
        for number in (1, 2):
            assert orjson.loads(process.stdout.readline())["data"] == {"number": number}
        process.kill()


def on_a_terminal(home: BuiltHome, *words: str, **more: str) -> tuple[int, str]:
    """Exit code and all that was written to a pseudo-terminal of 60 columns."""
    if sys.platform == "win32":
        raise AssertionError("POSIX only")
    import pty  # noqa: PLC0415 - only POSIX has it

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *words],
        cwd=ROOT,
        env=environment(home, **{"TERM": "xterm", "COLUMNS": "60", **more}),
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        pieces: list[bytes] = []
        try:
            while piece := os.read(ours, 65536):
                pieces.append(piece)
        except OSError:
            pass  # the other side is closed: Linux says EIO
        os.close(ours)
        code = process.wait(60)
    return code, b"".join(pieces).decode()


@posix
def test_a_terminal_gets_colour_unless_it_is_dumb_or_colour_is_declined(home: BuiltHome) -> None:
    assert "\x1b[32msucceeded" in on_a_terminal(home, "list")[1]
    assert "\x1b[" not in on_a_terminal(home, "list", TERM="dumb")[1]
    assert "\x1b[" not in on_a_terminal(home, "list", NO_COLOR="1")[1]
    assert "\x1b[32m" in on_a_terminal(home, "list", "--color", "always", NO_COLOR="1")[1]


@posix
def test_lines_keep_to_the_width_of_a_terminal(home: BuiltHome) -> None:
    home.queue("three", "a title that is much too long for the width of this terminal, by far")
    for verb in ("list", "status"):
        code, said = on_a_terminal(home, verb, NO_COLOR="1")
        assert code == 0
        (line,) = [line for line in said.splitlines() if line.startswith("three")]
        assert len(line) <= 60
    narrow = on_a_terminal(home, "list", NO_COLOR="1")[1].splitlines()
    assert narrow[0].split()[:3] == ["id", "status", "since"], "the rest has no place there"
    assert [line.split()[1] for line in narrow[1:4]] == ["succeeded", "queued", "queued"]
    assert any("…" in line for line in narrow)
    wide = on_a_terminal(home, "list", NO_COLOR="1", COLUMNS="200")[1].splitlines()
    assert wide[0].split()[:5] == ["id", "status", "priority", "type", "since"]
    assert all("bug_fix" in line for line in wide[1:4])


@posix
def test_wait_shows_a_line_on_a_terminal_and_takes_it_away(home: BuiltHome) -> None:
    code, said = on_a_terminal(home, "wait", "two", "--timeout", "0.3")
    assert code == 3
    assert "two is queued, waited" in said
    assert said.rindex("\r\x1b[K") > said.rindex("two is queued")
    assert "two is still queued after 0.3 s." in said


@posix
def test_replay_shows_how_far_it_is_and_takes_the_line_away(home: BuiltHome) -> None:
    home.many("task-one", 600)
    code, said = on_a_terminal(home, "replay", NO_COLOR="1")
    assert code == 0
    assert f"256 of {home.log.head()} events" in said
    assert said.rindex("\r\x1b[K") < said.index(f"{home.log.head()} events folded")
    assert evt(home, "replay").stderr == b""


HEAVY = "adapters.app adapters.storage pydantic rich sqlite_utils trio"
LOADED = """
import sys
from adapters.cli.main import call
call(sys.argv[1:], {})
print(*sys.modules, file=sys.stderr)
"""
READING = (
    "list",
    "status",
    "show one",
    "wait one",
    "tail",
    "project tasks",
    "replay --verify",
    "version",
    "create-sample",
)


@pytest.mark.parametrize("verb", READING)
def test_a_reading_verb_at_work_loads_nothing_heavy(home: BuiltHome, verb: str) -> None:
    name, *rest = verb.split()
    command = [sys.executable, "-c", LOADED, name, "--home", str(home.root), *rest]
    said = subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, check=True)
    loaded = set(said.stderr.decode().split())
    assert "apsw" in loaded or name == "create-sample"
    assert loaded.isdisjoint(HEAVY.split())


@pytest.mark.parametrize("verb", ["status", "tail"])
def test_what_only_a_slip_or_a_help_page_needs_is_not_loaded(home: BuiltHome, verb: str) -> None:
    command = [sys.executable, "-c", LOADED, verb, "--home", str(home.root)]
    said = subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, check=True)
    assert {"difflib", "shutil", "tempfile"}.isdisjoint(said.stderr.decode().split())
