"""What is cut is redacted first: half of a secret is known by nobody, and would be shown."""

import base64
from hashlib import sha256
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.config.settings import read_settings
from eventstore.redaction.patterns import Redactor
from handlers.framing import END_LIMIT, TEXT_LIMIT, Ends
from handlers.stream import StreamState, hear, redacted
from schemas.task_file import read_task
from schemas.turn import Captured

OURS: Final = "our-own-Value-" + "".join(chr(97 + number % 26) for number in range(26))
BODY: Final = "\n".join(base64.b64encode(sha256(bytes([n])).digest() * 2).decode()[:64] for n in range(50))
PEM: Final = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----\n"
RAW_CUT: Final = TEXT_LIMIT + 16 * 1024
redactor = Redactor([OURS])


def redact(text: str) -> str:
    return redactor.text(text)[0]


def captured(text: str, piece: int = 4096) -> Captured:
    ends, content = Ends(), text.encode()
    for start in range(0, len(content), piece):
        ends.feed(content[start : start + piece])
    return ends.captured(redact, None)


def leaks(shown: str, secret: str = OURS, least: int = 8) -> bool:
    """Whether any part of it of so many signs is shown."""
    return any(secret[at : at + least] in shown for at in range(len(secret) - least + 1))


@given(
    before=st.integers(RAW_CUT - len(OURS) - 3, RAW_CUT + 3),
    behind=st.integers(0, 70_000),
    shrinking=st.integers(0, 1500),
)
def test_no_part_of_a_secret_at_a_cut_of_an_output_is_shown(before: int, behind: int, shrinking: int) -> None:
    """Secrets before it make the redacted text shorter than what was heard."""
    first = (OURS + " ") * shrinking
    said = captured(first + "." * max(0, before - len(first)) + OURS + " " + "-" * behind + OURS + "-" * 20)
    assert not leaks(said.head + "|" + said.tail + "|" + said.text)


@pytest.mark.parametrize("many", [3, 30, 60])
def test_no_line_of_a_key_is_shown_however_many_there_are(many: int) -> None:
    said = captured(PEM * many)
    for shown in (said.head, said.tail, said.text):
        assert not any(line in shown for line in BODY.splitlines())


def test_an_ordinary_output_shows_both_its_ends() -> None:
    lines = "".join(f"line {number}\n" for number in range(30_000))
    said = captured(lines)
    assert said.truncated
    assert said.size == len(lines)
    assert lines.startswith(said.head) and len(said.head) == END_LIMIT
    assert lines.endswith(said.tail) and len(said.tail) == END_LIMIT
    assert lines.startswith(said.text) and len(said.text) == TEXT_LIMIT


@pytest.mark.parametrize("before", range(0, 60, 7))
def test_what_an_agent_says_is_redacted_before_it_is_cut(before: int) -> None:
    line = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "t" * (TEXT_LIMIT - before) + OURS + "!",
        "errors": ["e" * (500 - before) + OURS + "!", {"deep": [OURS]}],
    }
    state, _ = hear(StreamState(), redacted(line, redact))
    assert state.result is not None
    assert not leaks(state.result.text)
    assert not any(leaks(error) for error in state.result.errors)
    assert redacted(line, str) == line


def test_a_title_is_redacted_before_it_is_cut() -> None:
    for text in (f"fix:{'x' * 30}{OURS}/and-more", f"---\ntype: fix\n---\nfix:{'x' * 30}{OURS}/and-more\n"):
        assert leaks(read_task(text.encode(), "a.task.md", trusted=True).title)
        assert not leaks(read_task(text.encode(), "a.task.md", trusted=True, redact=redact).title)
    long = f"---\ntype: fix\n---\n# {'x' * 180}{OURS}{'y' * 90}\n\nDo it.\n"
    assert not leaks(read_task(long.encode(), "a.task.md", trusted=True, redact=redact).title)


def test_a_secret_of_the_file_is_known_though_the_environment_has_another_of_that_name(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".env").write_text(f"OTHER_TOKEN={OURS}\n", encoding="utf-8")
    assert read_settings(home, {"OTHER_TOKEN": ""}).secrets == (OURS,)
    assert read_settings(home, {"OTHER_TOKEN": "another-value"}).secrets == ("another-value", OURS)


@pytest.mark.parametrize(
    "name",
    ["DB_PASSPHRASE", "PGPASS", "SMTP_PASS", "DB_PWD", "APP_AUTH", "X_AUTH_KEY", "X_ENCRYPTION_KEY"],
)
def test_a_name_that_means_a_secret_makes_its_value_one(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    assert read_settings(tmp_path_factory.mktemp("home"), {name: OURS}).secrets == (OURS,)


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "SSH_AUTH_SOCK", "BYPASS", "XAUTHORITY", "KEYBOARD"])
def test_a_name_that_means_none_makes_none(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    assert read_settings(tmp_path_factory.mktemp("home"), {name: OURS}).secrets == ()
