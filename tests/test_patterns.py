"""Each known form of secret goes, ordinary text stays, and twice is as once."""

import base64
import json
import re
from collections.abc import Callable
from hashlib import md5, sha1, sha256
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.redaction.patterns import Redactor
from eventstore.redaction.redacting import Redact

# Made at run time, so that no scanner takes this file for a leak.
LETTERS = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1CwK4mN7sT0gB"
HEX = sha256(b"planted").hexdigest()
OURS = 'p4ss"wörd\\of ours'
IN_BASE64 = base64.b64encode(OURS.encode()).decode()
IMAGE = base64.b64encode(b"".join(sha256(bytes([n])).digest() for n in range(200))).decode()
PEM_BODY = "\n".join(base64.b64encode(sha256(bytes([n])).digest() * 2).decode()[:64] for n in range(6))
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}\n-----END RSA PRIVATE KEY-----"
TELEGRAM = "123456789:" + "AA" + LETTERS[:33]
JWT = (
    ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "Ada"})
    )
    + "."
    + HEX[:43]
)

SECRETS: dict[str, tuple[str, str]] = {
    # what: text, the part that must go
    "PEM": (f"the key:\n{PEM}\nthat was it", PEM_BODY.splitlines()[2]),
    "PEM in JSON": (json.dumps({"key": PEM}), PEM_BODY.splitlines()[2]),
    "PEM of another kind": (PEM.replace("RSA ", "OPENSSH "), PEM_BODY.splitlines()[5]),
    "PEM cut off": (f"output: {PEM[:200]}", PEM_BODY.splitlines()[1][:30]),
    "anthropic": ("export KEY=" + "sk-" + "ant-" + "api03-" + LETTERS, LETTERS),
    "openai": ("use sk-" + "proj-" + LETTERS + " now", LETTERS),
    "openai old": ("'sk-" + LETTERS + "'", LETTERS),
    "stripe": ("sk_" + "live_" + LETTERS[:24], LETTERS[:24]),
    "github": ("gh" + "p_" + LETTERS[:36], LETTERS[:36]),
    "github in a URL": ("https://gh" + "s_" + LETTERS[:36] + "@github.com/x", LETTERS[:36]),
    "github fine grained": ("github_" + "pat_" + LETTERS[:22] + "_" + HEX, HEX),
    "gitlab": ("gl" + "pat-" + LETTERS[:20], LETTERS[:20]),
    "google": ("key=AI" + "za" + LETTERS[:35], LETTERS[:35]),
    "aws id": ("id AK" + "IA" + "QRSTUVWXYZ234567 ok", "QRSTUVWXYZ234567"),
    "aws secret": ("aws_secret_access_key = " + LETTERS + "/+", LETTERS),
    "aws secret in JSON": (json.dumps({"SecretAccessKey": LETTERS + "/"}), LETTERS),
    "telegram": (f"token is {TELEGRAM}.", TELEGRAM[10:]),
    "telegram in its URL": (f"https://api.telegram.org/bot{TELEGRAM}/getMe", TELEGRAM[10:]),
    "bearer header": (f"Authorization: Bearer {LETTERS}", LETTERS),
    "short bearer": ("authorization: bearer abcdefgh", "abcdefgh"),
    "basic header": ('curl -H "Authorization: Basic dXNlcjpwYXNz"', "dXNlcjpwYXNz"),
    "header in JSON": (json.dumps(json.dumps({"Authorization": f"Bearer {LETTERS}"})), LETTERS),
    "bare bearer": (f"with Bearer {LETTERS} it works", LETTERS),
    "url": ("postgres://app:hunter2@db:5432/x", "hunter2"),
    "url without user": ("redis://:s3cr-et@cache/0", "s3cr-et"),
    "url with a mark inside": ("amqp://u:pä[ss]wörd@h", "wörd"),
    "slack": ("xo" + "xb-1234567890-" + LETTERS[:24], LETTERS[:24]),
    "slack hook": ("https://hooks.slack.com/" + "services/T0123/B0123/" + LETTERS[:24], LETTERS[:24]),
    "jwt": (f"cookie: session={JWT}; path=/", JWT.split(".")[1]),
    "env": ("DB_PASSWORD=correcthorse\nDEBUG=1", "correcthorse"),
    "env exported and quoted": ('export MY_API_KEY="q1w2e3"', "q1w2e3"),
    "json": ('{"user": "ada", "password": "hunter2!x"}', "hunter2!x"),
    "json in json": (json.dumps(json.dumps({"client_secret": "h8f3k2l9"})), "h8f3k2l9"),
    "yaml": ("db:\n  password: hunter2hunter2\n", "hunter2hunter2"),
    "code": ("self.api_key = 'aB3dE6gH9'", "aB3dE6gH9"),
    "query": ("GET /x?access_token=f00dba4f00dba4&y=1", "f00dba4f00dba4"),
    "hash arrow": (":secret_key => 'deadbeef01'", "deadbeef01"),
    "ours": (f"it says {OURS}!", OURS),
    "ours in JSON": (json.dumps({"x": OURS}), json.dumps(OURS)[1:-1]),
    "ours in JSON as UTF-8": (json.dumps({"x": OURS}, ensure_ascii=False), "rd\\\\of ours"),
    "ours in a URL": (f"https://x/?q={quote(OURS, safe='')}", quote(OURS, safe="")),
    "ours in base64": (IN_BASE64, IN_BASE64[:12]),
}

