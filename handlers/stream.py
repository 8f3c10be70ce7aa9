"""What an agent says, line by line, made into a report that holds whatever the lines hold.

Nothing is believed here: a report repeats what was said, clamped to what the log can
hold. Whether the turn was a good one is judged elsewhere.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

import orjson

from handlers.clamped import cost, count, mapping, moment, status, text, usage, word
from handlers.ports.agent import AgentEnd
from schemas.turn import Denial, TurnReport, Usage, details_of

KNOWN_TYPES = frozenset(
    {
        "assistant",
        "attachment",
        "auth_status",
        "command_lifecycle",
        "control_cancel_request",
        "control_request",
        "control_response",
        "conversation_reset",
        "progress",
        "prompt_suggestion",
        "rate_limit_event",
        "result",
        "stream_event",
        "system",
        "tool_progress",
        "tool_use_summary",
        "user",
    }
)
_TOOL_LIMIT = 10_000
_DENIAL_LIMIT = 200
_ERROR_LIMIT = 20
_SAID_LIMIT = 500
_NOTES_LIMIT = 10
_DENIED_BY_RULE = (
    "<tool_use_error>File is in a directory that is denied by your permission settings.</tool_use_error>"
)
_CUT = frozenset({"max_tokens", "model_context_window_exceeded"})
_Ended = Literal["exited", "timeout", "cancelled", "interrupted", "inactivity", "not_started"]
_NOT_OFFERED = "<tool_use_error>Error: No such tool available:"


class ToolCall(NamedTuple):
    """A tool that the agent called; `input` is empty where it was no mapping."""

    name: str
    use_id: str
    input: Mapping[str, Any]

    @property
    def detail(self) -> str:
        """The call's telling argument, at most 500 characters."""
        return details_of(self.input)


@dataclass(frozen=True)
class Result:
    """The agent's own summing up of a turn, as far as it can be read."""

    subtype: str
    is_error: bool
    num_turns: int
    text: str
    structured: bool
    deferred: bool
    cut: bool
    api_error_status: int | None
    errors: tuple[str, ...]
    terminal_reason: str | None
    session_id: str | None
    usage: Usage
    cost_usd: float


@dataclass(frozen=True)
class StreamState:
    """What has been heard so far. `unanswered` are the calls without a result, as denials in waiting."""

    result: Result | None = None
    denials: tuple[Denial, ...] = ()
    version: str | None = None
    model: str | None = None
    assistant_error: str | None = None
    rate_limit_rejected: bool = False
    resets_at: int | None = None
    unknown: int = 0
    tool_ids: frozenset[str] = frozenset()
    unanswered: tuple[Denial, ...] = ()
    notes: tuple[str, ...] = ()


def parse_line(raw: bytes) -> dict[str, Any] | None:
    """The JSON object that a line holds; None for anything else.

    Bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD; numbers that
    JSON does not know (NaN, Infinity) are let through for `hear` to refuse.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            value = _mended(json.loads(raw.decode("utf-8", "replace")))
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def redacted(line: Mapping[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    """The same without secrets in its texts, however deep they stand."""
    clean: dict[str, Any] = _redacted(line, redact)
    return clean


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(one, redact) for key, one in value.items()}
    return [_redacted(one, redact) for one in value] if isinstance(value, list) else value


def _mended(value: Any) -> Any:
    """The same without lone halves of surrogate pairs, which no UTF-8 can hold."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def tools_used(line: Mapping[str, Any]) -> list[ToolCall]:
    """The tools that an assistant's line calls; a call without a name or an id is left out."""
    if line.get("type") != "assistant":
        return []
    content = mapping(line.get("message")).get("content")
    calls = []
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict) and block.get("type") == "tool_use":
            name, use_id = word(block.get("name")), word(block.get("id"))
            if name and use_id:
                calls.append(ToolCall(name, use_id, mapping(block.get("input"))))
    return calls


