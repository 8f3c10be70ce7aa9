"""A log that somebody has given a trigger of their own: no line counts that it has swallowed."""

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from eventstore.event import NO_STREAM
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import facts

SWALLOW = "CREATE TRIGGER x BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END"


def test_a_line_that_a_foreign_trigger_swallows_is_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with closing(SqliteLog.create(path)) as log:
        log.append("thing-1", facts(1), NO_STREAM)
    with closing(apsw.Connection(str(path))) as other:
        other.execute(SWALLOW)
    with closing(SqliteLog(path)) as log:
        with pytest.raises(OSError, match="a line was not stored"):
            log.append("thing-2", facts(2, 3), NO_STREAM)
        assert log.head() == 1
