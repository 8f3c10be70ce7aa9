"""The language of templates: jinja2 in its sandbox, of which only values and `if` are allowed.

A template never sees what people or models have written. It sees for each such text a mark that says
only whether there is one; the text takes the mark's place after the template has done its work. So
nothing that a template does can take a text apart, and nothing in a text is ever read as a template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from jinja2 import Environment, StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from schemas.shown import quoted, shortened, shown

KEPT: Final = 32
"""So many templates stay ready: making one takes longer than filling it in, and each task fills four."""

MAX_DEPTH: Final = 24
"""So deep conditions may stand in each other; Python itself gives up at some hundred."""
MARK: Final = re.compile("\0([a-z_]+)\0")
_UNCLOSED: Final = re.compile("innermost block that needs to be closed is '([a-z]+)'")
"""So jinja2 3 names it; in other words of a later one its own first sentence stands."""

_SPOKEN: Final[Mapping[type[nodes.Node], str]] = {
    nodes.For: "loops",
    nodes.Filter: "filters",
    nodes.FilterBlock: "filters",
    nodes.Call: "calls",
    nodes.CallBlock: "calls",
    nodes.Getattr: "attributes",
    nodes.Getitem: "parts of a value",
    nodes.Slice: "parts of a value",
    nodes.Assign: "`set`",
    nodes.AssignBlock: "`set`",
    nodes.Macro: "macros",
    nodes.Include: "other files",
    nodes.Import: "other files",
    nodes.FromImport: "other files",
    nodes.Extends: "other files",
    nodes.Block: "blocks",
    nodes.Concat: "joined values",
    nodes.Test: "tests by `is`",
    nodes.Dict: "maps",
    nodes.With: "`with`",
    nodes.Scope: "`autoescape`",
    nodes.BinExpr: "arithmetic",
    nodes.UnaryExpr: "arithmetic",
}
_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Name, nodes.Const),
    *(nodes.Tuple, nodes.List),
)
_PASSES_ON: Final = (
    *(nodes.Template, nodes.Output, nodes.If, nodes.CondExpr),
    *(nodes.And, nodes.Or, nodes.Not),
)


class BadTemplate(Exception):
    """`line` counts from 1 in the template."""

    def __init__(self, code: str, sentence: str, remedy: str, line: int) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.remedy = remedy
        self.line = line


@dataclass(frozen=True)
class Quoted:
    """Stands in a template for a text that others wrote. True where there is such a text."""

    name: str
    there: bool = True

    def __bool__(self) -> bool:
        return self.there

    def __str__(self) -> str:
        return f"\0{self.name}\0" if self.there else ""


class Words(tuple[str, ...]):
    """Words of our own: asked for one by one, written with commas."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(self)


Value = Quoted | Words | str | bool


def environment() -> Environment:
    """No loader, no extension, no autoescape: a prompt is plain text, and no HTML."""
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # what is not ours is fenced in, and a prompt is no page
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: ("yes" if value else "no") if isinstance(value, bool) else value,
    )


def render(source: str, values: Mapping[str, Value]) -> str:
    """The text with marks where the quoted texts belong. Raises BadTemplate."""
    _check(_parsed(source), values)
    try:
        return _compiled(source).render(values)
    except (TemplateError, SyntaxError, RecursionError, ValueError, TypeError) as trouble:
        raise _unreadable(str(trouble), 1) from None


def names_in(rendered: str) -> frozenset[str]:
    """The names of the quoted texts that a rendered template wants."""
    return frozenset(MARK.findall(rendered))


@lru_cache(maxsize=KEPT)
def _compiled(source: str) -> Template:
    """Raises TemplateError, SyntaxError, RecursionError, ValueError."""
    return environment().from_string(source)


