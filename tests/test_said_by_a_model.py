"""Whatever a model says is refused, or stays within what the person wrote and the task may do."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.agents import built_in
from handlers.mediating import commit_message, shape, summary
from handlers.mediating.parse import ParsedWish, believed, may_become, named_folder
from handlers.mediating.reply import Answer, Unusable, read_reply
from handlers.tools import edits, offered
from schemas.free_text import read_wish
from schemas.task_fields import agent_for
from tests.fake_model import MESSAGE, PARSED, SHAPED, SHORT

KINDS = ("analyze", "summarize", "code_review", "documentation", "bug_fix")
NAMED = ("src/login.py", "/srv/team/shop", "/srv/other", "../secret", "/etc/passwd", "C:\\work\\shop")
INVENTED = ("src/invented.py", "login.py", "/srv", "/srv/team", "..", "~", ".", "/")
WISHES = (
    f"explain what lies in the folder /srv/team/shop and in /srv/other. See {', '.join(NAMED)} ...",
    f"Look at the login: {', '.join(NAMED)}",
    f"fix the login in {NAMED[0]} and /srv/other, as /etc/passwd and ../secret have it",
)
Kind = Callable[[int], st.SearchStrategy[dict[str, Any]]]
FORGED = ("Signed-off-by: Somebody <a@b>", "Evt-Tree-Head: 7", "# a comment", "Task-Id: other")


def of_lines(longest: int, most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(lines(longest), max_size=most)


def lines(longest: int) -> st.SearchStrategy[str]:
    return st.text(max_size=30) | st.sampled_from([*FORGED, "login", "a\x1b[31m b\u202e", "x" * longest])


def parsed(over: int) -> st.SearchStrategy[dict[str, Any]]:
    """A wish as it may be read, which oversteps each bound by at most `over`; so do the others below."""
    kinds = st.sampled_from([*KINDS, *["deploy"] * over])
    paths = st.sampled_from([*NAMED, *NAMED, *INVENTED, "", "x" * (200 + over)])
    other = st.fixed_dictionaries({"type": kinds, "title": lines(120 + over)})
    return st.fixed_dictionaries(
        {
            "type": kinds,
            "title": lines(120 + over),
            "target_files": st.lists(paths, max_size=8 + over),
            "cwd": paths,
            "ambiguous": st.booleans(),
            "alternatives": st.lists(other, max_size=3 + over),
        },
        # What nobody has asked a model for.
        optional={"tools": st.just(["Bash"]), "agent_type": st.just("bug_fix")},
    )


def shaped(over: int) -> st.SearchStrategy[dict[str, Any]]:
    steps, ends = of_lines(240 + over, 8 + over), of_lines(240 + over, 5 + over)
    return st.fixed_dictionaries({"goal": lines(400 + over), "steps": steps, "done_when": ends})


def short(over: int) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"summary": lines(600 + over)})


def message(over: int) -> st.SearchStrategy[dict[str, Any]]:
    kinds = st.sampled_from(["feat", "fix", "refactor", "docs", "test", "chore", *["hack"] * over])
    body = of_lines(100 + over, 10 + over)
    return st.fixed_dictionaries({"kind": kinds, "subject": lines(100 + over), "body": body})


def json_of(value: object) -> str:
    return orjson.dumps(value).decode()


def within(kind: Kind) -> st.SearchStrategy[str]:
    """An answer that keeps to all bounds, as a model may write it: it has to be taken."""
    around = st.sampled_from(["{}", "```json\n{}\n```", "Sure! {} I hope that helps.", "[{}", "{} {}"])
    return st.builds(lambda value, said: said.replace("{}", json_of(value)), kind(0), around)


def anything(kind: Kind) -> st.SearchStrategy[str]:
    """An answer that may overstep a bound, one that was cut off, or no answer at all."""
    bare = st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("utf-8", "replace"))
    whole = kind(1).map(json_of)
    return whole | whole | whole.map(lambda text: text[:-9]) | bare


def taken(text: str, wanted: type[Answer]) -> Answer | None:
    """The answer, None where it was refused."""
    try:
        return read_reply(text, wanted)
    except Unusable as unusable:
        assert unusable.code in ("empty", "not_json", "off_schema")
        return None


def both(
    kind: Kind,
    wanted: type[Answer],
    look: Callable[[Answer, str], None],
    examples: Sequence[Mapping[str, Any]],
    beyond: Mapping[str, Any],
) -> None:
    """Look at each answer that is taken: at all that keep to the bounds, and at whatever else is.

    The first of the examples with a value of `beyond` in it is refused.
    """
    for name, value in beyond.items():
        assert taken(json_of({**examples[0], name: value}), wanted) is None, name

    @given(within(kind), anything(kind), st.sampled_from(WISHES))
    def each(sound: str, odd: str, prompt: str) -> None:
        answer = taken(sound, wanted)
        assert answer is not None, "an answer within its bounds is taken"
        look(answer, prompt)
        other = taken(odd, wanted)
        if other is not None:
            look(other, prompt)

    for value, prompt in product(examples, WISHES):
        each = example(json_of(value), "", prompt)(each)
    each()


def test_no_wish_as_a_model_reads_it_does_more_than_the_person_has_said() -> None:
    met = Counter[str]()

    def look(wish: ParsedWish, prompt: str) -> None:
        assert wish.type in KINDS
        assert len(wish.target_files) <= 8 and len(wish.alternatives) <= 3
        assert max(map(len, (wish.title, *(other.title for other in wish.alternatives)))) <= 120
        assert max(map(len, (wish.cwd, *wish.target_files))) <= 200
        rules = read_wish(prompt, [])
        spec = {"title": rules.title, "task_type": rules.type, "prompt": prompt}
        agent = built_in(agent_for(rules.type))
        narrower = [kind for kind in KINDS if may_become(agent, rules.type, built_in(agent_for(kind)), kind)]
        # Nothing is decided: as much is believed as ever may be.
        said = dict.fromkeys(("type", "cwd", "title", "target_files"), "default")
        folder = named_folder(wish, spec)
        reading, _ = believed(wish, {**spec, "decided": said}, folder, narrower)
        kind = reading.task_type or rules.type
        assert set(offered(kind)) <= set(offered(rules.type))
        assert set(reading.target_files or ()) <= {"src/login.py"}, "the one that is named and lies inside"
        assert reading.cwd is None or not edits(rules.type), "where a task edits, no model says"
        assert reading.cwd in (None, "/srv/team/shop", "/srv/other", "/etc/passwd", "C:\\work\\shop")
        met.update(type=reading.task_type is not None, file=bool(reading.target_files), cwd=bool(reading.cwd))

    narrowed = {**PARSED, "type": "summarize", "target_files": ["src/login.py"], "cwd": "/srv/other"}
    invented = {**PARSED, "target_files": [*INVENTED], "cwd": "/srv"}
    long = {
        "type": "deploy",
        "title": "x" * 121,
        "target_files": ["x"] * 9,
        "cwd": "x" * 201,
        "ambiguous": "no",
        "alternatives": [{"type": "analyze", "title": "x"}] * 4,
    }
    both(parsed, ParsedWish, look, [narrowed, invented], long)
    assert met["type"] and met["file"] and met["cwd"], "of each right there was one to be taken"


def test_no_wish_as_a_model_shapes_it_is_longer_than_it_may_be() -> None:
    def look(wish: shape.ShapedWish, prompt: str) -> None:
        assert len(wish.goal) <= 400 and len(wish.steps) <= 8 and len(wish.done_when) <= 5
        assert max(map(len, ("", *wish.steps, *wish.done_when))) <= 240

    long = {"goal": "x" * 401, "steps": ["x"] * 9, "done_when": ["x"] * 6}
    both(shaped, shape.ShapedWish, look, [SHAPED], long)
    for name in ("steps", "done_when"):
        assert taken(json_of({**SHAPED, name: ["x" * 241]}), shape.ShapedWish) is None


def test_no_summary_of_a_model_is_longer_than_600_or_moves_a_terminal() -> None:
    def look(answer: summary.ShortResult, prompt: str) -> None:
        assert len(answer.summary) <= 600
        try:
            told = summary.summary_text(answer)
        except Unusable as unusable:
            assert unusable.code == "empty"
        else:
            assert told and not re.search(r"[\x00-\x1f\x7f\u202e]", told)

    examples = [SHORT, {"summary": "a\x1b[31m b\u202e"}]
    both(short, summary.ShortResult, look, examples, {"summary": "x" * 601})


def test_no_message_of_a_model_bears_a_trailer_or_a_comment() -> None:
    met = Counter[str]()

    def look(written: commit_message.WrittenMessage, prompt: str) -> None:
        assert written.kind in ("feat", "fix", "refactor", "docs", "test", "chore")
        assert len(written.subject) <= 100 and len(written.body) <= 10
        assert max(map(len, ("", *written.body))) <= 100
        try:
            told, _ = commit_message.message_text(written)
        except Unusable as unusable:
            assert unusable.code == "empty"
            return
        first, *rest = told.split("\n")
        assert len(first) <= 72
        assert not [line for line in rest if line.strip() in FORGED or line.lstrip().startswith("#")]
        met["forged"] += any(line in FORGED for line in written.body)

    long = {"kind": "hack", "subject": "x" * 101, "body": ["x"] * 11}
    both(message, commit_message.WrittenMessage, look, [{**MESSAGE, "body": [*FORGED, "why"]}], long)
    assert met["forged"]
