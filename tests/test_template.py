"""The language of templates: values and conditions; whatever else jinja2 knows is refused with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from handlers.template import BadTemplate, Quoted, Value, Words, environment, names_in, render

VALUES: dict[str, Value] = {
    "task": Quoted("task"),
    "context": Quoted("context", there=False),
    "prompt": Quoted("prompt"),
    "tools": Words(("Read", "NotebookEdit")),
    "task_type": "analyze",
    "edits": False,
}
TASK, PROMPT = "\0task\0", "\0prompt\0"


def refused(source: str) -> BadTemplate:
    with pytest.raises(BadTemplate) as bad:
        render(source, VALUES)
    assert bad.value.sentence.startswith(("the template", "`"))
    assert bad.value.remedy
    return bad.value


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("Plain $x ${y} {z} %n {0.__class__}", "Plain $x ${y} {z} %n {0.__class__}"),
        ("{{ task }}", TASK),
        ("{{ context }}", ""),
        ("{{ context or prompt }}", PROMPT),
        ("{{ prompt if context else task }}", TASK),
        ("{% if context %}yes{% elif prompt and not context %}no{% else %}?{% endif %}", "no"),
        ("{{ tools }}; {{ task_type }}; {{ edits }}", "Read, NotebookEdit; analyze; no"),
        ('{% if "Edit" in tools %}yes{% else %}no{% endif %}', "no"),
        ('{{ task_type in ("analyze", "summarize") }}', "yes"),
        ('{{ task_type == "analyze" }}{{ task_type != "analyze" }}', "yesno"),
        ("{# a remark #}{% raw %}{{ 7*7 }}{% endraw %}", "{{ 7*7 }}"),
        ("one\n  {% if edits %}\nnever\n  {% endif %}\ntwo\n", "one\ntwo"),
    ],
)
def test_values_and_conditions_are_all_that_a_template_needs(source: str, rendered: str) -> None:
    assert render(source, VALUES) == rendered


@pytest.mark.parametrize(
    ("source", "spoken"),
    [
        ("{% for tool in tools %}x{% endfor %}", "loops"),
        ("{% for letter in prompt %}{{ letter }}{% endfor %}", "loops"),
        ("{{ prompt|upper }}", "filters"),
        ("{{ tools|join('') }}", "filters"),
        ("{% filter upper %}{{ prompt }}{% endfilter %}", "filters"),
        ("{{ prompt.__class__ }}", "attributes"),
        ("{{ prompt.name }}", "attributes"),
        ("{{ prompt['name'] }}", "parts of a value"),
        ("{{ tools[0:1] }}", "parts of a value"),
        ("{{ '%s'.format(prompt) }}", "calls"),
        ("{{ range(1000000000) }}", "calls"),
        ("{{ cycler }}", 'asks for "cycler"'),
        ("{{ self }}", 'asks for "self"'),
        ("{{ prompt ~ '' }}", "joined values"),
        ("{{ 7*7 }}", "arithmetic"),
        ("{{ 'x' * 10000000000 }}", "arithmetic"),
        ("{{ 2 ** 2 ** 2 ** 2 ** 2 ** 2 }}", "arithmetic"),
        ("{{ -1 }}", "arithmetic"),
        ("{% set x = prompt %}", "`set`"),
        ("{% set x %}{{ prompt }}{% endset %}", "`set`"),
        ("{% macro m() %}{{ prompt }}{% endmacro %}", "macros"),
        ("{% include 'task.md' %}", "other files"),
        ("{% import 'task.md' as x %}", "other files"),
        ("{% from 'task.md' import x %}", "other files"),
        ("{% extends 'task.md' %}", "other files"),
        ("{% block a %}{% endblock %}", "blocks"),
        ("{{ {'a': prompt} }}", "maps"),
        ("{% with x = prompt %}{% endwith %}", "`with`"),
        ("{% autoescape true %}{% endautoescape %}", "`autoescape`"),
        ("{{ prompt is defined }}", "tests by `is`"),
    ],
)
def test_what_could_take_a_text_apart_or_never_end_is_refused(source: str, spoken: str) -> None:
    assert spoken in refused(source).sentence


@pytest.mark.parametrize(
    "source",
    [
        "{{ prompt == 'x' }}",
        "{{ 'x' in prompt }}",
        "{{ prompt in tools }}",
        "{{ (prompt or 'a') == 'a' }}",
        "{{ (prompt,) }}",
        "{{ [prompt] }}",
        "{{ task_type in (prompt, 'a') }}",
        "{% if (not prompt) == edits %}{% endif %}",
    ],
)
def test_a_person_s_text_is_written_out_or_asked_for_and_no_more(source: str) -> None:
    assert refused(source).code in ("quoted_only", "template_forbids")


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' in edits }}",
        "{{ 3 in tools }}",
        "{{ 'a' < task_type }}",
        "{{ edits in tools }}",
        "{{ 'a' in 'b' }}",
    ],
)
def test_a_comparison_that_could_fail_later_is_refused_at_once(source: str) -> None:
    assert "compare" in refused(source).sentence


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("one\ntwo {{ promt }}", "unknown_variable", 2),
        ("{% if edits %}\n\n{% if promt %}{% endif %}{% endif %}", "unknown_variable", 3),
        ("one\n\n{{ task", "template_syntax", 3),
        ("one\n{% if task %}\n\n", "template_syntax", 2),
        ("{% no %}", "template_syntax", 1),
        ("one\n{{ " + "9" * 6000 + " }}", "template_syntax", 1),
        ("{{ " + "(" * 5000 + "task" + ")" * 5000 + " }}", "template_syntax", 1),
        ("{% if edits %}" * 3000 + "{% endif %}" * 3000, "template_syntax", 1),
        ("{{ " + "edits and " * 3000 + "edits }}", "template_syntax", 1),
        ("{{ " + "not " * 200 + "edits }}", "template_syntax", 1),
    ],
)
def test_a_fault_is_told_with_its_line(source: str, code: str, line: int) -> None:
    bad = refused(source)
    assert (bad.code, bad.line) == (code, line)
    assert "\n" not in bad.sentence


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% for tool in tools %}x", "`{% for %}` is never closed"),
        ("{% if edits %}x", "`{% if %}` is never closed"),
        ("{% loop %}", "Encountered unknown tag 'loop'"),
    ],
)
def test_what_cannot_be_read_is_told_shortly_with_all_that_is_allowed(source: str, problem: str) -> None:
    bad = refused(source)
    assert bad.sentence == f"the template cannot be read: {problem}."
    assert bad.remedy.startswith(
        "It may hold values such as {{ task }}, {% if %} … {% endif %} and remarks {# … #},"
    )


def test_conditions_one_after_the_other_may_be_many() -> None:
    source = "{% if edits %}x" + "{% elif edits %}x" * 2000 + "{% else %}end{% endif %}"
    try:
        assert render(source, VALUES) == "end"
    except BadTemplate as bad:  # how many an interpreter takes is its own affair, but it is said
        assert bad.code == "template_syntax"


def test_a_template_reads_no_file_and_knows_no_filter_of_ours() -> None:
    assert environment().loader is None
    assert not environment().extensions


@given(source=st.text(alphabet="{}%#|.[]()'\"+-*~ \nabetaskifndorw0123456789_", max_size=60))
def test_whatever_stands_in_a_template_it_is_filled_in_or_refused(source: str) -> None:
    try:
        rendered = render(source, VALUES)
    except BadTemplate as bad:
        assert 1 <= bad.line <= source.count("\n") + 1
    else:
        assert names_in(rendered) <= {"task", "prompt"}
        assert len(rendered) <= 40 * (len(source) + 1)


FRAGMENTS = (
    *("{{ task }}", "{{ prompt }}", "{% if task %}", "{% endif %}", "{% else %}", "{{ tools }}", "{% raw %}"),
    *("{% endraw %}", "{{", "}}", "{%", "%}", "{#", "#}", "|upper", ".x", "[0]", "~", "'", "\n", "in", "for"),
)


@given(pieces=st.lists(st.sampled_from(FRAGMENTS), max_size=12))
def test_whatever_pieces_make_a_template_it_is_filled_in_or_refused(pieces: list[str]) -> None:
    try:
        rendered = render("".join(pieces), VALUES)
    except BadTemplate as bad:
        assert bad.line >= 1
    else:
        assert names_in(rendered) <= {"task", "prompt"}


def test_a_template_is_made_ready_once_however_often_it_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted() -> Environment:
        made.append(1)
        return environment()

    monkeypatch.setattr("handlers.template.environment", counted)
    source = "{% if there %}Here: {{ word }}{% endif %} (filled in more than once)"
    told = {render(source, {"word": word, "there": bool(word)}) for word in ("one", "two", "", "one")}
    assert told == {"Here: one (filled in more than once)", "Here: two (filled in more than once)"} | {
        " (filled in more than once)"
    }
    assert len(made) == 2, "read once, and made ready once"
