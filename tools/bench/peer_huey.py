"""Run jobs from a durable huey queue: `python peer_huey.py JOBS.json WORKERS`, in huey's own environment."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def start(job: dict[str, Any]) -> int:
    told = subprocess.run(
        job["argv"], cwd=job["cwd"], env=job["environ"], input=job["prompt"].encode(), capture_output=True
    )
    return told.returncode


def main(jobs: str, workers: str) -> int:
    huey = importlib.import_module("huey").SqliteHuey(filename="huey.db", fsync=True)
    task = huey.task()(start)
    results = [task(job) for job in json.loads(Path(jobs).read_text(encoding="utf-8"))]
    consumer = huey.create_consumer(workers=int(workers), worker_type="thread", periodic=False)
    consumer.start()
    codes = [result.get(blocking=True, backoff=1.0, max_delay=0.02) for result in results]
    consumer.stop(graceful=True)
    print(f"done {len(codes)}")
    return int(max(codes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
