"""From a task file to a task: where it may work, its defaults, and what is said of it."""

from typing import Any

import pytest

from handlers.agents import built_in
from handlers.decider import Refused
from handlers.intake import Ground, place_of
from handlers.intake import spec_of as spec_with
from prompts import agents
from schemas.task import TaskSpec
from schemas.task_file import TaskFile, read_task

GROUND = Ground(home="/homes/evt", base="/ground/base", allowed_root="/ground", windows=False)
WINDOWS = Ground(home="C:\\evt", base="C:\\ground\\base", allowed_root="C:\\ground", windows=True)
PLACE = "/ground/base"


def task(*front: str, body: str = "# T\n\nMend it.\n") -> TaskFile:
    text = "\n".join(("---", "type: fix", *front, "---", body))
    return read_task(text.encode(), "t.task.md", trusted=True)


def spec_of(found: TaskFile, cwd: str | None, ground: Ground) -> TaskSpec:
    return spec_with(found, cwd, ground, built_in(found.agent))


def refusal(found: TaskFile, cwd: str | None = PLACE, ground: Ground = GROUND) -> Refused:
    with pytest.raises(Refused) as refused:
        spec_of(found, cwd, ground)
    assert refused.value.sentence
    assert refused.value.hint
    return refused.value


@pytest.mark.parametrize(
    ("cwd", "ground", "place"),
    [
        (None, GROUND, "/ground/base"),
        ("sub/folder", GROUND, "/ground/base/sub/folder"),
        ("/elsewhere", GROUND, "/elsewhere"),
        ("..", GROUND, "/ground/base/.."),
        (None, WINDOWS, "C:\\ground\\base"),
        ("sub", WINDOWS, "C:\\ground\\base\\sub"),
        ("D:\\x", WINDOWS, "D:\\x"),
    ],
)
def test_a_relative_place_counts_from_the_base(cwd: str | None, ground: Ground, place: str) -> None:
    assert place_of(task().model_copy(update={"cwd": cwd}), ground) == place


def test_a_place_that_is_not_there_is_refused_and_never_replaced() -> None:
    refused = refusal(task("cwd: gone"), None)
    assert (refused.code, "gone" in refused.sentence) == ("cwd_missing", True)


@pytest.mark.parametrize(
    ("cwd", "ground", "code"),
    [
        ("/elsewhere", GROUND, "outside_root"),
        ("/groundling", GROUND, "outside_root"),
        ("/ground/.git/hooks", GROUND, "guarded_folder"),
        ("C:\\GROUND\\.Claude", WINDOWS, "guarded_folder"),
        ("/ground/tasks", Ground("/ground", "/ground", "/ground", windows=False), "own_state"),
        ("/ground", Ground("/ground", "/ground", "/ground", windows=False), "home_with_shell"),
    ],
)
def test_a_place_where_a_task_may_not_work_is_refused(cwd: str, ground: Ground, code: str) -> None:
    assert refusal(task(), cwd, ground).code == code


@pytest.mark.parametrize("agent", sorted(agents()))
def test_an_agent_that_there_is_may_be_named(agent: str) -> None:
    assert spec_of(task(f"agent_type: {agent}"), PLACE, GROUND).agent == agent


def test_an_agent_that_cannot_do_what_the_type_is_for_is_said() -> None:
    found = spec_of(task("agent_type: analyze"), PLACE, GROUND)
    assert found.warnings == (
        'The agent "analyze" has no tool that changes files, whatever the type allows.',
    )


def test_every_type_has_its_agent() -> None:
    for kind in ("analyze", "summarize", "code_review", "documentation", "fix", "bug_fix"):
        found = read_task(f"---\ntype: {kind}\n---\n# T\n\nDo.\n".encode(), "t.task.md", trusted=True)
        assert spec_of(found, PLACE, GROUND).agent in agents()


def test_what_a_file_says_is_what_the_task_is() -> None:
    front = (
        "priority: high",
        "created: 2026-11-01T10:00:00Z",
        "timeout_sec: 90.5",
        "after: [a, B]",
        "not_before: 2030-01-01T00:00:00Z",
        "max_budget_usd: 2.5",
        "max_turns: 7",
        "ticket: '42'",
    )
    body = (
        "# Mend the sum\n\n**Target Files:**\n- sum.py\n\n**Prompt:**\nIt is off by one.\n\n"
        "**Success Criteria:**\n- [ ] $ `pytest`\n\n**Context:**\nSince 3.2.\n"
    )
    found = spec_of(task(*front, body=body), PLACE, GROUND)
    told: dict[str, Any] = found.model_dump(mode="json", exclude={"warnings"})
    assert told == {
        "title": "Mend the sum",
        "task_type": "bug_fix",
        "agent": "bug_fix",
        "prompt": "It is off by one.",
        "priority": "high",
        "cwd": PLACE,
        "allowed_root": "/ground",
        "target_files": ["sum.py"],
        "criteria": [{"text": "$ `pytest`", "check": "pytest"}],
        "context": "Since 3.2.",
        "created": "2026-11-01T10:00:00Z",
        "agent_type": None,
        "template_id": None,
        "timeout_sec": 90.5,
        "after": ["a", "B"],
        "not_before": 1_893_456_000_000_000,
        "isolation": "inplace",
        "executor": None,
        "max_budget_usd": 2.5,
        "max_turns": 7,
        "commit": "no",
        "shaped_by": "author",
        "decided": {},
        "alternatives": [],
        "metadata": {"ticket": "42"},
    }
    assert any("ticket" in warning for warning in found.warnings)


def test_every_field_of_a_file_reaches_the_task() -> None:
    """What a task file holds and a task does not would be lost in silence."""
    renamed = {"type": "task_type"}
    elsewhere = {"id"}
    assert {renamed.get(name, name) for name in TaskFile.model_fields} - elsewhere <= set(
        spec_of(task(), PLACE, GROUND).model_dump()
    )


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("isolation: worktree", "isolation"),
        ("commit: branch", "commit"),
        ("executor: ollama", "executor"),
        ("template_id: t1", "template_id"),
    ],
)
def test_what_nothing_acts_on_yet_is_kept_and_said(line: str, key: str) -> None:
    found = spec_of(task(line), PLACE, GROUND)
    assert found.warnings == (f"`{key}` is kept, but this version does not act on it.",)
    assert str(getattr(found, key)) == line.partition(": ")[2]


def test_a_plain_task_is_taken_in_without_a_word() -> None:
    found = spec_of(task(), PLACE, GROUND)
    assert (found.warnings, found.priority, found.shaped_by) == ((), "medium", "author")


def test_free_text_becomes_a_task_that_says_who_shaped_it() -> None:
    found = spec_of(read_task(b"Please fix the sum in sum.py", None, trusted=True), PLACE, GROUND)
    assert (found.task_type, found.agent, found.shaped_by) == ("bug_fix", "bug_fix", "rules")
