"""What a turn cost by itself: no dollar and no token twice, whichever way its CLI counts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.attempt import ATTEMPT
from handlers.attempt_state import Money
from handlers.spending import own_share, totals, totals_after
from schemas.attempt import ClaimTask, InterruptAttempt
from schemas.turn import FinishTurn, NoteAgent, StartTurn, TurnReport
from tests.rule_bench import STATUSES, Bench, report

PER_PROCESS, CUMULATIVE = "2.1.197", "2.1.330"
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


def told(usd: float, tokens: int = 0, version: str | None = CUMULATIVE, **over: Any) -> TurnReport:
    """What a process says of itself; where it was killed, it says nothing of costs."""
    usage = dict.fromkeys(TOKENS, tokens)
    return report(cost_usd=usd, usage=usage, agent_version=version, ended="interrupted", **over)


def killed(version: str | None = CUMULATIVE) -> TurnReport:
    return told(0.0, 0, version, has_result=False, exit_code=-9)


class Paying:
    """A task whose turns are begun, told and interrupted, one an attempt."""

    def __init__(self) -> None:
        self.bench = Bench(*STATUSES["queued"])
        self.turns = 0

    def turn(self, said: TurnReport, *, new_session: bool = False) -> Mapping[str, Any]:
        """What the log says that the turn spent."""
        self.turns += 1
        self.bench.do(ClaimTask)
        carry = None if new_session else self.bench.state(ATTEMPT).carry
        session_id = carry or f"session-{self.turns}"
        where = {"attempt": self.turns}
        self.bench.do(StartTurn, **where, session_id=session_id, resumed=carry is not None)
        self.bench.do(NoteAgent, **where)
        finished = self.bench.do(FinishTurn, **where, report=said)[-1]
        self.bench.do(InterruptAttempt, **where)
        spent: Mapping[str, Any] = finished.data["spent"]
        return spent

    @property
    def money(self) -> Money:
        found: Money = self.bench.state(ATTEMPT).money
        return found


def story(*turns: TurnReport) -> list[float]:
    """The dollars of turns of one session."""
    paying = Paying()
    found = [round(float(paying.turn(said)["usd"]), 6) for said in turns]
    assert paying.money.usd == pytest.approx(sum(found))
    return found


def test_a_version_that_counts_each_process_is_summed() -> None:
    assert story(*(told(usd, 10, PER_PROCESS) for usd in (0.5, 0.7, 0.2))) == [0.5, 0.7, 0.2]


def test_a_version_that_counts_the_session_is_told_apart() -> None:
    assert story(*(told(usd, 10, CUMULATIVE) for usd in (0.5, 1.2, 1.4))) == [0.5, 0.7, 0.2]


def test_tokens_are_told_apart_like_dollars() -> None:
    paying = Paying()
    paying.turn(told(0.5, 100))
    spent = paying.turn(told(0.7, 130))
    assert {name: spent[name] for name in TOKENS} == dict.fromkeys(TOKENS, 30)
    spent = paying.turn(told(0.1, 20, PER_PROCESS))
    assert {name: spent[name] for name in TOKENS} == dict.fromkeys(TOKENS, 20)


def test_a_killed_process_tells_of_nothing_and_the_next_of_its_session_may() -> None:
    assert story(told(0.5), killed(), told(1.2)) == [0.5, 0.0, 0.7]
    assert story(killed(), told(0.9)) == [0.0, 0.9]
    assert story(told(0.5, 0, PER_PROCESS), killed(PER_PROCESS), told(0.7, 0, PER_PROCESS)) == [0.5, 0, 0.7]


def test_a_new_session_begins_at_nothing() -> None:
    paying = Paying()
    paying.turn(told(0.5))
    assert paying.turn(told(0.9), new_session=True)["usd"] == 0.9
    assert paying.turn(told(1.0))["usd"] == pytest.approx(0.1)


def test_what_an_earlier_session_cost_is_no_part_of_a_new_one() -> None:
    paying = Paying()
    paying.turn(told(0.5, 10, PER_PROCESS))
    paying.turn(told(0.3, 5, PER_PROCESS), new_session=True)
    assert paying.turn(told(0.7, 9))["usd"] == pytest.approx(0.4)


@pytest.mark.parametrize("version", [None, "", "of the future", CUMULATIVE, "3.0"])
def test_totals_that_went_down_are_no_continuation(version: str | None) -> None:
    assert story(told(0.5, 10, version), told(0.2, 4, version)) == [0.5, 0.2]
    assert story(told(0.5, 10, version), told(0.6, 4, version)) == [0.5, 0.6], "one that is smaller is enough"


@pytest.mark.parametrize("version", [None, "of the future", "2.1.331 (Claude Code)", "3"])
def test_totals_of_an_unknown_version_that_grow_are_a_continuation(version: str | None) -> None:
    assert story(told(0.5, 10, version), told(0.8, 14, version)) == [0.5, 0.3]


@pytest.mark.parametrize("version", ["2.1.197", "2.1.197 (Claude Code)", "2.1.3", "1.9.999", "v2.0"])
def test_a_version_up_to_the_last_that_counts_each_process_is_believed(version: str) -> None:
    assert story(told(0.5, 10, version), told(0.8, 14, version)) == [0.5, 0.8]


def test_a_result_that_was_zeroed_lowers_no_total() -> None:
    """A refusal tells of no cost at all; the turn after it counts the whole session again."""
    assert story(told(0.84, 100), told(0.0), told(0.9, 110)) == [0.84, 0.0, 0.06]


def test_a_session_that_a_newer_version_goes_on_with_is_not_counted_from_its_beginning() -> None:
    assert story(told(0.5, 10, PER_PROCESS), told(0.3, 10, PER_PROCESS), told(1.0, 25)) == [0.5, 0.3, 0.2]


def test_the_first_turn_of_a_session_is_all_its_own() -> None:
    said = told(0.5, 10)
    assert own_share(said, None) == totals(said)


@pytest.mark.parametrize(("cap", "left"), [(None, None), (2.0, 1.5), (0.5, 0.0), (0.2, 0.0)])
def test_what_is_left_of_a_budget_is_never_less_than_nothing(cap: float | None, left: float | None) -> None:
    assert Money(usd=0.5, cap=cap).left == left


class Turn(NamedTuple):
    """A process in truth: what it cost, and how it tells of that."""

    cents: int
    tokens: int
    ending: str
    new_session: bool
    version: str | None


class Ledger:
    """What a CLI keeps of a session, and says at the end of a process."""

    def __init__(self, unknown_counts_processes: bool, keeps_killed: bool) -> None:
        self.unknown_counts_processes = unknown_counts_processes
        self.keeps_killed = keeps_killed
        self.cents = self.tokens = 0

    def run(self, turn: Turn) -> TurnReport:
        if turn.new_session:
            self.cents = self.tokens = 0
        if turn.ending != "killed" or self.keeps_killed:
            self.cents, self.tokens = self.cents + turn.cents, self.tokens + turn.tokens
        if turn.ending == "killed":
            return killed(turn.version)
        if turn.ending == "zeroed":
            return told(0.0, 0, turn.version)
        each = turn.version == PER_PROCESS or (turn.version is None and self.unknown_counts_processes)
        cents, tokens = (turn.cents, turn.tokens) if each else (self.cents, self.tokens)
        return told(cents / 100, tokens, turn.version)


def turns(*versions: str | None) -> st.SearchStrategy[list[Turn]]:
    ending = st.sampled_from(["told", "told", "told", "killed", "zeroed"])
    rarely = st.sampled_from([False, False, False, True])
    money = (st.integers(0, 30), st.integers(0, 30))
    return st.lists(st.builds(Turn, *money, ending, rarely, st.sampled_from(versions)), max_size=7)


def paid(ledger: Ledger, all_turns: list[Turn]) -> tuple[float, int]:
    """Dollars and tokens that the log counts for these turns."""
    paying, tokens = Paying(), 0
    for turn in all_turns:
        tokens += paying.turn(ledger.run(turn), new_session=turn.new_session)["input_tokens"]
    return paying.money.usd, tokens


@given(
    st.one_of(turns(PER_PROCESS), turns(CUMULATIVE), turns(PER_PROCESS, CUMULATIVE), turns(None)),
    st.booleans(),
    st.booleans(),
)
def test_no_more_is_ever_counted_than_was_spent(
    all_turns: list[Turn], unknown_counts_processes: bool, keeps_killed: bool
) -> None:
    usd, tokens = paid(Ledger(unknown_counts_processes, keeps_killed), all_turns)
    assert usd <= sum(turn.cents for turn in all_turns) / 100 + 1e-6
    assert tokens <= sum(turn.tokens for turn in all_turns)


@given(turns(CUMULATIVE))
def test_a_session_whose_last_word_is_its_total_is_counted_to_the_cent(all_turns: list[Turn]) -> None:
    one_session = [turn._replace(new_session=False) for turn in all_turns]
    last = Turn(7, 7, "told", False, CUMULATIVE)
    usd, tokens = paid(Ledger(False, keeps_killed=True), [*one_session, last])
    assert usd == pytest.approx(sum(turn.cents for turn in [*one_session, last]) / 100)
    assert tokens == sum(turn.tokens for turn in [*one_session, last])


@given(turns(PER_PROCESS))
def test_where_each_process_is_counted_only_what_none_told_of_is_missing(all_turns: list[Turn]) -> None:
    usd, tokens = paid(Ledger(False, False), all_turns)
    heard = [turn for turn in all_turns if turn.ending == "told"]
    assert usd == pytest.approx(sum(turn.cents for turn in heard) / 100)
    assert tokens == sum(turn.tokens for turn in heard)


def test_a_report_as_it_stands_in_the_log_gives_the_session_s_total() -> None:
    said = told(0.25, 5, PER_PROCESS).model_dump(mode="json")
    before = {"usd": 0.5, **dict.fromkeys(TOKENS, 10)}
    assert totals_after(said, None) == {"usd": 0.25, **dict.fromkeys(TOKENS, 5)}
    assert totals_after(said, before) == {"usd": 0.75, **dict.fromkeys(TOKENS, 15)}