BENIGN = [
    "",
    "An ordinary sentence about tokens, passwords and secrets: never share your password with others.",
    "The secret of getting ahead is getting started. Password: the word that lets you pass.",
    f"commit {sha1(b'x').hexdigest()} sha256:{HEX} md5={md5(b'x').hexdigest()}",  # noqa: S324
    "0190c2a4-7c6b-7000-8000-000000000001 task-0190c2a4-7c6b-7000-8000-000000000001",
    "stream task-7f3aB2c9D4e5F6a7B8c9D0e1F2 and risk-Assessment2024-of-the-Quarter",
    "def login(token: str, password: str | None = None) -> Secret: ...",
    "token = get_token(request)\npassword = self.password\nsecret = config.secrets.first\n",
    "password = os.environ['DB_PASSWORD']\napi_key = settings.api_key_v2\n",
    "const token = await fetchToken({ id: 1 });",
    'BOT_TOKEN=\nAPI_KEY=<your key>\nDB_PASSWORD=${DB_PASSWORD}\nTOKEN="$(cat file)"\nX_SECRET=xxxxxxxx',
    '{"type": "object", "properties": {"token": {"type": "string"}, "password": "string"}}',
    '{"password": "required", "secret": null, "token": true, "api_key": ""}',
    '{"input_tokens": 123456789, "max_tokens": 100000, "cache_read_tokens": 87654321}',
    "password: see /run/secrets/db_password1 and token_file=/etc/app/token1",
    "http://localhost:8080/path?x=1 https://github.com/a/b ssh://git@host:22/x mailto:me@example.org",
    "postgres://user:${PASSWORD}@host/db https://user:<password>@host",
    "Authorization: Bearer <token>\nAuthorization: Bearer $TOKEN",
    "the bearer of this letter; basic authentication; authorization: required",
    "at 12:30:45 on 2026-11-22T11:37:00.000000Z, ratio 12345678:1, 10.0.0.1:8080",
    "class sk-folding-cube-animation-wrapper { } .sk-circle-fade-dot-animation-x { }",
    "AKIAlow AKIA-1 xoxo-love eyJust.a.name ghp_short github_pat_ npm_config",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    'if line.startswith("-----BEGIN PRIVATE KEY-----"): return "-----END PRIVATE KEY-----"',
    f"data:image/png;base64,{IMAGE}",
    "PRIMARY_KEY=integer sort_key: created_at2 key=value FOREIGN_KEY=users2",
    "import secrets; print(secrets.token_hex(16)); tokenizer = Tokenizer2()",
    "größer, naïve, 日本語, \u202e, \0, emoji 🎉",
    "[redacted:jwt] stands where a token was",
]


