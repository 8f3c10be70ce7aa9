"""What is chance in an outcome becomes a word that says what stood there; all else stays byte for byte.

An id is `<id 3>` wherever it stands, a process `<process 1>`, so that a wrong link is still seen. A hash
becomes that of the same content made neutral, so that a change of the content is still seen. A word takes
the place of a value only where the value has the shape that it should have: a time that is no time stays.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from handlers.framing import Ends
from schemas import names
from tools.golden.stage import Run, Stage

SERVICES_LIFE: Final = frozenset(
    {
        names.HOME_CREATED,
        names.ORCHESTRATOR_STARTED,
        names.ORCHESTRATOR_STOPPED,
        names.TREE_HEAD_SIGNED,
        names.VIEWS_REBUILT,
    }
)
"""Left out: it tells of the service, and nothing of the task."""

RECEIPTS: Final = (names.TASK_ARCHIVED, names.ARTIFACT_WRITTEN, names.ARTIFACT_FAILED)
"""Written by automations beside the worker: when and how often is chance. The last ones come at the end."""

IDS: Final = frozenset({"id", "causation_id", "session_id"})
LONG: Final = 300
"""Characters of a captured output: of a longer one length and hash are told; `session.ndjson` has it."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_FENCE = re.compile(rf"-----[ ]({_UUID.pattern})[ ]-----")
_SOCKET = re.compile(r"/[\w./-]*/cc-socks/\d+\.sock")
_CHECK = re.compile(r"\bchecks?[ ](?:passed|failed)\b")
_CHECK_TOOK = re.compile(r"(?<=[( ])\d+\.\d s(?=\))")
_WHEN = re.compile(rf"^(When: +){_TIME.pattern}, \d+\.\d s$", re.MULTILINE)
"""A line of a summary."""
_SHORTEST = 10
"""Characters of a text in which there can be chance."""
_PROCESS = frozenset({"pid", "started", "boot_id", "host"})
_MICROSECONDS = 10**15
"""Less is no time of our days."""

Value = Callable[[Any], str | None]
"""The word for a value; None where it has not the shape that it should have."""


def _a_time(value: Any) -> str | None:
    return "<time>" if isinstance(value, str) and _TIME.fullmatch(value) else None


def _microseconds(value: Any) -> str | None:
    return "<time>" if type(value) is int and value > _MICROSECONDS else None


def _milliseconds(value: Any) -> str | None:
    return "<ms>" if type(value) is int and value >= 0 else None


def _seconds(value: Any) -> str | None:
    return "<s>" if isinstance(value, float) and value >= 0 else None


def _truth(value: Any) -> str | None:
    return "<true or false>" if isinstance(value, bool) else None


CHANCE: Final[Mapping[str, Value]] = {
    "time": _a_time,
    "timestamp": _a_time,
    "lease_until": _microseconds,
    "wake_at": _microseconds,
    "elapsed_ms": _milliseconds,
    "waited_ms": _milliseconds,
    "execution_time": _seconds,
    "delay_s": _seconds,
    # Whether the system lets us watch folders, which containers often do not.
    "watcher_running": _truth,
    "file_watcher_running": _truth,
}
"""By key, at any depth."""

PLACES: Final = frozenset({"global_position", "upto", "first_global_position", "last_global_position"})


def neutral(run: Run) -> dict[str, str]:
    """The files that are expected of a run: name → text."""
    events = list(ordered(run.events))
    words = _Words(run, events)
    artifact = words.value(orjson.loads(run.artifact))
    told = f"{json.dumps(artifact, indent=2, ensure_ascii=False)}\n"
    words.content(run.artifact, told)
    summary = words.text(run.summary.decode())
    words.content(run.summary, summary)
    lines = (json.dumps(words.value(event), ensure_ascii=False) for event in events)
    return {
        "events.ndjson": "".join(f"{line}\n" for line in lines),
        "artifact.json": told,
        "summary.txt": summary,
        "prompts.md": "\n".join(_told(run, words)),
    }


def without_places(text: str, stage: Stage) -> str:
    """A text without the names of this run's folders; what comes of a socket's name is chance as well."""
    if stage.root.name not in text and "cc-socks" not in text:
        return text
    places = {
        str(stage.project): "{project}",
        str(stage.agent): "{agent}",
        str(stage.home): "{home}",
        str(stage.user): "{user}",
        str(stage.root): "{root}",
        # The agent makes the name of a folder of its own out of the path.
        re.sub(r"\W", "-", str(stage.project)): "{project as one name}",
    }
    for place, word in places.items():
        text = text.replace(place, word)
    return _SOCKET.sub("{socket}", text)


def _told(run: Run, words: "_Words") -> Iterator[str]:
    for number, prompt in enumerate(run.prompts, 1):
        yield f"# Turn {number}: what the agent is told\n\n{words.text(prompt)}"
    for purpose, question in run.questions:
        yield f"# {purpose}: what the local model is asked\n\n{words.text(question)}\n"


