"""A view's rows as a table for people: the key and the fields that tell most."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from adapters.cli.moments import minute, span
from adapters.cli.output import Output
from projections.metrics import quantile
from projections.projection import Row

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "tasks": ("status", "priority", "task_type", "received_at", "attempt", "title"),
    "queue": ("status", "priority", "queued_at", "not_before", "worker", "waits_for", "title"),
    "artifacts": ("path", "upto", "sha256"),
    "timers": ("kind", "wake_at"),
    "executors": ("paused", "paused_by", "why", "wait_until", "failures", "opened", "sentence"),
    "costs": (
        "usd",
        "turns",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "rejected_usd",
        "last_at",
    ),
    "erasures": ("pending", "fields", "reason", "erased_at", "erased_by"),
    "received": ("received_position",),
    "waiting": ("waits_for", "waiters", "succeeded"),
    "to_write": ("upto",),
    "to_archive": ("status", "pending", "have", "want"),
    "in_inbox": ("file_name", "content_sha256"),
    "types": ("events", "last"),
}
"""A view that is not here shows its rows as JSON."""

MOMENTS: Final = ("_at", "_until", "not_before")
MONEY: Final = ("usd",)
SPARE: Final = ("interrupted", "refused", "attempts", "longest", "cancelled")
"""A narrow terminal goes without these of `metrics`, in this order."""
COUNTS: Final = ("received", "succeeded", "failed", "cancelled", "refused", "attempts", "interrupted")


def table(output: Output, name: str, rows: Mapping[str, Row]) -> None:
    """Write the rows, in the order of their keys."""
    if name == "metrics":
        _metrics(output, rows)
        return
    fields = FIELDS.get(name)
    if fields is None:
        output.table([(key, _json(row)) for key, row in rows.items()], ("key", "row"))
        return
    cells = [(key, *(_cell(field, row.get(field)) for field in fields)) for key, row in rows.items()]
    output.table(cells, ("key", *fields))


def _metrics(output: Output, rows: Mapping[str, Row]) -> None:
    """Counts, then how long ended attempts took (half of them, 95 of 100, the longest), then cost."""
    heads = ("metrics", *COUNTS, "p50", "p95", "longest", "USD")
    cells = [
        (
            key,
            *(str(row.get(name, 0)) for name in COUNTS),
            _length(quantile(row, 0.5)),
            _length(quantile(row, 0.95)),
            _length(row.get("elapsed_ms_max")),
            f"{row['cost_micro_usd_sum'] / 1e6:.4f}" if "cost_micro_usd_sum" in row else "-",
        )
        for key, row in rows.items()
    ]
    left_out = output.table(cells, heads, spare=SPARE)
    if left_out:
        output.note(f"note: no room here for {', '.join(left_out)}: a wider terminal or --json has them.")


def _length(milliseconds: int | None) -> str:
    return "-" if milliseconds is None else span(milliseconds * 1000)


def _cell(field: str, value: Any) -> str:
    if value is None or value == []:
        return "-"
    if field.endswith(MOMENTS) and isinstance(value, int):
        return minute(value)
    if field.endswith(MONEY):
        return f"{value:.4f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
