"""Tools by type: reading, editing, and a shell for bug_fix alone."""

from typing import get_args

import pytest

from handlers.tools import BY_TYPE, edits, granted, offered
from schemas.task import TaskType


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
