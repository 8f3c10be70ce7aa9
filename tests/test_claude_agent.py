"""The agent's process, played by small programs that misbehave in every way we know of."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from adapters.claude_agent import ClaudeAgent
from adapters.claude_program import CannotStart, command
from adapters.process_tree import alive, identity_of
from handlers.agent_call import SESSION_VARIABLE, UNLESS_SAID
from handlers.ports.agent import AgentEnd, AgentOrder
from schemas.process import ProcessIdentity

plays = pytest.mark.skipif(sys.platform == "win32", reason="the played agents begin with a #! line")

RESULT = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done."}
TOP = f"""#!{sys.executable}
import json, os, signal, subprocess, sys, time
from pathlib import Path
note = Path(os.environ["HOME"]) / "pid"
def say(**line): print(json.dumps(line), flush=True)
def result(text="Done."): say(**{{**{RESULT!r}, "result": text}})
def sleeper(code="time.sleep(600)", **how):
    child = subprocess.Popen([sys.executable, "-c", "import os, signal, sys, time; " + code], **how)
    note.write_text(str(child.pid), encoding="utf-8")
    return child
# A child that leaves its parent, its group and its session behind.
DAEMON = (
    "os.fork() and os._exit(0); os.setsid(); "
    f"file = open({{str(note)!r}}, 'w'); file.write(str(os.getpid())); file.close(); time.sleep(600)"
)
def daemon(**how):
    subprocess.Popen([sys.executable, "-c", "import os, time; " + DAEMON], **how).wait()
    while not (note.exists() and note.read_text(encoding="utf-8")): time.sleep(0.01)
