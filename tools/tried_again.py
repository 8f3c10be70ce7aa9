"""How an attempt that ended badly is made again, in words for the documents, from the rules themselves."""

from handlers.ending import MOST_DEATHS
from handlers.outcome import DEATHS
from handlers.retry import LONGEST_S, UNLIMITED, retries_for
from schemas.attempt import ErrorClass


def tried_again(error_class: ErrorClass, reason: str) -> str:
    """How often, how soon and how an attempt that ended so is made again; `-` for never."""
    if reason in DEATHS:
        return f"at once, in a new session; {MOST_DEATHS} deaths end the task (`worker_lost`)"
    retries = retries_for(error_class, reason)
    if not retries.most:
        return "-"
    session = "in the same session" if retries.resume else "anew"
    if retries.most == UNLIMITED:
        return f"until it starts, first after {retries.delay_s:g} s, then up to {LONGEST_S / 60:g} min apart"
    often = how_often(retries.most)
    said = f"{often}, first after about {retries.delay_s:g} s, {session}"
    if error_class == "validation":
        return f"{said}; `VALIDATION_MAX_RETRIES` says how often"
    return f"{said}; a used-up window is waited for" if error_class == "rate_limit" else said


def how_often(most: int) -> str:
    return {1: "once", 2: "twice"}.get(most, f"{most} times")