@lru_cache(maxsize=KEPT)
def _parsed(source: str) -> nodes.Template:
    """Looked at and never changed: one tree serves all who ask. Raises BadTemplate."""
    try:
        return environment().parse(source)
    except TemplateSyntaxError as trouble:
        said = str(trouble.message or "it cannot be read")
        unclosed = _UNCLOSED.search(said)
        # Behind its first sentence jinja2 lists the tags that it knows: most of them are not allowed here.
        problem = f"`{{% {unclosed[1]} %}}` is never closed" if unclosed else said.partition(". ")[0]
        raise _unreadable(problem, trouble.lineno) from None
    except RecursionError:
        raise _unreadable("its brackets or conditions stand too deep in each other", 1) from None
    except ValueError:  # Python reads no number of thousands of digits
        raise _unreadable("a number in it is too long", 1) from None


def _unreadable(problem: str, line: int) -> BadTemplate:
    said = shortened(shown(" ".join(problem.split())), 160).rstrip(".")
    return BadTemplate(
        "template_syntax",
        f"the template cannot be read: {said}.",
        "It may hold values such as {{ task }}, {% if %} … {% endif %} and remarks {# … #}, no more; signs "
        "such as `{{` that are meant as they stand go between {% raw %} and {% endraw %}.",
        line,
    )


def _check(template: nodes.Template, values: Mapping[str, Value]) -> None:
    """Every node is one that is allowed, in its place. Raises BadTemplate for the first that is not."""
    pending: list[tuple[nodes.Node, int, bool]] = [(template, 0, True)]
    while pending:
        node, depth, alone = pending.pop()
        if depth > MAX_DEPTH:
            raise _unreadable("its conditions stand too deep in each other", node.lineno)
        if not isinstance(node, _ALLOWED):
            raise _forbidden(node)
        if isinstance(node, nodes.Name):
            _check_name(node, values, alone=alone)
        if isinstance(node, nodes.Compare):
            _check_comparison(node, values)
        # Only what is written out, or asked whether it is there, is not looked into.
        alone = alone and isinstance(node, _PASSES_ON)
        pending.extend((child, depth + 1, alone) for child in reversed([*node.iter_child_nodes()]))


def _check_name(node: nodes.Name, values: Mapping[str, Value], *, alone: bool) -> None:
    if node.name not in values:
        raise BadTemplate(
            "unknown_variable",
            f"the template asks for {quoted(node.name)}, which is not there.",
            f"There are {', '.join(sorted(values))}.",
            node.lineno,
        )
    if isinstance(values[node.name], Quoted) and not alone:
        raise BadTemplate(
            "quoted_only",
            f"`{node.name}` is what somebody else wrote; a template may write it out whole and do no more.",
            f"Write {{{{ {node.name} }}}}, or ask {{% if {node.name} %}}.",
            node.lineno,
        )


def _check_comparison(node: nodes.Compare, values: Mapping[str, Value]) -> None:
    """`==` and `!=` of what is ours, `in` of a word and a list: none of them can fail later."""
    first = node.expr
    for operand in node.ops:
        simple = operand.op in ("eq", "ne")
        listed = operand.op in ("in", "notin") and _is_text(first, values) and _is_list(operand.expr, values)
        if not (simple or listed):
            raise BadTemplate(
                "template_forbids",
                "the template compares what cannot be compared.",
                'Compare by `==` and `!=`, or ask whether a word stands in a list: {% if "Bash" in tools %}.',
                node.lineno,
            )
        first = operand.expr


def _is_text(node: nodes.Node, values: Mapping[str, Value]) -> bool:
    value = values.get(node.name) if isinstance(node, nodes.Name) else getattr(node, "value", None)
    return isinstance(value, str) and isinstance(node, nodes.Name | nodes.Const)


def _is_list(node: nodes.Node, values: Mapping[str, Value]) -> bool:
    named = isinstance(node, nodes.Name) and isinstance(values.get(node.name), Words)
    return named or isinstance(node, nodes.Tuple | nodes.List)


def _forbidden(node: nodes.Node) -> BadTemplate:
    spoken = next((said for kind, said in _SPOKEN.items() if isinstance(node, kind)), type(node).__name__)
    return BadTemplate(
        "template_forbids",
        f"the template uses {spoken}; it may hold values such as {{{{ task }}}} and {{% if %}}, no more.",
        "Write it out in plain words.",
        node.lineno,
    )
