"""What is made of a model's answer: its words where they can be believed, else the rules'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventstore.event import Recorded
from handlers.decider import Decider, Refused
from handlers.mediating import commit_message, parse, reply_to_agent, shape, summary
from handlers.mediating.reply import Unusable, read_reply
from prompts import load
from schemas import names
from schemas.mediation import (
    FinishMediation,
    MediationCommand,
    MediationFinished,
    MediationStarted,
    Purpose,
    Reading,
    StartMediation,
    Summarized,
)
from schemas.placed import placed
from schemas.word import Fact

_SHORTEST_ECHO = 30
"""So many characters of our own question in an answer are no chance."""


@dataclass(frozen=True, slots=True)
class MediationState:
    """`result` is what the agent's last turn answered."""

    spec: Mapping[str, Any] | None = None
    attempt: int = 0
    open: bool = False
    parsed: bool = False
    result: str = ""


@dataclass(frozen=True, slots=True)
class _Taken:
    text: str = ""
    reading: Reading | None = None
    dropped: tuple[str, ...] = ()


def evolve(state: MediationState, event: Recorded) -> MediationState:
    data = event.data
    match event.type:
        case names.TASK_RECEIVED:
            return replace(state, spec=data["spec"])
        case names.TASK_QUEUED | names.RETRY_REQUESTED if state.spec is not None:
            return replace(state, spec=placed(state.spec, data))
        case names.TASK_CLAIMED:
            return replace(state, attempt=data["attempt"], open=True)
        case names.TURN_FINISHED:
            return replace(state, result=data["report"]["result_text"])
        case names.MEDIATION_FINISHED if data["purpose"] == "parse":
            return replace(state, parsed=True)
        case names.TASK_INTERRUPTED | names.RETRY_SCHEDULED | names.QUOTA_WAIT_STARTED:
            return replace(state, open=False)
        case _ if event.type in names.ENDS:
            return replace(state, open=False)
        case _:
            return state


def decide(command: MediationCommand, state: MediationState) -> Sequence[Fact]:
    if state.spec is None:
        raise Refused("not_found", f"there is no task {command.task_id}.")
    if command.attempt and not (state.open and command.attempt == state.attempt):
        raise Refused("stale", f"attempt {command.attempt} of task {command.task_id} is over.")
    if command.purpose == "parse" and state.parsed:
        return []
    match command:
        case StartMediation():
            return [
                MediationStarted(
                    purpose=command.purpose,
                    attempt=command.attempt,
                    model=command.model,
                    prompt_sha256=command.prompt_sha256,
                    left_out=command.left_out,
                )
            ]
        case FinishMediation():
            return _finish(command, state.spec, state.result)
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _finish(command: FinishMediation, spec: Mapping[str, Any], result: str) -> Sequence[Fact]:
    fallback, sentence = command.problem, command.note
    taken = None
    if fallback is None:
        try:
            taken = _believed(command, spec)
        except Unusable as unusable:
            fallback, sentence = unusable.code, str(unusable)
    by_model = taken is not None
    found = taken if taken is not None else _Taken(text=_by_rules(command.purpose, spec, result))
    finished = MediationFinished(
        purpose=command.purpose,
        attempt=command.attempt,
        by="model" if by_model else "rules",
        model=command.model,
        asked=command.asked,
        reading=found.reading,
        text=found.text,
        fallback=fallback,
        sentence=sentence,
        dropped=found.dropped,
        prompt_tokens=command.prompt_tokens,
        output_tokens=command.output_tokens,
        elapsed_ms=command.elapsed_ms,
    )
    if command.purpose != "summary" or not found.text:
        return [finished]
    told = Summarized(attempt=command.attempt, by="model" if by_model else "rules", text=found.text)
    return [finished, told]


def _believed(command: FinishMediation, spec: Mapping[str, Any]) -> _Taken:
    """What can be taken of what the model said. Raises Unusable."""
    match command.purpose:
        case "parse":
            wish = read_reply(command.said, parse.ParsedWish)
            reading, dropped = parse.believed(wish, spec, command.folder, command.kinds)
            _refuse_echo(command.purpose, wish.title)
            return _Taken(reading=reading, dropped=dropped)
        case "shape":
            shaped = read_reply(command.said, shape.ShapedWish)
            _refuse_echo(command.purpose, shaped.goal)
            return _Taken(shape.shaped_text(shaped))
        case "summary":
            text = summary.summary_text(read_reply(command.said, summary.ShortResult))
            _refuse_echo(command.purpose, text)
            return _Taken(text)
        case "answer":
            reply = read_reply(command.said, reply_to_agent.AnswerToAgent)
            text = reply_to_agent.answer_text(reply)
            _refuse_echo(command.purpose, text)
            return _Taken(text)
        case "commit_message":
            written = read_reply(command.said, commit_message.WrittenMessage)
            text, dropped = commit_message.message_text(written)
            _refuse_echo(command.purpose, written.subject)
            return _Taken(text, dropped=dropped)


def _by_rules(purpose: Purpose, spec: Mapping[str, Any], result: str) -> str:
    """What stands in for the model: nothing where the person's own words are enough."""
    match purpose:
        case "summary":
            return summary.by_rules(result)
        case "commit_message":
            return commit_message.by_rules(spec)
        case _:
            return ""


def _refuse_echo(purpose: Purpose, text: str) -> None:
    """Raises Unusable where the answer is a piece of our own question."""
    beginning = " ".join(text.split()).casefold()[:120]
    asked = " ".join(load(f"mediator/{purpose}").split()).casefold()
    if len(beginning) >= _SHORTEST_ECHO and beginning in asked:
        raise Unusable("prompt_echo", "the model repeated its instructions instead of answering.")


MEDIATION = Decider("mediation", MediationState(), decide, evolve)
