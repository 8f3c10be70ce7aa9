"""Keep a corpus in `eventsourcing` and read all of it again, in that library's own environment.

python peer_replay.py make NDJSON DATABASE | read DATABASE
"""

import importlib
import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

PAGE = 1000


def recorder_of(database: Path) -> Any:
    sqlite = importlib.import_module("eventsourcing.sqlite")
    recorder = sqlite.SQLiteApplicationRecorder(sqlite.SQLiteDatastore(str(database)))
    recorder.create_table()
    return recorder


def make(mirror: Path, database: Path) -> None:
    stored = importlib.import_module("eventsourcing.persistence").StoredEvent
    recorder = recorder_of(database)
    with mirror.open("rb") as lines:
        while page := list(islice(lines, PAGE)):
            found = [(json.loads(line), line) for line in page]
            recorder.insert_events(
                [
                    stored(uuid5(NAMESPACE_URL, event["stream"]), event["position"], event["type"], line)
                    for event, line in found
                ]
            )


def read(database: Path) -> float:
    """Seconds for the last type of each stream."""
    recorder = recorder_of(database)
    began = time.perf_counter()
    last: dict[str, str] = {}
    start = 1
    while page := recorder.select_notifications(start=start, limit=PAGE):
        for notification in page:
            event = json.loads(notification.state)
            last[event["stream"]] = event["type"]
        start = page[-1].id + 1
    return time.perf_counter() - began


def main(what: str, *paths: str) -> int:
    if what == "make":
        make(*map(Path, paths))
    else:
        print(read(*map(Path, paths)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
