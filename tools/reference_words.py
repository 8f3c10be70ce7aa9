"""The log's words, the artifact and the views as pages: from the models that check them."""

import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from projections.all_views import ALL, TO_DO
from schemas.artifact import Artifact
from schemas.attempt import End
from schemas.registry import FACTS

HASH_PATTERN = "^[0-9a-f]{64}$"
PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
SUBJECTS = {
    "task": "Intake and the wishes of people",
    "attempt": "An attempt and the end of a task",
    "turn": "A turn of the agent",
    "mediation": "The mediator",
    "validation": "What is measured of an attempt",
    "executor": "What holds tasks up together",
    "files": "Files",
    "notice": "Notices",
    "service": "The service and its home",
    "record": "Tree heads, keys, erasures",
    "moving": "What is done to the whole log",
    "disk": "The disk under a home",
}
UNWRITTEN = frozenset({"notice_queued", "notice_sent", "notice_failed"})
"""Types that have their shape already and that nothing in this version appends."""

EVENTS = """# Events

Every type that this version knows, with the fields of its `data`. All fields are always there;
one that has nothing to say is null. A type that this version does not know is kept in the log,
counted and shown as JSON. The same as JSON Schema lies in `schemas/json/`, one file a type.

An event is one line of the log: JSON with sorted keys and no spaces, in UTF-8. Its keys are:

| key | is |
|---|---|
| `global_position` | its place in the log, from 1, without gaps |
| `stream`, `position` | `task-<id>`, `executor-<name>` or `system`, and its place there, from 0 |
| `id` | a UUID; a repeat is known by it |
| `type`, `schema` | its name, and the version of the shape of `data` |
| `time` | RFC 3339, UTC, microseconds; taken before its turn to be written, so it may go back a little |
| `source` | `urn:evt:` and the id of the home |
| `actor` | who caused it: `cli:USER`, `inbox`, `service`, `worker:NAME`, `policy:NAME` |
| `correlation_id`, `causation_id` | the whole story it belongs to; the message that directly caused it |
| `data` | the fields below |
"""

ARTIFACT = """# The artifact

`results/<id>.json` holds what a task left behind, for programs. It is written after every turn
and at the end, from the log and the blobs alone: `evt project artifacts --write` makes the same
bytes again. `results/index.json` maps each task's id to its artifact. `evt validate-artifacts`
checks files against this schema, which also stands in `schemas/json/artifact.json`.

The names of schema 1.0 are all there, also those that this version has nothing to say under:
`llama` says `FALLBACK`, `git` is empty, `parent_task_id` and `turn_of` are null.
"""

VIEWS = """# Views

A view is what the log says about one question, kept as rows in `logs/views.db`. Every view can be
dropped and built again from the log; `evt replay --verify` compares the two. `evt project NAME`
shows one, `--at P|T` shows it as it was. A to-do list holds only work that is not done yet.
"""


def words_of(annotation: Any) -> str:
    """A field's type for people; models become links to their own headings."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _described(words_of(inner[0]), inner[1:])
    if origin is Literal:
        return _either([f"`{word}`" for word in inner])
    if origin in (Union, types.UnionType):
        return _either([words_of(part) for part in inner])
    if origin is tuple:
        return f"list of: {words_of(inner[0])}"
    if origin is dict:
        return f"map to: {words_of(inner[1])}"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return PLAIN.get(annotation, "any JSON")


def _either(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _described(word: str, metadata: Iterable[Any]) -> str:
    for item in metadata:
        if isinstance(item, FieldInfo):
            word = _described(word, [*item.metadata])
            if item.description:
                word = f"{word} ({item.description})"
        elif getattr(item, "pattern", None) == HASH_PATTERN:
            word = "SHA-256 in hex"
    return word


def field_words(field: FieldInfo) -> str:
    word = _described(words_of(field.annotation), field.metadata)
    return f"{word} ({field.description})" if field.description else word


def doc(model: type[Any]) -> str:
    """The model's own docstring, none that it inherits."""
    return inspect.cleandoc(model.__dict__.get("__doc__") or "")


def table(model: type[BaseModel], skipped: frozenset[str] = frozenset()) -> list[str]:
    rows = [
        f"| `{field.serialization_alias or field.alias or name}` | {_cell(field_words(field))} |"
        for name, field in model.model_fields.items()
        if name not in skipped
    ]
    return ["| field | is |", "|---|---|", *rows] if rows else ["No fields."]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def parts_of(models: Iterable[type[BaseModel]]) -> list[type[BaseModel]]:
    """Every model that stands inside these, in order of first sight."""
    seen: dict[type[BaseModel], None] = {}
    waiting = list(models)
    while waiting:
        for inner in _models_in([field.annotation for field in waiting.pop(0).model_fields.values()]):
            if inner not in seen:
                seen[inner] = None
                waiting.append(inner)
    return list(seen)


def _models_in(annotations: Iterable[Any]) -> Iterator[type[BaseModel]]:
    for annotation in annotations:
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            yield annotation
        else:
            yield from _models_in(part for part in get_args(annotation) if part is not Ellipsis)


def section(heading: str, model: type[BaseModel], skipped: frozenset[str] = frozenset()) -> list[str]:
    said = doc(model)
    return [heading, "", *([said, ""] if said else []), *table(model, skipped), ""]


def events_page() -> str:
    lines = [EVENTS]
    by_subject: Mapping[str, list[str]] = {subject: [] for subject in SUBJECTS}
    for name, fact in FACTS.items():
        by_subject[fact.__module__.rpartition(".")[2]].append(name)
    for subject, names in by_subject.items():
        lines += [f"## {SUBJECTS[subject]}", ""]
        for name in names:
            fact = FACTS[name]
            ends = issubclass(fact, End)
            said = section(f"### {name}", fact, frozenset(End.model_fields) if ends else frozenset())
            if ends:
                said[1:1] = ["", "With the fields of [every end](#end)."]
            if name in UNWRITTEN:
                said[1:1] = ["", "Nothing in this version appends it yet."]
            lines += said
    lines += ["## Parts", "", *section("### End", End)]
    for part in parts_of(FACTS.values()):
        lines += section(f"### {part.__name__}", part)
    return "\n".join(lines)


def artifact_page() -> str:
    lines = [ARTIFACT, doc(Artifact), "", *table(Artifact), "", "## Parts", ""]
    for part in parts_of([Artifact]):
        lines += section(f"### {part.__name__}", part)
    return "\n".join(lines)


def views_page() -> str:
    lines = [VIEWS]
    for projection in ALL:
        module = inspect.getmodule(projection.apply)
        said = inspect.cleandoc((module.__doc__ if module else "") or "")
        said = said.removeprefix(f"{projection.name}: ")
        types_read = "every type"
        if projection.types is not None:
            types_read = ", ".join(f"[`{name}`](events.md#{name})" for name in sorted(projection.types))
        kind = "A to-do list. " if projection in TO_DO else ""
        lines += [f"## {projection.name}", "", said[:1].upper() + said[1:], ""]
        lines += [f"{kind}Version {projection.version}. Reads {types_read}.", ""]
    return "\n".join(lines)
