"""A task file is read wholly or refused with the sentence that its author reads."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.task import Criterion
from schemas.task_fields import CHOICES, TYPES
from schemas.task_file import MAX_BYTES, TaskFile, Unreadable, read_task
from schemas.task_id import problem_with_id
from schemas.unreadable import Unreadable as TheSameUnreadable

WHOLE = """---
id: login-fix
type: fix
priority: high
created: 2025-08-12T10:00:00
cwd: app
agent_type: code_review
template_id: strict
timeout_sec: 90.5
after: [first, second]
not_before: 2026-01-31T09:00:00+01:00
isolation: worktree
executor: claude
max_budget_usd: 2.5
max_turns: 40
commit: branch
ticket: {project: web, number: 0123}
---

# Mend the login

**Target Files:**
- src/login.py
- `docs/login.md`

**Prompt:**
Mend it.

**Note** that bold lines and rules belong to a prompt.

---

```python
**Prompt:**
# not a title
```

**Success Criteria:**
- [ ] The tests pass
- [x] $ `pytest -q`
- [ ] $ ``echo `date` ``

**Context:**
It broke yesterday.
"""


def read(text: str, *, trusted: bool = True, file_name: str | None = "x.task.md") -> TaskFile:
    return read_task(text.encode(), file_name, trusted=trusted)


def keys(front: str) -> TaskFile:
    return read(f"---\ntype: analyze\n{front}\n---\nLook.\n")


def refused(content: bytes | str) -> Unreadable:
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(Unreadable) as caught:
        read_task(raw, "x.task.md", trusted=True)
    assert caught.value.remedy
    return caught.value


def test_a_whole_task_file_is_read_into_its_parts() -> None:
    task = read(WHOLE)
    assert task == TaskFile(
        id="login-fix",
        type="bug_fix",
        agent="code_review",
        priority="high",
        created="2025-08-12T10:00:00",
        cwd="app",
        agent_type="code_review",
        template_id="strict",
        timeout_sec=90.5,
        after=("first", "second"),
        not_before=1_769_846_400_000_000,
        isolation="worktree",
        executor="claude",
        max_budget_usd=2.5,
        max_turns=40,
        commit="branch",
        metadata={"ticket": {"project": "web", "number": "0123"}},
        title="Mend the login",
        target_files=("src/login.py", "docs/login.md"),
        prompt=task.prompt,
        criteria=(
            Criterion(text="The tests pass"),
            Criterion(text="$ `pytest -q`", check="pytest -q"),
            Criterion(text="$ ``echo `date` ``", check="echo `date`"),
        ),
        context="It broke yesterday.",
        shaped_by="author",
        warnings=("Unknown keys are kept as metadata and change nothing: ticket.",),
    )
    assert task.prompt.startswith("Mend it.\n\n**Note** that bold")
    assert task.prompt.endswith("\n---\n\n```python\n**Prompt:**\n# not a title\n```")


def test_what_is_not_said_has_its_default() -> None:
    task = read("---\ntype: summarize\n---\nTell me what it does.\n")
    assert task == TaskFile(
        type="summarize", agent="analyze", title="Tell me what it does.", prompt="Tell me what it does."
    )
    assert (task.priority, task.isolation, task.commit, task.after) == ("medium", "inplace", "no", ())


@pytest.mark.parametrize(
    ("written", "task_type", "agent"),
    [
        ("fix", "bug_fix", "bug_fix"),
        ("bug_fix", "bug_fix", "bug_fix"),
        ("summarize", "summarize", "analyze"),
        ("documentation", "documentation", "documentation"),
        ("Code_Review", "code_review", "code_review"),
    ],
)
def test_a_type_has_one_spelling_in_the_log(written: str, task_type: str, agent: str) -> None:
    task = read(f"---\ntype: {written}\n---\nx\n")
    assert (task.type, task.agent) == (task_type, agent)


@pytest.mark.parametrize(
    ("written", "agent"), [("fix", "bug_fix"), ("summarize", "analyze"), ("my-own", "my-own")]
)
def test_a_manual_agent_does_the_task(written: str, agent: str) -> None:
    assert keys(f"agent_type: {written}").agent == agent


@pytest.mark.parametrize(
    ("content", "code", "line", "reason"),
    [
        (b"", "empty", None, "The file is empty: there is nothing in it to read."),
        (b"\xef\xbb\xbf", "empty", None, "The file is empty: there is nothing in it to read."),
        (b"\xff\xfe", "empty", None, "The file is empty: there is nothing in it to read."),
        (b" \n\t\r\n", "empty", None, "The file is empty: there is nothing in it to read."),
        ("\u200b\u3164\n".encode(), "empty", None, "The file is empty: there is nothing in it to read."),
        (b"Fix\nit\0now", "not_text", 2, "Line 2: there is a NUL character; a task file is text."),
        ("Fix".encode("utf-16-le"), "not_text", 1, "Line 1: there is a NUL character; a task file is text."),
        (b"Fix\nit \xff", "not_text", 2, "Line 2: the byte 0xFF at offset 7 is not UTF-8."),
        (b"\xef\xbb\xbfFix\r\n\xc3", "not_text", 2, "Line 2: the byte 0xC3 at offset 8 is not UTF-8."),
        (b"\xff\xfeF\0i", "not_text", 1, "Line 1: the byte 0x69 at offset 4 is not UTF-16-LE."),
        (
            b"x" * (MAX_BYTES + 1),
            "too_large",
            None,
            "The file is larger than 1 MiB, the most that a task file may have.",
        ),
        (
            "---\ntype: fix\n# " + "x" * 65536 + "\n---\nx",
            "too_large",
            1,
            "Line 1: the front matter is larger than 64 KiB.",
        ),
    ],
    ids=lambda value: None if isinstance(value, bytes | str) and len(value) > 80 else repr(value),
)
def test_bytes_that_are_no_text_are_refused(
    content: bytes | str, code: str, line: int | None, reason: str
) -> None:
    problem = refused(content)
    assert (problem.code, problem.line, problem.reason) == (code, line, reason)


@pytest.mark.parametrize(
    ("mark", "encoding", "note"),
    [
        (b"", "utf-8", []),
        (b"\xef\xbb\xbf", "utf-8", []),
        (
            b"\xff\xfe",
            "utf-16-le",
            ["The file is UTF-16-LE; it was read all the same. Task files are UTF-8."],
        ),
        (
            b"\xfe\xff",
            "utf-16-be",
            ["The file is UTF-16-BE; it was read all the same. Task files are UTF-8."],
        ),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding_and_line_ends_do_not_matter(mark: bytes, encoding: str, note: list[str], end: str) -> None:
    plain = read(WHOLE)
    task = read_task(mark + WHOLE.replace("\n", end).encode(encoding), "x.task.md", trusted=True)
    assert task == plain.model_copy(update={"warnings": (*note, *plain.warnings)})


def test_a_file_of_exactly_one_mebibyte_in_one_line_works() -> None:
    head = "---\ntype: analyze\n---\n"
    task = read(head + "y" * (MAX_BYTES - len(head)))
    assert len(task.prompt) == MAX_BYTES - len(head)
    assert len(task.title) == 80


PIECES = st.sampled_from(
    [
        *("---\n", "type: fix\n", "id: a\n", "after: [a, b]\n", "cwd: x\n", "timeout_sec: 5\n", "# T\n", "x"),
        *(
            "**Prompt:**\n",
            "**Context:** ",
            "**Target Files:**\n",
            "**Success Criteria:**\n",
            "- [ ] $ `a`\n",
        ),
        *(
            "```\n",
            "- a\n",
            "\n",
            "\t",
            "&a ",
            "*a",
            "!!x ",
            "[",
            "{",
            "? ",
            ": ",
            "\x85",
            "\u2028",
            "\0",
            "\r",
        ),
    ]
)


@given(st.binary() | st.text().map(str.encode) | st.lists(PIECES).map("".join).map(str.encode))
@example(b"---\n---\n")
@example(b"\xff\xfe\x00\xd8")
@example("---\ntype: fix\n---\n\u2028".encode())
def test_bytes_are_a_task_or_unreadable_and_nothing_else(content: bytes) -> None:
    for trusted in (True, False):
        try:
            task = read_task(content, "x.task.md", trusted=trusted)
        except Unreadable as problem:
            assert problem.reason.endswith(".")
            assert problem.remedy.endswith(".")
            assert problem.reason.isprintable()
            if problem.line is not None:
                lines = re.split("\r\n|\r|\n", content.decode("utf-8", "replace"))
                assert 1 <= problem.line <= max(len(lines), 1) or content[:2] in (b"\xff\xfe", b"\xfe\xff")
        else:
            assert task.prompt.strip()
            assert task.title
            assert "\n" not in task.title


LINE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda text: not re.match(r"[`~$\[#*\\-]", text)
)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}x", fullmatch=True).filter(
    lambda text: problem_with_id(text) is None
)


@given(
    task_id=IDS,
    task_type=st.sampled_from(sorted(TYPES)),
    priority=st.sampled_from(CHOICES["priority"]),
    after=st.lists(IDS, max_size=5, unique_by=str.lower),
    timeout=st.integers(1, 86400),
    title=LINE,
    prompt=st.lists(LINE, min_size=1).map("\n".join),
    files=st.lists(LINE, max_size=5, unique=True),
    checks=st.lists(LINE.filter(lambda text: "`" not in text), max_size=5),
)
def test_what_is_written_is_what_is_read(
    task_id: str,
    task_type: str,
    priority: str,
    after: list[str],
    timeout: int,
    title: str,
    prompt: str,
    files: list[str],
    checks: list[str],
) -> None:
    waits = [one for one in after if one.lower() != task_id.lower()]
    text = (
        f"---\nid: {task_id}\ntype: {task_type}\npriority: {priority}\ntimeout_sec: {timeout}\n"
        f"after: [{', '.join(waits)}]\n---\n# {title} .\n\n**Prompt:**\n{prompt}\n\n"
        "**Target Files:**\n"
        + "".join(f"- {path}\n" for path in files)
        + "\n**Success Criteria:**\n"
        + "".join(f"- [ ] $ `{command}`\n" for command in checks)
    )
    task = read(text)
    assert task.id == task_id
    assert task.type == TYPES[task_type]
    assert (task.priority, task.timeout_sec, task.after) == (priority, timeout, tuple(waits))
    assert task.prompt == prompt
    assert task.title == (f"{title} ." if len(title) < 198 else task.title)
    assert task.target_files == tuple(files)
    assert [one.check for one in task.criteria] == checks


def test_the_error_is_one_class_wherever_it_is_imported_from() -> None:
    assert Unreadable is TheSameUnreadable
