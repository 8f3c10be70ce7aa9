"""What the keys of a task file's front matter mean: strings become a task's settings."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal

from pydantic import Field

from eventstore.moment import microseconds
from schemas.front_matter import Entry, Value
from schemas.shown import quoted, shown
from schemas.task import Priority, TaskType
from schemas.task_id import problem_with_id
from schemas.unreadable import Unreadable
from schemas.word import Microseconds, Part, Usd

TYPES: Final[Mapping[str, TaskType]] = {
    "analyze": "analyze",
    "summarize": "summarize",
    "code_review": "code_review",
    "documentation": "documentation",
    "fix": "bug_fix",
    "bug_fix": "bug_fix",
}
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "priority": ("high", "medium", "low"),
    "isolation": ("inplace", "worktree"),
    "commit": ("no", "branch", "push", "pr"),
}
KEYS: Final = (
    *("id", "type", "priority", "created", "cwd", "agent_type", "template_id", "timeout_sec", "after"),
    *("not_before", "isolation", "executor", "max_budget_usd", "max_turns", "commit"),
)
FORBIDDEN: Final = frozenset({"allowedtools", "env", "permissionmode", "executable", "settings"})
MAX_AFTER: Final = 64
LAST_MOMENT: Final = microseconds("9999-01-01T00:00:00Z")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
TAKE_OUT = "or take the line out."


class Fields(Part):
    """The settings of a task as its author wrote them; None where nothing was said.

    `not_before` is in microseconds since 1970, `timeout_sec` in seconds. `warnings`
    are sentences for the author.
    """

    id: str | None = None
    type: TaskType
    agent: str
    priority: Priority = "medium"
    created: str | None = None
    cwd: str | None = None
    agent_type: str | None = None
    template_id: str | None = None
    timeout_sec: float | None = Field(default=None, ge=1, le=86400, allow_inf_nan=False)
    after: tuple[str, ...] = ()
    not_before: Microseconds | None = None
    isolation: Literal["inplace", "worktree"] = "inplace"
    executor: str | None = None
    max_budget_usd: Usd | None = None
    max_turns: int | None = Field(default=None, ge=1, le=10_000)
    commit: Literal["no", "branch", "push", "pr"] = "no"
    metadata: dict[str, Any] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read_fields(found: Mapping[str, Entry], first_line: int) -> Fields:
    """Every key read or refused. Raises Unreadable with the line of the key."""
    for key, entry in found.items():
        _refuse_forbidden(key, entry.line)
    notes: list[str] = []
    unknown = {key: entry for key, entry in found.items() if key not in KEYS}
    task_type = _type(found, unknown, first_line)
    agent_type = _name(found, "agent_type")
    read: dict[str, Any] = {key: _choice(found[key], key) for key in CHOICES if key in found}
    if unknown:
        notes.append(_about_unknown(unknown))
    return Fields(
        id=_id(found),
        type=task_type,
        agent=agent_for(agent_type or task_type),
        created=_created(found, notes),
        cwd=_word(found, "cwd"),
        agent_type=agent_type,
        template_id=_name(found, "template_id"),
        timeout_sec=_number(found, "timeout_sec", 1, 86400, "a number of seconds from 1 to 86400"),
        after=_after(found),
        not_before=_not_before(found, notes),
        executor=_name(found, "executor"),
        max_budget_usd=_number(found, "max_budget_usd", 0.01, 10_000, "dollars from 0.01 to 10000"),
        max_turns=_whole(found, "max_turns", 10_000),
        metadata={key: entry.value for key, entry in unknown.items()},
        warnings=tuple(notes),
        **read,
    )


def agent_for(kind: str) -> str:
    """The agent that does a type of task, or the one that was named."""
    return {"summarize": "analyze", "fix": "bug_fix"}.get(kind, kind)


def _refuse_forbidden(key: str, line: int) -> None:
    if re.sub(r"[^a-z]", "", key.lower()) in FORBIDDEN:
        raise Unreadable(
            "forbidden_key",
            f"Line {line}: a task file may not set {quoted(key)}; what an agent may do is not its to say.",
            "Take the line out; the task's type decides on the tools, the service's settings on the rest.",
            line,
        )


def _type(found: Mapping[str, Entry], unknown: Mapping[str, Entry], first_line: int) -> TaskType:
    if "type" not in found:
        near = [key for key in unknown if nearest(key) == "type"]
        hint = f" (is {quoted(near[0])} meant?)" if near else ""
        raise Unreadable(
            "no_type",
            f"The front matter, from line {first_line}, has no `type`{hint}.",
            f"Add a line such as `type: analyze`; it may be {_either(TYPES)}.",
            found[near[0]].line if near else first_line,
        )
    word = _said(found["type"], "type").lower()
    if word not in TYPES:
        raise _wrong(found["type"], "type", f"it may be {_either(TYPES)}", "Write one of these.")
    return TYPES[word]


def _choice(entry: Entry, key: str) -> str:
    word = _said(entry, key).lower()
    if word not in CHOICES[key]:
        raise _wrong(entry, key, f"it may be {_either(CHOICES[key])}", f"Write one of these, {TAKE_OUT}")
    return word


def _id(found: Mapping[str, Entry]) -> str | None:
    task_id = _word(found, "id")
    if task_id is not None:
        _check_id(task_id, found["id"].line)
    return task_id


def _check_id(task_id: str, line: int) -> None:
    problem = problem_with_id(task_id)
    if problem is not None:
        raise Unreadable(
            "bad_id", f"Line {line}: {problem}.", "Write another one, such as `nightly-report`.", line
        )


def _after(found: Mapping[str, Entry]) -> tuple[str, ...]:
    if "after" not in found:
        return ()
    entry = found["after"]
    value = entry.value
    names = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise Unreadable(
            "bad_value",
            f"Line {entry.line}: `after` is {_kind(value)}; it must be the ids of other tasks.",
            "Write `after: first-task, second-task`.",
            entry.line,
        )
    wanted = tuple({str(one).lower(): str(one) for one in names}.values())
    if len(wanted) > MAX_AFTER:
        raise Unreadable(
            "bad_value",
            f"Line {entry.line}: `after` names {len(wanted)} tasks; {MAX_AFTER} are allowed.",
            "Let one task gather the others, and wait for that one.",
            entry.line,
        )
    own = found["id"].value if "id" in found else None
    for one in wanted:
        _check_id(one, entry.line)
        if isinstance(own, str) and own.lower() == one.lower():
            raise Unreadable(
                "bad_value",
                f"Line {entry.line}: the task {quoted(one)} waits for itself.",
                "Take its own id out of `after`.",
                entry.line,
            )
    return wanted


def _created(found: Mapping[str, Entry], notes: list[str]) -> str | None:
    text = _word(found, "created")
    if text is None:
        return None
    entry = found["created"]
    if len(text) > 64:
        raise _wrong(entry, "created", "it must be a time", f"Write it like 2026-01-31T09:00:00Z, {TAKE_OUT}")
    try:
        microseconds(text)
    except (ValueError, OverflowError):
        notes.append(
            f"Line {entry.line}: `created` is {quoted(text)}, which is no time; it is kept as it is."
        )
    return text


def _not_before(found: Mapping[str, Entry], notes: list[str]) -> int | None:
    text = _word(found, "not_before")
    if text is None:
        return None
    entry = found["not_before"]
    wrong = _wrong(
        entry,
        "not_before",
        "it must be a date and a time between 1970 and 9999",
        "Write it like 2026-01-31T09:00:00Z or 2026-01-31T09:00:00+01:00.",
    )
    match = MOMENT.fullmatch(text)
    if match is None:
        raise wrong
    try:
        moment = microseconds(text.upper())
    except (ValueError, OverflowError) as error:
        raise wrong from error
    if not 0 <= moment < LAST_MOMENT:
        raise wrong
    if match.group(3) is None:
        notes.append(
            f"Line {entry.line}: `not_before` names no time zone; it is taken as UTC. Write a Z at its end."
        )
    return moment


def _number(found: Mapping[str, Entry], key: str, least: float, most: float, what: str) -> float | None:
    text = _word(found, key)
    if text is None:
        return None
    if not NUMBER.fullmatch(text) or not least <= float(text) <= most:
        raise _wrong(found[key], key, f"it must be {what}", f"Write such a number, {TAKE_OUT}")
    return float(text)


def _whole(found: Mapping[str, Entry], key: str, most: int) -> int | None:
    what = f"a whole number from 1 to {most}"
    number = _number(found, key, 1, most, what)
    if number is not None and not number.is_integer():
        raise _wrong(found[key], key, f"it must be {what}", f"Write such a number, {TAKE_OUT}")
    return None if number is None else int(number)


def _name(found: Mapping[str, Entry], key: str) -> str | None:
    text = _word(found, key)
    if text is not None and not NAME.fullmatch(text):
        what = "it must be a name of 1 to 64 letters, digits, dots, dashes and underscores"
        raise _wrong(found[key], key, what, f"Write the name without a folder, {TAKE_OUT}")
    return None if text is None else text


def _word(found: Mapping[str, Entry], key: str) -> str | None:
    return _said(found[key], key) if key in found else None


def _said(entry: Entry, key: str) -> str:
    if not isinstance(entry.value, str):
        raise Unreadable(
            "bad_value",
            f"Line {entry.line}: `{key}` is {_kind(entry.value)}; it must be one word or one line.",
            f"Write `{key}: ` and one value.",
            entry.line,
        )
    if not entry.value.strip():
        raise Unreadable(
            "bad_value",
            f"Line {entry.line}: `{key}` has no value.",
            "Write one, or take the line out.",
            entry.line,
        )
    return entry.value


def _wrong(entry: Entry, key: str, expected: str, remedy: str) -> Unreadable:
    return Unreadable(
        "bad_value",
        f"Line {entry.line}: `{key}` is {quoted(str(entry.value))}; {expected}.",
        remedy,
        entry.line,
    )


def _kind(value: Value) -> str:
    return {str: "one word", list: "a list", dict: "a map"}[type(value)]


def _either(words: Mapping[str, Any] | tuple[str, ...]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _about_unknown(unknown: Mapping[str, Entry]) -> str:
    named = []
    for key in list(unknown)[:5]:
        near = nearest(key)
        named.append(f"{shown(key, 40)} (is `{near}` meant?)" if near else shown(key, 40))
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return f"Unknown keys are kept as metadata and change nothing: {', '.join(named)}{more}."


def nearest(key: str) -> str | None:
    """The known key that somebody may have meant, None when none is close."""
    if len(key) > 40:
        return None
    matches = get_close_matches(re.sub(r"[^a-z]+", "_", key.lower()), KEYS, n=1, cutoff=0.75)
    return matches[0] if matches else None
