"""A short run of tools/tampering: every attack and every honest state."""

import pytest

from tools.tampering.__main__ import main
from tools.tampering.attacks import ATTACKS
from tools.tampering.honest import HONEST
from tools.tampering.programme import Figures, run

SEED = 20_261_122
"""The long programme throws other dice each time."""


def test_every_attack_is_found_in_its_place_and_no_honest_log_is_warned_of() -> None:
    figures = run(3 * len(ATTACKS), 2 * len(HONEST), SEED)
    assert figures.wrong == [], f"seed {SEED}"
    assert set(figures.logs) == {*ATTACKS, *HONEST}


def test_what_was_missed_is_told_and_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = Figures(wrong=["one was missed"])
    missed.logs["cut"] = missed.missed["cut"] = 1
    monkeypatch.setattr("tools.tampering.__main__.run", lambda *words: missed)
    assert main(["--seed", "1"]) == 1
    told = capsys.readouterr().out
    assert "found: 0 of 1 tampered logs" in told
    assert "WRONG: one was missed" in told
