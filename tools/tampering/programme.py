"""Many tampered and many honest logs, each judged by `evt audit`, and the figures of it."""

import contextlib
import io
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from adapters.cli.main import call
from tools.tampering.attacks import ATTACKS
from tools.tampering.forged import Forged, Sample
from tools.tampering.honest import HONEST

COPIES: Final = 40
"""Logs that are made of one sample."""

TAMPERED_CODE: Final = 1


@dataclass
class Figures:
    """By the name of what was done: how many there were, and the sentences about those that went wrong."""

    logs: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    misplaced: Counter[str] = field(default_factory=Counter)
    exact: int = 0
    between: int = 0
    alarms: Counter[str] = field(default_factory=Counter)


def run(tampered: int, honest: int, seed: int) -> Figures:
    """Every kind comes in turn. Nothing is left behind."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="tampering-") as name:
        folder = Path(name).resolve()
        todo = [(True, number) for number in range(tampered)] + [(False, number) for number in range(honest)]
        for (bad, number), sample in zip(todo, _samples(folder, seed, len(todo)), strict=True):
            random = Random(f"{seed} {bad} {number}")  # noqa: S311 not for secrets
            root = folder / "copy"
            _one(figures, sample.copy(root, random), bad=bad, number=number)
            for path in folder.glob("copy*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return figures


def _samples(folder: Path, seed: int, count: int) -> Iterator[Sample]:
    for number in range(0, count, COPIES):
        sample = Sample.grown(folder / "sample", seed * 1_000_003 + number)
        for _ in range(min(COPIES, count - number)):
            yield sample
        shutil.rmtree(sample.folder)


def _one(figures: Figures, forged: Forged, *, bad: bool, number: int) -> None:
    kinds: Any = ATTACKS if bad else HONEST
    name = list(kinds)[number % len(kinds)]
    figures.logs[name] += 1
    if not bad:
        code, said = judged(forged.root, kinds[name](forged))
        if code or said["verdict"] != "OK":
            figures.alarms[name] += 1
            figures.wrong.append(f"{name} {number}: an honest log: {json.dumps(said)}")
        return
    expected = kinds[name](forged)
    code, said = judged(forged.root, expected.words)
    wrong = expected.wrong(said)
    if code != TAMPERED_CODE or said["verdict"] == "OK":
        figures.missed[name] += 1
    elif wrong:
        figures.misplaced[name] += 1
    figures.exact += expected.first is not None and not wrong
    figures.between += expected.between is not None and not wrong
    if wrong or code != TAMPERED_CODE:
        figures.wrong.append(f"{name} {number}: exit {code}, {'; '.join(wrong)}: {json.dumps(said)}")


def judged(root: Path, words: tuple[str, ...]) -> tuple[int, dict[str, Any]]:
    """The exit code of `evt audit` and its document; of a failure, what it says."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = call(["audit", "--json", *words], {"EVT_HOME": str(root)})
    try:
        return code, dict(json.loads(out.getvalue()))
    except json.JSONDecodeError:
        return code, {"verdict": "none", "findings": [], "said": out.getvalue() + err.getvalue()}
