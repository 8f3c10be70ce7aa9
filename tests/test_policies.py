"""Policies: what arrived is queued, what waited is let go, and twice is once."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.policies import QUEUEING, RELEASING, queueing, releasing
from handlers.task import TASK
from schemas.names import task_of
from tests.rule_bench import STREAM, Bench, queued, received

KEY = str(task_of(STREAM))


def waits_for(*ids: str) -> dict[str, Any]:
    return {"waits_for": list(ids), "event_id": f"queued waiting for {ids}"}


def arrived(*tasks: str) -> dict[str, dict[str, str]]:
    return {task: {"task_id": task, "event_id": f"{task} was received"} for task in tasks}


def released(waiting: dict[str, dict[str, Any]], *succeeded: str) -> list[str]:
    return [command.task_id for command in releasing(waiting, frozenset(succeeded), 7)]


def test_every_task_that_arrived_is_queued_in_order() -> None:
    commands = queueing(arrived("a", "b"), 7)
    assert [(command.task_id, command.time, command.actor) for command in commands] == [
        ("a", 7, QUEUEING),
        ("b", 7, QUEUEING),
    ]


def test_a_policy_gives_the_same_command_whenever_it_looks() -> None:
    assert queueing(arrived("a"), 7)[0].command_id == queueing(arrived("b", "a"), 99)[1].command_id
    waiting = {"a": waits_for("x")}
    first, second = (releasing(waiting, frozenset({"x"}), now)[0] for now in (7, 99))
    assert first.command_id == second.command_id
    assert first.command_id != queueing(arrived("a"), 7)[0].command_id


def test_a_command_names_the_event_that_caused_it() -> None:
    """Two homes may have a task of the same name: their events must not share ids."""
    (here,), (there,) = (queueing({"a": {"event_id": home}}, 7) for home in ("one", "other"))
    assert (here.causation_id, there.causation_id) == ("one", "other")
    assert here.command_id != there.command_id


def test_a_task_is_let_go_when_all_that_it_waits_for_has_succeeded() -> None:
    waiting = {"a": waits_for("x", "y"), "b": waits_for("y")}
    assert released(waiting, "x", "y") == ["a", "b"]
    assert released(waiting, "y") == ["b"]
    (command,) = releasing({"a": waits_for("x")}, frozenset({"x"}), 7)
    assert (command.succeeded, command.actor, command.time) == (("x",), RELEASING, 7)


def test_what_never_succeeded_lets_nothing_go() -> None:
    """A dependency that failed, was cancelled or never existed is not among the succeeded."""
    assert released({"a": waits_for("x")}) == []
    assert released({"a": waits_for("x", "nobody")}, "x") == []


def test_a_row_that_waits_for_nothing_is_no_waiting_task() -> None:
    """Under the id of a task that others wait for stands a row too."""
    assert released({"x": {"waiters": ["a"], "succeeded": True}, "y": waits_for()}, "x", "y") == []


def test_ids_are_the_same_whatever_their_case() -> None:
    assert released({"a": waits_for("Other-Task")}, "other-task") == ["a"]


def test_policies_that_look_twice_move_a_task_once() -> None:
    bench = Bench(received(after=("Dep",)))
    for command in (*queueing(arrived(KEY), bench.now), *queueing(arrived(KEY), bench.now + 5)):
        bench.dispatch(command)
    assert bench.state(TASK).status == "waiting_dependency"
    waiting = {KEY: waits_for("Dep")}
    assert releasing(waiting, frozenset(), bench.now) == []
    for _ in range(2):
        for release in releasing(waiting, frozenset({"dep"}), bench.now):
            bench.dispatch(release)
    assert bench.types == ["task_received", "task_queued", "task_released"]
    assert bench.state(TASK).status == "queued"


def test_a_release_that_comes_too_late_moves_nothing() -> None:
    bench = Bench(received(after=("dep",)), queued("dep"))
    (release,) = releasing({KEY: waits_for("dep")}, frozenset({"dep"}), bench.now)
    bench.given(received(), queued())  # as if somebody had moved it meanwhile
    bench.dispatch(release)
    assert "task_released" not in bench.types


IDS = st.lists(st.sampled_from("abcD"), max_size=4)


@given(waited_for=IDS, succeeded=st.sets(st.sampled_from("abcd")))
def test_a_task_is_let_go_exactly_when_nothing_is_missing(waited_for: list[str], succeeded: set[str]) -> None:
    missing = {name.lower() for name in waited_for} - succeeded
    expected = ["t"] if waited_for and not missing else []
    assert released({"t": waits_for(*waited_for)}, *succeeded) == expected
