"""Check artifacts against their schema; each fault is a line with file, field and what is wrong."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from adapters.cli.call import Call
from adapters.cli.failure import BAD, GOOD, NOT_FOUND, Failure
from adapters.cli.reading import reading
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
    found = _named(call) if call.args.files else _of_the_home(call)
    legacy = 0
    for path in found.files:
        try:
            found.faults += _faults(path)
        except OldSchema:
            legacy += 1
            if not call.args.ignore_legacy:
                problem = f"schema {LEGACY}, of the first system; --ignore-legacy passes over such"
                found.faults.append(Fault(str(path), "schema_version", problem))
    _say(call, found, legacy)
    return BAD if found.faults or found.missing else GOOD


@dataclass
class Found:
    """What there is to check. `missing` are artifacts that the log says were written."""

    files: list[Path] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def _of_the_home(call: Call) -> Found:
    found = Found()
    with reading(call) as seen:
        written = [seen.home.root / row["path"] for row in seen.views.rows("artifacts").values()]
        folder = seen.home.root / "results"
    if os.path.lexists(folder):
        _look_into(folder, found)
    if not found.faults:
        found.missing = sorted(str(path) for path in written if not os.path.lexists(path))
    return found


def _named(call: Call) -> Found:
    found = Found()
    for name in call.args.files:
        path = Path(name)
        try:
            is_folder = path.is_dir()
        except OSError as trouble:
            found.faults.append(Fault(name, "", f"it cannot be looked at: {trouble.strerror}"))
            continue
        if not is_folder and not os.path.lexists(path):
            raise Failure(NOT_FOUND, "not_found", f"there is no file {shown(name)}.", "Check the path.")
        before = len(found.files) + len(found.faults)
        if not is_folder:
            found.files.append(path)
        else:
            _look_into(path, found)
            if len(found.files) + len(found.faults) == before:
                call.output.note(f"note: there is no artifact in {shown(name)}.")
    return found


def _look_into(folder: Path, found: Found) -> None:
    try:
        files = sorted(folder.iterdir())
    except OSError as trouble:
        found.faults.append(Fault(str(folder), "", f"it cannot be looked into: {trouble.strerror}"))
        return
    found.files += [path for path in files if path.suffix == ".json" and path.name != INDEX]


def _faults(path: Path) -> list[Fault]:
    """Raises OldSchema."""
    if path.name == INDEX:
        return [Fault(str(path), "", "it is no artifact: it is the index of them")]
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
        return [Fault(str(path), "", f"it is no artifact, for it is no JSON: {error}")]
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


def _say(call: Call, found: Found, legacy: int) -> None:
    count, bad = len(found.files), len({fault.file for fault in found.faults})
    if call.output.json:
        faulty = [
            {"file": shown(one.file), "field": one.field, "problem": one.problem} for one in found.faults
        ]
        missing = list(map(shown, found.missing))
        told = {"checked": count, "bad": bad, "legacy": legacy, "faults": faulty, "missing": missing}
        call.output.document(told)
        return
    for name in found.missing:
        call.output.line(shown(f"{name}: it is missing; `evt project artifacts --write` writes it again"))
    for fault in found.faults:
        field = f"{fault.field}: " if fault.field else ""
        call.output.line(shown(f"{fault.file}: {field}{fault.problem}"))
    old = f", {legacy} of schema {LEGACY}" if legacy else ""
    gone = f", {len(found.missing)} missing" if found.missing else ""
    artifacts = "1 artifact" if count == 1 else f"{count} artifacts"
    call.output.line(f"{artifacts} checked, {bad} bad{gone}{old}")
