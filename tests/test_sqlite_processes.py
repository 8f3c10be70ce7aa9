"""Several processes append to one log, and one is killed: nothing acknowledged is lost or doubled."""

from pathlib import Path

from eventstore.sqlite.log import SqliteLog
from eventstore.text.mirror import Mirror
from tests import appending
from tests.appending import acknowledged, check

WRITERS = 4
EACH = 150


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


def test_two_processes_with_many_callers_each_append_at_full_speed(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    SqliteLog.create(path).close()
    writers = [appending.start(path, f"w{number}", 400, "tests.appending_together") for number in range(2)]
    said = [writer.communicate()[0].splitlines(keepends=True) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    acks = [acknowledged(lines) for lines in said]
    log = SqliteLog(path)
    assert log.head() == sum(map(len, acks)) == 800
    assert sum(map(sum, acks)) == sum(range(1, 801))
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
