"""A log is continued by one that begins with the very bytes, not only with the same ids."""

from pathlib import Path

import orjson
import pytest

from tests.exported import mirror_of, told
from tests.reading_evt import Evt


@pytest.mark.parametrize("number", [3, 9])
def test_an_event_of_the_same_id_and_other_words_is_no_beginning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    lines = mirror_of(told(tmp_path / "old")).read_bytes().splitlines(keepends=True)
    evt, given = Evt(tmp_path / "new", capsys), tmp_path / "given.ndjson"
    given.write_bytes(b"".join(lines[:9]))
    assert evt("import", str(given)).code == 0
    before = mirror_of(evt.root).read_bytes()
    event = {**orjson.loads(lines[number - 1]), "actor": "cli:eve"}
    forged = orjson.dumps(event, option=orjson.OPT_SORT_KEYS) + b"\n"
    given.write_bytes(b"".join([*lines[: number - 1], forged, *lines[number:]]))
    said = evt("import", str(given))
    assert (said.code, f"line {number}: it is not event {number} of this home" in said.err) == (7, True)
    assert mirror_of(evt.root).read_bytes() == before
