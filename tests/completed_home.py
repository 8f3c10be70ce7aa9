"""Fixtures: a home whose tasks a shell completes, one of them with a title that tries to be a command.

A test file takes them over by name (`home = completed_home.home`).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import BuiltHome
from tests.reading_evt import Evt

HOSTILE = "It's $(touch owned) `touch owned`\t%F{red}:\"\n\x1b[31m;\\"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        built.succeed("Fix-Total")
        built.queue("fix-other", title=HOSTILE)
        built.refuse()
        built.store_views()
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)
