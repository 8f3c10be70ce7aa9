"""The settings of validation, from `.env` through the real program: they stand in the claim and are used."""

from pathlib import Path
from typing import Any

import pytest

from schemas import names
from tests.service import drop, events, evt, folder, home_at, task_text

pytestmark = pytest.mark.timeout(200)


def done(home: Path) -> dict[str, dict[str, Any]]:
    """A task carried out; the data of its claim and of what was measured."""
    drop(home, "one.task.md", task_text(folder(home)))
    ran = evt(home, "run", "--drain", CLAUDE_BASE_CWD=str(home / "shops"))
    assert ran.returncode == 0, ran.stderr
    return {event.type: dict(event.data) for event in events(home)}


def test_thresholds_and_retries_of_the_settings_stand_in_the_claim_and_are_measured_against(
    tmp_path: Path,
) -> None:
    home = home_at(
        tmp_path / "home",
        "VALIDATION_SIMILARITY_THRESHOLD=0.31\nVALIDATION_ENTROPY_THRESHOLD=1\n"
        "VALIDATION_MAX_RETRIES=3\nVALIDATION_BACKOFF_MULTIPLIER=1.5\n",
    )
    told = done(home)
    claimed, measured = told[names.TASK_CLAIMED]["conditions"], told[names.VALIDATED]
    assert (claimed["similarity_threshold"], claimed["entropy_threshold"]) == (0.31, 1.0)
    assert (claimed["validation_retries"], claimed["validation_backoff"]) == (3, 1.5)
    assert (measured["similarity_threshold"], measured["entropy_threshold"]) == (0.31, 1.0)
    assert "low_entropy" in evt(home, "show", "one").stdout
    assert names.TASK_SUCCEEDED in told, "a signal decides nothing"


def test_without_them_the_agents_own_stand_there(tmp_path: Path) -> None:
    told = done(home_at(tmp_path / "home"))
    claimed = told[names.TASK_CLAIMED]["conditions"]
    assert (claimed["similarity_threshold"], claimed["entropy_threshold"]) == (0.8, 0.8)
    assert (claimed["validation_retries"], claimed["validation_backoff"]) == (1, 2.0)
