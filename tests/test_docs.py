"""The documents say what the program does: commands, settings, events, links, examples, real output."""

import contextlib
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import orjson
import pytest

from adapters.cli.main import call
from adapters.cli.table import VERBS
from adapters.config.table import BY_NAME, CLAUDES_OWN, PREFIXES
from handlers import ending
from handlers.tools import BY_TYPE
from schemas.attempt import ErrorClass
from schemas.registry import FACTS
from schemas.task_fields import CHOICES, FORBIDDEN, KEYS, TYPES
from schemas.task_file import Unreadable, read_task
from tools import picture, reference_cli, reference_words, tidy, write_reference

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
}
ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="the commands are for a POSIX shell")
FENCE = re.compile(
    r"(?P<above>(?:^<!--[^\n]*-->\n)*)^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


# what is made from code


def test_the_made_pages_are_those_of_the_code() -> None:
    assert write_reference.differences(ROOT, write_reference.wanted(ROOT)) == []


def test_a_planted_change_of_a_made_page_is_seen(tmp_path: Path) -> None:
    files = {"docs/reference/cli.md": "made\n", ".env.example": "made\n", "docs/gone.md": "made\n"}
    write_reference.write(tmp_path, files)
    assert write_reference.differences(tmp_path, files) == []
    (tmp_path / "docs" / "reference" / "cli.md").write_text("by hand\n", encoding="utf-8")
    (tmp_path / "docs" / "gone.md").unlink()
    assert write_reference.differences(tmp_path, files) == ["docs/gone.md", "docs/reference/cli.md"]


def test_a_planted_change_of_a_made_table_is_undone() -> None:
    page = "before\n<!-- made: tools -->\n| by hand |\n<!-- end of made -->\nafter\n"
    table = write_reference.tools_table()
    assert write_reference.filled(page) == (
        f"before\n<!-- made: tools -->\n{table}<!-- end of made -->\nafter\n"
    )
    assert all(f"| `{kind}` |" in table for kind in BY_TYPE)


def test_every_exit_code_has_a_meaning() -> None:
    assert reference_cli.MEANINGS.keys() == reference_cli.exit_constants().keys()


def test_types_said_to_be_unwritten_are_those_that_nothing_appends() -> None:
    rules = [path for path in sources() if path.parent.name in {"handlers", "adapters"}]
    code = "".join(path.read_text(encoding="utf-8") for path in rules)
    unused = {name for name, fact in FACTS.items() if not re.search(rf"\b{fact.__name__}\b", code)}
    assert unused == reference_words.UNWRITTEN


def test_the_outcome_table_has_every_reason_that_the_rule_gives() -> None:
    rule = (ROOT / "handlers" / "outcome.py").read_text(encoding="utf-8")
    table = write_reference.outcome_table()
    found = set(re.findall(r'"([a-z_]+)",\s+"([a-z_]+)",\s', rule))
    pairs = {pair for pair in found if pair[0] in get_args(ErrorClass)}
    assert len(pairs) >= 10
    missing = {pair for pair in pairs if f"`{pair[0]}` | `{pair[1]}`" not in table}
    assert missing == set()


def test_the_keys_of_a_task_file_are_all_told() -> None:
    page = DOCUMENTS["docs/how-to/write-a-task-file.md"]
    words = {*KEYS, *TYPES, *CHOICES["priority"]}
    assert {word for word in words if f"`{word}`" not in page} == set()


# commands


@pytest.mark.parametrize("verb", VERBS)
def test_the_documented_arguments_are_those_of_the_verb(verb: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
        call([verb, "--help"], {})
    real = set(re.findall(r"^\s+(-[-\w]+)|, (--[-\w]+)", said.getvalue(), re.MULTILINE))
    ours = {name for action in reference_cli.parser_of(verb)._actions for name in action.option_strings}
    assert {name for pair in real for name in pair if name} == ours


COMMAND = re.compile(r"(?:\$ |ExecStart=)?(?:[A-Z_]+=\S+ )*(?:[\w%./\\-]*[/\\])?evt(?:\.exe)? +(.*)")


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """(comments above, kind, body) of every fence."""
    for found in FENCE.finditer(text):
        yield found["above"], found["kind"], found["body"]


def commands(text: str) -> Iterator[list[str]]:
    """The words after `evt` of every command line in a fence or in backticks."""
    lines = [line for _, _, body in blocks(text) for line in body.splitlines()]
    inline = re.findall(r"`(evt [^`\n]+)`", FENCE.sub("", text))
    for line in [*lines, *inline]:
        found = COMMAND.match(line)
        if found:
            words = shlex.split(found[1].replace("\\", "/"), comments=True)
            ends = [index for index, word in enumerate(words) if word in {"|", ">", "&&", ";"}]
            yield words[: min(ends, default=len(words))]


def wrong_commands(text: str) -> list[str]:
    wrong: list[str] = []
    for words in commands(text):
        verb = words[0] if words else ""
        if verb in {"VERB", "--help", "…"}:
            continue
        if verb not in VERBS:
            wrong.append(f"no verb: {' '.join(words)}")
            continue
        given = [{"S": "1", "N": "1"}.get(word, word) for word in words[1:] if word not in {"…", "--help"}]
        parser = reference_cli.parser_of(verb)
        needs = [one for one in parser._actions if not one.option_strings and one.nargs in (None, "+")]
        if not any(not word.startswith("-") for word in given):
            # a verb that is only named, such as `evt show`
            given += [str(next(iter(one.choices))) if one.choices else "x" for one in needs]
        try:
            parser.parse_args(given)
        except reference_cli.Unparsable as problem:
            wrong.append(str(problem))
    return wrong


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_parses(name: str) -> None:
    assert wrong_commands(DOCUMENTS[name]) == []


def test_the_commands_are_found() -> None:
    assert len(list(commands(DOCUMENTS["README.md"]))) > 10


@pytest.mark.parametrize(
    "planted",
    [
        "```sh\nevt runn --drain\n```\n",
        "```sh\n.venv/bin/evt run --drainn\n```\n",
        "```console\n$ evt tail --task\n```\n",
        "```ini\n[Service]\nExecStart=%h/.local/bin/evt run --loud\n```\n",
        "```powershell\n.venv\\Scripts\\evt.exe rum\n```\n",
        "Type `evt doctor`.\n",
        "Type `evt list --state failed`.\n",
    ],
)
def test_a_planted_command_is_refused(planted: str) -> None:
    assert len(wrong_commands(planted)) == 1


# names


SETTING = re.compile(r"\b(?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+\b")


def wrong_settings(text: str) -> set[str]:
    """Names that begin like ours and are no setting, outside rows that say `not yet`."""
    lines = [line for line in text.splitlines() if "not yet" not in line and not line.startswith("- never,")]
    named = {name for line in lines for name in SETTING.findall(line)}
    ours = {name for name in named if name.startswith((*PREFIXES, "I_UNDER", "GUARDED", "AGENTS"))}
    return {name for name in ours if name not in BY_NAME and not name.startswith(CLAUDES_OWN)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_setting_exists(name: str) -> None:
    assert wrong_settings(DOCUMENTS[name]) == set()


def test_a_planted_setting_is_seen() -> None:
    assert wrong_settings("`CLAUDE_TIMEOUT`, `MAX_QUEUE`\n") == {"CLAUDE_TIMEOUT", "MAX_QUEUE"}
    assert wrong_settings("| `MAX_QUEUE_SIZE` | not yet |\n`CLAUDE_TIMEOUT_SEC`\n") == set()


def test_every_setting_is_in_the_example_with_its_default() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in example if re.match(r"#?\w+=", line)] == [
        f"#{name}={setting.default}" for name, setting in BY_NAME.items()
    ]


def sources() -> list[Path]:
    return [path for package in tidy.PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def words_of_the_code() -> frozenset[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources())
    return frozenset(re.findall(r"[a-z]+(?:_[a-z0-9]+)+", text))


FIRST = {name.split("_")[0] for name in FACTS}
LAST = {name.split("_")[-1] for name in FACTS}
CODES = set(re.findall(r"^\| `(\w+)` \| \d", DOCUMENTS["docs/reference/exit-codes.md"], re.MULTILINE))
FIELDS = {field for fact in FACTS.values() for field in fact.model_fields}
REASONS = {
    *re.findall(r"\| `(\w+)` \| [^|]*\|$", write_reference.outcome_table(), re.MULTILINE),
    *re.findall(r'reason="(\w+)"', Path(ending.__file__).read_text(encoding="utf-8")),
}


def wrong_words(text: str, known: frozenset[str]) -> set[str]:
    """Words in backticks that no code knows, and those shaped like an event's name that are none."""
    lines = [line for line in text.splitlines() if "not yet" not in line]
    if text.startswith("# Come from the first system"):
        # the left column is the first system's
        lines = [line.split("|", 2)[-1] if line.startswith("| ") else line for line in lines]
    named = {word for line in lines for word in re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", line)}
    named -= {word for word in named if word.replace("_", "") in FORBIDDEN} | REASONS
    shaped = {word for word in named if word.split("_")[0] in FIRST and word.split("_")[-1] in LAST}
    return {word for word in named if word not in known} | {
        word for word in shaped if word not in FACTS and word not in FIELDS and word not in CODES
    }


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - {"CONTRIBUTING.md"}))
def test_every_event_and_every_other_word_of_the_code_exists(name: str) -> None:
    assert wrong_words(DOCUMENTS[name], words_of_the_code()) == set()


def test_a_planted_word_is_seen() -> None:
    known = frozenset({"task_queued", "turn_queued", "exit_code"})
    assert wrong_words("`task_queued`, `task_dreamt`, `exit_code`\n", known) == {"task_dreamt"}
    assert wrong_words("`turn_queued`\n", known) == {"turn_queued"}


# links


def test_every_link_and_anchor_exists() -> None:
    assert [str(found) for found in tidy.broken_links(tidy.House(ROOT))] == []


@pytest.mark.parametrize(
    "planted", ["[gone](gone.md)", "![gone](gone.svg)", "[x](../README.md#gone)", "[x](#gone)"]
)
def test_a_planted_link_is_broken(tmp_path: Path, planted: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# evt\n", encoding="utf-8")
    (tmp_path / "docs" / "page.md").write_text(f"# Page\n\n{planted}\n", encoding="utf-8")
    assert len(list(tidy.broken_links(tidy.House(tmp_path)))) == 1


# examples


def judged(above: str, body: str) -> str | None:
    """What is wrong with a task file in a document, None for nothing."""
    wanted = re.search(r"<!-- refused: (\w+) -->", above)
    try:
        task = read_task(body.encode(), "example.task.md", trusted=True)
    except Unreadable as problem:
        return None if wanted and wanted[1] == problem.code else problem.reason
    if wanted:
        return f"it is not refused with {wanted[1]}"
    return "; ".join(task.warnings) or None


def task_files() -> list[tuple[str, str, str]]:
    return [
        (name, above, body)
        for name, text in DOCUMENTS.items()
        for above, kind, body in blocks(text)
        if kind == "markdown" and body.startswith("---\n")
    ]


@pytest.mark.parametrize(("name", "above", "body"), task_files())
def test_a_task_file_in_a_document_is_read_as_it_says(name: str, above: str, body: str) -> None:
    assert judged(above, body) is None, name


def test_a_planted_task_file_is_refused() -> None:
    assert len(task_files()) >= 5
    assert judged("", "---\ntype: dream\n---\nDream.\n") is not None
    assert judged("", "---\ntype: analyze\npriorty: high\n---\nLook.\n") is not None
    assert judged("<!-- refused: no_type -->\n", "---\ntype: analyze\n---\nLook.\n") is not None


def test_the_picture_is_of_a_run_and_fetches_nothing() -> None:
    text = picture.PICTURE.read_text(encoding="utf-8").replace("&#160;", " ")
    assert "identical" in text
    assert "a recorded Claude session" in text
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert max(map(int, re.findall(r"evt-demo-line-(\d+)", text))) < 48


# real runs


def alike(page: str) -> dict[str, list[str]]:
    """Each command with what it said, free of what differs from run to run: figures, order, repeats.

    How often a line comes may differ: a quick writer tells of an artifact after the turn and after
    the end, a slow one tells of both at once.
    """
    rules = (
        (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{64}\b", "ID"),
        (r"-[0-9a-f]{8}\.refused", "-ID.refused"),
        (r"\d+(?:[.,:-]\d+)*", "#"),
        (r"(?:#[smhd] ?)+ ago|\bnow\b", "AGO"),
        (r"\s+", " "),
    )
    told: dict[str, list[str]] = {}
    for _, kind, body in blocks(page):
        command = ""
        for line in body.splitlines() if kind == "console" else []:
            if line.startswith("$ "):
                command = line
                told[command] = []
                continue
            for pattern, word in rules:
                line = re.sub(pattern, word, line)
            told[command].append(line.strip())
    return {command: sorted(set(lines)) for command, lines in told.items()}


@ON_POSIX
def test_the_tutorial_shows_what_its_commands_say(tmp_path: Path) -> None:
    page = DOCUMENTS["docs/tutorial/first-night.md"]
    played = picture.play(page, tmp_path.resolve(), picture.evt_environment(tmp_path))
    assert alike(played) == alike(page), "run tools/picture.py docs/tutorial/first-night.md"


def test_a_planted_change_of_shown_output_is_seen() -> None:
    page = "```console\n$ evt list\ngreeting  succeeded  now\npoem  failed  1.5s ago\n```\n"
    assert alike(page) == alike(page.replace("1.5s ago", "now"))
    assert alike(page) != alike(page.replace("failed", "succeeded"))
    assert alike(page) != alike(page.replace("$ evt list", "$ evt status"))


@pytest.fixture
def started(tmp_path: Path) -> Mapping[str, str]:
    """A clone's folder with its `.venv`, and a person's home beside it."""
    (tmp_path / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    return {**picture.evt_environment(tmp_path), "HOME": str(tmp_path)}


def as_console(fence: re.Match[str]) -> str:
    if "<!-- play -->" not in fence["above"]:
        return fence[0]
    return f"```console\n{re.sub('^', '$ ', fence['body'].rstrip(), flags=re.MULTILINE)}\n```"


@ON_POSIX
def test_the_quick_start_works_as_it_stands(tmp_path: Path, started: Mapping[str, str]) -> None:
    part = DOCUMENTS["README.md"].partition("## Quick start")[2].partition("## Your own projects")[0]
    steps = FENCE.sub(as_console, part)
    played = picture.play(steps, tmp_path, started)
    assert "(exit code" not in played, played
    assert (tmp_path / "evt-home" / "play" / "hello.txt").read_text(encoding="utf-8") == "Hello, world\n"
    artifact = orjson.loads((tmp_path / "evt-home" / "results" / "greeting.json").read_bytes())
    assert artifact["success"]
    assert unlisted(tmp_path / "evt-home") == set()


TILES = ("/tile/<level>/<number>", "/tile/<level>/<number>.p/<width>")


def unlisted(home: Path) -> set[str]:
    """Files of a home that the page about them does not name, with ids and hashes as it writes them."""
    page = DOCUMENTS["docs/reference/files-of-a-home.md"]
    found: set[str] = set()
    for path in home.rglob("*"):
        name = path.relative_to(home).as_posix().replace("greeting", "<id>")
        name = re.sub(r"/[0-9a-f]{2}/[0-9a-f]{64}", "/ab/<hash>", name).replace("succeeded", "<status>")
        name = re.sub(r"/tile/\d/\d{3}(\.p/)?\d*$", lambda at: TILES[bool(at[1])], name)
        if path.is_file() and not name.startswith("play/") and f"`{name}`" not in page:
            found.add(name)
    return found


def test_a_planted_file_of_a_home_is_unlisted(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.db").touch()
    (tmp_path / "logs" / "dreams.db").touch()
    assert unlisted(tmp_path) == {"logs/dreams.db"}
