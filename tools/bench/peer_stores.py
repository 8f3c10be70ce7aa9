"""Append to another library's durable store, in that library's own environment; prints the seconds.

python peer_stores.py NAME CALLERS APPENDS EACH FOLDER

CALLERS threads make APPENDS appends each, of EACH events of 350 bytes; an append counts when it has
returned. Each library stands as it comes, but for what its own documentation calls durable.
"""

import importlib
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LINE = "x" * 350
WARM = 1100
"""Appends before the clock runs: a write-ahead log has its size then."""

JOURNALS = ("dbos", "sqlite_utils")
"""They keep a rollback journal, which has no size to come to."""

Store = Callable[[Sequence[str]], object]
"""Appends so many events, and returns when they are durable."""


def eventsourcing(folder: Path) -> Store:
    sqlite, persistence = (
        importlib.import_module("eventsourcing.sqlite"),
        importlib.import_module("eventsourcing.persistence"),
    )
    datastore = sqlite.SQLiteDatastore(
        str(folder / "eventsourcing.db"), pool_size=64, lock_timeout=60, pool_timeout=60
    )
    recorder = sqlite.SQLiteApplicationRecorder(datastore)
    recorder.create_table()

    def append(lines: Sequence[str]) -> None:
        origin = uuid.uuid4()
        recorder.insert_events(
            [
                persistence.StoredEvent(
                    originator_id=origin, originator_version=version, topic="bench:Event", state=line.encode()
                )
                for version, line in enumerate(lines)
            ]
        )

    return append


def huey(folder: Path) -> Store:
    queue = importlib.import_module("huey").SqliteHuey(
        filename=str(folder / "huey.db"), fsync=True, timeout=60
    )

    @queue.task()  # type: ignore[untyped-decorator] # huey is not installed where this is checked
    def note(line: str) -> None:
        """Nobody consumes it."""

    def append(lines: Sequence[str]) -> None:
        for line in lines:
            note(line)

    return append


def sqlite_utils(folder: Path) -> Store:
    database = importlib.import_module("sqlite_utils").Database(folder / "utils.db")
    events = database["events"]

    def append(lines: Sequence[str]) -> None:
        events.insert_all({"stream": "task-1", "type": "tool_used", "line": line} for line in lines)

    return append


def dbos(folder: Path) -> Store:
    library = importlib.import_module("dbos")
    url = f"sqlite:///{folder / 'dbos.sqlite'}"
    library.DBOS(config={"name": "bench", "system_database_url": url, "run_admin_server": False})
    library.DBOS.launch()
    library.DBOS.destroy()
    client = library.DBOSClient(system_database_url=url)

    def append(lines: Sequence[str]) -> None:
        for line in lines:
            client.enqueue({"queue_name": "bench", "workflow_name": "note"}, line)

    return append


def persistqueue(folder: Path) -> Store:
    queue = importlib.import_module("persistqueue").SQLiteQueue(
        str(folder / "persist"), multithreading=True, auto_commit=True, timeout=60
    )

    def append(lines: Sequence[str]) -> None:
        for line in lines:
            queue.put(line)

    return append


STORES: dict[str, Callable[[Path], Store]] = {
    "eventsourcing": eventsourcing,
    "huey": huey,
    "sqlite_utils": sqlite_utils,
    "dbos": dbos,
    "persistqueue": persistqueue,
}


def main(name: str, callers: str, appends: str, each: str, folder: str) -> int:
    append, lines = STORES[name](Path(folder)), [LINE] * int(each)
    for _ in range(10 if name in JOURNALS else WARM):
        append([LINE])

    def call() -> None:
        for _ in range(int(appends)):
            append(lines)

    since = time.perf_counter()
    if callers == "1":
        call()
    else:
        with ThreadPoolExecutor(int(callers)) as threads:
            for done in [threads.submit(call) for _ in range(int(callers))]:
                done.result()
    print(time.perf_counter() - since)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
