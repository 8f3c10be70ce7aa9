"""The page for people of the first system calls nothing missing that is there."""

import re
from pathlib import Path

from adapters.cli.table import VERBS
from adapters.config.table import BY_NAME
from schemas import names

PAGE = Path(__file__).parents[1] / "docs" / "migrate.md"
EVENTS = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


def rows() -> list[tuple[list[str], str]]:
    """The words of the first cell, and the second one whole."""
    cells = [
        line.strip("|").split("|", 1)
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line[:1] == "|"
    ]
    return [(re.findall(r"`([A-Za-z_-]+)", first), second.strip()) for first, second in cells]


def there(word: str) -> bool:
    return word in BY_NAME or word in EVENTS or word in VERBS


def test_what_is_called_not_yet_is_not_there() -> None:
    assert [word for words, now in rows() if now.startswith("not yet") for word in words if there(word)] == []


def test_settings_called_the_same_are_there() -> None:
    same = [word for words, now in rows() if now.startswith("the same") for word in words if word.isupper()]
    assert [word for word in same if word not in BY_NAME] == []