def hear(state: StreamState, line: Mapping[str, Any]) -> tuple[StreamState, tuple[ToolCall, ...]]:
    """The state after one more line, and the tools that it calls for the first time.

    It never refuses: what cannot be read is noted.
    """
    kind = line.get("type")
    if kind == "assistant":
        return _hear_assistant(state, line)
    if kind == "user":
        return _hear_tool_results(state, line), ()
    if kind == "result":
        return _hear_result(state, line), ()
    if kind == "system":
        if line.get("subtype") == "init":
            version, model = word(line.get("claude_code_version")), word(line.get("model"))
            state = replace(state, version=version or state.version, model=model or state.model)
        return state, ()
    if kind == "rate_limit_event":
        return _hear_limit(state, mapping(line.get("rate_limit_info"))), ()
    if not (isinstance(kind, str) and kind in KNOWN_TYPES):
        state = _noted(replace(state, unknown=state.unknown + 1), f"line of unknown type {word(kind)!r}")
    return state, ()


def _hear_limit(state: StreamState, info: Mapping[str, Any]) -> StreamState:
    """One line for each change of state: the last one holds; only what lifts a limit forgets its end."""
    if info.get("status") != "rejected":
        return replace(state, rate_limit_rejected=False, resets_at=None)
    resets_at = moment(info.get("resetsAt"))
    return replace(state, rate_limit_rejected=True, resets_at=resets_at or state.resets_at)


def answered(before: StreamState, after: StreamState) -> frozenset[str]:
    """The tools whose results were heard between two states."""
    if before.unanswered is after.unanswered:  # most lines answer nothing, and thousands may wait
        return frozenset()
    waiting = {call.tool_use_id for call in after.unanswered}
    return frozenset(call.tool for call in before.unanswered if call.tool_use_id not in waiting)


def _hear_assistant(state: StreamState, line: Mapping[str, Any]) -> tuple[StreamState, tuple[ToolCall, ...]]:
    error = word(line.get("error"))
    if error and not line.get("parent_tool_use_id"):  # a subagent's trouble is not the turn's
        state = replace(state, assistant_error=error)
    # One message may come in several lines, and a resumed session says old ones again.
    fresh = {call.use_id: call for call in tools_used(line) if call.use_id not in state.tool_ids}
    room = _TOOL_LIMIT - len(state.tool_ids)
    if len(fresh) > room:
        state = _noted(state, f"only the first {_TOOL_LIMIT} tool calls are told one by one")
    told = tuple(fresh.values())[:room]
    if told:
        asked = (Denial(tool=call.name, tool_use_id=call.use_id, detail=call.detail) for call in told)
        state = replace(
            state,
            tool_ids=state.tool_ids.union(call.use_id for call in told),
            unanswered=(*state.unanswered, *asked),
        )
    return state, told


def _hear_tool_results(state: StreamState, line: Mapping[str, Any]) -> StreamState:
    """Refusals that the result's own list leaves out: of deny rules (2.1.197), of tools not offered (all)."""
    content = mapping(line.get("message")).get("content")
    blocks = [mapping(block) for block in content] if isinstance(content, list) else []
    results = {str(block.get("tool_use_id")): block for block in blocks if block.get("type") == "tool_result"}
    answered = [call for call in state.unanswered if call.tool_use_id in results]
    if not answered:
        return state
    refused = [call for call in answered if _is_refusal(call.tool, results[call.tool_use_id])]
    known = {denial.tool_use_id for denial in state.denials}
    fresh = [call for call in refused if call.tool_use_id not in known][: _DENIAL_LIMIT - len(known)]
    return replace(
        state,
        denials=(*state.denials, *fresh),
        unanswered=tuple(call for call in state.unanswered if call.tool_use_id not in results),
    )


def _is_refusal(tool: str, result: Mapping[str, Any]) -> bool:
    """Whether the CLI itself refused the call, in words that no tool's own output begins with."""
    said = result.get("content")
    if result.get("is_error") is not True or not isinstance(said, str):
        return False
    return said == _DENIED_BY_RULE or said.startswith((f"{_NOT_OFFERED} {tool}.", f"{_NOT_OFFERED} {tool}<"))


