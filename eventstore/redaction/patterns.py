"""Known forms of secrets, and how a text is rid of them in linear time."""

import base64
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import re2

from eventstore.redaction.plausible import (
    is_key_of_secret,
    is_mixed,
    is_no_placeholder,
    is_secret_of_environment,
    is_value,
)

SHORTEST_VALUE: Final = 8
"""Characters; a shorter value of our own would be found in ordinary text."""

NESTED: Final = 3
"""A file of JSON, in the answer of a tool, in a line that an agent prints."""

MARK: Final[Any] = re2.compile(rb"\[redacted:[a-z0-9-]+\]")


@dataclass(frozen=True)
class Pattern:
    """A form of secret. The expression's last group is the secret, the rest is what gives it away.

    RE2 looks neither ahead nor behind, so what an expression cannot say `accept` says about the secret.
    """

    name: str
    expression: bytes
    accept: Callable[[bytes], bool] = bool


_IS = rb"\s*(?:=>|:=|[:=])\s*"
# What a program prints comes as JSON: there a newline is two letters, a colour six and more, and the letter
# before a secret is theirs. The same in a URL, and of an option with its value on its heels (`-psecret`).
_ESCAPE = (
    rb"\\[nrtbfv0\"']|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}"
    rb"|(?:\x1b|\\u001[bB]|\\x1[bB]|\\e|\\033)\[[0-9;]*[A-Za-z]|\s-[A-Za-z]"
)
_BEFORE = rb"(?:^|[^A-Za-z0-9_-]|" + _ESCAPE + rb")"
_WORD = rb"(?:(?m:^)|[\s\"'`]|" + _ESCAPE + rb")"
_AFTER = rb"(?:[^A-Za-z0-9_-]|$)"
_QUOTE = rb"\\*[\"']?"
_SECRET_KEY = (
    rb"(?i:token|secret|password|passwd|pwd|passphrase|credential"
    rb"|(?:api|access|secret|private|signing|encryption|auth|account)[_.-]?key)"
)
_KEY_LINE = rb"(?:(?:\s|\\+[rn])*[A-Za-z0-9+/=]{16,})"

PATTERNS: Final = (
    Pattern("private-key", rb"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,.()-]*?"
            rb"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)"),
    # Cut off, as the head of an output may be.
    Pattern("private-key", rb"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----" + _KEY_LINE + rb"+)"),
    Pattern("private-key", rb"(PRIVATE\+KEY\+[^\s+\"'\\]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{40,}={0,2})"),
    # What begins like no other word is sought within words, too: `-pghp_…`, `token_ghp_…`.
    Pattern("anthropic-key", rb"(sk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{16,})"),
    Pattern("anthropic-key", _BEFORE + rb"(sk-ant-[A-Za-z0-9_-]{16,})"),
    Pattern("openai-key", _BEFORE + rb"(sk-[A-Za-z0-9_-]{20,})", is_mixed),
    Pattern("stripe-key", _BEFORE + rb"([sr]k_(?:live|test)_[A-Za-z0-9]{16,})"),
    Pattern("github-token", rb"(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,})"),
    Pattern("gitlab-token", rb"(glpat-[A-Za-z0-9_-]{20,})"),
    Pattern("google-key", rb"(AIza[A-Za-z0-9_-]{35})" + _AFTER),
    Pattern("aws-access-key", rb"((?:AKIA|ASIA)[A-Z0-9]{16})(?:[^A-Z0-9]|$)"),
    Pattern("aws-secret-key", rb"(?i:aws[a-z0-9_.-]{0,20}(?:secret|key)[a-z0-9_.-]{0,20})" + _QUOTE
            + rb"\s*[:=]\s*" + _QUOTE + rb"([A-Za-z0-9/+=]{40})(?:[^A-Za-z0-9/+=]|$)", is_mixed),
    Pattern("telegram-token", rb"(?:" + _BEFORE + rb"|/bot)([0-9]{8,10}:[A-Za-z0-9_-]{35})" + _AFTER,
            is_mixed),
    Pattern("slack-token", rb"(xox[abeoprs]-[A-Za-z0-9-]{10,})"),
    Pattern("slack-webhook", rb"hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9/_-]{20,})"),
    Pattern("jwt", rb"(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"),
    Pattern("authorization", rb"(?i:authorization)" + _QUOTE + rb"\s*[:=]\s*" + _QUOTE
            + rb"(?i:bearer|basic|token|digest)\s+([^\s\"'\\,;]{6,})", is_no_placeholder),
    Pattern("authorization", rb"(?:^|[^A-Za-z]|" + _ESCAPE + rb")(?i:bearer)\s+([A-Za-z0-9._~+/-]{20,}=*)",
            is_mixed),
    Pattern("url-credentials", rb"(?i:[a-z][a-z0-9+.-]+)://[^\s/?#:@\"'<>\\]*:([^\s/?#@\"'<>\\]+)@",
            is_no_placeholder),
    # As in a .env file, or before a command: the form itself says that a value follows.
    Pattern("named-value", _WORD + rb"(?:export )?[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE"
            rb"|(?:API|ACCESS|SECRET|PRIVATE|SIGNING|ENCRYPTION|AUTH)_KEY)=(?:\\*[\"'])?([^\s\"'\\]+)",
            is_secret_of_environment),
    Pattern("named-value", _SECRET_KEY + _QUOTE + _IS + rb"\\*\"([^\s\"\\]+)\\*\"", is_value),
    Pattern("named-value", _SECRET_KEY + _QUOTE + _IS + rb"'([^\s'\\]+)'", is_value),
    Pattern("named-value", _SECRET_KEY + rb"\s*[:=]\s*([^\s\"'\\,;&<>(){}]+)(?:[\s,;&<>)}\"'\\]|$)",
            is_mixed),
)  # fmt: skip


