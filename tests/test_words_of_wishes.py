"""What the words of a wish make of it: forbidden words, folders that are passed over, other readings."""

from pathlib import Path

import orjson
import pytest

from adapters.cli.given import Given, given_by
from adapters.cli.words.mediation import MEDIATION, model_in_words
from adapters.config.settings import read_settings
from adapters.config.table import BadSetting
from handlers.agents import built_in, catalogue
from handlers.decider import Refused
from handlers.intake import Ground, spec_of
from handlers.ports.agent import AgentUnusable
from projections.mediator import FRESH
from schemas.free_text import folders_in, read_wish, word_of
from schemas.names import MEDIATION_FINISHED
from schemas.task_file import read_task
from tests.service import evt, home_at

HOME = "/homes/evt"


def others(text: str) -> list[str]:
    return [other.task_type for other in read_wish(text, []).alternatives]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("do not fix anything, only explain why it is slow", "analyze"),
        ("Explain it, but don't add or remove anything", "analyze"),
        ("Look at it without a review", "analyze"),
        ("never update the lock file, review it", "code_review"),
        ("don't forget to add tests", "bug_fix"),
        ("do not wait and fix it", "bug_fix"),
        ("Buttons cannot add an item", "bug_fix"),
    ],
)
def test_a_word_that_is_forbidden_makes_no_type(text: str, kind: str) -> None:
    assert read_wish(text, []).type == kind


@pytest.mark.parametrize(
    "text", ["Summarise README.md", "look at lib/cart.py and docs/plan.md", "/review it", "./shop is broken"]
)
def test_a_sentence_that_names_a_file_is_a_text(text: str) -> None:
    assert given_by([text]) == [Given(None, text.encode())]


def test_beside_a_guess_that_edits_stands_the_type_that_reads() -> None:
    assert read_wish("the fix in X is unclear, explain", []).type == "bug_fix"
    assert others("the fix in X is unclear, explain") == ["analyze"]
    assert others("fix it") == ["analyze"]


def test_the_words_of_several_types_give_up_to_three_other_readings() -> None:
    assert others("please improve and explain and review ./play") == ["analyze", "bug_fix"]
    everything = "fix, review, summarise, explain and improve the readme"
    assert others(everything) == ["code_review", "summarize", "analyze"]
    assert others("What is this?") == []


def test_a_title_of_a_wrapped_line_ends_without_its_comma() -> None:
    assert read_wish("Look at the parser,\nand say why.", []).title == "Look at the parser"


def test_a_folder_that_is_forbidden_is_no_working_directory_and_that_is_said() -> None:
    notes: list[str] = []
    assert read_wish("Explain it. Don't touch anything in ./x", notes).cwd is None
    assert notes == ['The folder "./x" is forbidden in the text: it is no working directory.']
    assert read_wish("Don't touch anything in ./x, look in ./y.", []).cwd == "./y"
    assert folders_in("don't touch ./x and ./y but see ./z") == ("./z",)


def test_a_refusal_of_a_guessed_type_names_the_word_that_made_it() -> None:
    task = read_task(b"Please fix the sum", None, trusted=True)
    assert word_of(task.prompt, task.type) == "fix"
    with pytest.raises(Refused) as refused:
        spec_of(task, HOME, Ground(HOME, HOME, HOME, windows=False), built_in("bug_fix"))
    assert refused.value.code == "home_with_shell"
    assert 'The word "fix"' in refused.value.hint and "--type analyze" in refused.value.hint
    assert "--cwd" in refused.value.hint and "orchestrator" not in refused.value.sentence


def test_a_written_type_is_refused_without_a_word_about_guessing() -> None:
    task = read_task(b"---\ntype: fix\n---\n# T\n\nfix it\n", "t.task.md", trusted=True)
    with pytest.raises(Refused) as refused:
        spec_of(task, HOME, Ground(HOME, HOME, HOME, windows=False), built_in("bug_fix"))
    assert "The word" not in refused.value.hint


