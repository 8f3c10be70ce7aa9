"""Whether a service is at work in a home, as its lock and its log say."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.cli.moments import ago
from adapters.home import Home
from eventstore.file_lock import FileLock
from eventstore.log import Log
from projections.projection import Row
from schemas import names
from schemas.shown import shown

_TURNS: Final = (names.ORCHESTRATOR_STARTED, names.ORCHESTRATOR_STOPPED)


def owned(home: Home) -> bool | None:
    """Whether somebody holds the home's lock; None where this user may not try it.

    The only way to know is to take the lock and give it back at once: for that blink
    of an eye a service that starts would find the home owned.
    """
    if not home.owner_lock.exists():
        return False
    lock = FileLock(home.owner_lock)
    try:
        if not lock.try_acquire():
            return True
    except OSError:
        return None
    lock.release()
    return False


def service(home: Home, log: Log, types: Mapping[str, Row]) -> dict[str, Any]:
    """`state` is running, busy (a verb owns the home), stopped, gone (ended without a word),
    never_started or unknown (the lock cannot be tried). `at` is the time of `started` or
    `stopped` in µs since 1970; `pid`, `workers`, `version`, `reason` as the log has them.
    `stopping` says of one that is running since when it was told to stop, and what it waits for."""
    # By the view of that name: the stream may be long.
    at = max((types[name]["last"] for name in _TURNS if name in types), default=0)
    last = next(log.all(at - 1, at), None) if at else None
    held = owned(home)
    told: dict[str, Any] = {
        "owned": held,
        "at": None,
        "pid": None,
        "workers": None,
        "version": None,
        "reason": None,
        "stopping": None,
    }
    if last is None:
        return {**told, "state": "busy" if held else "never_started"}
    told.update(at=last.time, pid=last.data["process"]["pid"])
    told.update({name: last.data.get(name) for name in ("workers", "version", "reason")})
    if last.type == names.ORCHESTRATOR_STOPPED:
        return {**told, "state": "busy" if held else "stopped"}
    asked = types.get(names.STOP_REQUESTED, {}).get("last", 0)
    if held and asked > at and (stop := next(log.all(asked - 1, asked), None)) is not None:
        told["stopping"] = {
            "at": stop.time,
            **{name: stop.data[name] for name in ("reason", "running", "grace_s")},
        }
    return {**told, "state": {True: "running", False: "gone", None: "unknown"}[held]}


def stopping_in_words(told: Mapping[str, Any], now: int) -> str:
    """What a service does that was told to stop: `told` is as in `stop_requested`, with its time."""
    waits = f"waits up to {told['grace_s']:g} s for {', '.join(told['running'])}"
    waits = waits if told["running"] and told["grace_s"] else "it ends what it does"
    return shown(f"told to stop {ago(told['at'], now)} ({told['reason']}): {waits}", 300)


def in_words(told: dict[str, Any], now: int) -> str:
    """The answer of `service` for people."""
    match told["state"]:
        case "running":
            workers = "1 worker" if told["workers"] == 1 else f"{told['workers']} workers"
            if told["stopping"] is not None:
                return f"{stopping_in_words(told['stopping'], now)}; pid {told['pid']}, {workers}"
            return f"running: pid {told['pid']}, {workers}, started {ago(told['at'], now)}"
        case "busy":
            return "not running; another verb works on this home right now"
        case "stopped":
            return f"stopped {ago(told['at'], now)} ({shown(str(told['reason']), 100)}); `evt run` starts it"
        case "gone":
            return (
                f"not running: it started {ago(told['at'], now)} (pid {told['pid']}) and "
                "ended without a word; `evt run` takes up its tasks again"
            )
        case "never_started":
            return "not started yet: `evt run` starts it"
        case _:
            return f"unknown: this user may not try the home's lock; it last started {ago(told['at'], now)}"
