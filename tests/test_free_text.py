"""A wish in plain words is shaped by rules, and every word of it is the prompt."""

import pytest

from schemas.task_file import TaskFile, read_task


def read(text: str, *, trusted: bool = True, file_name: str | None = "x.task.md") -> TaskFile:
    return read_task(text.encode(), file_name, trusted=trusted)


@pytest.mark.parametrize(
    ("text", "task_type"),
    [
        ("Fix the login", "bug_fix"),
        ("please review and then implement it", "bug_fix"),
        ("There is a bug.", "bug_fix"),
        ("Review the login", "code_review"),
        ("audit our prefix handling", "code_review"),
        ("Summarise the address book", "summarize"),
        ("an OVERVIEW please", "summarize"),
        ("What does this do?", "analyze"),
        ("/fixtures", "analyze"),
    ],
)
def test_free_text_is_shaped_by_its_words(text: str, task_type: str) -> None:
    task = read(text)
    assert (task.type, task.prompt, task.shaped_by) == (task_type, text, "rules")
    assert task.agent == ("analyze" if task_type == "summarize" else task_type)


def test_free_text_is_called_by_its_first_line() -> None:
    assert read("\n\n  Why is   it slow?\nMore words.").title == "Why is it slow?"
    assert read("# Why?\nMore.").title == "Why?"
    assert len(read("long " * 100).title) <= 80


def test_free_text_runs_no_checks() -> None:
    task = read("# T\n**Prompt:**\nx\n**Success Criteria:**\n- [ ] $ `make`\n")
    assert task.criteria == ()
    assert task.warnings == (
        "The file has the marks of a task file but no front matter: all of it is the prompt.",
    )


@pytest.mark.parametrize(
    ("text", "cwd"),
    [
        ("Look around in /srv/app.", "/srv/app"),
        (r"Look around in C:\work\app, please", r"C:\work\app"),
        ("What is in /srv/app/main.py?", None),
        ("Look in / now", None),
        ("Look inside /srv/app", None),
    ],
)
def test_a_folder_in_free_text_is_its_working_directory_and_that_is_said(text: str, cwd: str | None) -> None:
    task = read(text)
    assert task.cwd == cwd
    assert task.warnings == ((f'The working directory "{cwd}" was taken from the text.',) if cwd else ())