def ordered(log: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events of a log that tell of tasks: the workers' in their order, then the receipts of files."""
    placed = (_placed(event, number, log) for number, event in enumerate(log, 1))
    events = [event for event in placed if event["type"] not in SERVICES_LIFE]
    yield from _compared([event for event in events if event["type"] not in RECEIPTS])
    last = {(event["type"], event["stream"]): event for event in events}
    yield from (event for kind in RECEIPTS for (one, _), event in last.items() if one == kind)


def _placed(event: Mapping[str, Any], number: int, log: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Without its place in its stream, if that is the next: receipts stand between the others by chance."""
    before = sum(one["stream"] == event["stream"] for one in log[: number - 1])
    told = dict(event)
    if event["position"] == before:
        told["position"] = "<next in its stream>"
    if event["global_position"] != number:
        told["global_position"] = f"{event['global_position']}, and it is event {number} of its log"
    return told


def _compared(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of what an attempt told of its files only the last, at the end of its comparison.

    While the agent works its files are compared now and then, and each telling replaces the one before:
    how many there are, is chance.
    """
    last = {event["data"].get("attempt"): event for event in events if event["type"] == names.FILES_MODIFIED}
    for event in events:
        if event["type"] == names.FILES_MODIFIED:
            continue
        data = event["data"]
        if (
            event["type"] == names.STEP_FINISHED
            and data.get("phase") == "compare"
            and data.get("attempt") in last
        ):
            yield last.pop(data["attempt"])
        yield event
    yield from last.values()


class _Words:
    """What was found in one run: its ids, folders, processes, contents, and the words that stand for them."""

    def __init__(self, run: Run, events: Sequence[Mapping[str, Any]]) -> None:
        self._places = {event["global_position"]: number for number, event in enumerate(events, 1)}
        self._processes: list[Any] = []
        self._hashes: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._sizes: dict[tuple[str, int], int] = {}
        self._told: dict[bytes, str] = {}
        self._stage = run.stage
        self._ids = {run.events[0]["source"].removeprefix("urn:evt:"): "<home's id>"}
        for number, found in enumerate(dict.fromkeys(_ids(events)), 1):
            self._ids[found] = f"<id {number}>"
        for prompt in run.prompts:
            self.content(prompt.encode(), self.text(prompt))
        for _, question in run.questions:
            self.content(question.encode(), self.text(question))
        for raw in run.blobs.values():
            self.content(raw, self._told_of(raw))
        for captured in _captured(events):
            if captured["sha256"] in run.blobs:
                self._capture(captured, run.blobs[captured["sha256"]])

    def content(self, raw: bytes, told: str) -> None:
        """From now on a content's hash is told as that of its neutral text."""
        found = hashlib.sha256(told.encode()).hexdigest()
        self._hashes[hashlib.sha256(raw).hexdigest()] = f"<sha256 {found[:16]}>"

    def text(self, text: str) -> str:
        """A text of any kind with words for what is chance in it."""
        told = without_places(text, self._stage)
        if len(told) < _SHORTEST:
            return told
        told = _UUID.sub(lambda found: self._ids.get(found[0], found[0]), told)
        if _CHECK.search(told):
            told = _CHECK_TOOK.sub("<s> s", told)
        told = _WHEN.sub(r"\1<time>, <s> s", told)
        fences = dict.fromkeys(found[1] for found in _FENCE.finditer(told))
        for number, fence in enumerate(fences, 1):
            told = told.replace(fence, f"<fence {number}>")
        return told

    def value(self, value: Any, key: str = "") -> Any:
        """Any part of an event or an artifact; `key` is its name in what holds it."""
        if (word := self._word(key, value)) is not None:
            return word
        if isinstance(value, str):
            return self._shown.get(value) or self._hashes.get(value) or self.text(value)
        if isinstance(value, list):
            return [self.value(one, key) for one in value]
        if not isinstance(value, dict):
            return value
        size = self._sizes.get((str(value.get("sha256")), value.get("size", -1)))
        sized = value if size is None else {**value, "size": size}
        return {name: self.value(one, name) for name, one in sized.items()}

    def _word(self, key: str, value: Any) -> str | None:
        if key in CHANCE:
            return CHANCE[key](value)
        if key in PLACES and type(value) is int and value in self._places:
            return f"<line {self._places[value]}>"
        if key == "process" and isinstance(value, dict) and value.keys() == _PROCESS:
            if value not in self._processes:
                self._processes.append(value)
            return f"<process {self._processes.index(value) + 1}>"
        return None

    def _told_of(self, raw: bytes) -> str:
        if raw not in self._told:
            self._told[raw] = self._neutral_text(raw)
        return self._told[raw]

    def _neutral_text(self, raw: bytes) -> str:
        """Of a blob: of a directory's state without the files' times."""
        text = raw.decode("utf-8", "backslashreplace")
        if not text.startswith('{"') or text.startswith('{"type"'):
            return self.text(text)
        entries: dict[str, list[Any]] = orjson.loads(raw)
        return json.dumps({path: [size, *rest] for path, (size, _, _, *rest) in entries.items()})

    def _capture(self, captured: Mapping[str, Any], raw: bytes) -> None:
        """An output's ends follow from its blob; where they do, the neutral ones do from the neutral blob."""
        told = self._told_of(raw).encode()
        real, ours = _ends(raw, captured["sha256"]), _ends(told, None)
        for part in ("text", "head", "tail"):
            if captured[part] == real[part]:
                self._shown.setdefault(real[part], _shortened(ours[part]))
        if captured["size"] == len(raw):
            self._sizes[captured["sha256"], len(raw)] = len(told)


def _ends(content: bytes, sha256: str | None) -> Mapping[str, Any]:
    ends = Ends()
    ends.feed(content)
    return ends.captured(str, sha256).model_dump(mode="json")


def _shortened(text: str) -> str:
    if len(text) <= LONG:
        return text
    return f"<{len(text)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}>"


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _leaves(one, name)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one, key)
    else:
        yield key, value


def _ids(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for key, value in _leaves(events):
        if key in IDS and isinstance(value, str) and _UUID.fullmatch(value):
            yield value


def _captured(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if {"head", "tail", "text", "size", "sha256"} <= value.keys() and value["sha256"] is not None:
            yield value
        for one in value.values():
            yield from _captured(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _captured(one)
