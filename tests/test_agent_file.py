"""The file of an agent: what it says is read, and what is wrong with it has a line, a reason and a remedy."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import agents, load
from schemas.agent import MAX_BYTES, Agent, BrokenAgent, PermissionMode, read_agent
from schemas.tools import CHANGING, MODES, TOOLS
from tests.known_agents import NOTES


def text_of(*lines: str, body: str = "Do it.\n") -> bytes:
    return "\n".join(("---", *lines, "---", body)).encode()


def read(*lines: str, body: str = "Do it.\n") -> Agent:
    return read_agent("mine", text_of(*lines, body=body), "home")


def broken(content: bytes, name: str = "mine") -> BrokenAgent:
    with pytest.raises(BrokenAgent) as found:
        read_agent(name, content, "home")
    assert "\n" not in found.value.reason
    assert found.value.remedy
    assert "task file" not in found.value.reason + found.value.remedy
    if found.value.line is not None:
        assert f"ine {found.value.line}" in found.value.reason
    return found.value


READING = ("purpose: Look", "tools: [Read, Glob]")
EDITING = ("purpose: Mend", "tools: [Read, Edit]", "edits: true")


def test_an_agent_says_what_it_is_for_what_it_may_use_and_how_it_works() -> None:
    found = read(
        "purpose: Write  the notes",
        "tools: [Write, Read, Edit]",
        "permission_mode: plan",
        "edits: yes",
        "similarity: 0.25",
        "entropy: 1",
        body="First.\n\n{{ task }}\n",
    )
    assert found == Agent(
        name="mine",
        purpose="Write the notes",
        tools=("Read", "Edit", "Write"),
        permission_mode="plan",
        edits=True,
        similarity=0.25,
        entropy=1.0,
        template="First.\n\n{{ task }}\n",
        origin="home",
        template_line=9,
    )


def test_a_purpose_and_tools_are_enough() -> None:
    found = read_agent("notes", NOTES.encode(), "home")
    assert (found.permission_mode, found.edits) == ("default", False)
    assert (found.similarity, found.entropy) == (0.7, 0.8)


def test_an_agent_that_edits_may_edit_without_being_asked_unless_it_says_otherwise() -> None:
    assert read(*EDITING).permission_mode == "acceptEdits"
    assert read(*EDITING, "permission_mode: default").permission_mode == "default"


def test_tools_may_stand_in_a_line_with_commas() -> None:
    assert read("purpose: P", "tools: Read, Glob").tools == ("Read", "Glob")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_and_a_mark_at_the_beginning_are_read(ends: str) -> None:
    content = b"\xef\xbb\xbf" + text_of(*READING).replace(b"\n", ends.encode())
    assert read_agent("mine", content, "home") == read(*READING)


@pytest.mark.parametrize(
    ("name", "similarity", "entropy", "edits"),
    [
        ("analyze", 0.6, 0.7, False),
        ("code_review", 0.7, 0.8, False),
        ("documentation", 0.6, 0.7, True),
        ("bug_fix", 0.8, 0.8, True),
    ],
)
def test_the_built_in_agents_have_the_thresholds_that_they_always_had(
    name: str, similarity: float, entropy: float, edits: bool
) -> None:
    found = read_agent(name, load(f"agents/{name}").encode(), "built-in")
    assert (found.similarity, found.entropy, found.edits) == (similarity, entropy, edits)
    assert found.permission_mode == ("acceptEdits" if edits else "default")
    assert agents() == {"analyze", "bug_fix", "code_review", "documentation"}


def test_the_modes_are_those_of_the_table() -> None:
    assert get_args(PermissionMode) == MODES
    assert "bypassPermissions" not in MODES


@pytest.mark.parametrize(
    ("lines", "code", "line", "words"),
    [
        ((*READING, "purpos: x"), "unknown_key", 4, 'no key "purpos"'),
        ((*READING, "allowed_tools: Bash"), "unknown_key", 4, "allowed_tools"),
        (("tools: [Read]",), "missing_key", 2, "`purpose`"),
        (("purpose: P",), "missing_key", 2, "`tools`"),
        (("purpose: ", "tools: [Read]"), "bad_value", 2, "`purpose`"),
        (("purpose: [a]", "tools: [Read]"), "bad_value", 2, "`purpose`"),
        ((f"purpose: {'x' * 201}", "tools: [Read]"), "bad_value", 2, "200 characters"),
        (('purpose: "\\e[2J"', "tools: [Read]"), "bad_value", 2, "plain line"),
        (("purpose: P", "tools: []"), "bad_value", 3, "a list of tools"),
        (("purpose: P", "tools: [[Read]]"), "bad_value", 3, "a list of tools"),
        (("purpose: P", "tools: {Read: yes}"), "bad_value", 3, "a list of tools"),
        (("purpose: P", "tools: Read,,Glob"), "bad_value", 3, "a list of tools"),
        (("purpose: P", "tools: [Read, WebFetch]"), "unknown_tool", 3, '"WebFetch"'),
        (("purpose: P", "tools: [Bash(*)]", "edits: true"), "unknown_tool", 3, '"Bash(*)"'),
        ((*READING, "permission_mode: bypassPermissions"), "forbidden_mode", 4, "bypassPermissions"),
        ((*READING, "permission_mode: auto"), "bad_value", 4, '"auto"'),
        ((*READING, "edits: true"), "edits_without_tool", 4, "none of its tools"),
        (("purpose: P", "tools: [Edit]"), "tool_without_edits", 3, "Edit"),
        (("purpose: P", "tools: [Bash, Write]", "edits: false"), "tool_without_edits", 4, "Write and Bash"),
        ((*READING, "edits: perhaps"), "bad_value", 4, '"perhaps"'),
        ((*READING, "similarity: 1.1"), "bad_value", 4, '"1.1"'),
        ((*READING, "entropy: -0.1"), "bad_value", 4, '"-0.1"'),
        ((*READING, "entropy: nan"), "bad_value", 4, '"nan"'),
        ((*READING, "similarity: 1e-1"), "bad_value", 4, '"1e-1"'),
        ((*READING, "similarity: ٠.٥"), "bad_value", 4, "a number"),
        ((*READING, "purpose: again"), "duplicate_key", 4, "twice"),
        (("purpose: &a P", "tools: *a"), "yaml_alias", 2, "in an agent's file"),
        (("purpose: !!str P", "tools: [Read]"), "yaml_tag", 2, "in an agent's file"),
        (("purpose: P", "tools: [Read", "x"), "bad_yaml", 4, "not YAML"),
        (("purpose: P", "tools: " + "[" * 30 + "]" * 30), "too_deep", 3, "deeper than"),
    ],
)
def test_what_is_wrong_in_the_keys_has_its_line(
    lines: tuple[str, ...], code: str, line: int, words: str
) -> None:
    found = broken(text_of(*lines))
    assert (found.code, found.line) == (code, line)
    assert words in found.reason


@pytest.mark.parametrize(
    ("word", "meant"), [("MultiEdit", "Edit"), ("LS", "Glob"), ("read", "Read"), ("Notebook", "NotebookEdit")]
)
def test_a_tool_that_was_nearly_named_is_proposed(word: str, meant: str) -> None:
    assert broken(text_of("purpose: P", f"tools: [{word}]")).remedy.startswith(f"Is `{meant}` meant?")


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "empty", None),
        (b"  \n\n", "empty", None),
        (b"Do it.\n", "no_front_matter", 1),
        (b"---\npurpose: P\n", "unclosed", 1),
        (text_of(*READING, body=" \n"), "empty_template", 5),
        (text_of(*READING, body="fine\nnot so") + b"\xe4", "not_text", 6),
        (text_of(*READING, body="fine\n\n\0"), "not_text", 7),
        (text_of(*READING).decode().encode("utf-16"), "not_text", 1),
        (text_of(*READING, body="x" * MAX_BYTES), "too_large", None),
    ],
)
def test_what_is_wrong_with_the_whole_has_its_line(content: bytes, code: str, line: int | None) -> None:
    found = broken(content)
    assert (found.code, found.line) == (code, line)


@pytest.mark.parametrize(
    "name", ["", "Notes", "a b", "../x", "a/b", "a.b", ".a", "-a", "ä", "x" * 65, "a\n", "con:", "A"]
)
def test_a_name_that_some_system_reads_otherwise_is_none(name: str) -> None:
    assert broken(text_of(*READING), name).code == "bad_name"


@given(content=st.binary(max_size=300))
def test_whatever_lies_in_a_file_it_is_an_agent_or_a_sentence(content: bytes) -> None:
    try:
        read_agent("mine", b"---\n" + content, "home")
    except BrokenAgent as found:
        assert found.reason
        assert found.remedy


WHOLE = st.fixed_dictionaries(
    {"purpose": st.just("P"), "tools": st.lists(st.sampled_from([*TOOLS, "Task"]), min_size=1, max_size=4)},
    optional={
        "edits": st.sampled_from(["true", "false"]),
        "similarity": st.floats(-1, 2) | st.integers(-1, 2),
        "entropy": st.floats(-1, 2),
        "permission_mode": st.sampled_from([*MODES, "x"]),
        "allowedTools": st.just("Bash"),
    },
)
BROKEN = st.lists(st.sampled_from(["purpose: [", "tools: {a: b}", "---", "", "# remark"]), max_size=2)


def written(keys: dict[str, Any]) -> list[str]:
    return [
        f"{key}: [{', '.join(value)}]" if key == "tools" else f"{key}: {value}" for key, value in keys.items()
    ]


def test_most_files_that_are_drawn_here_with_every_key_right_are_agents() -> None:
    assert read(*written({"purpose": "P", "tools": ["Read", "Glob"], "similarity": 1})).tools


@given(keys=WHOLE, broken=BROKEN)
def test_whatever_the_keys_say_no_agent_has_more_than_there_is(
    keys: dict[str, Any], broken: list[str]
) -> None:
    try:
        found: Any = read(*written(keys), *broken)
    except BrokenAgent:
        return
    assert set(found.tools) <= set(TOOLS)
    assert found.edits == bool(CHANGING & set(found.tools))
    assert found.permission_mode in MODES
    assert 0 <= found.similarity <= 1
    assert 0 <= found.entropy <= 1
