"""The measurement of an audit runs and says what it has found; how fast anything was, no test asks."""

import tempfile
from pathlib import Path

import pytest

from tools.bench import audit


def test_an_audit_is_measured_beside_plainer_proofs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (table,) = audit.measure(600, 1)
    whats = [row["what"] for row in table.rows]
    assert whats[0] == audit.READ
    assert "whole audit" in whats
    assert table.rows[0]["ratio to reading and hashing"] == 1
    assert "600 events" in table.notes[0]


def test_an_audit_that_finds_the_wrong_thing_is_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(audit.Edited, "rows", lambda self: self._rows.rows())
    with pytest.raises(audit.WentWrong, match="EDITED at 150"):
        audit.measure(300, 1)
