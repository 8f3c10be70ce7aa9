"""A turn that follows a question: what it adds to the answer before it, and that it cannot undo that one."""

from collections.abc import Mapping
from typing import Any


def answered_well(report: Mapping[str, Any]) -> bool:
    """Whether a turn came to a good end with something to say."""
    ended = report["ended"] == "exited" and report["has_result"] and report["subtype"] == "success"
    return bool(ended and not report["is_error"] and report["result_text"].strip())


def together(before: Mapping[str, Any], after: Mapping[str, Any]) -> Mapping[str, Any]:
    """One report of both turns: the first one stands where the second came to no good end.

    What was paid for and was good is not lost because more was asked.
    """
    if not answered_well(after):
        return before
    return {**after, "result_text": f"{before['result_text'].rstrip()}\n\n{after['result_text']}"}
