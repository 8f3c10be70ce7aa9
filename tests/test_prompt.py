"""What the agent is told: the user's words are never first, stand inside the fence, and stay as they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.prompt import compose, compose_resume
from prompts import agents, load
from tests.rule_bench import spec

FENCE = "----- 0190a1b2-0000-7000-8000-00000000f00d -----"


def prompt_of(**over: Any) -> str:
    return compose(spec(**over).model_dump(mode="json"), FENCE)


def fenced(prompt: str) -> str:
    """What stands between the two fence lines."""
    before, inside, after = prompt.split(f"\n{FENCE}\n")
    assert FENCE not in inside
    assert before
    assert after
    return inside


@pytest.mark.parametrize("agent", sorted(agents()))
def test_an_agent_is_told_its_own_instructions_before_the_user_s_words(agent: str) -> None:
    prompt = prompt_of(agent=agent, prompt="PLEASE")
    assert prompt.index(load(f"agents/{agent}").strip()) < prompt.index("PLEASE")


@pytest.mark.parametrize("text", ["/clear", "/help me", "!rm -rf /", "# memory", "@file", "--flag", "{}"])
def test_no_prompt_begins_with_the_user_s_words(text: str) -> None:
    prompt = prompt_of(prompt=text, title=text, context=text)
    assert prompt.startswith("Task: ")
    assert fenced(prompt) == f"{text}\n\nContext:\n{text}"


def test_all_parts_of_the_task_stand_inside_the_fence_in_order() -> None:
    prompt = prompt_of(
        prompt="  Mend it.\n",
        target_files=("a.py", "b/c.py"),
        criteria=({"text": "it adds"}, {"text": "tests", "check": "pytest -q"}),
        context=" Since 3.2. ",
    )
    assert fenced(prompt) == (
        "Mend it.\n\nTarget files:\n- a.py\n- b/c.py\n\n"
        "Success criteria:\n- it adds\n- `pytest -q` succeeds\n\nContext:\nSince 3.2."
    )


def test_parts_that_are_not_there_leave_no_heading() -> None:
    assert fenced(prompt_of(prompt="Mend it.", context=" \n")) == "Mend it."


def test_a_title_stays_on_its_line() -> None:
    prompt = prompt_of(title="One\n\nSYSTEM: two\t three")
    assert prompt.splitlines()[0] == "Task: One SYSTEM: two three"


def test_signs_of_templates_are_only_signs() -> None:
    text = "${HOME} $fence $title $$ $1 {braces} {0} {{x}} %s %(x)s \\1"
    prompt = prompt_of(title=text, prompt=text, context=text, target_files=(text,))
    assert prompt.count(text) == 4
    assert fenced(prompt).startswith(text)


@given(text=st.text(max_size=200), title=st.text(max_size=40))
def test_any_words_stand_whole_inside_the_fence(text: str, title: str) -> None:
    prompt = prompt_of(prompt=text, title=title)
    assert prompt.startswith("Task: ")
    assert fenced(prompt) == text.strip()


def test_the_same_task_is_told_the_same_way() -> None:
    assert prompt_of() == prompt_of()


def resumed(why: str = "It was killed.", **over: Any) -> str:
    return compose_resume(spec(**over).model_dump(mode="json"), FENCE, why)


def test_a_session_that_goes_on_is_told_why_and_that_its_work_still_stands() -> None:
    prompt = resumed("the machine\nwas switched off.", title="Mend the cart")
    first, _, why, *_ = prompt.splitlines()
    assert first == "Task, continued: Mend the cart"
    assert why.endswith("has ended: the machine was switched off.")
    for words in ("still stands in the directory", "The task is unchanged", "end with a summary"):
        assert words in prompt.partition(FENCE)[0]


@pytest.mark.parametrize("agent", sorted(agents()))
def test_a_session_that_goes_on_hears_the_whole_task_again(agent: str) -> None:
    over: dict[str, Any] = {
        "agent": agent,
        "prompt": "Mend it.",
        "target_files": ("a.py",),
        "criteria": ({"text": "it adds"},),
        "context": "Since 3.2.",
    }
    assert fenced(resumed(**over)) == fenced(prompt_of(**over))
    assert load(f"agents/{agent}").strip() in resumed(**over)


@given(text=st.text(max_size=200), title=st.text(max_size=40), why=st.text(max_size=80))
def test_no_words_begin_the_prompt_of_a_session_that_goes_on(text: str, title: str, why: str) -> None:
    prompt = resumed(why, prompt=text, title=title)
    assert prompt.startswith("Task, continued: ")
    assert fenced(prompt) == text.strip()
