"""What live views keep beside their folds is what the folds hold."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventstore.event import ANY, Recorded
from eventstore.memory_log import MemoryLog
from projections.live import LiveViews
from projections.projection import Projection, Row
from tests.log_contract import fact

STATES = ("red", "green", None)


def _keys(event: Recorded) -> tuple[str, ...]:
    return tuple(event.data["keys"])


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    state = event.data["state"]
    return (
        None if state == "gone" else {"key": key, "state": state, "times": (row or {"times": 0})["times"] + 1}
    )


LAMPS = Projection(name="lamps", version=1, types=frozenset({"lamp_turned"}), keys=_keys, apply=_apply)

TURNS = st.lists(
    st.tuples(st.lists(st.sampled_from("abc"), unique=True, max_size=2), st.sampled_from([*STATES, "gone"])),
    max_size=12,
)


def events(turns: list[tuple[list[str], Any]]) -> list[Recorded]:
    log = MemoryLog()
    for number, (keys, state) in enumerate(turns):
        log.append("lamps-1", [fact(number, "lamp_turned", data={"keys": keys, "state": state})], ANY)
    return list(log.all())


def folded(some: list[Recorded]) -> LiveViews:
    live = LiveViews([LAMPS])
    live.apply(some)
    return live


@given(turns=TURNS, asked_after=st.integers(0, 12))
def test_rows_and_groups_are_the_same_whenever_they_were_first_asked_for(
    turns: list[tuple[list[str], Any]], asked_after: int
) -> None:
    every = events(turns)
    early = folded(every[:asked_after])
    early.rows("lamps")
    early.where("lamps", "state", "red")
    early.apply(every[asked_after:])
    late = folded(every)
    rows = late.rows("lamps")
    assert early.rows("lamps") == rows
    for state in (*STATES, "never"):
        wanted = {key: row for key, row in rows.items() if row["state"] == state}
        assert early.where("lamps", "state", state) == late.where("lamps", "state", state) == wanted


def test_what_was_handed_out_is_the_callers_own() -> None:
    live = folded(events([(["a"], "red")]))
    live.rows("lamps").clear()
    live.where("lamps", "state", "red").clear()
    assert set(live.rows("lamps")) == set(live.where("lamps", "state", "red")) == {"a"}


def test_rows_that_were_loaded_later_replace_what_was_kept() -> None:
    live = folded(events([(["a"], "red")]))
    live.where("lamps", "state", "red")
    live.load("lamps", folded(events([(["b"], "red")])).written("lamps"), 1)
    assert set(live.rows("lamps")) == set(live.where("lamps", "state", "red")) == {"b"}


def test_a_view_is_touched_by_events_that_name_a_row_of_it() -> None:
    live = folded(events([(["a"], "red"), ([], "red")]))
    assert (live.touched("lamps"), live.position) == (1, 2)
