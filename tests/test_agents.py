"""The agents of a home: its own over the built-in ones, as they are now, each usable or with a sentence."""

import os
import re
from collections.abc import Collection
from pathlib import Path

import pytest
import trio

from adapters.agent_files import AgentFiles, HomeAgents
from handlers.agents import Catalogue, catalogue
from handlers.intake import Ground, spec_of
from handlers.ports.agent import AgentUnusable
from handlers.prompt import PARTS, compose
from prompts import agents as built_in_names
from schemas.agent import KEYS, BrokenAgent
from schemas.task_file import read_task
from tests.known_agents import NOTES, write_agent

OURS = sorted(built_in_names())
BROKEN = b"---\npurpose: P\ntools: [Fly]\n---\nX\n"
LINKS = pytest.mark.skipif(os.name == "nt", reason="links want a right there")


def unusable(known: Catalogue, name: str) -> AgentUnusable:
    with pytest.raises(AgentUnusable) as found:
        known.get(name)
    assert found.value.sentence
    assert found.value.hint
    return found.value


# which there are


def test_a_home_without_agents_of_its_own_has_the_built_in_ones() -> None:
    known = catalogue({}, enabled=True)
    assert sorted(known.names()) == OURS
    assert {known.get(name).origin for name in OURS} == {"built-in"}
    assert (known.warnings, known.broken()) == ((), ())


def test_an_agent_of_the_home_is_added_and_one_of_a_built_in_name_takes_its_place() -> None:
    known = catalogue({"notes": NOTES.encode(), "analyze": NOTES.encode()}, enabled=True)
    assert sorted(known.names()) == sorted([*OURS, "notes"])
    assert known.get("notes").origin == known.get("analyze").origin == "home"
    assert known.get("analyze").purpose == "Write the notes of a release"
    assert [name for name, one in known.found.items() if one.replaces] == ["analyze"]


def test_an_agent_that_nobody_wrote_is_refused_with_those_that_there_are() -> None:
    found = unusable(catalogue({"notes": NOTES.encode()}, enabled=True), "plumber")
    assert found.code == "unknown_agent"
    assert "plumber" in found.sentence
    assert all(name in found.hint for name in (*OURS, "notes"))


def test_a_broken_one_is_refused_and_no_built_in_one_stands_in_for_it() -> None:
    known = catalogue({"analyze": BROKEN}, enabled=True)
    found = unusable(known, "analyze")
    assert (found.code, found.hint) == ("agent_broken", "See `evt agents check analyze`.")
    assert "Line 3" in found.sentence
    assert "analyze" not in known.names()
    assert "analyze" in known.broken()[0]


def test_a_template_that_cannot_be_filled_in_makes_an_agent_broken() -> None:
    known = catalogue({"mine": NOTES.replace("{{ task }}", "{{ tusk }}").encode()}, enabled=True)
    assert "Line 7" in unusable(known, "mine").sentence


@pytest.mark.parametrize(
    ("enabled", "names"),
    [
        (True, [*OURS, "notes"]),
        (False, OURS),
        (("notes", "analyze"), ["analyze", "notes"]),
        (("bug_fix",), ["bug_fix"]),
        (("nobody",), []),
    ],
)
def test_the_setting_says_which_of_them_a_task_may_have(
    enabled: bool | Collection[str], names: list[str]
) -> None:
    known = catalogue({"notes": NOTES.encode()}, enabled)
    assert sorted(known.names()) == sorted(names)
    for name in {*OURS, "notes"} - set(names):
        assert unusable(known, name).code == "agent_disabled"


def test_a_name_in_the_setting_that_is_no_agent_s_is_warned_of() -> None:
    assert catalogue({}, ("analyze", "nobody")).warnings == (
        'AGENTS_ENABLED names "nobody", and there is no such agent.',
    )
    assert catalogue({}, ("analyze",)).warnings == ()


def test_without_a_home_s_own_the_built_in_one_stands_and_that_is_said() -> None:
    known = catalogue({"analyze": BROKEN, "mine": BROKEN}, enabled=False)
    assert known.get("analyze").origin == "built-in"
    assert len(known.warnings) == 1
    assert "prompts/agents/analyze.md" in known.warnings[0]
    assert known.broken() == ()
    assert unusable(known, "mine").code == "agent_disabled"


def test_where_a_home_s_agents_cannot_be_read_no_task_has_one_unless_they_are_not_wanted() -> None:
    known = catalogue({}, enabled=True, unread="it is a link")
    assert known.names() == frozenset()
    assert unusable(known, "analyze").code == "agent_broken"
    assert "it is a link" in known.warnings[0]
    assert catalogue({}, enabled=False, unread="it is a link").get("analyze").origin == "built-in"


# the page that says how to write one

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "write-an-agent.md"


