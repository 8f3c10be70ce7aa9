"""What the model is asked for each purpose: which words it is given, which answer is wanted."""

from collections.abc import Mapping
from typing import Any, Final

from handlers.mediating import commit_message, parse, reply_to_agent, shape, summary
from handlers.mediating.question import Question, question
from handlers.mediating.reply import Reply
from handlers.prompt import body_of
from schemas.mediation import Purpose

_WANTED: Final[Mapping[str, tuple[type[Reply], int]]] = {
    "parse": (parse.ParsedWish, parse.PREDICT),
    "shape": (shape.ShapedWish, shape.PREDICT),
    "summary": (summary.ShortResult, summary.PREDICT),
    "answer": (reply_to_agent.AnswerToAgent, reply_to_agent.PREDICT),
    "commit_message": (commit_message.WrittenMessage, commit_message.PREDICT),
}
_LAST_WORDS: Final = 4_000
"""Characters of an agent's text in which its question stands."""


def ask(purpose: Purpose, spec: Mapping[str, Any], said: str, fence: str, num_ctx: int) -> Question:
    """`said` is what stands beside the task: the agent's result, or a diff; nothing for a wish."""
    wanted, predict = _WANTED[purpose]
    return question(purpose, _text(purpose, spec, said), wanted, fence, num_ctx, predict)


def _text(purpose: Purpose, spec: Mapping[str, Any], said: str) -> str:
    match purpose:
        case "parse":
            return str(spec["prompt"])
        case "shape":
            return f"{spec['title']}\n\n{body_of(spec)}"
        case "summary":
            return f"Task: {spec['title']}\n\nReport:\n{said}"
        case "answer":
            last = said[-_LAST_WORDS:]
            return f"Task: {spec['title']}\n\n{body_of(spec)}\n\nThe agent's last words:\n{last}"
        case "commit_message":
            return f"Task: {spec['title']}\n\n{body_of(spec)}\n\nThe change:\n{said}"
