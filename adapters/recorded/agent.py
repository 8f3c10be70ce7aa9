"""A stand-in for the Claude Code CLI: a real process that plays a recorded session.

It takes the flags that `claude -p --output-format stream-json --verbose` takes from us,
reads the prompt from stdin and prints the recorded lines. It calls no model and no
network. The tools `Edit` and `Write` are done for real, inside the working directory
only, when their line is played and `--tools` and the permissions grant them; every
other tool answers what it answered when the session was recorded. An edit that the file
already holds is not made twice. Path rules in `--settings` are not looked at; `--resume`
plays from the start, since no conversation is kept. A line `RECORDED-MISBEHAVE:` of the
prompt lets it fail: misbehaviour.py says how.

A folder of recordings holds `manifest.json` and the `.ndjson` files that it names:
`{"recordings": [{"name", "file", "words"?, "pattern"?, "pause_ms"?, "exit_code"?}]}`.
The first entry is played whose `words` all stand in the prompt (case and line breaks
do not count) and whose `pattern`, a regular expression, is found in it. In the lines
`{cwd}`, `{session_id}` and the pattern's named groups are filled in. `pause_ms` is the
pause before each line, `exit_code` wins over 0 (good) and 1 (the result is an error).

Environment, named so that it passes the agent's allow-list:
CLAUDE_CODE_RECORDED_DIR   a folder of recordings that is searched before our own (without a
manifest there are none in it); sessions that misbehave count their turns there
CLAUDE_CODE_RECORDED_PAUSE_MS   the pause before each line, over everything else
"""

import os
import re
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, NoReturn

import orjson

from adapters.recorded.edit import Outcome, edit, write
from adapters.recorded.flags import Flags, Unusable, check, parse
from adapters.recorded.misbehaviour import (
    VARIABLE,
    Memory,
    Misunderstood,
    Mouth,
    due,
    failing_lines,
    lost_session,
    title_of,
    wishes,
)

RECORDINGS = Path(__file__).parent / "recordings"
VERSION = "2.1.197 (recorded session)"
PAUSE_VARIABLE = "CLAUDE_CODE_RECORDED_PAUSE_MS"
MARK = "[recorded session] "
NO_RECORDING = (
    "This is a recorded session and there is no recording for this task. "
    "Set CLAUDE_EXECUTABLE to a real Claude Code CLI to have it done, or name an edit in a line "
    "`RECORDED-EDIT: FILE: OLD => NEW`."
)
NO_PROMPT = "Error: Input must be provided either through stdin or as a prompt argument when using --print"
PAUSE_S = 0.12
WHOLE_S = 1.2  # all the pauses of one session together, unless they are asked for
TOOLS = ("Bash", "Edit", "Glob", "Grep", "NotebookEdit", "Read", "Write")
Line = dict[str, Any]


class Unheard(Exception):
    """Nobody reads our stdout any more."""


@dataclass(frozen=True)
class Recording:
    """The lines to play, filled in for this run."""

    lines: tuple[Line, ...]
    pause_s: float
    exit_code: int | None = None


@dataclass(frozen=True)
class Stage:
    """Where the session is played, and what is allowed there."""

    cwd: Path
    session_id: str
    tools: tuple[str, ...]
    granted: frozenset[str]
    mode: str


