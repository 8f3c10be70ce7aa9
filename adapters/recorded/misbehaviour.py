"""What a recorded session does amiss when its prompt asks for it: `RECORDED-MISBEHAVE: kind [number]`.

Several lines may stand in a prompt. What can fail a turn is looked at in their order, and
the first one that is due happens; what only changes the output happens always.

kind                                     what happens
quota SECONDS                            a session's first turn finds its window used up until then
network TIMES, rate-limit TIMES          so many turns fail as they would, then it goes well
silent, die-9, die-15 [TIMES]            no word after the first line; killed after its first tool
no-result, half-line [TIMES]             it ends well, but its result is not there, or not whole
hang [TIMES]                             it does not go after its result
session-lost                             no session can be gone on with
noise [LINES]                            before each line so many of each kind that are none
flood MB, long-line MB                   so much output in lines of 1 MB, or in a single line
two-results                              a result that says too little, and then the true one
question                                 the result ends in a question
cost USD                                 the turn has cost so much

Without TIMES it is every turn. Turns are counted for one directory, one title and one
line, in files of CLAUDE_CODE_RECORDED_DIR: words after the number tell two tasks apart.
What the CLI says of a limit or of its network is what 2.1.197 was seen to say.
"""

import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import orjson
import psutil

VARIABLE = "CLAUDE_CODE_RECORDED_DIR"
QUESTION = "Continue? (y/n)"
_TITLE = re.compile(r"^Title: (.*)$", re.MULTILINE)
_WISH = re.compile(
    r"^[ \t]*RECORDED-MISBEHAVE:[ \t]*(?P<kind>[\w-]+)(?:[ \t]+(?P<number>\d+(?:\.\d+)?))?[^\n]*$",
    re.MULTILINE | re.ASCII,
)
_MEGABYTE = 1_000_000
_FAILING = frozenset({"quota", "network", "rate-limit"})
_ENDING = frozenset({"silent", "die-9", "die-15", "no-result", "half-line", "hang", "session-lost"})
_CHANGING = frozenset({"noise", "flood", "long-line", "two-results", "question", "cost"})
_NUMBERED = frozenset({"quota", "network", "rate-limit", "flood", "long-line", "cost"})
_NOISE = (b"not JSON\n", b"\xff\xfe\x00 no text\n", b'[1, "no object"]\n', b'{"type":"novelty"}\n', b"\n")
Line = dict[str, Any]


class Misunderstood(Exception):
    """A wish that cannot come true; the message goes to stderr."""


@dataclass(frozen=True)
class Wish:
    """One line of the prompt. `number` is None where it gave none."""

    kind: str
    number: float | None
    text: str

    @property
    def times(self) -> int:
        return 1 if self.number is None else int(self.number)


@dataclass(frozen=True)
class Memory:
    """How often each wish has come true, kept between processes."""

    folder: Path | None
    cwd: Path
    title: str

    def nth(self, wish: Wish) -> int:
        """How often it has been asked for, this time included. Raises Misunderstood without a folder."""
        if self.folder is None:
            raise Misunderstood(
                f"Error: set {VARIABLE} to a folder, in which {wish.text!r} can count its turns"
            )
        key = hashlib.sha256("\0".join((str(self.cwd), self.title, wish.text)).encode()).hexdigest()
        try:
            with (self.folder / f"turns-{key[:20]}").open("ab") as file:
                file.write(b".")
                return file.tell()
        except OSError as problem:
            raise Misunderstood(f"Error: {self.folder} cannot count turns: {problem}") from problem


def title_of(prompt: str) -> str:
    """What the first line `Title: …` says: the same for a task's first and its later turns."""
    found = _TITLE.search(prompt)
    return found[1].strip() if found else ""


def wishes(prompt: str) -> list[Wish]:
    """The lines that ask for it, in order. Raises Misunderstood for one that cannot be understood."""
    found = []
    for match in _WISH.finditer(prompt.replace("\r\n", "\n")):
        number = None if match["number"] is None else float(match["number"])
        wish = Wish(match["kind"], number, " ".join(match[0].split()))
        if wish.kind not in _FAILING | _ENDING | _CHANGING or (number is None and wish.kind in _NUMBERED):
            raise Misunderstood(
                f"Error: {wish.text!r} is not understood; known: {', '.join(sorted(_all_kinds()))}"
            )
        found.append(wish)
    return found


def _all_kinds() -> Iterator[str]:
    for kind in _FAILING | _ENDING | _CHANGING:
        yield f"{kind} <number>" if kind in _NUMBERED else kind


def due(asked: Sequence[Wish], resumed: bool, memory: Memory) -> list[Wish]:
    """What happens in this turn: the changes, and of the failures the first one whose turn it is."""
    failing = (wish for wish in asked if wish.kind not in _CHANGING)
    first = next((wish for wish in failing if _is_due(wish, resumed, memory)), None)
    return [wish for wish in asked if wish.kind in _CHANGING or wish is first]


def _is_due(wish: Wish, resumed: bool, memory: Memory) -> bool:
    if wish.kind == "quota":
        return not resumed
    if wish.kind == "session-lost":
        return resumed
    return wish.number is None or memory.nth(wish) <= wish.times