def in_json(text: str) -> str:
    return json.dumps({"type": "user", "content": text})


PLACES: dict[str, Callable[[str], str]] = {
    "at the start of a line": lambda text: f"deploy:\n{text}\nend",
    "behind a tab": lambda text: f"x\t{text}",
    "of a line in JSON": lambda text: in_json(f"deploy:\n{text}\nend"),
    "behind a tab in JSON": lambda text: in_json(f"1\t{text}"),
    "of a text in JSON": in_json,
    "of a line in JSON in JSON": lambda text: in_json(in_json(f"deploy:\r\n{text}\r\nend")),
    "in colour": lambda text: f"\x1b[32m{text}\x1b[0m",
    "in colour in JSON": lambda text: in_json(f"\x1b[1;32m{text}\x1b[0m"),
    "behind a sign of a URL": lambda text: f"?x=1%26t%3D{text}",
    "behind a sign that JSON need not write so": lambda text: f'"?a=1\\u0026{text}"',
}
"""Where a program's output or a task's text has it: what stands before it must hide nothing."""

UNMISTAKABLE = ("anthropic", "github", "github fine grained", "gitlab", "google", "aws id", "slack", "jwt")
"""These begin like no other word, so that they are seen within words, too."""


def core(secret: str) -> str:
    """The longest part of it that no way of writing changes."""
    found: list[str] = re.findall("[A-Za-z0-9]+", secret)
    return max(found, key=len)


@pytest.fixture
def redactor() -> Redactor:
    return Redactor([OURS, "short"])


@pytest.mark.parametrize("what", SECRETS)
def test_each_known_form_of_secret_goes(redactor: Redactor, what: str) -> None:
    text, secret = SECRETS[what]
    assert secret in text
    clean, counts = redactor.text(text)
    assert secret not in clean
    assert "[redacted:" in clean
    assert sum(counts.values()) >= 1
    assert any(f"[redacted:{name}]" in clean for name in counts)
    assert redactor.text(clean) == (clean, {})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", [what for what, (_, secret) in SECRETS.items() if len(core(secret)) > 4])
def test_a_secret_goes_wherever_it_stands(redactor: Redactor, what: str, place: str) -> None:
    text, secret = SECRETS[what]
    clean, counts = redactor.text(PLACES[place](text))
    assert core(secret) in PLACES[place](text)
    assert core(secret) not in clean
    assert counts
    assert redactor.text(clean) == (clean, {})


@pytest.mark.parametrize("before", ["-p", "_", "token_", "x", "task-"])
@pytest.mark.parametrize("what", UNMISTAKABLE)
def test_what_begins_like_no_other_word_goes_from_within_words(
    redactor: Redactor, what: str, before: str
) -> None:
    text, secret = SECRETS[what]
    bare = re.sub(r"^(?:export KEY=|key=|id |cookie: session=)", "", text)
    clean, counts = redactor.text(before + bare)
    assert core(secret) not in clean
    assert counts


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", BENIGN)
def test_ordinary_text_is_not_damaged_wherever_it_stands(redactor: Redactor, text: str, place: str) -> None:
    assert redactor.text(PLACES[place](text)) == (PLACES[place](text), {})


