"""Each key of the front matter: what it may be, and the sentence for what it may not."""

import pytest

from schemas.task_file import TaskFile, Unreadable, read_task


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


def refused_keys(front: str) -> Unreadable:
    return refused(f"---\ntype: analyze\n{front}\n---\nLook.\n")


@pytest.mark.parametrize("front", ["", "# only a comment\n", "\n\n"])
def test_empty_front_matter_is_refused_for_its_missing_type(front: str) -> None:
    problem = refused(f"---\n{front}---\nx\n")
    assert problem.reason == "The front matter, from line 1, has no `type`."
    assert problem.remedy == (
        "Add a line such as `type: analyze`; it may be "
        "analyze, summarize, code_review, documentation, fix or bug_fix."
    )


def test_a_misspelled_type_is_named() -> None:
    problem = refused("---\npriority: low\nTpye: fix\n---\nx\n")
    assert problem.reason == 'The front matter, from line 1, has no `type` (is "Tpye" meant?).'
    assert problem.line == 3


def test_a_type_that_we_do_not_know_is_refused_with_those_that_we_do() -> None:
    problem = refused("---\ntype: deploy\n---\nx\n")
    assert (problem.code, problem.line) == ("bad_value", 2)
    assert problem.reason == (
        'Line 2: `type` is "deploy"; it may be '
        "analyze, summarize, code_review, documentation, fix or bug_fix."
    )