def example(kind: str) -> str:
    found = re.search(
        rf"^```{kind}\n(---\n.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("task_type", "told"), [("documentation", "Edit CHANGELOG.md"), ("analyze", "into your answer")]
)
def test_the_example_of_the_page_is_an_agent_that_can_be_told_a_task(task_type: str, told: str) -> None:
    agent = catalogue({"release-notes": example("md").encode()}, enabled=True).get("release-notes")
    task = read_task(example("markdown").encode(), "notes.task.md", trusted=True)
    assert (task.agent, task.type) == (agent.name, "documentation")
    ground = Ground(home="/home", base="/srv", allowed_root="/srv", windows=False)
    spec = spec_of(task, "/srv", ground, agent).model_dump(mode="json") | {"task_type": task_type}
    prompt = compose(agent, spec, "----- fence -----")
    assert told in prompt
    assert "Title: Notes of 2.1\n\nWrite the notes of 2.1 from the commits since 2.0.\n-----" in prompt


def test_the_page_names_every_key_and_value_and_no_others() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    assert rows == set(KEYS)
    values = set(re.findall(r"`\{\{ ([a-z_]+) \}\}`", text))
    assert values == {*PARTS, "task", "task_type", "tools", "edits"}


# files


def files(home: Path) -> AgentFiles:
    return AgentFiles(home, enabled=True)


def test_what_lies_in_the_folder_is_an_agent_of_its_name(tmp_path: Path) -> None:
    write_agent(tmp_path, "notes")
    assert files(tmp_path).get("notes").name == "notes"
    assert files(tmp_path).catalogue().names() == {*OURS, "notes"}


def test_a_change_holds_from_the_next_question_on(tmp_path: Path) -> None:
    asked = files(tmp_path)
    write_agent(tmp_path, "notes")
    assert asked.get("notes").purpose == "Write the notes of a release"
    write_agent(tmp_path, "notes", NOTES.replace("the notes of a release", "poems"))
    assert asked.get("notes").purpose == "Write poems"
    write_agent(tmp_path, "notes").unlink()
    assert "notes" not in asked.catalogue().names()


@pytest.mark.parametrize("name", [".notes", "notes.md~", "README.txt", ".notes.md.swp"])
def test_what_is_no_agent_s_file_is_passed_over(tmp_path: Path, name: str) -> None:
    path = write_agent(tmp_path, "x")
    path.rename(path.with_name(name if name != ".notes" else ".notes.md"))
    assert sorted(files(tmp_path).catalogue().found) == OURS


@pytest.mark.parametrize("name", ["README", "two words", "a.b", "Notes"])
def test_a_file_whose_name_is_no_agent_s_is_told(tmp_path: Path, name: str) -> None:
    write_agent(tmp_path, name)
    (broken,) = files(tmp_path).catalogue().broken()
    assert name in broken
    fault = files(tmp_path).catalogue().found[name].broken
    assert fault is not None
    assert fault.code == "bad_name"


def test_a_folder_under_an_agent_s_name_is_no_agent(tmp_path: Path) -> None:
    write_agent(tmp_path, "x").with_name("notes.md").mkdir()
    found = files(tmp_path).catalogue().found["notes"].broken
    assert isinstance(found, BrokenAgent)
    assert found.code == "not_a_file"


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    write_agent(tmp_path, "notes", NOTES + "x" * 70_000)
    found = files(tmp_path).catalogue().found["notes"].broken
    assert found is not None
    assert found.code == "too_large"


@LINKS
def test_no_link_is_followed(tmp_path: Path) -> None:
    elsewhere = write_agent(tmp_path / "elsewhere", "notes")
    own = write_agent(tmp_path, "x").parent
    (own / "notes.md").symlink_to(elsewhere)
    found = files(tmp_path).catalogue().found["notes"].broken
    assert found is not None
    assert found.code == "not_a_file"


@LINKS
@pytest.mark.parametrize("part", ["prompts", "prompts/agents"])
def test_a_folder_that_is_a_link_is_not_followed_and_not_passed_over(tmp_path: Path, part: str) -> None:
    elsewhere = write_agent(tmp_path / "elsewhere", "analyze")
    home = tmp_path / "home"
    (home / part).parent.mkdir(parents=True)
    (home / part).symlink_to(elsewhere.parent if part.endswith("agents") else elsewhere.parent.parent)
    with pytest.raises(AgentUnusable, match="is a link"):
        files(home).get("analyze")
    assert AgentFiles(home, enabled=False).get("analyze").origin == "built-in"


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "agents").write_text("", encoding="utf-8")
    with pytest.raises(AgentUnusable, match="cannot be looked into"):
        files(tmp_path).get("analyze")


def test_looking_at_agents_writes_nothing(tmp_path: Path) -> None:
    files(tmp_path).catalogue()
    assert list(tmp_path.iterdir()) == []


def test_the_service_asks_the_same_off_its_loop(tmp_path: Path) -> None:
    write_agent(tmp_path, "notes")
    asked = HomeAgents(files(tmp_path))

    async def main() -> None:
        assert await asked.names() == {*OURS, "notes"}
        assert (await asked.get("notes")).origin == "home"
        with pytest.raises(AgentUnusable):
            await asked.get("../../etc/passwd")

    trio.run(main)
