"""`evt` called in this process over a built home: for the reading verbs' tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.cli.main import call


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return orjson.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Evt:
    """The command line in this process, over one home."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capture = capture

    def __call__(self, *words: str) -> Said:
        self._capture.readouterr()
        code = call(words, {"EVT_HOME": str(self.root), "LLAMA_MODEL": ""})
        out, err = self._capture.readouterr()
        return Said(code, out, err)
