"""What must hold after a crash; each sentence that comes back names something that does not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import apsw

from adapters.safe_files import TEMPORARY
from eventstore.event import Recorded
from eventstore.line import NotALine, parse
from eventstore.log import LogUnreadable
from eventstore.sqlite.log import SqliteLog
from projections.all_views import ALL, BY_NAME
from projections.comparison import differences
from projections.view_rows import ViewRows
from projections.views import Views
from tools.crash.sandbox import LOG
from tools.crash.witness import Ack

MIRROR = Path("logs/events.ndjson")
VIEWS = Path("logs/views.db")


def wrong_log(home: Path, before: Sequence[bytes], acks: Sequence[Ack]) -> list[str]:
    """The log as it opens by itself: what stood there or was acknowledged since is not gone or moved."""
    if not (home / LOG).exists() or not (home / LOG).stat().st_size:
        return ["the log is gone"] if before or acks else []
    try:
        # Whoever comes first may be a reader.
        with closing(SqliteLog(home / LOG, read_only=True)) as read:
            seen = read.head()
        log = SqliteLog(home / LOG)
    except (LogUnreadable, OSError) as refusal:
        return [f"the log does not open: {refusal}"]
    with closing(log):
        try:
            events = list(log.all())
            wrong = [*wrong_order(events), *_wrong_streams(log, events), *_wrong_copies(events)]
        except (LogUnreadable, OSError) as refusal:
            return [f"the log cannot be read: {refusal}"]
    if seen != len(events):
        wrong.append(f"a reader that came first saw {seen} events, not {len(events)}")
    wrong += _lost([event.line for event in events], before)
    wrong += wrong_acks(events, acks)
    return [*wrong, *_wrong_pages(home / LOG)]


def wrong_order(events: Sequence[Recorded]) -> Iterator[str]:
    """Positions without a gap, from 1 and in each stream from 0; each id once."""
    ends = Counter[str]()
    for number, event in enumerate(events, 1):
        if event.global_position != number:
            yield f"event {event.global_position} stands where {number} should"
        if event.position != ends[event.stream]:
            yield f"event {number} is {event.position} of {event.stream}, not {ends[event.stream]}"
        ends[event.stream] += 1
    twice = [id for id, count in Counter(event.id for event in events).items() if count > 1]
    if twice:
        yield f"ids that stand twice: {twice[:3]}"


def _wrong_streams(log: SqliteLog, events: Sequence[Recorded]) -> Iterator[str]:
    counts = Counter(event.stream for event in events)
    for stream, count in counts.items():
        if [event.position for event in log.stream(stream)] != list(range(count)):
            yield f"the stream {stream} read by itself is not its {count} events"


def _wrong_copies(events: Sequence[Recorded]) -> Iterator[str]:
    """The columns are copies of what the line says."""
    for event in events:
        try:
            said = parse(event.line)
        except NotALine as no:
            yield f"event {event.global_position} is no line: {no}"
            continue
        place = (event.global_position, event.stream, event.position, event.type, event.time)
        if place != (said.global_position, said.stream, said.position, said.type, said.time):
            yield f"event {event.global_position} says another place or type than its columns"


def _lost(found: Sequence[bytes], before: Sequence[bytes]) -> list[str]:
    if list(found[: len(before)]) == list(before):
        return []
    first = next(
        (at for at, pair in enumerate(zip(found, before, strict=False), 1) if pair[0] != pair[1]), None
    )
    return [f"of the {len(before)} events that stood there before, {first or len(found) + 1} is not the same"]


def wrong_acks(events: Sequence[Recorded], acks: Sequence[Ack]) -> Iterator[str]:
    """What somebody was told stands where they were told."""
    for ack in acks:
        if ack.global_position > len(events):
            yield f"event {ack.global_position} of {ack.stream} was acknowledged and is lost"
            continue
        event = events[ack.global_position - 1]
        if (event.id, event.stream, event.position) != (ack.id, ack.stream, ack.position):
            yield f"event {ack.global_position} is another one than was acknowledged"


def _wrong_pages(path: Path) -> list[str]:
    with closing(
        apsw.Connection(f"{path.as_uri()}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    ) as c:
        said = c.execute("PRAGMA integrity_check").get
    return [] if said == "ok" else [f"SQLite's integrity check: {said}"]


def wrong_views(home: Path) -> list[str]:
    """The views, opened again and brought up to a log that opens, against a fresh fold."""
    with closing(SqliteLog(home / LOG)) as log:
        views = Views(home / VIEWS, ALL)
        try:
            views.catch_up(log)
        finally:
            views.close()
        found = differences(home / VIEWS, log, ALL)
    wrong = [
        f"view {one.view}, key {one.key}: stored {one.stored}, fresh {one.fresh}"
        for one in found.differences[:2]
    ]
    wrong += [f"view {name}: {why}" for name, why in found.not_compared.items()]
    return [*wrong, *views.repairs]


def wrong_mirror(home: Path) -> list[str]:
    """The mirror against the log, byte for byte."""
    with closing(SqliteLog(home / LOG, read_only=True)) as log:
        good = b"".join(event.line + b"\n" for event in log.all())
    return [] if (home / MIRROR).read_bytes() == good else ["the mirror is not the log, byte for byte"]


def half_done(home: Path) -> list[str]:
    """What a verb that settled has left undone: tasks without a place, receipts that lack their artifact."""
    with closing(SqliteLog(home / LOG, read_only=True)) as log:
        projections = [BY_NAME[name] for name in ("received", "to_write", "to_archive")]
        with ViewRows.open(home / VIEWS, log, projections) as views:
            wrong = [f"task {key} has no place in the queue" for key in views.rows("received")]
            wrong += [f"the artifact of {key} is not written" for key in views.rows("to_write")]
            pending = [row["want"] for row in views.rows("to_archive").values() if row["pending"]]
    return [*wrong, *(f"{want} was not moved" for want in pending)]


def litter(home: Path) -> list[str]:
    """Temporary files that a crash left, after a service had its time to sweep them."""
    return [
        f"{path.relative_to(home)} was left behind"
        for path in home.rglob(".*.tmp")
        if TEMPORARY.fullmatch(path.name)
    ]
