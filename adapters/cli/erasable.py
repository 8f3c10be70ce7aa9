"""What of an event may be erased: free text, and nothing by which rules, views or the proof go."""

import re
from collections.abc import Iterator
from typing import Final

import orjson
from pydantic import ValidationError

from eventstore.event import Recorded
from eventstore.line import ERASED
from eventstore.tombstone import texts, tombstone
from schemas import names
from schemas.registry import FACTS
from schemas.word import Fact

STANDING: Final = frozenset(
    {names.HOME_CREATED, names.TREE_HEAD_SIGNED, names.SIGNING_KEY_CHANGED, names.EVENT_ERASED}
)
"""What the proof itself stands on."""

KEYS: Final = frozenset(
    {
        "agent", "day", "event_type", "executor", "parent_task_id", "process.boot_id", "process.host",
        "refused_id", "session_id", "spec.after[]", "spec.agent", "spec.executor", "status", "subject",
        "task_id", "task_type", "turn_of", "waited_for[]", "waits_for[]", "was", "worker",
    }
)  # fmt: skip
"""Texts by which something is found again; an event's model takes any text for them."""

PLACES: Final = {
    names.ARTIFACT_WRITTEN: frozenset({"path", "summary_path"}),
    names.TASK_ARCHIVED: frozenset({"path"}),
    names.RETRY_REQUESTED: frozenset({"archived"}),
}
"""Where the program's own files lie."""

NEEDED: Final = frozenset({names.TASK_RECEIVED, names.TASK_QUEUED, names.RETRY_REQUESTED, names.TASK_CLAIMED})
"""What an agent is given, and where: a task that has not ended goes on without."""

_INDEX: Final = re.compile(r"\[\d+\]")
SHORTEST_WORD: Final = 8
WORD: Final = re.compile(r"\S+")


def erasable(event: Recorded) -> Iterator[tuple[str, str]]:
    """The texts that can go, with their names. Those of a list are of one kind: the first stands for all."""
    kinds: dict[str, bool] = {}
    for name, text in texts(event.envelope["data"]):
        if text in ("", ERASED):
            continue
        kind = _INDEX.sub("[]", name)
        if kind not in kinds:
            free = kind not in _kept(event)
            kinds[kind] = free and (
                _fact(event) is None or missed(event, tombstone(event.line, (name,))) is None
            )
        if kinds[kind]:
            yield name, text


def stands_for(event: Recorded, field: str) -> tuple[str, ...]:
    """The field itself; for one that holds others, some of which must stay, those that can go.

    Raises NoSuchField.
    """
    buried = tombstone(event.line, (field,))
    if missed(event, buried) is None:
        return (field,)
    below = set(_changed(event, buried))
    found = tuple(name for name, _ in erasable(event) if name in below)
    return found if found and len(below) > 1 else (field,)


def missed(event: Recorded, buried: bytes) -> str | None:
    """What of the data may not be without its text, if the tombstone has it no more; None: nothing."""
    kept = _kept(event)
    for name in _changed(event, buried):
        if _INDEX.sub("[]", name) in kept:
            return name
    if (fact := _fact(event)) is not None:
        try:
            fact.model_validate_json(orjson.dumps(_data(buried)))
        except ValidationError as wrong:
            return ".".join(str(step) for step in wrong.errors()[0]["loc"])
    return None


def _changed(event: Recorded, buried: bytes) -> list[str]:
    pairs = zip(texts(event.envelope["data"]), texts(_data(buried)), strict=True)
    return [name for (name, text), (_, now) in pairs if text != now]


def _kept(event: Recorded) -> frozenset[str]:
    return KEYS | PLACES.get(event.type, frozenset()) if event.type in FACTS else frozenset()


def _fact(event: Recorded) -> type[Fact] | None:
    """The event's own model, None where this version has none."""
    fact = FACTS.get(event.type)
    return fact if fact is not None and event.envelope["schema"] == fact.SCHEMA else None


def repeats(reason: str, gone: list[str]) -> bool:
    """Whether the reason, which stays, tells a part of the texts that go: one of them, or a word that is
    none of a language.
    """
    words = [word.strip(".,;:!?\"'()") for word in WORD.findall(reason)]
    telling = [word for word in words if len(word) >= SHORTEST_WORD and not word.isalpha()]
    return any((text and text in reason) or any(word in text for word in telling) for text in gone)


def _data(line: bytes) -> object:
    return orjson.loads(line)["data"]
