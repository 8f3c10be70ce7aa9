"""What works at a task: the agent and its files, the checks, and the processes of both."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from handlers.decider import Refused
from schemas import agent as agents
from schemas.attempt import CheckResult
from schemas.process import ProcessIdentity
from schemas.turn import Captured


@dataclass(frozen=True)
class AgentOrder:
    """One turn for the agent. `cwd` is a real path; `tools` are offered, `allowed` are granted.

    `instructions` is the project's CLAUDE.md as text, None where there is none. With `resume`
    the session `session_id` goes on, else it is begun. `inactivity_s` 0: silence is no matter.
    `permission_mode` is one of schemas.tools.MODES.
    """

    session_id: str
    cwd: str
    prompt: str
    tools: tuple[str, ...]
    allowed: tuple[str, ...]
    instructions: str | None
    denied: tuple[str, ...]
    max_turns: int
    max_budget_usd: float | None
    timeout_s: float
    inactivity_s: float = 0.0
    resume: bool = False
    permission_mode: str = "acceptEdits"


@dataclass(frozen=True)
class AgentEnd:
    """How the agent's process went. `ended` is as in TurnReport; lines went to `heard`."""

    ended: str
    exit_code: int | None
    elapsed_ms: int
    stdout: Captured
    stderr: Captured
    unparsed_lines: int
    note: str | None = None


class Agent(Protocol):
    executable: str

    async def run(
        self,
        order: AgentOrder,
        started: Callable[[ProcessIdentity], Awaitable[None]],
        heard: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> AgentEnd:
        """Run one turn to its end; nothing of it lives on when this returns or is cancelled.

        `heard` gets every stdout line that is a JSON object, in order, while it runs.
        A process that cannot be started is an AgentEnd with ended="not_started".
        On cancellation of the surrounding scope the process tree is killed first.
        """
        ...


class AgentUnusable(Refused):
    """No task can be done by the agent of that name: `code` is `unknown_agent`, `agent_broken` or
    `agent_disabled`, and `hint` says what to do.
    """


class Agents(Protocol):
    """The agents of the home, as their files are now; a change holds for the next task."""

    async def names(self) -> frozenset[str]:
        """Those that a task may name."""
        ...

    async def get(self, name: str) -> agents.Agent:
        """The agent of that name. Raises AgentUnusable."""
        ...


class Checks(Protocol):
    async def run(self, index: int, command: str, cwd: str, session_id: str) -> CheckResult:
        """Run one check of a task file by the system's shell in the agent's environment.

        Time and output are capped; nothing of it lives on when this returns or is cancelled.
        """
        ...


class Processes(Protocol):
    def own(self) -> ProcessIdentity:
        """The identity of this very process."""
        ...

    async def alive(self, process: ProcessIdentity) -> bool | None:
        """Whether this very process lives; None where that cannot be seen: it is another machine's."""
        ...

    async def kill(self, process: ProcessIdentity | None, session_id: str | None) -> bool:
        """Kill that agent with its tree if it lives; True when something was alive.

        Without a known process the one is sought whose arguments hold `session_id`.
        Returns only when nothing of it is left.
        """
        ...
