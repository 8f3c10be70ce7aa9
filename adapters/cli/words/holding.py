"""The words for what holds work up and lets it go on: leases, checks, retries, pauses, circuits, budgets."""

from collections.abc import Mapping
from typing import Final

from adapters.cli.moments import minute, span
from adapters.cli.words.telling import Data, Telling, after
from schemas import names


def check_words(result: Data) -> str:
    """How one check went."""
    took = span(result["elapsed_ms"] * 1000)
    match result["ended"]:
        case "exited" if result["passed"]:
            how = f"passed after {took}"
        case "exited":
            how = f"failed with code {result['exit_code']} after {took}"
        case "timeout":
            how = f"ran out of time after {took}"
        case _:
            how = "was not started"
    return f"`{result['command']}` {how}{after(result['note'])}"


def _lease_expired(data: Data) -> str:
    who = f"{data['worker']} (pid {data['process']['pid']})"
    return f"attempt {data['attempt']} is taken from {who}, not heard of until {minute(data['lease_until'])}"


def _retry_scheduled(data: Data) -> str:
    resumed = ", its session goes on" if data["resume"] else ""
    when = f"retry {data['retry']} in {span(round(data['delay_s'] * 1e6))}{resumed}"
    return f"{when}: {data['sentence']} ({data['error_class']}, {data['reason']})"


def _quota_wait(data: Data) -> str:
    resumed = ", then its session goes on" if data["resume"] else ""
    return f"{data['executor']} until {minute(data['wake_at'])}{resumed}: {data['sentence']}"


def _silent(data: Data) -> str:
    return f"turn {data['turn_index'] + 1}: the agent said nothing for {data['silent_s']:g} s"


def _stale(data: Data) -> str:
    cost = "" if data["cost_usd"] is None else f", it cost {data['cost_usd']:.4f} USD"
    now = f"attempt {data['current_attempt']} is the task's"
    return f"{data['command']} of attempt {data['attempt']} was not taken: {now}{cost}"


def _retry_requested(data: Data) -> str:
    waits = f", waits for {', '.join(data['waits_for'])}" if data["waits_for"] else ""
    return f"was {data['was']}{waits}: {data['reason']}"


def _opened(data: Data) -> str:
    failed = f"{data['executor']} failed {data['failures']} times in a row ({data['error_class']})"
    rests = f"rests {span(round(data['delay_s'] * 1e6))}"
    return f"{failed} and {rests}: {data['sentence']}"


def _budget_reached(data: Data) -> str:
    spent = f"{data['spent_usd']:.2f} of {data['budget_usd']:.2f} USD are spent on {data['day']}"
    return f"{spent}: nothing is begun before {minute(data['wake_at'])}"


def _budget_lifted(data: Data) -> str:
    budget = "there is no budget" if data["budget_usd"] is None else f"{data['budget_usd']:.2f} USD may be"
    return f"{data['spent_usd']:.2f} USD are spent on {data['day']}, and {budget}"


def _reason(data: Data) -> str:
    return str(data["reason"])


HOLDING: Final[Mapping[str, Telling]] = {
    names.LEASE_EXTENDED: Telling(
        "dim", lambda data: f"attempt {data['attempt']}, until {minute(data['lease_until'])}"
    ),
    names.LEASE_EXPIRED: Telling("yellow", _lease_expired),
    names.CHECK_STARTED: Telling("cyan", lambda data: f"`{data['command']}`"),
    names.CHECK_FINISHED: Telling("cyan", lambda data: check_words(data["result"])),
    names.RETRY_SCHEDULED: Telling("yellow", _retry_scheduled),
    names.QUOTA_WAIT_STARTED: Telling("yellow", _quota_wait),
    names.INACTIVITY_TIMEOUT: Telling("yellow", _silent),
    names.STALE_RESULT_REJECTED: Telling("yellow", _stale),
    names.RETRY_REQUESTED: Telling("blue", _retry_requested),
    names.TASK_PAUSED: Telling("yellow", _reason),
    names.TASK_RESUMED: Telling("blue", _reason),
    names.QUEUE_PAUSED: Telling("yellow", _reason),
    names.QUEUE_RESUMED: Telling("blue", _reason),
    names.CIRCUIT_OPENED: Telling("red", _opened),
    names.CIRCUIT_CLOSED: Telling("green", lambda data: f"{data['executor']} answers again"),
    names.DAILY_BUDGET_REACHED: Telling("yellow", _budget_reached),
    names.DAILY_BUDGET_LIFTED: Telling("green", _budget_lifted),
}