class Redactor:
    """Replaces each known form of secret by `[redacted:<pattern>]`; twice is as once.

    `extra_values` are secrets known by value (those of our own environment, say): each is sought as
    it is and as JSON, URLs and base64 write it. Ones under 8 characters are left out.
    """

    def __init__(self, extra_values: Sequence[str] = (), patterns: Sequence[Pattern] = PATTERNS) -> None:
        self._patterns = [(pattern, re2.compile(pattern.expression)) for pattern in patterns]
        # One pass over an ordinary text says that there is nothing in it.
        alone = re2.Options()
        alone.never_capture = True
        self._any = re2.compile(b"|".join(b"(?:" + pattern.expression + b")" for pattern in patterns), alone)
        forms = {form for value in extra_values if len(value) >= SHORTEST_VALUE for form in _forms(value)}
        self._values = sorted(forms, key=lambda form: (-len(form), form))

    def is_clean(self, texts: Collection[str], keys: Collection[str]) -> bool:
        """One search over all of them: what begins or ends a text may also stand beside a line's end.

        False when something may be a secret; then each text is looked at by itself.
        """
        if any(map(is_key_of_secret, keys)):
            return False
        return not self._is_suspect("\n".join(texts).encode("utf-8", "surrogatepass"))

    def text(self, text: str) -> tuple[str, dict[str, int]]:
        """The text without secrets, and how many of each pattern were in it."""
        content, counts = self.content(text.encode("utf-8", "surrogatepass"))
        return (content.decode("utf-8", "surrogatepass"), counts) if counts else (text, counts)

    def content(self, content: bytes) -> tuple[bytes, dict[str, int]]:
        """The same for bytes that need not be UTF-8 throughout, such as what a program printed."""
        if not self._is_suspect(content):
            return content, {}
        counts: Counter[str] = Counter()
        # Each round swallows more text into marks, so this ends; a second change is rare.
        before = None
        while content != before:
            before = content
            for pattern, expression in self._patterns:
                content = _replace(content, pattern, expression, counts)
            content = self._replace_values(content, counts)
        return content, dict(sorted(counts.items()))

    def pair(self, key: str, value: str) -> tuple[str, dict[str, int]]:
        """A value that stands under a key: one whose key calls it a secret goes as a whole."""
        text, counts = self.text(value)
        rest = _unmarked(text.encode("utf-8", "surrogatepass"))
        if is_key_of_secret(key) and is_value(rest):
            return "[redacted:named-value]", {**counts, "named-value": 1 + counts.get("named-value", 0)}
        return text, counts

    def _is_suspect(self, content: bytes) -> bool:
        return self._any.search(content) is not None or any(value in content for value in self._values)

    def _replace_values(self, content: bytes, counts: Counter[str]) -> bytes:
        for value in self._values:
            if value in content:
                parts = []
                for part, is_mark in _parts(content):
                    if not is_mark and value in part:
                        counts["known-value"] += part.count(value)
                        part = part.replace(value, b"[redacted:known-value]")
                    parts.append(part)
                content = b"".join(parts)
        return content


def _replace(content: bytes, pattern: Pattern, expression: Any, counts: Counter[str]) -> bytes:
    mark = b"[redacted:" + pattern.name.encode() + b"]"
    parts: list[bytes] = []
    done = 0
    marked = [found.span() for found in MARK.finditer(content)] if b"[redacted:" in content else []
    for match in expression.finditer(content):
        start, end = _outside(marked, *match.span(expression.groups))
        rest = _unmarked(content[start:end])
        if rest and pattern.accept(rest):
            parts += content[done:start], mark
            done = end
            counts[pattern.name] += 1
    return b"".join([*parts, content[done:]]) if parts else content


def _outside(marked: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """The span without the parts of marks at its ends: the colon in a mark is nobody's password."""
    before = bisect_left(marked, (start, 0)) - 1
    if before >= 0 and marked[before][1] > start:
        start = marked[before][1]
    last = bisect_left(marked, (end, 0)) - 1
    if last >= 0 and marked[last][1] > end:
        end = marked[last][0]
    return start, max(start, end)


def _unmarked(content: bytes) -> bytes:
    """What of it is not redacted yet."""
    return bytes(MARK.sub(b"", content)) if b"[redacted:" in content else content


def _parts(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """The content in pieces; True for those that are marks."""
    done = 0
    for match in MARK.finditer(content):
        yield content[done : match.start()], False
        yield match.group(), True
        done = match.end()
    yield content[done:], False


def _forms(value: str) -> Iterator[bytes]:
    """A value as texts write it: plain, in JSON (in JSON, in JSON), in a URL, in base64."""
    plain = value.encode("utf-8", "surrogatepass")
    yield plain
    for ascii_alone in (True, False):
        written = value
        for _ in range(NESTED):
            written = json.dumps(written, ensure_ascii=ascii_alone)[1:-1]
            yield written.encode("utf-8", "surrogatepass")
    yield quote(plain, safe="").encode()
    yield base64.b64encode(plain).rstrip(b"=")
    yield base64.urlsafe_b64encode(plain).rstrip(b"=")
