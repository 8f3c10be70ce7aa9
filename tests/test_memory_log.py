"""The log in memory keeps the contract; and what is read is upcast and counted."""

from typing import Any

import pytest

from eventstore.event import ANY, NO_STREAM
from eventstore.memory_log import MemoryLog
from eventstore.unknown_types import unknown_types
from tests.log_contract import LogContract, fact


class TestMemoryLog(LogContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()


def test_an_old_payload_is_read_in_its_newest_shape_and_kept_in_its_old_one() -> None:
    upcasts: Any = {
        ("renamed", 1): lambda data: {"full_name": data["name"]},
        ("renamed", 2): lambda data: {**data, "greeting": f"hello {data['full_name']}"},
        ("other", 1): lambda data: {},
    }
    log = MemoryLog(upcasts=upcasts)
    log.append("a-1", [fact(0, "renamed", data={"name": "Ada"})], NO_STREAM)
    log.append("a-1", [fact(1, "renamed", data={"full_name": "Ida"}, schema=2)], ANY)
    log.append("a-1", [fact(2, "renamed", data={"kept": True}, schema=3)], ANY)
    first, second, third = log.all()
    assert first.data == {"full_name": "Ada", "greeting": "hello Ada"}
    assert second.data == {"full_name": "Ida", "greeting": "hello Ida"}
    assert third.data == {"kept": True}
    assert (first.envelope["data"], first.envelope["schema"]) == ({"name": "Ada"}, 1)


def test_unknown_types_are_kept_and_counted() -> None:
    log = MemoryLog()
    log.append("a-1", [fact(0, "known"), fact(1, "z_new"), fact(2, "b_new"), fact(3, "z_new")], NO_STREAM)
    assert unknown_types(log, frozenset({"known"})) == {"b_new": 1, "z_new": 2}
    assert [event.type for event in log.all()] == ["known", "z_new", "b_new", "z_new"]
