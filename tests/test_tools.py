"""Tools by type: reading, editing, and a shell for bug_fix alone."""

from itertools import combinations
from typing import get_args

import pytest

from handlers.tools import BY_TYPE, edits, granted, offered
from schemas.task import TaskType
from schemas.tools import TOOLS


def test_every_type_has_its_tools() -> None:
    assert set(BY_TYPE) == set(get_args(TaskType))


@pytest.mark.parametrize("task_type", ["analyze", "summarize", "code_review"])
def test_a_reading_type_can_change_nothing(task_type: str) -> None:
    assert offered(task_type) == ("Read", "Glob", "Grep")
    assert granted(task_type) == ()
    assert not edits(task_type)


def test_documentation_edits_and_runs_nothing() -> None:
    assert offered("documentation") == ("Read", "Glob", "Grep", "Edit", "Write", "NotebookEdit")
    assert granted("documentation") == ()
    assert edits("documentation")


def test_only_bug_fix_has_a_shell() -> None:
    assert offered("bug_fix") == ("Read", "Glob", "Grep", "Edit", "Write", "NotebookEdit", "Bash")
    assert granted("bug_fix") == ("Bash",)
    assert edits("bug_fix")
    assert [one for one in BY_TYPE if "Bash" in offered(one)] == ["bug_fix"]


def test_an_unknown_type_has_no_tools_at_all() -> None:
    with pytest.raises(KeyError):
        offered("deploy")


def test_every_tool_is_some_type_s_and_no_other_is() -> None:
    assert {tool for tools in BY_TYPE.values() for tool in tools} == set(TOOLS)


@pytest.mark.parametrize("task_type", BY_TYPE)
def test_no_agent_widens_what_its_task_s_type_allows(task_type: str) -> None:
    for size in range(len(TOOLS) + 1):
        for wanted in combinations(TOOLS, size):
            assert set(offered(task_type, wanted)) == set(offered(task_type)) & set(wanted)
            assert set(granted(task_type, wanted)) == set(granted(task_type)) & set(wanted)
            assert edits(task_type) or not edits(task_type, wanted)


def test_an_agent_that_only_reads_changes_nothing_whatever_the_type() -> None:
    assert offered("bug_fix", ("Read", "Glob")) == ("Read", "Glob")
    assert not edits("bug_fix", ("Read", "Glob"))
    assert edits("bug_fix", ("Read", "Bash")), "a shell can change files"


def test_tools_that_nobody_knows_are_not_offered() -> None:
    assert offered("bug_fix", ("Read", "WebFetch", "Bash(rm)")) == ("Read",)
