"""A check is run by the system's shell, seen to its end, and leaves nothing behind."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.blob_store import BlobStore, read_blob
from adapters.check_runner import CheckRunner, check_environment, shell
from adapters.process_tree import ProcessTrees
from handlers.agent_call import SESSION_VARIABLE, UNLESS_SAID
from schemas.attempt import CheckResult
from tests.living import living

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the commands are of /bin/sh")
SECRET = "hunter2-is-a-secret"
SESSION = f"session-of-checks-{os.getpid()}"


def redact(text: str) -> str:
    return text.replace(SECRET, "[redacted]")


def runner(folder: Path, **changed: Any) -> CheckRunner:
    said: dict[str, Any] = {
        "trees": ProcessTrees(grace_s=1.0, patience_s=60.0),
        "environ": {"PATH": os.environ["PATH"], "HOME": "/nowhere"},
        "env_allow": (),
        "blobs": BlobStore(folder / "blobs", redact),
        "redact": redact,
        "timeout_s": 60.0,
    }
    return CheckRunner(**{**said, **changed})


def check(folder: Path, command: str, cwd: Path | None = None, **changed: Any) -> CheckResult:
    place = folder.resolve() if cwd is None else cwd
    return trio.run(runner(folder, **changed).run, 3, command, str(place), SESSION)


def python(code: str) -> str:
    return f"'{sys.executable}' -c '{code}'"


@posix_only
def test_a_check_that_exits_with_nothing_wrong_has_passed(tmp_path: Path) -> None:
    result = check(tmp_path, "echo fine; echo so said >&2; pwd")
    assert (result.index, result.command) == (3, "echo fine; echo so said >&2; pwd")
    assert (result.ended, result.exit_code, result.passed, result.note) == ("exited", 0, True, None)
    assert result.output.text == f"fine\nso said\n{tmp_path.resolve()}\n"
    assert result.output.size == len(result.output.text)
    assert not result.output.truncated
    assert result.output.sha256 is not None
    assert read_blob(tmp_path / "blobs", result.output.sha256).decode() == result.output.text


@posix_only
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 3", 3),
        ("no-such-program-anywhere", 127),
        ("kill -TERM $$", -signal.SIGTERM),
        ("false && echo never", 1),
        ("true | false", 1),
    ],
)
def test_a_check_that_exits_otherwise_has_failed(tmp_path: Path, command: str, code: int) -> None:
    result = check(tmp_path, command)
    assert (result.ended, result.exit_code, result.passed) == ("exited", code, False)


@posix_only
def test_a_check_that_says_nothing_has_no_blob(tmp_path: Path) -> None:
    result = check(tmp_path, "true")
    assert result.passed
    assert (result.output.size, result.output.sha256) == (0, None)


@posix_only
def test_a_check_whose_time_is_over_is_ended_with_its_children(tmp_path: Path) -> None:
    marker = f"evt-check-late-{os.getpid()}"
    child = python(f'import time; print("begun", flush=True); time.sleep(300); "{marker}"')
    result = check(tmp_path, f"trap '' TERM; {child} & {child}", timeout_s=1.0)
    assert (result.ended, result.passed) == ("timeout", False)
    assert living(marker) == []


@posix_only
def test_what_a_check_leaves_behind_is_ended_and_it_has_passed_all_the_same(tmp_path: Path) -> None:
    marker = f"evt-check-left-{os.getpid()}"
    child = python(f'import time; time.sleep(300); "{marker}"')
    result = check(tmp_path, f"{child} & nohup {child} >/dev/null 2>&1 & echo done")
    assert (result.ended, result.exit_code, result.passed) == ("exited", 0, True)
    assert result.note == "it left processes behind, which were ended"
    assert result.output.text == "done\n"
    assert living(marker) == []


@posix_only
def test_a_check_that_says_too_much_is_ended_and_has_failed(tmp_path: Path) -> None:
    result = check(tmp_path, "echo first; yes 0123456789", output_limit=200_000)
    assert (result.ended, result.passed) == ("exited", False)
    assert result.note == "it said more than 200,000 bytes: the first are kept, it was ended"
    assert result.output.truncated
    assert result.output.size > 200_000
    assert (len(result.output.head), len(result.output.tail)) == (2048, 2048)
    assert len(result.output.text) == 64 * 1024
    assert result.output.head.startswith("first\n0123456789\n")
    assert result.output.sha256 is not None
    assert len(read_blob(tmp_path / "blobs", result.output.sha256)) == 200_000


@posix_only
def test_a_check_may_say_16_mib_and_no_byte_more(tmp_path: Path) -> None:
    most = 16 * 1024 * 1024
    result = check(tmp_path, f"head -c {most} /dev/zero | tr '\\0' '\\n'")
    assert (result.passed, result.output.size, result.note) == (True, most, None)
    result = check(tmp_path, f"head -c {most + 1} /dev/zero | tr '\\0' '\\n'")
    assert (result.ended, result.passed, result.output.truncated) == ("exited", False, True)
    assert result.note is not None
    assert "more than 16,777,216 bytes" in result.note


@posix_only
def test_what_is_no_utf_8_is_shown_as_far_as_it_can_be(tmp_path: Path) -> None:
    result = check(tmp_path, "printf 'caf\\303\\251 \\377\\376 end'")
    assert result.passed
    assert result.output.text == "café \ufffd\ufffd end"
    assert result.output.sha256 is not None
    assert read_blob(tmp_path / "blobs", result.output.sha256) == b"caf\xc3\xa9 \xff\xfe end"


@posix_only
def test_a_secret_is_redacted_wherever_it_is_kept(tmp_path: Path) -> None:
    result = check(tmp_path, f"echo {SECRET[:8]}'{SECRET[8:]}'")
    assert result.output.text == result.output.head == result.output.tail == "[redacted]\n"
    assert result.output.sha256 is not None
    assert read_blob(tmp_path / "blobs", result.output.sha256) == b"[redacted]\n"


@posix_only
def test_stdin_is_at_its_end_from_the_start(tmp_path: Path) -> None:
    result = check(tmp_path, "read line || echo nothing; cat")
    assert (result.passed, result.output.text) == (True, "nothing\n")


@posix_only
def test_a_check_sees_no_key_and_no_setting_of_ours(tmp_path: Path) -> None:
    hidden = {
        "ANTHROPIC_API_KEY": "key",
        "ANTHROPIC_AUTH_TOKEN": "token",
        "CLAUDE_CODE_OAUTH_TOKEN": "token",
        "EVT_HOME": "home",
        "TELEGRAM_BOT_TOKEN": "bot",
        "SOME_VARIABLE": "unnamed",
    }
    seen = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "LANG": "C", "DATABASE_URL": "named"}
    result = check(tmp_path, "env", environ={**hidden, **seen}, env_allow=("DATABASE_URL", *list(hidden)[:5]))
    said = dict(line.split("=", 1) for line in result.output.text.splitlines())
    said.pop("_", None)
    said.pop("PWD", None)  # the shell's own
    assert said == {
        **seen,
        SESSION_VARIABLE: SESSION,
        **({"SHLVL": said["SHLVL"]} if "SHLVL" in said else {}),
    }


def test_the_agents_own_names_are_left_out_in_any_case_on_windows() -> None:
    environ = {"Anthropic_Api_Key": "key", "Claude_Code_Token": "token", "Path": "C:\\", "ComSpec": "cmd"}
    seen = check_environment(environ, ("Anthropic_Api_Key",), "s", windows=True)
    assert seen == {"Path": "C:\\", "ComSpec": "cmd", SESSION_VARIABLE: "s"}
    assert not any(name in seen for name in UNLESS_SAID)


def test_the_system_s_shell_gets_the_command_as_it_is() -> None:
    command = 'npm test -- --name "a b" && echo %PATH%'
    assert shell(command, {}, windows=False) == ["/bin/sh", "-c", command]
    line = shell(command, {"ComSpec": r"D:\Windows\cmd.exe"}, windows=True)
    assert line == rf'"D:\Windows\cmd.exe" /d /s /c "{command}"'
    assert str(shell("dir", {}, windows=True)).startswith(r'"C:\Windows\System32\cmd.exe" ')


@posix_only
@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: place.rmdir(),
        lambda place: (place.rmdir(), place.symlink_to("/")),
        lambda place: (place.rmdir(), place.touch()),
    ],
)
def test_a_check_whose_folder_has_gone_is_not_started(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    place = tmp_path.resolve() / "shop"
    place.mkdir()
    spoil(place)
    result = check(tmp_path, "echo never", cwd=place)
    assert (result.ended, result.exit_code, result.passed) == ("not_started", None, False)
    assert result.note is not None
    assert "is no longer the folder that was checked" in result.note
    assert result.output.size == 0


@posix_only
def test_a_command_that_no_shell_can_be_given_is_not_started(tmp_path: Path) -> None:
    result = check(tmp_path, "echo a\0b")
    assert (result.ended, result.passed) == ("not_started", False)
    assert result.note == "The system's shell could not be started: embedded null byte."


@posix_only
def test_a_check_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    marker = f"evt-check-cancelled-{os.getpid()}"
    ready = tmp_path / "ready"
    code = f'import os, time; os.setsid(); open("{ready}", "x").close(); time.sleep(300); "{marker}"'

    place = str(tmp_path.resolve())

    async def scenario() -> bool:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                command = f"echo begun; ({python(code)} &) ; sleep 300"
                nursery.start_soon(runner(tmp_path).run, 0, command, place, SESSION)
                with trio.fail_after(60):
                    while not ready.exists():  # noqa: ASYNC110 - another process
                        await trio.sleep(0.01)
                scope.cancel()
        return scope.cancelled_caught

    assert trio.run(scenario)
    assert living(marker) == []
    assert list((tmp_path / "blobs").rglob("*.gz")) == []


class FullDisk:
    """A store of blobs that cannot write."""

    async def writer(self) -> Any:
        raise OSError(28, "No space left on device")


@posix_only
def test_a_check_whose_output_cannot_be_kept_is_judged_all_the_same_and_says_so(tmp_path: Path) -> None:
    result = check(tmp_path, "echo begun; exit 3", blobs=FullDisk())
    assert (result.ended, result.exit_code, result.passed) == ("exited", 3, False)
    assert (result.output.text, result.output.sha256) == ("begun\n", None)
    assert result.note is not None
    assert result.note.startswith("artifact_write: its output could not be kept whole (No space left")


@posix_only
def test_checks_run_side_by_side_and_one_that_ends_does_not_harm_another(tmp_path: Path) -> None:
    results: dict[int, CheckResult] = {}
    place, go = str(tmp_path.resolve()), tmp_path / "go"

    async def one(index: int, command: str) -> None:
        results[index] = await runner(tmp_path).run(index, command, place, f"{SESSION}-{index}")
        if index == 0:
            go.touch()

    async def scenario() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, 0, "sleep 300 & echo first")
            nursery.start_soon(one, 1, "while ! [ -e go ]; do sleep 0.05; done; echo second")

    trio.run(scenario)
    assert [results[index].output.text for index in (0, 1)] == ["first\n", "second\n"]
    assert all(result.passed for result in results.values())