RANGE = "it must be a number of seconds from 1 to 86400."
TIME = "it must be a date and a time between 1970 and 9999."


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        ("priority: no", '`priority` is "no"; it may be high, medium or low.'),
        ("priority: 12:30:00", '`priority` is "12:30:00"; it may be high, medium or low.'),
        ("priority: [high]", "`priority` is a list; it must be one word or one line."),
        ("priority: {a: b}", "`priority` is a map; it must be one word or one line."),
        ("priority:", "`priority` has no value."),
        ("isolation: docker", '`isolation` is "docker"; it may be inplace or worktree.'),
        ("commit: yes", '`commit` is "yes"; it may be no, branch, push or pr.'),
        ("timeout_sec: .inf", f'`timeout_sec` is ".inf"; {RANGE}'),
        ("timeout_sec: .nan", f'`timeout_sec` is ".nan"; {RANGE}'),
        ("timeout_sec: -1", f'`timeout_sec` is "-1"; {RANGE}'),
        ("timeout_sec: 0", f'`timeout_sec` is "0"; {RANGE}'),
        ("timeout_sec: 1e999", f'`timeout_sec` is "1e999"; {RANGE}'),
        ("timeout_sec: 86401", f'`timeout_sec` is "86401"; {RANGE}'),
        ("timeout_sec: ٣", f'`timeout_sec` is "٣"; {RANGE}'),
        ("timeout_sec: " + "9" * 5000, f'`timeout_sec` is "{"9" * 59}…"; {RANGE}'),
        (
            "max_turns: " + "9" * 5000,
            f'`max_turns` is "{"9" * 59}…"; it must be a whole number from 1 to 10000.',
        ),
        ("max_turns: 1.5", '`max_turns` is "1.5"; it must be a whole number from 1 to 10000.'),
        ("max_turns: 0", '`max_turns` is "0"; it must be a whole number from 1 to 10000.'),
        ("max_budget_usd: 0", '`max_budget_usd` is "0"; it must be dollars from 0.01 to 10000.'),
        ("max_budget_usd: .nan", '`max_budget_usd` is ".nan"; it must be dollars from 0.01 to 10000.'),
        ("cwd: ''", "`cwd` has no value."),
        ("cwd: [a, b]", "`cwd` is a list; it must be one word or one line."),
        (
            "agent_type: ../../etc/passwd",
            (
                '`agent_type` is "../../etc/passwd"; it must be a name of 1 to 64 letters, digits, '
                "dots, dashes and underscores."
            ),
        ),
        ("not_before: tomorrow", f'`not_before` is "tomorrow"; {TIME}'),
        ("not_before: 2026-01-31", f'`not_before` is "2026-01-31"; {TIME}'),
        ("not_before: 2026-02-31T09:00:00Z", f'`not_before` is "2026-02-31T09:00:00Z"; {TIME}'),
        ("not_before: 1969-12-31T23:59:59Z", f'`not_before` is "1969-12-31T23:59:59Z"; {TIME}'),
        ("not_before: 0001-01-01T00:00:00+14:00", f'`not_before` is "0001-01-01T00:00:00+14:00"; {TIME}'),
        ("not_before: 9999-12-31T23:59:59-23:59", f'`not_before` is "9999-12-31T23:59:59-23:59"; {TIME}'),
        ("after: {a: b}", "`after` is a map; it must be the ids of other tasks."),
        ("after: [[a]]", "`after` is a list; it must be the ids of other tasks."),
        (
            f"after: [{', '.join(f't{n}' for n in range(65))}]",
            "`after` names 65 tasks; 64 are allowed.",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(front: str, reason: str) -> None:
    problem = refused_keys(front)
    assert (problem.code, problem.line, problem.reason) == ("bad_value", 3, f"Line 3: {reason}")


FORM = (
    "is no id: an id has 1 to 64 letters, digits, dots, dashes and underscores of ASCII, "
    "and begins with a letter or a digit."
)


@pytest.mark.parametrize(
    ("task_id", "reason"),
    [
        ("../../x", f'Line 3: "../../x" {FORM}'),
        ("a/b", f'Line 3: "a/b" {FORM}'),
        ("a" * 300, f'Line 3: "{"a" * 59}…" {FORM}'),
        ("🚀", f'Line 3: "🚀" {FORM}'),
        ('"a\\u202eb"', f'Line 3: "a\\u202eb" {FORM}'),
        ('"a\\n"', f'Line 3: "a\\n" {FORM}'),
        ('"trailing "', f'Line 3: "trailing " {FORM}'),
        ("CON", 'Line 3: "CON" is no id: the name is reserved.'),
        ("nul.txt", 'Line 3: "nul.txt" is no id: the name is reserved.'),
        ("Index", 'Line 3: "Index" is no id: the name is reserved.'),
        ("dot.", 'Line 3: "dot." is no id: it ends with a dot, which Windows drops.'),
    ],
)
def test_an_id_that_no_file_may_bear_is_refused(task_id: str, reason: str) -> None:
    problem = refused_keys(f"id: {task_id}")
    assert (problem.code, problem.reason) == ("bad_id", reason)
    assert refused_keys(f"after: [{task_id}]").reason == reason


def test_what_a_task_waits_for_is_a_list_or_words_with_commas() -> None:
    assert keys("after: a, b,A").after == ("A", "b")
    assert keys("after: [a, b]").after == ("a", "b")
    assert keys("after: []").after == ()


def test_a_task_may_not_wait_for_itself() -> None:
    assert refused_keys("id: One\nafter: [two, one]").reason == 'Line 4: the task "one" waits for itself.'


def test_a_task_that_waits_for_its_own_file_name_is_warned() -> None:
    task = read("---\ntype: fix\nafter: nightly\n---\nx", file_name="Nightly.task.md")
    assert task.warnings == (
        '`after` names "nightly", this file\'s own name: it waits for an earlier task of that name.',
    )


def test_a_time_without_a_zone_is_utc_and_said() -> None:
    task = keys("not_before: 2026-01-31 09:00")
    assert task.not_before == keys("not_before: 2026-01-31t09:00:00z").not_before == 1_769_850_000_000_000
    assert task.warnings == (
        "Line 3: `not_before` names no time zone; it is taken as UTC. Write a Z at its end.",
    )


def test_a_created_that_is_no_time_is_kept_and_said() -> None:
    task = keys("created: last week")
    assert task.created == "last week"
    assert task.warnings == ('Line 3: `created` is "last week", which is no time; it is kept as it is.',)


@pytest.mark.parametrize(
    "key",
    [
        *("allowed_tools", "allowed-tools", "allowedTools", "ALLOWED_TOOLS"),
        *("env", "Env", "permission_mode", "permissionMode", "executable", "settings"),
    ],
)
def test_what_an_agent_may_do_is_not_a_tasks_to_say(key: str) -> None:
    problem = refused_keys(f"{key}: [Bash(*)]")
    assert (problem.code, problem.line) == ("forbidden_key", 3)
    assert (
        problem.reason == f'Line 3: a task file may not set "{key}"; what an agent may do is not its to say.'
    )


def test_unknown_keys_are_kept_and_said_once() -> None:
    task = keys("prioritty: high\nteam: [a, b]\ncolour: red")
    assert task.metadata == {"prioritty": "high", "team": ["a", "b"], "colour": "red"}
    assert task.warnings == (
        (
            "Unknown keys are kept as metadata and change nothing: "
            "prioritty (is `priority` meant?), team, colour."
        ),
    )


def test_a_hundred_unknown_keys_make_one_short_sentence() -> None:
    task = keys("\n".join(f"zz{n}: 1" for n in range(100)))
    assert len(task.metadata) == 100
    assert task.warnings == (
        "Unknown keys are kept as metadata and change nothing: zz0, zz1, zz2, zz3, zz4 and 95 more.",
    )


def test_a_hostile_value_is_harmless_in_the_sentence() -> None:
    assert refused_keys('priority: "\\e]0;x\\a\\u202e\\nhigh"').reason == (
        'Line 3: `priority` is "\\x1b]0;x\\x07\\u202e\\nhigh"; it may be high, medium or low.'
    )
