"""Prices of the tea shop, in whole pence."""

import csv
from pathlib import Path

VAT_PERCENT = 20


def price_list(folder: Path) -> dict[str, int]:
    """Name of a tea -> its price without tax."""
    with (folder / "prices.csv").open(encoding="utf-8", newline="") as file:
        return {row["tea"]: int(row["pence"]) for row in csv.DictReader(file)}


def with_tax(pence: int) -> int:
    return pence + pence * VAT_PERCENT // 100