def test_an_agent_that_edits_is_told_that_its_type_may_only_read() -> None:
    task = read_task(b"---\ntype: analyze\nagent_type: bug_fix\n---\n# T\n\nx\n", "t.task.md", trusted=True)
    spec = spec_of(task, "/g", Ground(HOME, "/g", "/g", windows=False), built_in("bug_fix"))
    assert spec.warnings == ('The agent "bug_fix" edits files, and a task of type analyze may only read.',)


def test_a_mistyped_agent_is_asked_about() -> None:
    known = catalogue({}, ["bug_fix", "analyse"])
    assert known.warnings == (
        'AGENTS_ENABLED names "analyse", and there is no such agent. Is `analyze` meant?',
    )
    with pytest.raises(AgentUnusable) as unusable:
        known.get("bug_fixx")
    assert unusable.value.hint.startswith("Is `bug_fix` meant? ")


def test_every_bad_setting_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadSetting) as bad:
        read_settings(tmp_path, {"MAX_CONCURRENT_TASKS": "many", "LLAMA_NUM_CTX": "few"})
    assert "MAX_CONCURRENT_TASKS" in str(bad.value) and "LLAMA_NUM_CTX" in str(bad.value)


def test_that_nobody_is_there_is_told_whole_in_status_and_shortly_elsewhere() -> None:
    data = {"purpose": "parse", "by": "rules", "fallback": "unreachable", "sentence": "Start Ollama."}
    told = MEDIATION[MEDIATION_FINISHED].words(data)
    assert told == "to understand the wish: by rules, no local model answers"
    row = {**FRESH, **data, "model": "m", "asked": 1, "failures": 1, "failed_at": 1}
    told = model_in_words(row, 1)
    assert "Start Ollama." in told and "It is optional" in told


def test_a_check_of_a_wish_says_who_decided_and_what_else_it_may_be(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    play = tmp_path / "home" / "play"
    play.mkdir()
    text = f"please explain and review {play}"
    said = evt(home, "add", "--check", text)
    assert "  decided     type by a word of the text" in said.stdout
    assert "  or else     as analyze" in said.stdout
    assert "is not taken as the working directory" in said.stdout
    row = orjson.loads(evt(home, "add", "--check", "--json", text).stdout)[0]
    assert row["decided"]["type"] == "rules"
    assert [other["task_type"] for other in row["alternatives"]] == ["analyze"]


def test_a_file_that_is_named_as_folder_is_called_a_file(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    file = tmp_path / "home" / "notes.txt"
    file.write_text("x", encoding="utf-8", newline="\n")
    said = evt(home, "add", "--check", "--cwd", str(file), "look at it")
    assert said.returncode == 2
    assert "is a file, not a folder" in said.stdout


@pytest.mark.parametrize("mark", ["**Success criteria**", "## Success Criteria", "success criteria:"])
def test_a_line_that_is_nearly_a_mark_is_told(mark: str) -> None:
    text = f"---\ntype: fix\n---\n# T\n\nMend it.\n{mark}\n- [ ] $ `make`\n"
    task = read_task(text.encode(), "t.task.md", trusted=True)
    assert task.criteria == ()
    (told,) = task.warnings
    assert told.startswith("Line 7 looks like the mark `**Success Criteria:**` and is read as text")
    well = text.replace(mark, "**Success criteria:**")
    assert read_task(well.encode(), "t.task.md", trusted=True).warnings == ()


def test_a_wish_that_begins_as_front_matter_does_is_told_how_that_is_marked() -> None:
    told = 'The text begins with `type:` and is read as a wish: keys stand between two lines "---".'
    assert read_task(b"\ntype: analyze\n\nLook at the parser.\n", "t.task.md", trusted=True).warnings == (
        told,
    )
    for text in (b"note: look at the parser", b"type the words anew", b"---\ntype: analyze\n---\nLook.\n"):
        assert read_task(text, None, trusted=True).warnings == ()
