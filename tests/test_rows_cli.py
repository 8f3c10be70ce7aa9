"""Bad ways to call `evt`, row by row: each with its exact sentence, its stream and its exit code."""

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.cli.start import library_first
from adapters.cli.table import VERBS
from adapters.home_making import make_home
from tests.homes import BuiltHome
from tests.rows import missing
from tests.service import command, environment, home_at

MISTAKES = ("test_rows_cli::test_a_mistake_is_answered_with_its_sentence_and_its_code",)
COVERED: Mapping[str, tuple[str, ...]] = {
    "no args": ("test_rows_cli::test_without_a_word_the_usage_is_said_on_stderr",),
    "unknown command": MISTAKES,
    "id prefix ambiguous": MISTAKES,
    "--since 'yesterday; rm -rf'": MISTAKES,
    "stdout full (/dev/full)": (
        "test_cli_process::test_a_full_disk_under_stdout_is_said_with_74",
        "test_rows_cli::test_a_full_disk_under_the_words_of_a_writing_verb_is_said_with_74",
    ),
    "COLUMNS=0, TERM=dumb, no TTY, LANG=C with emoji": (
        "test_cli_process::test_signs_of_any_language_are_written_as_utf8_whatever_the_language_is",
        "test_rows_cli::test_an_emoji_goes_in_and_comes_out_whatever_the_terminal_is",
    ),
    "run as another uid": (
        "test_rows_cli::test_another_users_home_is_named_with_its_owner",
        "test_rows_cli::test_a_user_who_may_not_look_into_a_home_is_told_whose_it_is",
    ),
    "PYTHONPATH and cwd with a json.py": (
        "test_rows_cli::test_no_module_of_the_current_directory_is_taken_for_pythons_own",
    ),
    "argument with surrogate escape": (
        "test_rows_cli::test_an_argument_that_is_no_utf_8_is_a_mistake_and_no_crash",
    ),
    "--json output of hostile text": (
        "test_rows_cli::test_hostile_text_is_valid_json",
        "test_rows_cli::test_hostile_text_is_one_object_a_line_in_a_stream",
    ),
}
"""The row's words, and the tests that hold what is promised for it."""

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="users, bytes as arguments and /dev/full are POSIX"
)
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to another user"
)
NOBODY_UID = 65534
WAYS = "Write a span (10m, 2h30m, 3d), a time (2026-11-22T12:00:00Z) or a position (@120)."
HOSTILE = 'a\x1b[2J\x07\n{"type": "task_succeeded"}\r\t\u202eb\u2028\ufeff\U0001f389 \'"\\</script> %s {0}'
EVIL = "import sys\nsys.stderr.write('hostile\\n')\nraise SystemExit(99)\n"
SHADOWED = (
    "json",
    "orjson",
    "argparse",
    "difflib",
    "re",
    "typing",
    "collections",
    "importlib",
    "apsw",
    "pathlib",
)


