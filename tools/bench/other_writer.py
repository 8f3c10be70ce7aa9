"""A second process that appends to a log, so many events a second, until its input ends.

python -m tools.bench.other_writer LOG RATE
"""

import json
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tools.bench import made

READY: Final = "ready"


def main(path: str, rate: str) -> int:
    ended = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(ended,), daemon=True).start()
    took: list[float] = []
    with closing(SqliteLog(Path(path))) as log:
        log.append("other-1", made.events(1), ANY)
        print(READY, flush=True)
        began = time.perf_counter()
        while not ended.is_set():
            time.sleep(max(0.0, began + len(took) / float(rate) - time.perf_counter()))
            events = made.events(1)
            since = time.perf_counter()
            log.append("other-1", events, ANY)
            took.append((time.perf_counter() - since) * 1000)
        passed = time.perf_counter() - began
    print(json.dumps({"ms": took, "rate": len(took) / passed}))
    return 0


def _wait_for_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
