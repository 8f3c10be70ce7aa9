"""Events to append: what a worker notes of its agent's tools, 350 bytes a line (378 from a command)."""

import itertools
import time
import uuid
from collections.abc import Sequence
from typing import Final

from eventstore.event import Event
from eventstore.line import render
from schemas import names
from schemas.turn import NoteTool, ToolUsed

SOURCE: Final = "urn:evt:bench"

_numbers: Final = itertools.count(1)


def command(task: str) -> NoteTool:
    """As a worker gives it; checked by pydantic when it is made."""
    number = next(_numbers)
    return NoteTool(
        command_id=str(uuid.UUID(int=number | 7 << 76 | 2 << 62)),
        time=time.time_ns() // 1000,
        actor="worker:1",
        task_id=task,
        attempt=1,
        tool="Edit",
        tool_use_id=f"t{number % 1000:03}",
        detail="src/m.py",
    )


def fact(asked: NoteTool) -> ToolUsed:
    """What is recorded of it; checked once more."""
    return ToolUsed(
        attempt=asked.attempt, tool=asked.tool, tool_use_id=asked.tool_use_id, detail=asked.detail
    )


def events(count: int) -> list[Event]:
    """So many, ready to be appended."""
    return [_event() for _ in range(count)]


def line() -> bytes:
    """One as it stands in the log, with its newline."""
    return render("task-00001", _event()).splice(100_000, 100) + b"\n"


def _event() -> Event:
    number = next(_numbers)
    return Event(
        id=str(uuid.UUID(int=number | 7 << 76 | 2 << 62)),
        type=names.TOOL_USED,
        data={"attempt": 1, "detail": f"src/module_{number:020}.py", "tool": "Edit"},
        time=time.time_ns() // 1000,
        actor="worker:1",
        source=SOURCE,
        correlation_id="task-00001",
    )


def streams(count: int) -> Sequence[str]:
    return [names.task_stream(f"{number:05}") for number in range(count)]