def run(
    words: Sequence[str | bytes], home: Path | None = None, **more: str
) -> subprocess.CompletedProcess[bytes]:
    place = {} if home is None else {"EVT_HOME": str(home)}
    return subprocess.run(
        [*command(), *words],
        env=environment(**{**place, **more}),
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with BuiltHome(tmp_path_factory.mktemp("cli") / "home") as home:
        home.succeed("one-a", HOSTILE)
        home.queue("one-b", HOSTILE)
        home.raw("task-one-b", "task_dreamt", {HOSTILE: HOSTILE})
        home.store_views()
    yield home.root


def test_without_a_word_the_usage_is_said_on_stderr() -> None:
    said = run([])
    assert (said.returncode, said.stdout) == (2, b"")
    told = said.stderr.decode()
    assert "usage: evt VERB [...]        evt VERB --help says more" in told
    assert all(f"  {name} " in told for name, verb in VERBS.items() if verb.group)


@pytest.mark.parametrize(
    ("words", "code", "sentence", "advice"),
    [
        ("xyzzy", 2, "there is no verb 'xyzzy'.", "`evt --help` lists the verbs."),
        ("lits", 2, "there is no verb 'lits'.", "Did you mean `evt list`?"),
        ("--xyzzy", 2, "there is no verb '--xyzzy'.", "`evt --help` lists the verbs."),
        ("list --dance", 2, "unrecognized arguments: --dance.", "See `evt list --help`."),
        ("show", 2, "the following arguments are required: ID.", "See `evt show --help`."),
        ("show one", 2, '"one" could be any of 2 tasks: one-a, one-b.', "Name one of them."),
        ("wait ONE", 2, '"ONE" could be any of 2 tasks: one-a, one-b.', "Name one of them."),
        ("cancel one-", 2, '"one-" could be any of 2 tasks: one-a, one-b.', "Name one of them."),
        ("retry one", 2, '"one" could be any of 2 tasks: one-a, one-b.', "Name one of them."),
        ("pause one-b two", 6, 'there is no task "two".', "`evt list` shows all tasks."),
        (
            "resume one-b one-a",
            7,
            "task one-a has already succeeded.",
            "Have it done again with `evt retry one-a`.",
        ),
        ("tail --task one", 2, '"one" could be any of 2 tasks: one-a, one-b.', "Name one of them."),
        ("show two", 6, 'there is no task "two".', "`evt list` shows all tasks."),
        ("show ../../x", 6, 'there is no task "../../x".', "`evt list` shows all tasks."),
        (["tail", "--since", "yesterday; rm -rf"], 2, '--since "yesterday; rm -rf" is no moment.', WAYS),
        (["project", "tasks", "--at", "$(id)"], 2, '--at "$(id)" is no moment.', WAYS),
        (
            "project tasks --at @99999",
            6,
            "there is no event 99999: the log ends at HEAD.",
            "Leave --at out for all of it.",
        ),
        ("list --status quued", 2, '"quued" is no status of a task.', "Did you mean queued?"),
    ],
)
def test_a_mistake_is_answered_with_its_sentence_and_its_code(
    built: Path, words: str | list[str], code: int, sentence: str, advice: str
) -> None:
    said = run(words.split() if isinstance(words, str) else words, built)
    told = said.stderr.decode()
    head = told.rpartition("the log ends at ")[2].partition(".")[0]
    wanted = f"evt: {sentence.replace('HEAD', head)}\n" + (f"     {advice}\n" if advice else "")
    assert (said.returncode, said.stdout, told) == (code, b"", wanted)


@posix
@pytest.mark.parametrize(
    "words",
    ["add look", "add --check look", "create-sample", "cancel one-b", "pause one-b", "pause", "retry one-b"],
)
def test_a_full_disk_under_the_words_of_a_writing_verb_is_said_with_74(tmp_path: Path, words: str) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    home = home_at(tmp_path / "home")
    assert run(["add", "look at one"], home).returncode == 0
    task = orjson.loads(run(["list", "--json"], home).stdout)[0]["id"]
    with full.open("wb") as nowhere:
        said = subprocess.run(
            [*command(), *words.replace("one-b", task).split()],
            env=environment(EVT_HOME=str(home)),
            stdout=nowhere,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert said.returncode == 74
    assert said.stderr.splitlines()[-2] == b"evt: No space left on device (stdout)."


@pytest.mark.parametrize(
    "terminal",
    [
        {"COLUMNS": "0", "TERM": "dumb", "LANG": "C", "LC_ALL": "C"},
        {"COLUMNS": "x", "TERM": "", "LANG": "xx_XX.nothing"},
    ],
)
def test_an_emoji_goes_in_and_comes_out_whatever_the_terminal_is(
    tmp_path: Path, terminal: Mapping[str, str]
) -> None:
    home = home_at(tmp_path / "🎉")
    file = tmp_path / "🎉.task.md"
    file.write_text("# 🎉\n\nLook at 汉字.\n", encoding="utf-8", newline="\n")
    for words in (["add", "look at the 🎉"], ["add", str(file)], ["add", "--check", str(file)], ["status"]):
        said = run(words, home, **terminal)
        assert said.returncode == 0, said.stderr
        assert b"\x1b" not in said.stdout
    listed = run(["list"], home, **terminal)
    assert {line.split()[-1] for line in listed.stdout.decode("utf-8").splitlines()[1:]} == {"🎉"}


def test_no_module_of_the_current_directory_is_taken_for_pythons_own(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    place = tmp_path / "place"
    place.mkdir()
    for name in SHADOWED:
        (place / f"{name}.py").write_text(EVIL, encoding="utf-8", newline="\n")
    script = shutil.which("evt", path=str(Path(sys.executable).parent))
    assert script is not None, "the project is installed, so there is its script"
    kept = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    for path in (None, "", ".", os.pathsep, str(place)):
        env = kept if path is None else {**kept, "PYTHONPATH": path}
        for words in (["list", "--json"], *([] if path else [["add", "look", "--json"]])):
            said = subprocess.run(
                [script, *words, "--home", str(home)], cwd=place, env=env, capture_output=True, check=False
            )
            assert (said.returncode, b"hostile" in said.stderr) == (0, False), (path, said.stderr)
            assert isinstance(orjson.loads(said.stdout), list)


def test_what_stands_before_the_library_is_looked_at_last() -> None:
    path = ["", "/here", "/lib/python311.zip", "/lib/python3.11", "/lib/site-packages"]
    wanted = [*path[2:], "", "/here"]
    assert library_first(path, "/lib/python3.11", (3, 11)) == wanted
    assert library_first(wanted, "/lib/python3.11", (3, 11)) == wanted, "twice is once"
    assert library_first(["/here", "/lib", "/x"], "/lib", (3, 11)) == ["/lib", "/x", "/here"]
    assert library_first(["/here"], "/lib", (3, 11)) == ["/here"]


@posix
@pytest.mark.parametrize(
    "words",
    [[b"show", b"a\xff"], [b"add", b"look at \xc3\x28"], [b"\xff"], [b"list", b"--home", b"/\xff"]],
    ids=ascii,
)
def test_an_argument_that_is_no_utf_8_is_a_mistake_and_no_crash(built: Path, words: list[bytes]) -> None:
    said = run(words, built)
    assert (said.returncode, said.stdout) == (2, b"")
    first, second = said.stderr.decode().splitlines()
    assert first.startswith("evt: the argument '")
    assert first.endswith("' is not valid UTF-8.")
    assert second == "     Write it in UTF-8."


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from (key, *strings(part))
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


@pytest.mark.parametrize(
    "verb", ["list", "status", "show one-a", "show one-b", "project tasks", "project queue"]
)
def test_hostile_text_is_valid_json(built: Path, verb: str) -> None:
    said = run([*verb.split(), "--json"], built)
    assert said.returncode == 0, said.stderr
    assert HOSTILE in set(strings(orjson.loads(said.stdout)))
    assert b"\x1b" not in said.stdout


def test_hostile_text_is_one_object_a_line_in_a_stream(built: Path) -> None:
    said = run(["tail", "--json", "-n", "1000"], built)
    lines = said.stdout.split(b"\n")
    assert lines.pop() == b""
    assert len(lines) > 10
    assert all(isinstance(orjson.loads(line), dict) for line in lines)
    assert b"\x1b" not in said.stdout


def whose(home: Path, uid: int, user: str | None) -> str:
    name, to_sudo = (user, user) if user else ("a user without a name", f"'#{uid}'")
    return (
        f"evt: the home {home} belongs to {name} (uid {uid}), and you are another user.\n"
        f"     Work on it as its owner: `sudo -u {to_sudo} evt …`.\n"
    )


@as_root
@pytest.mark.parametrize(
    ("words", "uid", "user"),
    [
        ("list", NOBODY_UID, "nobody"),
        ("list", 54321, None),
        ("status", NOBODY_UID, "nobody"),
        ("show x", NOBODY_UID, "nobody"),
        ("tail", NOBODY_UID, "nobody"),
        ("add look", NOBODY_UID, "nobody"),
        ("add --check look", NOBODY_UID, "nobody"),
        ("run --drain", NOBODY_UID, "nobody"),
        ("create-sample", NOBODY_UID, "nobody"),
        ("init HOME", NOBODY_UID, "nobody"),
    ],
)
def test_another_users_home_is_named_with_its_owner(
    tmp_path: Path, words: str, uid: int, user: str | None
) -> None:
    if sys.platform == "win32":
        return
    home = make_home(tmp_path / "home", register=False).root
    for path in (home, *home.rglob("*")):
        os.chown(path, uid, uid)
    before = sorted(path.name for path in home.rglob("*"))
    said = run([str(home) if word == "HOME" else word for word in words.split()], home)
    assert (said.returncode, said.stdout, said.stderr.decode()) == (4, b"", whose(home, uid, user))
    assert sorted(path.name for path in home.rglob("*")) == before, "nothing is written there"


@as_root
def test_a_user_who_may_not_look_into_a_home_is_told_whose_it_is() -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("there is no setpriv to become another user with")
    become = [setpriv, f"--reuid={NOBODY_UID}", f"--regid={NOBODY_UID}", "--clear-groups"]
    if subprocess.run([*become, sys.executable, "-c", ""], check=False).returncode:
        pytest.skip("another user may not start this Python")
    with tempfile.TemporaryDirectory(prefix="evt-rows-") as folder:
        Path(folder).chmod(0o755)
        home = make_home(Path(folder) / "home", register=False).root
        home.chmod(0o700)
        said = subprocess.run(
            [*become, *command("list")],
            env=environment(EVT_HOME=str(home)),
            cwd="/",
            capture_output=True,
            check=False,
        )
    assert said.returncode == 4
    assert said.stderr.decode() == whose(home, 0, getpass.getuser())


def test_every_row_names_tests_that_there_are() -> None:
    assert missing(COVERED) == []
