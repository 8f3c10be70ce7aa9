"""Several processes append to one log, and one is killed: nothing acknowledged is lost or doubled."""

from collections import defaultdict
from pathlib import Path

from eventstore.mirror import Mirror
from eventstore.sqlite_log import SqliteLog
from tests import appending

WRITERS = 4
EACH = 150


def acknowledged(lines: list[str]) -> dict[int, tuple[str, int]]:
    """Global position → stream and position, of every whole line."""
    found = {}
    for line in lines:
        if line.endswith("\n"):
            place, stream, position = line.split()
            found[int(place)] = stream, int(position)
    return found


def check(log: SqliteLog, acks: dict[int, tuple[str, int]]) -> None:
    """Gapless, in order, each acknowledged event where its writer was told, each id once."""
    events = list(log.all())
    assert [event.global_position for event in events] == list(range(1, len(events) + 1))
    there = {event.global_position: (event.stream, event.position) for event in events}
    assert acks.items() <= there.items()
    assert len({event.id for event in events}) == len(events)
    ends: dict[str, int] = defaultdict(int)
    for event in events:
        assert event.position == ends[event.stream]
        ends[event.stream] += 1
    for stream, count in ends.items():
        assert [event.position for event in log.stream(stream)] == list(range(count))


def test_four_processes_append_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    SqliteLog.create(path).close()
    writers = [appending.start(path, f"w{number}", EACH) for number in range(WRITERS)]
    said = [writer.communicate()[0].splitlines(keepends=True) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS
    acks = [acknowledged(lines) for lines in said]
    log = SqliteLog(path)
    assert log.head() == sum(map(len, acks)) == WRITERS * EACH
    check(log, {place: stands for ack in acks for place, stands in ack.items()})
    log.close()


def test_what_a_killed_process_was_told_is_there(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    survivor = SqliteLog.create(path)
    acks: dict[int, tuple[str, int]] = {}
    for round_number in range(3):
        writer = appending.start(path, f"k{round_number}", 100_000)
        assert writer.stdout is not None
        with writer:
            lines = [writer.stdout.readline() for _ in range(30)]
            writer.kill()
            lines += writer.stdout.readlines()
        acks |= acknowledged(lines)
        # The gate and SQLite's lock died with it: this append does not wait for ever.
        place, stream, position = appending.append_next(survivor, f"s{round_number}", 1).split()
        acks[int(place)] = stream, int(position)
    check(survivor, acks)
    mirror = tmp_path / "events.ndjson"
    Mirror(mirror, survivor).catch_up()
    assert mirror.read_bytes() == b"".join(event.line + b"\n" for event in survivor.all())
    survivor.close()
    again = SqliteLog(path)
    check(again, acks)
    again.close()
