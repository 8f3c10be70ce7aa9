"""Fixtures: a home whose log tells of many tasks, a copy of it to be hurt, and `evt` at that copy.

A test file takes them over by name (`home = damaged_home.home`).
"""

import shutil
from pathlib import Path

import pytest

from tests.exported import lines_of, told
from tests.reading_evt import Evt


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return told(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def home(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be hurt."""
    return Path(shutil.copytree(sound, tmp_path / "home"))


@pytest.fixture
def lines(sound: Path) -> list[bytes]:
    return lines_of(sound)


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


@pytest.fixture
def evt(home: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home, capsys)
