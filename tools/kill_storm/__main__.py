"""Kill the service and its agents at random for a while, let it drain, and see whether all is well.

    python -m tools.kill_storm [--tasks 100] [--seconds 60] [--seed N] [--workers 4]

A seed throws the same dice again; when they fall, the machine decides. It exits with 1 where
something is wrong, and says what; the home is then kept for a look.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adapters.cli.failure import USAGE
from eventstore.event import Recorded
from schemas import names
from tools.kill_storm.agents import living
from tools.kill_storm.findings import Life, Reading, wrong_deaths
from tools.kill_storm.storm import KINDS, SERVICE_STOPPED, Storm, StormHome, Told, noticed, task_of


def wrong_files(home: StormHome, lives: dict[str, Life]) -> list[str]:
    """Edits that do not stand exactly once, task files that lie about, artifacts that say another end."""
    wrong = []
    for number in range(home.tasks):
        task = task_of(number)
        if task not in lives:
            wrong.append(f"{task} was never taken in")
            continue
        lines = (home.folder(number) / "marks.txt").read_text(encoding="utf-8").splitlines()
        found = [line for line in lines if line.startswith(f"[{number}]")]
        allowed = [[f"[{number}]x"]]
        if lives[task].reason == "worker_lost":
            allowed.append([f"[{number}]"])
        if found not in allowed:
            wrong.append(f"the edit of {task} left {found}")
        wrong += _wrong_artifact(home, task, lives[task])
    left = sorted(path.name for path in (home.root / "tasks").glob("*.task.md"))
    return [*wrong, *(f"{name} lies in the inbox still" for name in left)]


def _wrong_artifact(home: StormHome, task: str, life: Life) -> list[str]:
    path = home.root / "results" / f"{task}.json"
    if not path.exists():
        return [f"{task} has no artifact"]
    said = [json.loads(path.read_bytes())["success"]]
    ends = [end == names.TASK_SUCCEEDED for end in life.ends[-1:]]
    return [] if said == ends else [f"the artifact of {task} tells of another end than the log"]


def wrong_records(home: StormHome, events: Sequence[Recorded]) -> list[str]:
    """A mirror or views that are not what the log says; an agent that lives on."""
    wrong = []
    if (home.root / "logs" / "events.ndjson").read_bytes() != b"".join(e.line + b"\n" for e in events):
        wrong.append("the mirror is not the log, byte for byte")
    verified = subprocess.run(
        home.evt("replay", "--verify"),
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=home.environment(),
    )
    if verified.returncode != 0 or "identical" not in verified.stdout:
        wrong.append(f"`evt replay --verify`: {verified.stdout}{verified.stderr}")
    alive = living(home.sessions())
    return [*wrong, *(f"an agent of {one.task} lives on as process {one.process.pid}" for one in alive)]


def judge(home: StormHome, told: Told) -> tuple[list[str], list[tuple[str, str]]]:
    """All that is wrong, and the lines of the table."""
    events = home.events()
    reading = Reading().read(events)
    kills = Counter(blow.task for blow in told.blows if blow.task)
    wrong = [*told.wrong, *reading.wrong, *wrong_deaths(reading.lives, kills)]
    wrong += [*wrong_files(home, reading.lives), *wrong_records(home, events)]
    kinds = Counter(blow.kind for blow in told.blows)
    ends = Counter(life.reason or "well" for life in reading.lives.values() if life.ends)
    types = Counter(event.type for event in events)
    after = sorted(noticed([blow for blow in told.blows if blow.kind != SERVICE_STOPPED], events))
    seen = f"median {statistics.median(after):.2f} s, longest {after[-1]:.2f} s" if after else "-"
    rows = [(kind, str(kinds[kind])) for kind in KINDS]
    rows += [
        ("starts of the service", str(told.starts)),
        ("events in the log", str(len(events))),
        ("attempts", str(types[names.TASK_CLAIMED])),
        ("attempts interrupted", str(types[names.TASK_INTERRUPTED])),
        ("deaths of agents counted", str(sum(life.all_deaths for life in reading.lives.values()))),
        (f"deaths back in the queue ({len(after)})", seen),
        ("tasks ended", ", ".join(f"{count} {how}" for how, count in sorted(ends.items()))),
        ("late words rejected", str(types[names.STALE_RESULT_REJECTED])),
        ("parts of the service restarted", str(types[names.AUTOMATION_RESTARTED])),
    ]
    return wrong, rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.kill_storm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=4)
    asked = parser.parse_args(arguments)
    if sys.platform == "win32":
        print("This needs signals that Windows does not have.", file=sys.stderr)
        return USAGE
    seed = random.SystemRandom().randrange(1_000_000) if asked.seed is None else asked.seed
    print(f"seed {seed}: {asked.tasks} tasks, {asked.seconds:g} s, {asked.workers} workers", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="kill-storm-"))
    home = StormHome(folder / "home", asked.tasks)
    told = Storm(home, random.Random(seed), asked.workers).run(asked.seconds)  # noqa: S311 - not for secrets
    wrong, rows = judge(home, told)
    for name, value in rows:
        print(f"  {name:<32}{value}")
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print(f"{len(wrong)} things are wrong; the home is kept: {home.root}" if wrong else "all is well")
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
