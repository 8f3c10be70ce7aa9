"""The two kinds of word: a command (imperative) and a fact (past tense)."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Microseconds = Annotated[int, Field(ge=0, description="microseconds since 1970-01-01T00:00:00Z")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A value inside a word: frozen, and nothing that is not named."""

    # Where nothing is declared (`metadata`) a NaN stays one, so that the log refuses it: never null.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants")


class Fact(Part):
    """The payload of one event. `TYPE` is its name in the log, `SCHEMA` its version."""

    TYPE: ClassVar[str]
    SCHEMA: ClassVar[int] = 1


class Command(Part):
    """What somebody asks for. Time, id and actor are fields: a decider looks nowhere else."""

    command_id: str
    time: Microseconds
    actor: str
    causation_id: str | None = None

    @property
    def stream(self) -> str:
        """The stream that this command decides over."""
        raise NotImplementedError

    @property
    def correlation_id(self) -> str:
        """The whole story that this command belongs to."""
        return self.stream
