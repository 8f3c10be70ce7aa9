"""What must hold in a log after a storm; each sentence here names something that does not."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from eventstore.event import Recorded
from handlers.ending import MOST_DEATHS
from schemas import names

OF_AN_ATTEMPT: Final = frozenset(
    {
        *(names.STEP_STARTED, names.STEP_FINISHED, names.TURN_STARTED, names.AGENT_STARTED),
        *(names.TOOL_USED, names.FILES_MODIFIED, names.PERMISSION_DENIED, names.TURN_FINISHED),
        *(names.INACTIVITY_TIMEOUT, names.CHECK_FINISHED, names.LEASE_EXTENDED, names.LEASE_EXPIRED),
    }
)
"""What only the worker of the open attempt may add."""
PUT_BACK: Final = frozenset({names.TASK_INTERRUPTED, names.RETRY_SCHEDULED, names.QUOTA_WAIT_STARTED})


@dataclass
class Life:
    """What has become of one task so far. `deaths` is counted since it was last asked for."""

    attempt: int = 0
    holds: str | None = None
    """The directory of the open attempt; None where none is open."""
    deaths: int = 0
    all_deaths: int = 0
    wanted: int = 0
    last: str = ""
    ends: list[str] = field(default_factory=list)
    reason: str = ""


class Reading:
    """Reads a log from its first event; `lives` by task, `wrong` in sentences."""

    def __init__(self) -> None:
        self.lives: dict[str, Life] = {}
        self.wrong: list[str] = []

    def read(self, events: Iterable[Recorded]) -> "Reading":
        for event in events:
            if event.type == names.AUTOMATION_RESTARTED:
                self.wrong.append(f"{_at(event)}: {event.data['automation']} died of {event.data['error']}")
            elif event.stream.startswith("task-"):
                self._take(event.stream.removeprefix("task-"), event)
        for task, life in self.lives.items():
            if len(life.ends) != life.wanted:
                self.wrong.append(f"{task} was wanted {life.wanted} times and ended {len(life.ends)} times")
            if life.holds is not None:
                self.wrong.append(f"attempt {life.attempt} of {task} is open still")
        return self

    def _take(self, task: str, event: Recorded) -> None:
        life = self.lives.setdefault(task, Life())
        match event.type:
            case names.TASK_RECEIVED | names.RETRY_REQUESTED:
                life.wanted, life.deaths = life.wanted + 1, 0
            case names.TASK_CLAIMED:
                self._claimed(task, life, event)
            case names.STALE_RESULT_REJECTED:
                if life.holds is not None and event.data["attempt"] == life.attempt:
                    self.wrong.append(f"{_at(event)} refuses words of the attempt that holds {task}")
            case _ if event.type in names.ENDS:
                self._ended(task, life, event)
            case _ if event.type in OF_AN_ATTEMPT | PUT_BACK:
                self._of_attempt(task, life, event)
        life.last = event.type

    def _claimed(self, task: str, life: Life, event: Recorded) -> None:
        if life.holds is not None:
            self.wrong.append(f"{_at(event)} claims {task}, of which attempt {life.attempt} is open")
        if event.data["attempt"] != life.attempt + 1:
            self.wrong.append(f"{_at(event)} is attempt {event.data['attempt']} after {life.attempt}")
        cwd = str(event.data["cwd"])
        if any(other.holds == cwd for other in self.lives.values() if other is not life):
            self.wrong.append(f"{_at(event)} claims {task} in {cwd}, where another task is at work")
        life.attempt, life.holds = event.data["attempt"], cwd

    def _of_attempt(self, task: str, life: Life, event: Recorded) -> None:
        if life.holds is None or event.data["attempt"] != life.attempt:
            self.wrong.append(
                f"{_at(event)} was accepted from attempt {event.data['attempt']} of {task}, which is over"
            )
        if event.type in PUT_BACK:
            life.holds = None
        if event.type == names.TASK_INTERRUPTED and (event.data["agent_died"] or event.data["worker_died"]):
            life.deaths, life.all_deaths = life.deaths + 1, life.all_deaths + 1

    def _ended(self, task: str, life: Life, event: Recorded) -> None:
        lost = event.data.get("reason") == "worker_lost"
        # A task may also end between two attempts: of its agent's death, of a wish, of its directory.
        of_its_death = lost and life.last == names.TASK_INTERRUPTED
        waiting = event.type == names.TASK_CANCELLED or event.data["executor"] is None
        idle = life.holds is None and not of_its_death and not waiting
        if event.data["attempt"] != life.attempt or idle:
            self.wrong.append(f"{_at(event)} ends {task} for an attempt that is over")
        if lost and life.deaths != MOST_DEATHS:
            self.wrong.append(f"{task} was given up as lost after {life.deaths} deaths")
        if not lost and life.deaths >= MOST_DEATHS:
            self.wrong.append(f"{task} went on after {life.deaths} deaths")
        life.holds, life.reason = None, str(event.data.get("reason", ""))
        life.ends.append(event.type)


def _at(event: Recorded) -> str:
    return f"event {event.global_position} ({event.type})"


def wrong_deaths(lives: Mapping[str, Life], kills: Counter[str]) -> list[str]:
    """A death that nobody brought about, or a task that failed of anything else than deaths."""
    wrong = [
        f"{task} counts {life.all_deaths} deaths of its agent, of which {kills[task]} were killed"
        for task, life in lives.items()
        if life.all_deaths > kills[task]
    ]
    otherwise = [
        f"{task} ended as {end}: {life.reason}"
        for task, life in lives.items()
        for end in life.ends
        if end != names.TASK_SUCCEEDED and life.reason != "worker_lost"
    ]
    return [*wrong, *otherwise]