def _hear_result(state: StreamState, line: Mapping[str, Any]) -> StreamState:
    state = replace(state, denials=_denials(state.denials, line.get("permission_denials")))
    subtype, is_error = word(line.get("subtype")), line.get("is_error")
    if subtype is None or not isinstance(is_error, bool):
        return _noted(state, "a result line without subtype or is_error was passed over")
    notes: list[str] = []
    errors = line.get("errors")
    said = [word(error, _SAID_LIMIT) for error in errors[:_ERROR_LIMIT]] if isinstance(errors, list) else []
    if isinstance(errors, list) and len(errors) > _ERROR_LIMIT:
        notes.append(f"only the first {_ERROR_LIMIT} errors are kept")
    result = Result(
        subtype=subtype,
        is_error=is_error,
        num_turns=count(line, "num_turns", notes),
        text=text(line.get("result"), notes),
        structured=line.get("structured_output") is not None,
        deferred=_deferred(line),
        cut=_cut(line, state.assistant_error, is_error),
        api_error_status=status(line.get("api_error_status")),
        errors=tuple(error for error in said if error),
        terminal_reason=word(line.get("terminal_reason")),
        session_id=word(line.get("session_id")),
        usage=usage(line, notes),
        cost_usd=cost(line.get("total_cost_usd"), notes),
    )
    for note in notes:
        state = _noted(state, note)
    return replace(state, result=result)


def report(state: StreamState, end: AgentEnd, session_id: str | None = None) -> TurnReport:
    """All that was heard and how the process went, as one value that the log can hold.

    `session_id` is the one that we gave: another one in the result is noted.
    """
    result, notes = state.result, list(state.notes)
    said = None if result is None else result.session_id
    if session_id is not None and said is not None and said != session_id:
        notes.append("the result names another session than ours")
    if end.note:
        notes.insert(0, end.note)
    known = {} if result is None else _of_result(result)
    return TurnReport(
        ended=cast(_Ended, end.ended),
        exit_code=end.exit_code,
        elapsed_ms=max(0, end.elapsed_ms),
        has_result=result is not None,
        assistant_error=state.assistant_error,
        rate_limit_rejected=state.rate_limit_rejected,
        resets_at=state.resets_at,
        agent_version=state.version,
        model=state.model,
        denials=state.denials,
        unknown_lines=state.unknown,
        unparsed_lines=max(0, end.unparsed_lines),
        stdout=end.stdout,
        stderr=end.stderr,
        note="; ".join(notes) or None,
        **known,
    )


def _of_result(result: Result) -> dict[str, Any]:
    return {
        "subtype": result.subtype,
        "is_error": result.is_error,
        "num_turns": result.num_turns,
        "result_text": result.text,
        "has_structured_output": result.structured,
        "deferred": result.deferred,
        "answer_cut": result.cut,
        "api_error_status": result.api_error_status,
        "errors": result.errors,
        "terminal_reason": result.terminal_reason,
        "usage": result.usage,
        "cost_usd": result.cost_usd,
    }


def _deferred(line: Mapping[str, Any]) -> bool:
    reasons = {line.get(key) for key in ("stop_reason", "terminal_reason") if isinstance(line.get(key), str)}
    return line.get("deferred_tool_use") is not None or bool(
        reasons & {"tool_deferred", "tool_deferred_unavailable"}
    )


def _cut(line: Mapping[str, Any], assistant_error: str | None, is_error: bool) -> bool:
    """Whether the model's limit cut the answer off.

    The CLI (2.1.197, 2.1.330) lets the model go on three times and then gives an error of its own, with
    the stop reason of that error. A cut that it could mend is forgotten: then the result is no error.
    """
    return word(line.get("stop_reason")) in _CUT or (is_error and assistant_error == "max_output_tokens")


def _denials(before: tuple[Denial, ...], listed: Any) -> tuple[Denial, ...]:
    """Those known and those listed now; one process may give several results."""
    known = {denial.tool_use_id: denial for denial in before}
    for item in listed if isinstance(listed, list) else []:
        tool, tool_use_id = word(mapping(item).get("tool_name")), word(mapping(item).get("tool_use_id"))
        if tool and len(known) < _DENIAL_LIMIT:
            key = tool_use_id or f"unnamed-{len(known)}"
            detail = details_of(mapping(item["tool_input"])) if "tool_input" in item else ""
            known.setdefault(key, Denial(tool=tool, tool_use_id=key, detail=detail))
    return tuple(known.values())


def _noted(state: StreamState, note: str) -> StreamState:
    if note in state.notes or len(state.notes) >= _NOTES_LIMIT:
        return state
    return replace(state, notes=(*state.notes, note))