@pytest.mark.parametrize("text", BENIGN)
def test_ordinary_text_is_not_damaged(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == (text, {})


def test_a_mark_names_the_pattern_and_the_rest_stays_readable(redactor: Redactor) -> None:
    assert redactor.text("amqp://app:hunter2@mq and again amqp://app:hunter3@mq") == (
        "amqp://app:[redacted:url-credentials]@mq and again amqp://app:[redacted:url-credentials]@mq",
        {"url-credentials": 2},
    )
    assert redactor.text(f"BOT_TOKEN={TELEGRAM}\n") == (
        "BOT_TOKEN=[redacted:telegram-token]\n",
        {"telegram-token": 1},
    )


def test_secrets_that_share_a_separator_all_go(redactor: Redactor) -> None:
    text = " ".join("gh" + "p_" + LETTERS[:36] for _ in range(5))
    assert redactor.text(text) == (" ".join(["[redacted:github-token]"] * 5), {"github-token": 5})


def test_bytes_that_are_no_utf8_are_redacted_too_and_otherwise_kept(redactor: Redactor) -> None:
    content = b"\xff\xfe {" + f"AUTH_TOKEN={LETTERS}".encode() + b"} \x80\n"
    assert redactor.content(content)[0] == b"\xff\xfe {AUTH_TOKEN=[redacted:named-value]} \x80\n"
    assert redactor.content(b"\xff\x00plain") == (b"\xff\x00plain", {})


def test_half_a_surrogate_pair_is_carried_through(redactor: Redactor) -> None:
    assert redactor.text("\ud800") == ("\ud800", {})
    assert redactor.text(f"\ud800 {OURS}") == ("\ud800 [redacted:known-value]", {"known-value": 1})


def test_a_short_value_of_ours_is_not_sought(redactor: Redactor) -> None:
    assert redactor.text("a short text") == ("a short text", {})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("password", "hunter2hunter2", "[redacted:named-value]"),
        ("botToken", "aB3dE6gH9", "[redacted:named-value]"),
        ("client_secret", "correct+horse", "[redacted:named-value]"),
        ("api-key", "deadbeef01", "[redacted:named-value]"),
        ("password", "required", "required"),
        ("token", "${TOKEN}", "${TOKEN}"),
        ("token", "Please enter your token of 8 characters", "Please enter your token of 8 characters"),
        ("tokens", "aB3dE6gH9", "aB3dE6gH9"),
        ("name", "hunter2hunter2", "hunter2hunter2"),
        ("name", "postgres://a:hunter2@b", "postgres://a:[redacted:url-credentials]@b"),
        ("password", "[redacted:jwt]", "[redacted:jwt]"),
    ],
)
def test_a_key_may_say_that_its_value_is_a_secret(
    redactor: Redactor, key: str, value: str, expected: str
) -> None:
    redact: Redact = redactor
    clean, counts = redact.pair(key, value)
    assert clean == expected
    assert bool(counts) == (clean != value)
    assert redact.pair(key, clean) == (clean, {})


PIECES = st.sampled_from(
    [text for text, _ in SECRETS.values()]
    + ["password=", '"token": "', "'", '"', "://", ":", "@", "=", " ", "\n", "\\", "[redacted:", "]", HEX]
    + ["[redacted:jwt]", "[redacted:known-value]", "SECRET=", "sk-", "eyJ", "-----BEGIN PRIVATE KEY-----"]
    + ["Bearer "]
)


@given(st.lists(PIECES | st.text(max_size=6), max_size=8).map("".join))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    redactor = Redactor([OURS, "redacted:", "known-value", "[redacted"])
    clean, counts = redactor.text(text)
    assert redactor.text(clean) == (clean, {})
    assert bool(counts) == (clean != text)


@given(st.sampled_from(sorted(SECRETS)), st.text(max_size=20), st.text(max_size=20))
def test_no_neighbouring_lines_save_a_secret(what: str, before: str, after: str) -> None:
    text, secret = SECRETS[what]
    assert secret not in Redactor([OURS]).text(f"{before}\n{text}\n{after}")[0]


@pytest.mark.parametrize("what", SECRETS)
def test_a_look_at_many_texts_at_once_misses_no_secret_among_them(what: str) -> None:
    text, _ = SECRETS[what]
    redactor = Redactor([OURS])
    for around in ([text], [text, "after"], ["before", text], ["before", text, "after"], ["", text, ""]):
        assert not redactor.is_clean(around, [])


def test_a_look_at_many_texts_at_once_heeds_the_keys_and_lets_ordinary_texts_pass() -> None:
    redactor = Redactor([OURS])
    assert redactor.is_clean(["Edit", "src/cart.py", "an ordinary sentence", ""], ["tool", "detail"])
    assert not redactor.is_clean(["Edit"], ["api_key"])
