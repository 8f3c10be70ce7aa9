"""What holds of a task once it has its place in the queue: one rule for every fold that needs it."""

from collections.abc import Mapping
from typing import Any, Final

_LATER: Final = ("agent", "target_files", "decided", "alternatives")


def placed(spec: Mapping[str, Any], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec as `task_received` told it, with what `task_queued` or `retry_requested` says over it."""
    told = {name: data[name] for name in ("title", "task_type", "cwd")}
    # Older events say nothing of these.
    told |= {name: data[name] for name in _LATER if data.get(name) is not None}
    return {**spec, **told}
