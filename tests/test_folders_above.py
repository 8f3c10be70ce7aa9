"""No task with a shell works in a folder that holds the home or the signing keys; an editor is kept out."""

from pathlib import Path

import pytest

from adapters.app import denied_by
from adapters.home import Home
from adapters.signing_keys import keys_folder, private_folder
from handlers.agent_call import deny_rule
from handlers.agents import catalogue
from handlers.decider import Refused
from handlers.intake import Ground, allowed_place, spec_of
from handlers.path_policy import AGENTS_FOLDER, OWN_FOLDERS, refusal
from handlers.tools import BY_TYPE, granted
from schemas.attempt import ClaimTask
from schemas.task_file import read_task
from tests.rule_bench import STATUSES, Bench

HOME, PRIVATE = "/srv/ann/evt", "/srv/ann/.config/evt"
GROUND = Ground(home=HOME, base=HOME, allowed_root="/srv", windows=False, private=PRIVATE)
WITHOUT = sorted(kind for kind in BY_TYPE if not granted(kind))


def code(cwd: str, task_type: str = "bug_fix") -> str | None:
    found = refusal(cwd, "/srv", HOME, task_type, windows=False, private_real=PRIVATE)
    return None if found is None else found.code


@pytest.mark.parametrize("cwd", [HOME, "/srv/ann", "/srv"])
def test_a_task_with_a_shell_works_in_no_folder_that_holds_the_home(cwd: str) -> None:
    assert code(cwd) == "home_with_shell"
    found = refusal(cwd, "/srv", HOME, "bug_fix", windows=False)
    assert found is not None
    assert ("which holds its home" in found.sentence) is (cwd != HOME)
    assert all(word in found.remedy for word in ("`cwd`", "`--cwd`", "beside the home"))


def test_the_same_holds_on_windows_whatever_the_case() -> None:
    found = refusal("c:\\Ann", "C:\\", "C:\\ann\\evt", "bug_fix", windows=True)
    assert found is not None
    assert found.code == "home_with_shell"


@pytest.mark.parametrize("cwd", ["/srv/ann/app", f"{HOME}/sample", "/srv/annabel", "/srv/ann/evt-2"])
def test_a_folder_beside_or_in_the_home_is_free(cwd: str) -> None:
    assert code(cwd) is None


@pytest.mark.parametrize("task_type", WITHOUT)
def test_without_a_shell_a_folder_above_may_be_worked_in(task_type: str) -> None:
    assert code("/srv/ann", task_type) is None


@pytest.mark.parametrize("task_type", sorted(BY_TYPE))
@pytest.mark.parametrize("cwd", [PRIVATE, f"{PRIVATE}/keys"])
def test_no_task_works_where_the_keys_lie(cwd: str, task_type: str) -> None:
    assert code(cwd, task_type) == "private_folder"


def test_a_task_with_a_shell_works_in_no_folder_that_holds_the_keys() -> None:
    assert code("/srv/ann/.config") == "keys_with_shell"
    assert code("/srv/ann/.config", "documentation") is None
    assert code("/srv/ann/.config/evtx") is None


def test_it_is_judged_when_the_task_is_taken_in() -> None:
    task = read_task(b"---\ntype: bug_fix\n---\nMend it.", "fix.task.md", trusted=True)
    agent = catalogue({}, enabled=True).get(task.agent)
    for cwd, wanted in (("/srv/ann", "home_with_shell"), (f"{PRIVATE}/keys", "private_folder")):
        with pytest.raises(Refused) as refused:
            spec_of(task, cwd, GROUND, agent)
        assert refused.value.code == wanted
        assert not allowed_place(cwd, "bug_fix", GROUND)


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"home": "/ground/project/evt"}, "home_with_shell"),
        ({"private": "/ground/project/.config/evt"}, "keys_with_shell"),
        ({"private": "/ground/project"}, "private_folder"),
    ],
)
def test_it_is_judged_again_at_the_claim(over: dict[str, str], reason: str) -> None:
    (event,) = Bench(*STATUSES["queued"]).do(ClaimTask, **over)
    assert (event.data["error_class"], event.data["reason"]) == ("security", reason)


def test_what_an_agent_is_denied_holds_in_whatever_folder_it_works(tmp_path: Path) -> None:
    home = Home(tmp_path, named=True)
    rules = [deny_rule(rule) for rule in denied_by(home, PRIVATE)]
    for tool in ("Read", "Edit"):
        assert deny_rule(f"{tool}({tmp_path / '.env'})") in rules
        assert f"{tool}(/{PRIVATE}/**)" in rules
    for name in (*OWN_FOLDERS, AGENTS_FOLDER):
        assert deny_rule(f"Edit({tmp_path / name}/**)") in rules
    assert all("(//" in rule for rule in rules), "a rule of one slash would count from the agent's folder"


def test_the_private_folder_is_the_one_that_holds_the_keys() -> None:
    assert Path(private_folder()) == keys_folder().parent.resolve()