"""


class MemoryBlobs:
    """Keeps in memory what was written, and whether it was finished or thrown away."""

    def __init__(self) -> None:
        self.finished: dict[str, bytes] = {}
        self.discarded = 0
        self.size = 0
        self.keep = True

    async def writer(self) -> "MemoryBlob":
        return MemoryBlob(self)


class MemoryBlob:
    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._data = bytearray()

    async def write(self, data: bytes) -> None:
        self._blobs.size += len(data)
        if self._blobs.keep:
            self._data += data

    async def finish(self) -> str:
        name = hashlib.sha256(self._data).hexdigest()
        self._blobs.finished[name] = bytes(self._data)
        return name

    async def discard(self) -> None:
        self._blobs.discarded += 1


class Stage:
    """An agent whose program is the given script, and what came of running it."""

    def __init__(self, folder: Path, script: str, **settings: Any) -> None:
        self.folder = folder
        self.program = folder / "agent"
        self.program.write_text(TOP + script, encoding="utf-8", newline="\n")
        self.program.chmod(0o755)
        self.project = folder / "project"
        self.project.mkdir(exist_ok=True)
        self.blobs = MemoryBlobs()
        self.clock = MockClock(rate=1.0)
        self.heard: list[Mapping[str, Any]] = []
        self.identities: list[ProcessIdentity] = []
        self.agent = ClaudeAgent(
            **{
                "executable": str(self.program),
                "environ": {"PATH": os.environ["PATH"], "HOME": str(folder), "EVT_SIGNING_KEY": "secret"},
                "blobs": self.blobs,
                "redact": lambda text: text.replace("hunter2", "[---]"),
                "grace_s": 0.2,
                "result_grace_s": 0.3,
                **settings,
            }
        )

    def order(self, **changed: Any) -> AgentOrder:
        fields = {
            "session_id": f"session-{os.getpid()}-{self.folder.name}",
            "cwd": str(self.project),
            "prompt": "Task:\nsay hello",
            "tools": ("Read",),
            "allowed": (),
            "instructions": None,
            "denied": (),
            "max_turns": 0,
            "max_budget_usd": None,
            "timeout_s": 60.0,
        }
        return AgentOrder(**{**fields, **changed})

    async def started(self, identity: ProcessIdentity) -> None:
        assert not self.heard
        self.identities.append(identity)

    async def listen(self, line: Mapping[str, Any]) -> None:
        self.heard.append(line)
        if line.get("type") == "ready":
            self.clock.jump(30.0)  # its time is up

    def play(self, **changed: Any) -> AgentEnd:
        end = trio.run(self.agent.run, self.order(**changed), self.started, self.listen, clock=self.clock)
        assert not any(alive(identity) for identity in self.identities)
        return end

    def noted(self) -> ProcessIdentity | None:
        """The process that the script wrote down, while it lives."""
        return identity_of(int((self.folder / "pid").read_text(encoding="utf-8")))

    def blob(self, sha256: str | None) -> bytes:
        assert sha256 is not None
        return self.blobs.finished[sha256]


@plays
def test_a_turn_is_fed_by_stdin_and_heard_line_by_line(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "print('to the person hunter2', file=sys.stderr)\n"
        "prompt = sys.stdin.read()\n"
        "say(type='system', argv=sys.argv[1:], env=sorted(os.environ), cwd=os.getcwd(), said=prompt)\n"
        "print('noise'); print(); result()",
    )
    end = stage.play()
    told = stage.heard[0]
    assert told["said"] == "Task:\nsay hello"
    assert told["cwd"] == str(stage.project)
    assert set(told["env"]) - {"LC_CTYPE"} == {"PATH", "HOME", SESSION_VARIABLE, *UNLESS_SAID}
    assert "say hello" not in " ".join(told["argv"])
    assert stage.heard[1:] == [RESULT]
    assert (end.ended, end.exit_code, end.unparsed_lines, end.note) == ("exited", 0, 1, None)
    assert stage.blob(end.stdout.sha256).splitlines()[1:] == [b"noise", b"", json.dumps(RESULT).encode()]
    assert stage.blob(end.stderr.sha256) == b"to the person hunter2\n"
    assert end.stderr.text == "to the person [---]\n"
    assert len(stage.identities) == 1


@plays
def test_silence_leaves_no_blob(tmp_path: Path) -> None:
    end = Stage(tmp_path, "sys.exit(7)").play()
    assert (end.ended, end.exit_code, end.stdout.sha256, end.stderr.sha256) == ("exited", 7, None, None)


@plays
def test_an_agent_that_never_reads_its_prompt_cannot_hold_us_up(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "sys.stdout.write('x' * 1_000_000 + '\\n'); sys.stderr.write('y' * 5_000_000); result()",
    )
    end = stage.play(prompt="Task:\n" + "z" * 10_000_000)
    assert (end.exit_code, end.unparsed_lines, stage.heard) == (0, 1, [RESULT])
    assert (end.stderr.size, len(end.stderr.text), end.stderr.truncated) == (5_000_000, 64 * 1024, True)
    assert end.stderr.tail == "y" * 2048


@plays
def test_broken_text_and_half_a_line_are_borne(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "out = sys.stdout.buffer\n"
        'out.write(b\'{"type":"a\\xff"}\\n\\xff\\xfe\\n[1]\\n{"type":"b"}\\r\\n{"type":"resu\')\nout.flush()',
    )
    end = stage.play()
    assert stage.heard == [{"type": "a\ufffd"}, {"type": "b"}]
    assert (end.ended, end.exit_code, end.unparsed_lines) == ("exited", 0, 3)
    assert stage.blob(end.stdout.sha256).endswith(b'{"type":"resu')


@plays
def test_an_agent_that_hangs_after_its_result_is_ended(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "sleeper(start_new_session=True); result(); time.sleep(600)")
    end = stage.play()
    assert (end.ended, end.note) == ("exited", "it did not go after its result, and was ended")
    assert stage.noted() is None


@plays
def test_a_second_turn_after_a_result_is_waited_for(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "lines = [{'type': 'result', 'result': 'one'}, {'type': 'system', 'subtype': 'init'}]\n"
        "sys.stdout.write(''.join(json.dumps(line) + '\\n' for line in lines)); sys.stdout.flush()\n"
        "time.sleep(0.7); result('two'); sys.exit(3)",
    )
    end = stage.play()
    assert (end.exit_code, [line.get("result") for line in stage.heard]) == (3, ["one", None, "two"])


@plays
def test_time_is_up_for_the_whole_tree_even_when_it_ignores_the_polite_signal(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "deaf = 'signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)'\n"
        "child = sleeper(deaf, start_new_session=True, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); say(type='ready'); time.sleep(600)",
    )
    end = stage.play(timeout_s=30.0)
    assert (end.ended, end.exit_code) == ("timeout", -9)
    assert stage.heard == [{"type": "ready"}]
    assert stage.noted() is None


@plays
def test_what_is_said_on_being_told_to_stop_is_still_heard(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        # Written past the buffer: the signal may come while `say` still holds it.
        'def leave(*_): os.write(1, b\'{"type": "goodbye"}\\n\'); os._exit(143)\n'
        "signal.signal(signal.SIGTERM, leave); say(type='ready'); time.sleep(600)",
        grace_s=20.0,
    )
    end = stage.play(timeout_s=30.0)
    assert (end.ended, end.exit_code) == ("timeout", 143)
    assert stage.heard == [{"type": "ready"}, {"type": "goodbye"}]


@plays
def test_a_daemon_that_an_agent_left_behind_is_ended(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "daemon(); result()")
    end = stage.play()
    assert (end.exit_code, end.note) == (0, "it left processes behind, which were ended")
    assert stage.noted() is None


@plays
@pytest.mark.skipif(sys.platform != "linux", reason="another process's pipe is opened through /proc")
def test_a_stranger_that_holds_the_output_open_does_not_keep_us(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "say(type='up')\nwhile not (note.parent / 'held').exists(): time.sleep(0.01)\nresult()",
    )
    held: list[int] = []

    async def hold(line: Mapping[str, Any]) -> None:
        stage.heard.append(line)
        if line["type"] == "up":
            held.append(os.open(f"/proc/{stage.identities[0].pid}/fd/1", os.O_WRONLY))
            (tmp_path / "held").touch()

    try:
        end = trio.run(stage.agent.run, stage.order(), stage.started, hold, clock=stage.clock)
        assert stage.heard == [{"type": "up"}, RESULT]
        assert end.note == "something held its output open, which was read no further"
    finally:
        for handle in held:
            os.close(handle)


@plays
def test_cancelling_ends_the_tree_before_it_passes_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "sleeper(start_new_session=True); say(type='ready'); time.sleep(600)")

    async def scenario() -> bool:
        with trio.CancelScope() as scope:

            async def stop(_: Mapping[str, Any]) -> None:
                scope.cancel()

            await stage.agent.run(stage.order(), stage.started, stop)
        assert not alive(stage.identities[0])
        return scope.cancelled_caught

    assert trio.run(scenario)
    assert stage.noted() is None
    assert stage.blobs.discarded == 1


@plays
@pytest.mark.parametrize("where", ["started", "heard"])
def test_what_a_listener_raises_ends_the_agent_and_comes_out_as_it_is(tmp_path: Path, where: str) -> None:
    stage = Stage(tmp_path, "sleeper(start_new_session=True); say(type='ready'); time.sleep(600)")

    async def started(identity: ProcessIdentity) -> None:
        stage.identities.append(identity)
        if where == "started":
            raise KeyError("stale")

    async def heard(_: Mapping[str, Any]) -> None:
        raise KeyError("stale")

    with pytest.raises(KeyError, match="stale"):
        trio.run(stage.agent.run, stage.order(), started, heard)
    assert not alive(stage.identities[0])
    with suppress(FileNotFoundError):  # ended before it had written the note
        assert stage.noted() is None


@plays
def test_the_instructions_lie_in_a_private_file_while_the_agent_runs(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "path = Path(sys.argv[sys.argv.index('--append-system-prompt-file') + 1])\n"
        "mode = path.stat().st_mode & 0o777 | (path.parent.stat().st_mode & 0o777) << 9\n"
        "say(path=str(path), text=path.read_text(encoding='utf-8'), mode=mode)",
    )
    stage.play(instructions="Be brief.\n")
    told = stage.heard[0]
    assert (told["text"], told["mode"]) == ("Be brief.\n", 0o700_600)
    assert not Path(told["path"]).parent.exists()


@plays
@pytest.mark.parametrize(
    ("executable", "cwd", "sentence"),
    [
        ("no-such-agent", "", "was not found; set CLAUDE_EXECUTABLE to its full path."),
        ("/no/such/agent", "", "was not found; set CLAUDE_EXECUTABLE to its full path."),
        ("{folder}/plain", "", "was not found; set CLAUDE_EXECUTABLE to its full path."),
        ("{folder}/broken", "", "could not be started: "),
        ("{folder}/agent", "/no/such/folder", "The working directory '/no/such/folder' is not there."),
    ],
)
def test_what_cannot_be_started_is_said_in_a_sentence(
    tmp_path: Path, executable: str, cwd: str, sentence: str
) -> None:
    stage = Stage(tmp_path, "", executable=executable.format(folder=tmp_path))
    (tmp_path / "plain").write_text("not executable", encoding="utf-8")
    (tmp_path / "broken").write_text("#!/no/such/interpreter\n", encoding="utf-8")
    (tmp_path / "broken").chmod(0o755)
    end = stage.play(cwd=cwd or str(stage.project))
    assert (end.ended, end.exit_code, stage.identities) == ("not_started", None, [])
    assert sentence in str(end.note)


@plays
def test_a_bare_name_is_never_found_in_a_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Stage(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    assert command("agent", str(tmp_path), os.pathsep) == [str(tmp_path / "agent")]
    for path in ("", ".", f".{os.pathsep}{os.pathsep}/nowhere"):
        with pytest.raises(CannotStart, match="'agent' was not found"):
            command("agent", path, os.pathsep)


SHIM = '@ECHO off\r\nIF EXIST "%dp0%\\node.exe" (\r\n  SET "_prog=%dp0%\\node.exe"\r\n)\r\n{line}\r\n'


def shim(folder: Path, line: str) -> Path:
    path = folder / "claude.cmd"
    path.write_text(SHIM.format(line=line), encoding="utf-8", newline="")
    path.chmod(0o755)
    return path


def test_a_shim_is_not_run_but_what_it_starts(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "claude-code"
    package.mkdir(parents=True)
    for name in ("cli.js", "claude.exe"):
        (package / name).touch()
    node = tmp_path / ("node.exe" if sys.platform == "win32" else "node")
    shutil.copy(sys.executable, node)
    script = shim(tmp_path, '"%_prog%"  "%dp0%\\node_modules\\claude-code\\cli.js" %*')
    assert [Path(word) for word in command(str(script), "", os.pathsep)] == [node, package / "cli.js"]
    script = shim(tmp_path, '"%~dp0\\node_modules\\claude-code\\claude.exe" %*')
    assert command(str(script), "", os.pathsep) == [str(package / "claude.exe")]


@pytest.mark.parametrize("line", ["python cli.py %*", '"%dp0%\\gone.js" %*'])
def test_a_shim_that_cannot_be_read_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(CannotStart, match=r"is a shim whose program is not known; set CLAUDE_EXECUTABLE"):
        command(str(shim(tmp_path, line)), "", os.pathsep)
