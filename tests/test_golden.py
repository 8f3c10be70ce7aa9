"""Golden tasks: each is done again by a real service with a recorded agent, and comes out byte for byte."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.lane import the_lane
from tools.golden.__main__ import main
from tools.golden.case import CASES, EXPECTED, ROOT, BadCase, Case, cases
from tools.golden.compare import differences
from tools.golden.stage import Run, replayed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the agent's stand-in is a shell script")

AGENTS = sorted(path.stem for path in (ROOT / "prompts" / "agents").glob("*.md"))
GOLDEN = list(cases())
SHORT = Case(CASES / "analyze" / "wants-to-write")
Replay = Callable[[Case], Run]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    """Each golden task is played once for all tests."""
    runs: dict[Path, Run] = {}

    def played(case: Case) -> Run:
        if case.folder not in runs:
            runs[case.folder] = replayed(case, tmp_path_factory.mktemp("golden"))
        return runs[case.folder]

    return played


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_a_golden_task_comes_out_as_it_is_expected(case: Case, replay: Replay) -> None:
    found = differences(case, replay(case))
    assert not found, "\n".join([*found, "", f"If that is meant: python -m tools.golden accept {case.name}"])


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_its_artifact_keeps_to_the_published_schema(case: Case, replay: Replay) -> None:
    schema = json.loads((ROOT / "schemas" / "json" / "artifact.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(json.loads(replay(case).artifact))


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_has_at_least_three(agent: str) -> None:
    assert sum(case.agent == agent for case in GOLDEN) >= 3


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_its_session_is_a_real_agents_and_tells_of_no_machine(case: Case) -> None:
    for turn in case.turns:
        begin = json.loads(turn.stdout.splitlines()[0])
        assert (begin["subtype"], begin["claude_code_version"][:4]) == ("init", "2.1.")
        assert begin["cwd"].startswith("{project}")
        text = turn.stdout.decode()
        assert not [word for word in ("/tmp", "/home/", "/root", ".sock") if word in text]


def test_a_task_is_recorded_from_the_real_agent_and_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    the_lane()
    given = {"--task": SHORT.task, "--project": SHORT.project, "--script": SHORT.folder / "answers.json"}
    words = [str(word) for pair in given.items() for word in pair]
    assert main(["--root", str(tmp_path), "record", SHORT.name, *words]) == 0, capsys.readouterr().out
    recorded = Case(tmp_path / SHORT.name)
    assert sorted(recorded.expected()) == sorted(EXPECTED)
    told, known = (_outcome(case) for case in (recorded, SHORT))
    assert told == known
    assert main(["--root", str(tmp_path), "check"]) == 0


def _outcome(case: Case) -> Any:
    artifact = json.loads(case.expected()["artifact.json"])
    return {
        name: artifact[name] for name in ("success", "outcome", "errors", "files_modified", "conversation")
    }


@pytest.fixture
def copied(tmp_path: Path) -> Case:
    """A golden task that may be spoilt."""
    shutil.copytree(SHORT.folder, tmp_path / SHORT.name)
    return Case(tmp_path / SHORT.name)


def test_what_differs_is_shown_and_can_be_accepted(
    copied: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = copied.folder / "artifact.json"
    before = artifact.read_text(encoding="utf-8")
    artifact.write_text(before.replace('"success": false', '"success": true'), encoding="utf-8")
    root = ["--root", str(tmp_path)]
    assert main([*root, "check"]) == 1
    told = capsys.readouterr().out
    assert '-  "success": true,' in told
    assert '+  "success": false,' in told
    assert main([*root, "accept", "analyze"]) == 0
    assert '+  "success": false,' in capsys.readouterr().out
    assert artifact.read_text(encoding="utf-8") == before
    assert main([*root, "check", copied.name]) == 0


def test_a_file_that_the_agent_left_different_is_a_difference(replay: Replay, copied: Case) -> None:
    (copied.folder / "changes" / "1").mkdir(parents=True)
    (copied.folder / "changes" / "1" / "out-of-stock.txt").write_text("Darjeeling\n", encoding="utf-8")
    found = "\n".join(differences(copied, replay(SHORT)))
    assert "the directory/out-of-stock.txt" in found
    assert "+(there is no such file)" in found


def test_what_cannot_be_tried_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--root", str(tmp_path)]
    (tmp_path / "analyze" / "empty").mkdir(parents=True)
    for words, said in (
        (["check", "analyze/nothing"], "There is no golden task 'analyze/nothing'"),
        (["accept", "analyze/empty"], "holds 0 task files"),
        (["record", "nameless", "--task", "a", "--project", "b"], "names no golden task"),
        (["record", "analyze/new", "--task", "a.task.md"], "needs both --task and --project"),
        (["record", "analyze/new", "--task", "a.md", "--project", "."], "has to end in .task.md"),
    ):
        assert main([*root, *words]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(BadCase, match="does not begin with a line"):
        _ = Case(_with_session(tmp_path / "analyze" / "empty", '{"type":"system"}\n')).turns


def _with_session(folder: Path, text: str) -> Path:
    (folder / "session.ndjson").write_text(text, encoding="utf-8")
    return folder
