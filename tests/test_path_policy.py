"""A task works inside the allowed root, outside our own state, and nowhere else."""

import pytest

from handlers.path_policy import Refusal, inside, overlap, refusal

HOME = "/home/ann/evt"
ROOT = "/srv/work"


@pytest.mark.parametrize(
    ("root", "path", "windows", "answer"),
    [
        ("/srv/work", "/srv/work", False, True),
        ("/srv/work", "/srv/work/app", False, True),
        ("/srv/work", "/srv/work-evil", False, False),
        ("/srv/work", "/srv", False, False),
        ("/srv/work", "/srv/work/../etc", False, False),
        ("/srv/work", "srv/work", False, False),
        ("/srv/work", "/srv/Work", False, False),
        ("/srv/work", "~", False, False),
        ("/", "/etc", False, True),
        (r"C:\Work", r"c:\work\App", True, True),
        (r"C:\Work", "C:/Work/App", True, True),
        (r"C:\Work", r"C:\Work-evil", True, False),
        (r"C:\Work", r"D:\Work", True, False),
        (r"C:\Work", r"C:\Work\..\x", True, False),
        (r"C:\Work", r"\Work\App", True, False),
        (r"C:\Work", r"C:App", True, False),
        (r"C:\Work", r"\\?\C:\Work\App", True, True),
        (r"\\server\share", r"\\SERVER\share\x", True, True),
        (r"\\server\share", r"\\?\UNC\server\share\x", True, True),
        (r"C:\Work", r"\\server\share", True, False),
        ("C:\\", r"C:\x", True, True),
    ],
)
def test_inside_is_judged_part_by_part(root: str, path: str, windows: bool, answer: bool) -> None:
    assert inside(root, path, windows) is answer


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ("/srv/a", "/srv/a", True),
        ("/srv/a", "/srv/a/b", True),
        ("/srv/a/b", "/srv/a", True),
        ("/srv/a", "/srv/ab", False),
        ("/srv/a", "/srv/b", False),
        (r"C:\a", r"c:\A\b", True),
        (r"C:\a", r"D:\a", False),
        (r"\\server\s\a", r"\\server\s", True),
    ],
)
def test_two_directories_overlap_when_one_contains_the_other(a: str, b: str, answer: bool) -> None:
    assert overlap(a, b) is answer
    assert overlap(b, a) is answer


def judged(cwd: str, *, task_type: str = "analyze", root: str = ROOT, home: str = HOME) -> Refusal | None:
    return refusal(cwd, root, home, task_type, windows=False)


@pytest.mark.parametrize("cwd", ["/", "/srv", "/srv/work-evil", "/home/ann", "/etc"])
def test_outside_the_root_is_refused_never_replaced(cwd: str) -> None:
    assert judged(cwd) == Refusal(
        "outside_root",
        f'The working directory "{cwd}" is outside the allowed root "/srv/work".',
        "Name a folder inside it as `cwd`, or set CLAUDE_ALLOWED_ROOT to one that holds both.",
    )


@pytest.mark.parametrize("cwd", ["C:\\", r"\\server\share", r"C:\Users", r"C:\Work-evil"])
def test_outside_the_root_is_refused_on_windows(cwd: str) -> None:
    found = refusal(cwd, r"C:\Work", r"C:\Users\ann\evt", "analyze", windows=True)
    assert found is not None
    assert found.code == "outside_root"


@pytest.mark.parametrize("below", ["", "/deep/er"])
@pytest.mark.parametrize("folder", ["tasks", "logs", "results", "summaries", "blobs", "work"])
def test_our_own_state_is_no_working_directory(folder: str, below: str) -> None:
    cwd = f"{HOME}/{folder}{below}"
    assert judged(cwd, root="/home/ann") == Refusal(
        "own_state",
        f'The working directory "{cwd}" is in {folder}, where `evt` keeps its own state.',
        "Name a folder of your own work as `cwd`.",
    )


@pytest.mark.parametrize("task_type", ["bug_fix", "documentation"])
def test_no_task_that_may_edit_works_where_agents_are_described(task_type: str) -> None:
    found = refusal(f"{HOME}/prompts/agents", HOME, HOME, task_type, windows=False)
    assert found is not None and found.code == "agents_folder"
    assert refusal(f"{HOME}/prompts/agents", HOME, HOME, "analyze", windows=False) is None


def test_a_folder_named_like_our_state_is_fine_elsewhere() -> None:
    assert judged("/srv/work/tasks") is None
    assert judged(f"{HOME}/prompts", root=HOME) is None
    assert judged(f"{HOME}/tasks2", root=HOME) is None


def test_our_state_is_known_in_any_capitals_on_windows() -> None:
    found = refusal(r"c:\EVT\Tasks", "C:\\", r"C:\evt", "analyze", windows=True)
    assert found is not None
    assert found.code == "own_state"


@pytest.mark.parametrize("name", [".git", ".claude", ".GIT"])
def test_folders_that_decide_what_is_run_are_no_working_directory(name: str) -> None:
    assert judged(f"/srv/work/{name}/hooks") == Refusal(
        "guarded_folder",
        f'The working directory "/srv/work/{name}/hooks" is inside a "{name}" folder.',
        "Name the folder of the project itself as `cwd`.",
    )
    assert judged("/srv/work/app.git") is None


def test_a_task_with_a_shell_may_not_stand_in_the_home() -> None:
    assert judged(HOME, root=HOME) is None
    assert judged(HOME, root=HOME, task_type="documentation") is None
    assert judged(HOME, root=HOME, task_type="bug_fix") == Refusal(
        "home_with_shell",
        f'A task of type bug_fix may run commands, so "{HOME}", the home of `evt` itself, '
        "may not be its working directory.",
        "Name a project's folder as `cwd` (or `--cwd`), or set CLAUDE_BASE_CWD and CLAUDE_ALLOWED_ROOT "
        "to a folder beside the home.",
    )
    assert judged(f"{HOME}/app", root=HOME, task_type="bug_fix") is None


def test_a_hostile_path_is_harmless_in_the_sentence() -> None:
    found = judged("/tmp/\x1b[2J\u202e\n")
    assert found is not None
    assert found.sentence.startswith('The working directory "/tmp/\\x1b[2J\\u202e\\n" is outside')
