"""Check artifacts against their schema; each fault is a line with file, field and what is wrong."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from adapters.cli.call import Call
from adapters.cli.failure import BAD, GOOD, NOT_FOUND, Failure
from adapters.safe_files import NotRegular, read_at_most
from schemas.artifact import Artifact
from schemas.shown import shown

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a file that is looked at; an artifact holds two outputs of 64 KiB at most."""
LEGACY: Final = "1.0"
INDEX: Final = "index.json"


class Fault(NamedTuple):
    """What is wrong with a file; `field` is the path to it in the document, empty for the whole."""

    file: str
    field: str
    problem: str


class OldSchema(Exception):
    """The artifact is one of schema 1.0."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="files or folders; default: the home's results"
    )
    parser.add_argument(
        "--ignore-legacy", action="store_true", help="pass over artifacts of schema 1.0 and count them"
    )


def run(call: Call) -> int:
    files = list(_files(call))
    faults: list[Fault] = []
    legacy = 0
    for path in files:
        try:
            faults += _faults(path)
        except OldSchema:
            legacy += 1
            if not call.args.ignore_legacy:
                problem = f"schema {LEGACY}, of the first system; --ignore-legacy passes over such"
                faults.append(Fault(str(path), "schema_version", problem))
    _say(call, len(files), faults, legacy)
    return BAD if faults else GOOD


def _files(call: Call) -> Iterator[Path]:
    given = [Path(name) for name in call.args.files]
    for path in given or [call.home().root / "results"]:
        if path.is_dir():
            yield from sorted(found for found in path.glob("*.json") if found.name != INDEX)
        elif path.exists() or path.is_symlink():
            yield path
        elif given:
            raise Failure(NOT_FOUND, "not_found", f"there is no file {shown(str(path))}.", "Check the path.")


def _faults(path: Path) -> list[Fault]:
    """Raises OldSchema."""
    try:
        content = read_at_most(path, LARGEST + 1)
    except NotRegular as strange:
        return [Fault(str(path), "", str(strange.strerror))]
    except OSError as trouble:
        return [Fault(str(path), "", f"it cannot be read: {trouble.strerror}")]
    if len(content) > LARGEST:
        return [Fault(str(path), "", f"it has more than {LARGEST >> 20} MiB")]
    try:
        found: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return [Fault(str(path), "", f"it is no JSON: {error}")]
    if isinstance(found, dict) and found.get("schema_version") == LEGACY:
        raise OldSchema
    try:
        Artifact.model_validate_json(content, strict=True)
    except ValidationError as error:
        return [
            Fault(str(path), ".".join(map(str, one["loc"])), one["msg"])
            for one in error.errors(include_url=False)
        ]
    return []


def _say(call: Call, count: int, faults: list[Fault], legacy: int) -> None:
    bad = len({fault.file for fault in faults})
    if call.output.json:
        faulty = [{"file": shown(one.file), "field": one.field, "problem": one.problem} for one in faults]
        call.output.document({"checked": count, "bad": bad, "legacy": legacy, "faults": faulty})
        return
    for fault in faults:
        field = f"{fault.field}: " if fault.field else ""
        call.output.line(shown(f"{fault.file}: {field}{fault.problem}"))
    old = f", {legacy} of schema {LEGACY}" if legacy else ""
    call.output.line(f"{count} artifacts checked, {bad} bad{old}")
