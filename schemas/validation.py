"""What was measured of an attempt: of the mediator's prompt, and of what the agent left behind."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from schemas import names
from schemas.word import Fact, Part

SIMILARITY: Final = 0.7
ENTROPY: Final = 0.8
"""The thresholds where neither a setting nor an agent names one, and of every claim that tells none."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Issue(Part):
    """One thing that was found. `code` is for programs, `sentence` for people.

    `measured` says on what: the number and its threshold, the first few paths. `decides` says
    that the attempt's end follows from it; every other issue is a signal, from which nothing follows.
    """

    code: str
    sentence: str
    measured: str
    decides: bool = False


class Judged(Part):
    """Two measures from 0 to 1, None where one was not taken, and what was found.

    `valid` of a result says that the answer stands: the attempt failed neither by an issue that decides
    nor otherwise. Of the mediator's prompt, of which nothing decides, it says that there is no issue.
    """

    valid: bool
    similarity: Share | None = None
    entropy: Share | None = None
    issues: tuple[Issue, ...] = ()


class Validated(Fact):
    """An attempt was judged; its end or its retry follows in the same commit.

    `llama` is the mediator's prompt measured against the person's words, None where it made none.
    The thresholds are those of the attempt's conditions.
    """

    TYPE: ClassVar[str] = names.VALIDATED
    attempt: int
    llama: Judged | None
    result: Judged
    similarity_threshold: Share
    entropy_threshold: Share
