"""What a replay gives beside what is expected of it, as a unified diff."""

import difflib
import json
from collections.abc import Iterator, Mapping

from tools.golden.case import EXPECTED, Case, Files
from tools.golden.neutral import neutral
from tools.golden.stage import Run


def differences(case: Case, run: Run) -> list[str]:
    """The lines of a diff, none where all is as expected, the directory included."""
    return [*changed(case.name, case.expected(), neutral(run)), *_directory(case, run.directory)]


def changed(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Compared byte for byte; shown with each field on a line of its own."""
    for file in EXPECTED:
        old, new = before.get(file, ""), after.get(file, "")
        if old != new:
            found = list(_diff(_spread(old, file), _spread(new, file), f"{name}/{file}"))
            yield from found or [f"{name}/{file}: the order of keys, spaces or escapes differ"]


def _directory(case: Case, files: Files) -> Iterator[str]:
    expected = case.directory_after()
    for path in sorted({*expected, *files}):
        old, new = expected.get(path), files.get(path)
        if old != new:
            yield from _diff(_lines(old), _lines(new), f"{case.name}/the directory/{path}")


def _lines(content: bytes | None) -> list[str]:
    if content is None:
        return ["(there is no such file)"]
    return content.decode("utf-8", "backslashreplace").splitlines() or ["(an empty file)"]


def _diff(old: list[str], new: list[str], name: str) -> Iterator[str]:
    return difflib.unified_diff(old, new, f"{name} (expected)", f"{name} (found)", lineterm="", n=4)


def _spread(text: str, file: str) -> list[str]:
    if not file.endswith(".ndjson"):
        return text.splitlines()
    told = []
    for line in text.splitlines():
        try:
            told += json.dumps(json.loads(line), indent=1, ensure_ascii=False).splitlines()
        except ValueError:
            told.append(line)  # whoever edited it by hand sees it as it is
    return told