@dataclass
class Told:
    """What has come of the tool calls so far."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    denials: list[Line] = field(default_factory=list)

    def trouble(self) -> str | None:
        return next((o.trouble for o in self.outcomes.values() if o.trouble), None)

    def already(self) -> list[str]:
        return [o.text for o in self.outcomes.values() if o.text and not o.trouble]


def stage(flags: Flags, cwd: Path) -> Stage:
    offered = set(flags.lists.get("--tools", TOOLS))
    if "default" in offered:
        offered = set(TOOLS)
    offered -= set(flags.lists.get("--disallowedTools", ()))
    mode = flags.values.get("--permission-mode", "default")
    granted = set(flags.lists.get("--allowedTools", ()))
    if mode in ("acceptEdits", "bypassPermissions"):
        granted |= {"Edit", "Write"}
    session_id = flags.values.get("--session-id") or flags.values.get("--resume") or str(uuid.uuid4())
    return Stage(cwd, session_id, tuple(sorted(offered)), frozenset(granted), mode)


def choose(prompt: str, folders: Iterable[Path], known: Mapping[str, str]) -> Recording | None:
    """The first recording that fits the prompt; Unusable when a folder cannot be read."""
    text = prompt.replace("\r\n", "\n")
    flat = " ".join(text.split()).casefold()
    for folder in folders:
        try:
            for entry in orjson.loads((folder / "manifest.json").read_bytes())["recordings"]:
                found = re.search(entry.get("pattern", ""), text, re.MULTILINE)
                words = (" ".join(w.split()).casefold() for w in entry.get("words", ()))
                if found and all(word in flat for word in words):
                    names = {**known, **{k: v or "" for k, v in found.groupdict().items()}}
                    raw = (folder / entry["file"]).read_bytes().splitlines()
                    lines = tuple(fill(orjson.loads(line), names) for line in raw if line.strip())
                    pause = entry.get("pause_ms", min(PAUSE_S, WHOLE_S / max(1, len(lines))) * 1000) / 1000
                    return Recording(lines, pause, entry.get("exit_code"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, re.error) as problem:
            raise Unusable(f"Error: the recordings in {folder} cannot be read: {problem!r}") from problem
    return None


def fill(value: Any, names: Mapping[str, str]) -> Any:
    """Put the names' values where `{name}` stands, in one pass; other braces stay."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], m[0]), value)
    if isinstance(value, dict):
        return {key: fill(part, names) for key, part in value.items()}
    return [fill(part, names) for part in value] if isinstance(value, list) else value


def blocks(line: Line, kind: str) -> list[Line]:
    content = (line.get("message") or {}).get("content")
    return [b for b in content if b.get("type") == kind] if isinstance(content, list) else []


def perform(call: Line, on: Stage, told: Told) -> Outcome:
    """Do an edit for real, or say why not; every other tool stays as it was recorded."""
    name, given = call["name"], call["input"]
    if name not in on.tools:
        return Outcome(
            f"<tool_use_error>Error: No such tool available: {name}. {name} exists but is not enabled "
            "in this context. Use one of the available tools instead.</tool_use_error>",
            trouble=f"The recording uses the tool {name}, which is not offered to this task.",
        )
    if name not in ("Edit", "Write"):
        return Outcome()
    path = (on.cwd / given["file_path"]).resolve()
    if name not in on.granted or not path.is_relative_to(on.cwd.resolve()):
        told.denials.append({"tool_name": name, "tool_use_id": call["id"], "tool_input": given})
        text = f"Claude requested permissions to write to {path}, but you haven't granted it yet."
        return Outcome(text, trouble=f"The recorded edit of {path} was not permitted.")
    if name == "Write":
        return write(path, given["content"])
    return edit(path, given["old_string"], given["new_string"], bool(given.get("replace_all")))


def play(recording: Recording, on: Stage, say: Callable[[Line], None]) -> int:
    """Say every line and do its edits; the exit code. The first trouble ends the session."""
    told = Told()
    for line in recording.lines:
        if line.get("type") == "result" and line.get("subtype") == "success":
            line["result"] = MARK + " ".join([*told.already(), str(line.get("result", ""))])
        elif line.get("type") == "system" and line.get("subtype") == "init":
            line.update(model="recorded", recorded=True, tools=list(on.tools), permissionMode=on.mode)
        for answer in blocks(line, "tool_result"):
            outcome = told.outcomes.get(answer["tool_use_id"], Outcome())
            if outcome.text is not None:
                answer.update(content=outcome.text, is_error=outcome.trouble is not None)
                line.pop("tool_use_result", None)
        say(line)
        for call in blocks(line, "tool_use"):
            told.outcomes[call["id"]] = perform(call, on, told)
        trouble = told.trouble()
        if trouble and blocks(line, "tool_result"):
            return give_up(trouble, told.denials, on, say)
    failed = any(line.get("type") == "result" and line.get("is_error") for line in recording.lines)
    return recording.exit_code if recording.exit_code is not None else int(failed)


