"""What the local model was asked, and what was taken of its answer: each call is a pair of events."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas import names
from schemas.task import Alternative, TaskCommand, TaskType
from schemas.word import Count, Fact, Part, Sha256

Purpose = Literal["parse", "shape", "summary", "answer", "commit_message"]
Decider = Literal["model", "rules"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Reading(Part):
    """A wish in plain words as it was understood. Of `title`, `task_type` and so on only what is to be
    taken; None leaves what the rules had said.
    """

    title: str | None = None
    task_type: TaskType | None = None
    target_files: tuple[str, ...] | None = None
    cwd: str | None = None
    alternatives: tuple[Alternative, ...] = ()


class MediationStarted(Fact):
    """The model is about to be asked: this stands in the log before the question leaves.

    `attempt` is 0 before the first claim. `left_out` counts the characters of the text that did not
    fit into the model's window.
    """

    TYPE: ClassVar[str] = names.MEDIATION_STARTED
    purpose: Purpose
    attempt: Count
    model: str
    prompt_sha256: Sha256
    left_out: Count = 0


class MediationFinished(Fact):
    """What is taken of the answer, or of the rules that stood in for it (`by`).

    `fallback` is the word for programs that says why the rules did, `sentence` says it to people, and
    `dropped` what of an answer was not believed. `text` is the shaped wish, the summary, the answer to the
    agent or the commit message; `reading` is what a wish was understood as.
    """

    TYPE: ClassVar[str] = names.MEDIATION_FINISHED
    purpose: Purpose
    attempt: Count
    by: Decider
    model: str
    asked: bool = True
    reading: Reading | None = None
    text: str = ""
    fallback: str | None = None
    sentence: str | None = None
    dropped: tuple[str, ...] = ()
    prompt_tokens: Count | None = None
    output_tokens: Count | None = None
    elapsed_ms: Count = 0


class Summarized(Fact):
    """The result in a few sentences, for people: the agent's word, put shorter, and no evidence."""

    TYPE: ClassVar[str] = names.SUMMARIZED
    attempt: Count
    by: Decider
    text: str


class MediationCommand(TaskCommand):
    """`attempt` is the one that asks; 0 where none is open, and then it is never stale."""

    attempt: Count
    purpose: Purpose
    model: str


class StartMediation(MediationCommand):
    prompt_sha256: Sha256
    left_out: Count = 0


class FinishMediation(MediationCommand):
    """What came back, not believed yet. `said` is the model's text as it came.

    `asked` is False where the model was not asked at all (`problem` says why). `folder` is the real path of
    the folder that the answer names, where it is one that a task of this home may work in; `kinds` are the
    types that the task may become on a model's word.
    """

    said: str
    problem: str | None = None
    note: str | None = None
    asked: bool = True
    folder: str | None = None
    kinds: tuple[TaskType, ...] = ()
    prompt_tokens: Count | None = None
    output_tokens: Count | None = None
    elapsed_ms: Count = 0