def failing_lines(wish: Wish, session_id: str, now: float) -> list[Line] | None:
    """The lines of a turn that fails as the CLI lets it fail; None where this wish fails none so."""
    if wish.kind == "quota":
        resets_at = int(now) + max(1, wish.times)
        info = {"status": "rejected", "resetsAt": resets_at, "rateLimitType": "five_hour"}
        info |= {"overageStatus": "rejected", "overageDisabledReason": "org_level_disabled"}
        event = {"type": "rate_limit_event", "rate_limit_info": {**info, "isUsingOverage": False}}
        clock = time.strftime("%I:%M%p", time.gmtime(resets_at)).lstrip("0").lower()
        text = f"You've hit your session limit · resets {clock} (UTC)"
        return [event | {"session_id": session_id}, *_failed(text, "rate_limit", 429, session_id)]
    if wish.kind == "rate-limit":
        retry = _retry(429, "rate_limit", session_id)
        text = "API Error: Request rejected (429) · Number of requests has exceeded your rate limit"
        return [retry, *_failed(text, "rate_limit", 429, session_id)]
    if wish.kind == "network":
        retry = _retry(None, "unknown", session_id)
        text = "API Error: Unable to connect to API (ConnectionRefused)"
        return [retry, *_failed(text, "server_error", None, session_id)]
    return None


def lost_session(session_id: str) -> Line:
    """What stands on stdout where a session cannot be gone on with; stderr gets its error too."""
    end: Line = {"type": "result", "subtype": "error_during_execution", "is_error": True, "num_turns": 0}
    end |= {"duration_ms": 0, "duration_api_ms": 0, "stop_reason": None, "session_id": session_id}
    end |= {"total_cost_usd": 0, "modelUsage": {}, "permission_denials": []}
    end |= {"usage": {"input_tokens": 0, "output_tokens": 0}}
    return end | {"errors": [f"No conversation found with session ID: {session_id}"]}


def _retry(status: int | None, error: str, session_id: str) -> Line:
    line = {"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 1, "retry_delay_ms": 0}
    return {**line, "error_status": status, "error": error, "session_id": session_id}


def _failed(text: str, error: str, status: int | None, session_id: str) -> list[Line]:
    content = [{"type": "text", "text": text}]
    message = {"type": "message", "role": "assistant", "model": "<synthetic>", "content": content}
    said: Line = {"type": "assistant", "message": message, "parent_tool_use_id": None, "error": error}
    end: Line = {"type": "result", "subtype": "success", "is_error": True, "api_error_status": status}
    end |= {"duration_ms": 0, "duration_api_ms": 0, "num_turns": 1, "result": text}
    end |= {"stop_reason": "stop_sequence", "total_cost_usd": 0, "modelUsage": {}, "permission_denials": []}
    end |= {"usage": {"input_tokens": 0, "output_tokens": 0}, "terminal_reason": "completed"}
    return [said | {"session_id": session_id}, end | {"session_id": session_id}]


class Mouth:
    """Says the lines of a session, and what was wished for beside them or in their place."""

    def __init__(self, said: BinaryIO, asked: Sequence[Wish]) -> None:
        self._said = said
        self._asked = {wish.kind: wish for wish in asked}

    def say(self, line: Line) -> None:
        """Say one line. Raises OSError where nobody listens; does not return where it hangs or dies."""
        for noise in _NOISE * (self._asked["noise"].times if "noise" in self._asked else 0):
            self._said.write(noise)
        if line.get("type") == "result":
            self._say_result(line)
        else:
            self._write(line)
        if "silent" in self._asked:
            wait_for_ever()
        if line.get("type") == "user":
            self._die_if_wished()

    def _write(self, line: Line) -> None:
        self._said.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._said.flush()

    def _say_result(self, line: Line) -> None:
        self._die_if_wished()
        self._flood()
        if "no-result" in self._asked:
            return
        if "question" in self._asked:
            line = {**line, "result": f"{line.get('result', '')}\n{QUESTION}"}
        if "cost" in self._asked:
            line = {**line, **_costing(self._asked["cost"].number or 0.0)}
        if "two-results" in self._asked:
            self._write({**line, "result": "", "num_turns": 0})
        if "half-line" in self._asked:
            whole = orjson.dumps(line)
            self._said.write(whole[: len(whole) // 2])
            self._said.flush()
            return
        self._write(line)
        if "hang" in self._asked:
            wait_for_ever()

    def _flood(self) -> None:
        if "flood" in self._asked:
            line = {"type": "user", "message": {"role": "user", "content": "x" * _MEGABYTE}}
            for _ in range(self._asked["flood"].times):
                self._write(line)
        if "long-line" in self._asked:
            self._said.write(b'{"type":"user","message":"')
            for _ in range(self._asked["long-line"].times):
                self._said.write(b"x" * _MEGABYTE)
            self._said.write(b'"}\n')

    def _die_if_wished(self) -> None:
        if "die-9" in self._asked:
            psutil.Process().kill()
        if "die-15" in self._asked:
            os._exit(143)


def _costing(usd: float) -> Line:
    tokens = {"inputTokens": 1000, "outputTokens": 50, "cacheReadInputTokens": 0}
    models = {"recorded": {**tokens, "cacheCreationInputTokens": 0, "costUSD": usd}}
    return {"total_cost_usd": usd, "modelUsage": models, "usage": {"input_tokens": 1000, "output_tokens": 50}}


def wait_for_ever() -> NoReturn:
    while True:
        time.sleep(3600.0)