def give_up(sentence: str, denials: list[Line], on: Stage, say: Callable[[Line], None]) -> int:
    """Say why the session cannot go on, in the shape in which the CLI ends a broken one."""
    text = [{"type": "text", "text": MARK + sentence}]
    message = {"type": "message", "role": "assistant", "model": "recorded", "content": text}
    say({"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": on.session_id})
    end: Line = {"type": "result", "subtype": "error_during_execution", "is_error": True, "num_turns": 1}
    end |= {"duration_ms": 0, "duration_api_ms": 0, "session_id": on.session_id, "result": MARK + sentence}
    end |= {"total_cost_usd": 0, "usage": {"input_tokens": 0, "output_tokens": 0}, "modelUsage": {}}
    say(end | {"permission_denials": denials, "terminal_reason": "completed", "errors": [MARK + sentence]})
    return 1


def run(
    arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, heard: BinaryIO, said: BinaryIO
) -> int:
    """One session from its flags to its exit code; Unusable, Unheard."""
    flags = parse(arguments)
    if "--version" in flags.switches:
        said.write(f"{VERSION}\n".encode())
        return 0
    check(flags)
    on = stage(flags, cwd)
    prompt = "\n".join([*flags.words, heard.read().decode("utf-8-sig", errors="replace")])
    if not prompt.strip():
        raise Unusable(NO_PROMPT)
    added = Path(environment[VARIABLE]) if environment.get(VARIABLE) else None
    asked = due(wishes(prompt), "--resume" in flags.values, Memory(added, cwd, title_of(prompt)))
    if any(wish.kind == "session-lost" for wish in asked):
        told = lost_session(on.session_id)
        said.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
        raise Unusable(told["errors"][0])
    folders = [*([added] if added and holds_recordings(added) else []), RECORDINGS]
    recording = choose(prompt, folders, {"cwd": str(cwd), "session_id": on.session_id})
    init: Line = {"type": "system", "subtype": "init", "cwd": str(cwd), "session_id": on.session_id}
    init |= {"mcp_servers": [], "claude_code_version": VERSION}
    for wish in asked:
        if (failing := failing_lines(wish, on.session_id, time.time())) is not None:
            recording = Recording((init, *failing), PAUSE_S if recording is None else recording.pause_s)
    pause_s = pause(environment, recording)
    mouth = Mouth(said, asked)

    def say(line: Line) -> None:
        time.sleep(pause_s)
        try:
            mouth.say(line)
        except OSError as gone:
            raise Unheard from gone

    if recording is not None:
        return play(recording, on, say)
    play(Recording((init,), pause_s), on, say)
    return give_up(NO_RECORDING, [], on, say)


def holds_recordings(folder: Path) -> bool:
    """Whether a folder is one of recordings; one that is not there is, so that its absence is told."""
    return not folder.is_dir() or (folder / "manifest.json").exists()


def pause(environment: Mapping[str, str], recording: Recording | None) -> float:
    """Seconds before each line. Raises Unusable where the environment asks for no number."""
    asked = environment.get(PAUSE_VARIABLE)
    if not asked:
        return recording.pause_s if recording else PAUSE_S
    if not asked.isdecimal():
        raise Unusable(f"Error: {PAUSE_VARIABLE} is a whole number of milliseconds, not {asked!r}")
    return int(asked) / 1000


def leave(number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + number)  # at once: no result line, no flushing into a pipe that nobody empties


def main() -> int:
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    try:
        return run(sys.argv[1:], os.environ, Path.cwd(), sys.stdin.buffer, sys.stdout.buffer)
    except (Unusable, Misunderstood) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except Unheard:
        os._exit(1)  # what is left in the buffer has no reader, and must not be complained about


if __name__ == "__main__":
    raise SystemExit(main())
