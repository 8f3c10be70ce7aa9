"""A result in a few sentences, for people: by the model, or by its first paragraph."""

from typing import Annotated, Final

from pydantic import Field

from handlers.mediating.reply import Reply, Unusable, plain

PREDICT: Final = 400
LENGTH: Final = 600


class ShortResult(Reply):
    summary: Annotated[str, Field(max_length=LENGTH)]


def summary_text(short: ShortResult) -> str:
    """Raises Unusable where nothing is said."""
    text = plain(short.summary, LENGTH)
    if not text:
        raise Unusable("empty", "the model's summary is empty.")
    return text


def by_rules(result: str) -> str:
    """The first paragraph that says something, without its Markdown marks."""
    for paragraph in result.strip().split("\n\n"):
        text = plain(paragraph.strip().lstrip("#>*- "), LENGTH)
        if text:
            return text
    return ""
