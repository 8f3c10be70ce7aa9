"""An answer to an agent that ended with a question, out of the task's own words and nothing else."""

from typing import Annotated, Final

from pydantic import Field

from handlers.mediating.reply import Reply, plain

PREDICT: Final = 300
LENGTH: Final = 400


class AnswerToAgent(Reply):
    can_answer: bool
    answer: Annotated[str, Field(max_length=LENGTH)]


def answer_text(reply: AnswerToAgent) -> str:
    """Empty where the task's words do not say it: then nobody answers in the person's place."""
    return plain(reply.answer, LENGTH) if reply.can_answer else ""
