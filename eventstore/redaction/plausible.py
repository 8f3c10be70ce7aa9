"""Is this a secret, or only something that stands where one could? Judged by its characters."""

import re
from functools import lru_cache
from typing import Final

KEY_OF_SECRET: Final = re.compile(
    r"(?:token|secret|password|passwd|pwd|passphrase|credential"
    r"|(?:api|access|secret|private|signing|encryption|auth|account)[_.-]?key)$",
    re.IGNORECASE,
)
PLACEHOLDER: Final = re.compile(
    rb"[$<{%]|\*|\.\.\.|#\{|(?:your|my|the|some|example|changeme|change_me|placeholder|dummy|redacted|replace)"
    rb"|xxx|process\.env|os\.environ|(?:none|null|true|false|undefined|nil|string|optional|required)$",
    re.IGNORECASE,
)
PATH: Final = re.compile(rb"(?:~|\.{1,2})?(?:/[\w.-]+)+/?")
NAME: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*|\[\w+\])+")
SHORTEST: Final = 8
SHORTEST_OF_ENVIRONMENT: Final = 6
LONG_WORD: Final = 16


@lru_cache(maxsize=1024)
def is_key_of_secret(key: str) -> bool:
    """Whether a key by its name holds a secret (`api_key`, `botToken`, `db.password`)."""
    return KEY_OF_SECRET.search(key) is not None


def is_no_placeholder(text: bytes) -> bool:
    """Not what a manual writes where the reader puts a secret: `<token>`, `${TOKEN}`, `xxx`."""
    return not PLACEHOLDER.match(text) and len(set(text)) > 1


def is_mixed(text: bytes) -> bool:
    """Long enough, with letters and digits, and neither a placeholder, a path nor a name in code."""
    return (
        len(text) >= SHORTEST
        and any(b"0" <= text[at : at + 1] <= b"9" for at in range(len(text)))
        and re.search(rb"[A-Za-z]", text) is not None
        and is_no_placeholder(text)
        and not PATH.fullmatch(text)
        and not NAME.fullmatch(text)
    )


def is_value(text: bytes) -> bool:
    """A quoted value that no prose and no schema would write: mixed, with signs, or a long word."""
    if len(text) < SHORTEST or re.search(rb"\s", text) or not is_no_placeholder(text):
        return False
    if PATH.fullmatch(text) or NAME.fullmatch(text):
        return False
    if re.search(rb"[0-9!@#$%^&*+=?|]", text):
        return True
    return text.isalpha() and len(text) >= LONG_WORD


def is_secret_of_environment(text: bytes) -> bool:
    """A value in a .env file, where nothing but values stands."""
    return len(text) >= SHORTEST_OF_ENVIRONMENT and is_no_placeholder(text) and not PATH.fullmatch(text)
