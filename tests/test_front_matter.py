"""Front matter is strings, lists and maps of strings; whatever else YAML can do is refused."""

import pytest
import yaml

from schemas.front_matter import LOADER, entries
from schemas.task_file import Unreadable, read_task


def refused(content: bytes | str) -> Unreadable:
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(Unreadable) as caught:
        read_task(raw, "x.task.md", trusted=True)
    assert caught.value.remedy
    return caught.value


BOMB = "a: &a [lol]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]"


@pytest.mark.parametrize("loader", [LOADER, yaml.BaseLoader], ids=["c", "python"])
@pytest.mark.parametrize(
    ("front", "code", "line", "reason"),
    [
        (
            BOMB,
            "yaml_alias",
            2,
            "Line 2: YAML aliases and anchors (`*name`, `&name`) are not allowed in a task file.",
        ),
        (
            "cwd: *x",
            "yaml_alias",
            2,
            "Line 2: YAML aliases and anchors (`*name`, `&name`) are not allowed in a task file.",
        ),
        ("x: " + "[" * 3000, "too_deep", 2, "Line 2: the front matter is nested deeper than 20 levels."),
        (
            "x: !!python/object/apply:os.system [id]",
            "yaml_tag",
            2,
            (
                'Line 2: the YAML tag "tag:yaml.org,2002:python/object/apply:os.system" '
                "is not allowed in a task file."
            ),
        ),
        (
            "x: !!int 3",
            "yaml_tag",
            2,
            'Line 2: the YAML tag "tag:yaml.org,2002:int" is not allowed in a task file.',
        ),
        ("a: 1\nb: 2\na: 3", "duplicate_key", 4, 'Line 4: the key "a" is written twice.'),
        ("a: {b: 1,\n b: 2}", "duplicate_key", 3, 'Line 3: the key "b" is written twice.'),
        ("? [a]\n: b", "bad_yaml", 2, "Line 2: a key is a list or a map."),
        ('a: "\\0"', "bad_yaml", 2, "Line 2: an escape stands for a character that no text can hold."),
        (
            "a: 1\nb: \x1b[31m",
            "bad_yaml",
            3,
            "Line 3: the front matter holds \\x1b, a character that YAML forbids.",
        ),
        ("- a\n- b", "bad_yaml", 2, "Line 2: the front matter is not made of `key: value` lines."),
        ("only words", "bad_yaml", 2, "Line 2: the front matter is not made of `key: value` lines."),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_yaml_beyond_lists_and_maps_of_strings_is_refused(
    front: str, code: str, line: int, reason: str, loader: type[yaml.BaseLoader]
) -> None:
    with pytest.raises(Unreadable) as caught:
        entries(front, 2, loader)
    assert (caught.value.code, caught.value.line, caught.value.reason) == (code, line, reason)


@pytest.mark.parametrize("loader", [LOADER, yaml.BaseLoader], ids=["c", "python"])
@pytest.mark.parametrize(
    ("front", "lines"),
    [
        ("a: b: c", {2}),
        ("x: 1\ny:\n\tz: 1", {4}),
        ('x: "open', {2}),
        ("x: 1\ny: [1", {3}),
        ("x: 1\n...\ny: 2", {4}),
        ('x: "\\uD800"', {2}),
        ("%YAML 1.1\nx: 1", {3}),
    ],
)
def test_broken_yaml_is_refused_with_its_line(
    front: str, lines: set[int], loader: type[yaml.BaseLoader]
) -> None:
    with pytest.raises(Unreadable) as caught:
        entries(front, 2, loader)
    assert caught.value.code == "bad_yaml"
    assert caught.value.line in lines
    assert caught.value.reason.startswith(f"Line {caught.value.line}: ")


@pytest.mark.parametrize("loader", [LOADER, yaml.BaseLoader], ids=["c", "python"])
def test_every_value_is_the_string_that_was_written(loader: type[yaml.BaseLoader]) -> None:
    found = entries("id: 0123\non: yes\nx: 12:30:00\ny: ~\nz: [no, {k: 1.0}]\n'': e", 2, loader)
    assert {key: entry.value for key, entry in found.items()} == {
        "id": "0123",
        "on": "yes",
        "x": "12:30:00",
        "y": "~",
        "z": ["no", {"k": "1.0"}],
        "": "e",
    }
    assert [entry.line for entry in found.values()] == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("text", "line"), [("---\ntype: fix\n\nMend it.\n", 1), ("\n\n---\nA rule, then text.\n", 3), ("---", 1)]
)
def test_front_matter_that_is_not_closed_is_refused(text: str, line: int) -> None:
    problem = refused(text)
    assert (problem.code, problem.line) == ("unclosed", line)
    assert problem.reason == (
        f'Line {line}: the front matter that begins here is never closed by a second line "---".'
    )
