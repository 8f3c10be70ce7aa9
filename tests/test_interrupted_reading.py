"""Ctrl-C while the log is read: wherever it comes, the log can be closed, and nothing waits for ever."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from eventstore.event import ANY, Event
from eventstore.sqlite.log import SqliteLog

READ: Final[dict[str, Callable[[SqliteLog], object]]] = {
    "all": lambda log: list(log.all()),
    "stream": lambda log: list(log.stream("task-one")),
    "head": lambda log: log.head(),
    "count_types": lambda log: log.count_types(),
    "data_version": lambda log: log.data_version(),
}


@contextmanager
def interrupted_at(step: int) -> Iterator[None]:
    """Ctrl-C at the step of that number: a call or a return, which is where Python looks for one."""
    seen = 0

    def look(frame: FrameType, what: str, _: Any) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.endswith("log.py"):
            return None
        if what in ("call", "return"):
            seen += 1
            if seen == step:
                raise KeyboardInterrupt
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("name", READ)
def test_a_reader_that_is_interrupted_holds_no_lock(tmp_path: Path, name: str) -> None:
    made = SqliteLog.create(tmp_path / "events.db")
    for number in range(3):
        event = Event(f"0190aaaa-0000-7000-8000-00000000000{number}", "task_dreamt", {}, 1, "cli", "cli")
        made.append("task-one", [event], ANY)
    made.close()
    log = SqliteLog(tmp_path / "events.db", read_only=True)
    whole = again = READ[name](log)
    step = interrupts = 0
    while True:
        step += 1
        try:
            with interrupted_at(step):
                again = READ[name](log)
            break
        except KeyboardInterrupt:
            interrupts += 1
            assert not log._using.locked(), f"at step {step}"
    assert interrupts > 3
    assert str(again) == str(whole)
    log.close()
