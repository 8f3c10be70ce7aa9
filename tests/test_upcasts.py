"""Old shapes have one place, and everything that opens a log knows it."""

import re
from pathlib import Path

from schemas.registry import FACTS
from schemas.upcasts import UPCASTS

ADAPTERS = Path(__file__).parents[1] / "adapters"


def test_every_old_shape_of_a_type_leads_to_todays() -> None:
    for name, fact in FACTS.items():
        for version in range(1, fact.SCHEMA):
            assert (name, version) in UPCASTS, f"{name} {version} has no way to {fact.SCHEMA}"
    for name, version in UPCASTS:
        assert version < FACTS[name].SCHEMA


def test_every_log_is_opened_with_the_table_of_old_shapes() -> None:
    opened = [
        (path.name, call)
        for path in ADAPTERS.rglob("*.py")
        for call in re.findall(r"SqliteLog(?:\.create)?\([^()]*\)", path.read_text(encoding="utf-8"))
        if "home.log" in call
    ]
    assert len(opened) >= 3
    assert [where for where in opened if "upcasts=UPCASTS" not in where[1]] == []
