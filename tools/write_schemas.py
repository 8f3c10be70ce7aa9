"""Write the JSON Schemas of the log's words and of the artifact; `--check` only compares."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from schemas.artifact import Artifact
from schemas.registry import FACTS

FOLDER = Path("schemas") / "json"
DIALECT = GenerateJsonSchema.schema_dialect


def schema_of(model: type[BaseModel], identity: str) -> str:
    """The schema of what is written (every key present), as the file's text."""
    schema = model.model_json_schema(mode="serialization")
    document = {"$schema": DIALECT, "$id": f"urn:evt:schema:{identity}", **schema}
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def wanted() -> Mapping[str, str]:
    """File name → text: one file for each event type's payload, and `artifact.json`."""
    files = {
        f"{name}.json": schema_of(fact, f"event:{name}:{fact.SCHEMA}") for name, fact in FACTS.items()
    }
    files["artifact.json"] = schema_of(Artifact, "artifact:1.1")
    return files


def differences(root: Path, files: Mapping[str, str]) -> list[str]:
    """A sentence for each file that is missing, differs, or belongs to no word."""
    folder = root / FOLDER
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    missing = [f"{name} is missing" for name in files.keys() - there.keys()]
    strange = [f"{name} belongs to no word" for name in there.keys() - files.keys()]
    both = files.keys() & there.keys()
    changed = [f"{name} differs from its model" for name in both if files[name] != there[name]]
    return sorted([*missing, *strange, *changed])


def write(root: Path, files: Mapping[str, str]) -> None:
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    root = Path(__file__).resolve().parent.parent
    files = wanted()
    found = differences(root, files)
    if parser.parse_args(arguments).check:
        for sentence in found:
            print(f"{FOLDER.as_posix()}/{sentence}: run tools/write_schemas.py")
        return 1 if found else 0
    write(root, files)
    print(f"schemas: {len(files)} files, {len(found)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
