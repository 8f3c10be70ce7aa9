"""Run jobs as DBOS workflows: `python peer_dbos.py JOBS.json WORKERS`, in dbos's own environment."""

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
    dbos = importlib.import_module("dbos")
    config = {"name": "bench", "system_database_url": "sqlite:///dbos.sqlite", "run_admin_server": False}
    dbos.DBOS(config=config)
    step = dbos.DBOS.step()(start)

    def work(job: dict[str, Any]) -> int:
        return int(step(job))

    workflow = dbos.DBOS.workflow()(work)
    dbos.DBOS.launch()
    queue = dbos.DBOS.register_queue("jobs", worker_concurrency=int(workers), polling_interval_sec=0.02)
    handles = [queue.enqueue(workflow, job) for job in json.loads(Path(jobs).read_text(encoding="utf-8"))]
    codes = [handle.get_result() for handle in handles]
    dbos.DBOS.destroy()
    print(f"done {len(codes)}")
    return int(max(codes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
