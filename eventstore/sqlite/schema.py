"""The tables of the SQLite log, in the words of SQLite."""

from typing import Final

APPLICATION_ID: Final = int.from_bytes(b"evtl", "big")
"""Says in the file's header whose file it is."""

FORMAT: Final = 1
"""The version of these tables, kept as user_version."""

NEVER_CHANGED: Final = """
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
"""

TABLES: Final = """
CREATE TABLE events(            -- the truth, append only
    global_position INTEGER PRIMARY KEY,    -- from 1, gapless
    stream TEXT NOT NULL,
    position INTEGER NOT NULL,              -- in the stream, from 0
    prev INTEGER NOT NULL,                  -- global position of the stream's event before, or 0
    type TEXT NOT NULL,
    time INTEGER NOT NULL,                  -- microseconds since 1970, UTC
    line BLOB NOT NULL                      -- the event itself; the columns are copies
) STRICT;

CREATE TABLE heads(             -- a projection: where each stream ended at the checkpoint
    stream TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    global_position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint(        -- heads holds for the events up to here
    one INTEGER PRIMARY KEY CHECK (one = 1),
    global_position INTEGER NOT NULL
) STRICT;

INSERT INTO checkpoint VALUES (1, 0);

CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'an event is never removed'); END;

-- INSERT OR REPLACE would remove without a DELETE: only the next position may come.
CREATE TRIGGER events_are_only_appended BEFORE INSERT ON events
WHEN NEW.global_position IS NOT (SELECT coalesce(max(global_position), 0) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'an event is only appended, at the next position'); END;
"""

INSERT: Final = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)"

COLUMNS: Final = "global_position, stream, position, type, time, line"

CHAIN: Final = """
WITH RECURSIVE chain(global_position, position, prev) AS (
    SELECT global_position, position, prev FROM events WHERE global_position = ?1 AND position > ?2
    UNION ALL
    SELECT e.global_position, e.position, e.prev FROM chain AS c JOIN events AS e
        ON e.global_position = c.prev AND e.global_position < c.global_position
    WHERE e.position > ?2
)
SELECT global_position FROM chain
"""
"""Global positions of one stream, backwards from its head ?1 to the event after position ?2."""

AT_POSITIONS: Final = """
SELECT e.global_position, e.stream, e.position, e.type, e.time, e.line
FROM json_each(?) AS wanted CROSS JOIN events AS e ON e.global_position = wanted.value
"""
"""The events at the positions of a JSON array, in its order."""

SINCE: Final = "SELECT global_position, stream, position FROM events WHERE global_position > ? ORDER BY 1"

SAVE_HEAD: Final = """
INSERT INTO heads VALUES (?, ?, ?)
ON CONFLICT (stream) DO UPDATE SET position = excluded.position, global_position = excluded.global_position
"""
