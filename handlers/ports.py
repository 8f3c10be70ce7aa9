"""What the automations need from outside, as protocols that adapters fill.

A decider never holds a port: what a port says reaches it as a field of a command.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from eventstore.event import Event, Place, Recorded
from handlers.decider import Refused
from schemas import agent as agents
from schemas.attempt import CheckResult, FileChange
from schemas.process import ProcessIdentity
from schemas.turn import Captured


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        ...


class Ids(Protocol):
    def new(self) -> str:
        """A fresh UUIDv7 (RFC 9562)."""
        ...


class NotNow(Exception):
    """The log took nothing and is unharmed: it may be asked again.

    `full`: the disk has no room. Else another program has it locked, or no file handle is free.
    """

    def __init__(self, text: str, *, full: bool) -> None:
        super().__init__(text)
        self.full = full


class AsyncLog(Protocol):
    """The log as the service sees it: nobody waits for a disk on the event loop."""

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        """See Log.append. Raises NotNow where it may be tried again."""
        ...

    async def read_stream(self, name: str, after: int) -> list[Recorded]: ...

    async def read_all(self, after: int, limit: int) -> list[Recorded]: ...


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


@dataclass(frozen=True)
class ModelOrder:
    """One question to the local model. `schema` is the JSON Schema that the answer keeps to.

    `num_ctx` is the model's window in tokens, `num_predict` what of it the answer may take.
    """

    system: str
    prompt: str
    schema: Mapping[str, Any]
    num_ctx: int
    num_predict: int


@dataclass(frozen=True)
class ModelEnd:
    """What the model said, as it said it; nothing of it is believed yet.

    `problem` is None where it came to its end; else a word for programs (`unreachable`, `model_missing`,
    `silent`, `timeout`, `cut_off`, `server_error`, `too_long`, `prompt_cut`, `not_ollama`), and
    `note` the sentence. Tokens are None where the server did not count them.
    """

    text: str
    problem: str | None
    note: str | None
    prompt_tokens: int | None
    output_tokens: int | None
    elapsed_ms: int


class Model(Protocol):
    """The local model that mediates."""

    name: str

    async def ask(self, order: ModelOrder) -> ModelEnd:
        """Ask once, in bounded time. Raises nothing but the surrounding scope's cancellation."""
        ...

    async def warm(self, num_ctx: int) -> ModelEnd:
        """Have its server load it for questions of that window, in bounded time; nothing is asked."""
        ...


class Checks(Protocol):
    async def run(self, index: int, command: str, cwd: str, session_id: str) -> CheckResult:
        """Run one check of a task file by the system's shell in the agent's environment.

        Time and output are capped; nothing of it lives on when this returns or is cancelled.
        """
        ...


class WorkTree(Protocol):
    """The working directory as it is: which files, and what is in them."""

    async def snapshot(self, cwd: str) -> bytes:
        """A canonical description; equal states give equal bytes. Raises OSError."""
        ...

    async def changes(self, cwd: str, before: bytes) -> tuple[FileChange, ...]:
        """What differs now from `before`, sorted by path. Raises OSError when that cannot be seen."""
        ...


class Blobs(Protocol):
    async def put(self, content: bytes) -> str:
        """Redact, keep, and return the SHA-256 (hex) of the redacted bytes."""
        ...

    async def get(self, sha256: str) -> bytes:
        """The bytes. Raises OSError when they are not there, or not whole."""
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


@dataclass(frozen=True)
class Dropped:
    """One file of the inbox as a scan saw it. `fingerprint` changes when the file does.

    `problem` is set where it is not to be read (a symlink, a directory, a device): a sentence,
    whose `code` is for programs and whose `remedy` says what to do.
    """

    name: str
    fingerprint: tuple[int, ...]
    size: int
    problem: str | None = None
    code: str = "not_a_file"
    remedy: str = "Put a regular file there."


class Inbox(Protocol):
    async def scan(self) -> list[Dropped]:
        """The task files that lie in `tasks/` now, sorted by age, then name."""
        ...

    async def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of it; OSError when it cannot be read."""
        ...

    async def archive(self, name: str, sha256: str | None, target: str) -> str | None:
        """Move `tasks/<name>` to `target` (relative to the home).

        Done already (the target stands, the source is gone): returns the target.
        A file whose content is no longer `sha256` is left alone: returns None.
        """
        ...

    async def rearchive(self, old: str, target: str) -> str | None:
        """Rename within the archive (both relative to the home); None when it is gone."""
        ...

    async def write_reason(self, target: str, text: str) -> None:
        """Write a small text file (relative to the home) atomically."""
        ...

    async def hint(self) -> None:
        """Return when something may have changed in the inbox."""
        ...


class Outputs(Protocol):
    """The files made from the log: artifacts, their index, summaries."""

    async def write(self, path: str, content: bytes) -> None:
        """Write atomically (relative to the home), so that a crash leaves old or new."""
        ...


class Folders(Protocol):
    async def real(self, path: str) -> str | None:
        """The real path of a directory; None when there is none."""
        ...

    async def read_text(self, directory: str, name: str, limit: int) -> str | None:
        """A small text file inside a directory, no link followed; None when there is none."""
        ...

    async def executable(self, name: str) -> str | None:
        """The full path of a program, as a shell would find it; None when there is none."""
        ...


class Doorbell(Protocol):
    async def ring(self, after: int) -> None:
        """Return when the log may hold events past `after` that others appended."""
        ...


class Mended(Protocol):
    """What was wrong with the mirror, and what was done."""

    @property
    def problem(self) -> str: ...

    @property
    def bytes_cut(self) -> int: ...

    @property
    def lines_written(self) -> int: ...


@dataclass(frozen=True)
class Lag:
    """How many events the mirror lacks, and why it could not be brought up."""

    events: int
    problem: str


@dataclass(frozen=True)
class Kept:
    """What a round over the records did: the mirror's repair, a sentence for each new views' file, and
    what could not be brought up now: the mirror, or the views (then why).
    """

    mended: Mended | None = None
    rebuilt: tuple[str, ...] = ()
    mirror: Lag | None = None
    views: str | None = None


class Records(Protocol):
    """What is kept beside the log and made from it: the views' file and the mirror."""

    async def catch_up(self) -> Kept:
        """Bring them up to the log's head, as far as the disk takes it."""
        ...


class Disk(Protocol):
    """The disk that the home's log lies on."""

    path: str

    async def free(self) -> int:
        """The bytes that we may still write. Raises OSError."""
        ...


class HeadRefused(Exception):
    """No tree head is signed: the log is not what was signed before, or the key is not here.

    The text is a sentence that says what to do.
    """


@dataclass(frozen=True)
class HeadStanding:
    """What the next tree head follows: `size` events with `root`, signed by the key of id `key` (hex).

    `pending`: the event that announces the next one stands in the log already.
    """

    key: str
    size: int
    root: bytes | None
    pending: bool


class TreeHeads(Protocol):
    """The home's Merkle tree. Each raises HeadRefused, OSError."""

    async def size(self) -> int:
        """How many events the newest tree head covers, 0 where there is none."""
        ...

    async def ready(self) -> HeadStanding:
        """Whether a tree head may be signed, and after which one."""
        ...

    async def sign(self) -> int:
        """Sign one over all that stands in the log; its size."""
        ...
