"""What the page about jq and lnav shows is what they say, over the mirror of a home."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from eventstore.line import KEYS
from schemas.registry import FACTS
from tests.exported import mirrored
from tests.homes import BuiltHome

DOCUMENTS = Path(__file__).resolve().parent.parent / "docs" / "how-to"
PAGE = (DOCUMENTS / "read-the-log-with-jq.md").read_text(encoding="utf-8")
FORMAT = DOCUMENTS / "evt.lnav.json"
RECIPES = re.findall(r"^```sh\n(jq .*)\n```\n```text\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("home")
    with BuiltHome(root) as built:
        built.started()
        built.succeed("shop")
        built.fail("poem")
        built.refuse()
        built.queue("later")
        built.stopped()
    return mirrored(root)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here; .ci/run installs it")
    return found


def test_every_recipe_is_found() -> None:
    assert len(RECIPES) == len(re.findall(r"^jq ", PAGE, re.MULTILINE)) >= 9


@pytest.mark.parametrize("number", range(len(RECIPES)))
def test_a_recipe_says_what_the_page_shows(home: Path, number: int) -> None:
    command, wanted = RECIPES[number]
    words = shlex.split(command)
    said = subprocess.run(
        [program("jq"), *words[1:]], cwd=home, capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == wanted


def lnav(home: Path, folder: Path, *words: str) -> str:
    """What it prints without a terminal. The format is put where `lnav -i` would put it."""
    place = folder / "formats" / "installed"
    place.mkdir(parents=True)
    shutil.copy(FORMAT, place / "evt_log.json")
    said = subprocess.run(
        [program("lnav"), "-n", "-I", str(folder), *words, str(home / "logs" / "events.ndjson")],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
        env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "TERM": "dumb"},
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_lnav_reads_every_line_of_the_log(home: Path, tmp_path: Path) -> None:
    query = ";SELECT global_position, stream, type, log_level, data FROM evt_log"
    rows = json.loads(lnav(home, tmp_path, "-c", query, "-c", ":write-json-to -"))
    lines = [orjson.loads(line) for line in (home / "logs" / "events.ndjson").read_bytes().splitlines()]
    assert [(row["global_position"], row["stream"], row["type"], row["data"]) for row in rows] == [
        (line["global_position"], line["stream"], line["type"], line["data"]) for line in lines
    ]
    assert {row["type"] for row in rows if row["log_level"] == "error"} == {"task_failed", "task_refused"}


def test_lnav_answers_what_the_page_asks(home: Path, tmp_path: Path) -> None:
    asked = re.findall(r"^(;SELECT .*)$", PAGE, re.MULTILINE)
    assert len(asked) == 2
    said = lnav(home, tmp_path, "-c", asked[0])
    assert "permission_denied" in said
    assert "the key `env` may not be set." in said


def test_lnav_shows_a_line_for_each_event(home: Path, tmp_path: Path) -> None:
    shown = lnav(home, tmp_path).splitlines()
    assert len(shown) == len((home / "logs" / "events.ndjson").read_bytes().splitlines())
    assert re.match(r"2026-01-02T03:04:24\.000 +20  task-poem +task_failed +\{\"", shown[19])


def test_the_format_names_the_keys_and_types_that_there_are() -> None:
    found = json.loads(FORMAT.read_bytes())["evt_log"]
    assert found["value"].keys() == KEYS - {"time"}
    named = {name for pattern in found["level"].values() for name in re.findall(r"[a-z_]+", pattern)}
    assert named <= FACTS.keys()
