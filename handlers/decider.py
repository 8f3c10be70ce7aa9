"""The shape of every decider, and the refusal it may raise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eventstore.event import Recorded
from schemas.word import Fact

State = TypeVar("State")


class Refused(Exception):
    """A rule says no. `sentence` tells a person what is wrong, `hint` what to do.

    `code` is for programs: not_found, conflict, not_permitted, usage, stale.
    """

    def __init__(self, code: str, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.hint = hint


@dataclass(frozen=True)
class Decider(Generic[State]):
    """`decide` may refuse; `evolve` is total and looks nowhere else (Chassaing's decider).

    `loads` is False where a decision needs no past: the stream is then not read.
    """

    name: str
    initial: State
    decide: Callable[[Any, State], Sequence[Fact]]
    evolve: Callable[[State, Recorded], State]
    loads: bool = True
