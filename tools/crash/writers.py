"""Several processes at one home: two services, of which one owns it, and writers that lose nothing."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eventstore.sqlite.log import SqliteLog
from schemas import names
from tools.crash import oracle
from tools.crash.player import ROOT, Player, scratch
from tools.crash.sandbox import LOG, lines
from tools.crash.script import furnish, given
from tools.crash.witness import acknowledged

PATIENCE_S: Final = 60.0
CONFLICT: Final = 7


@dataclass
class Told:
    commands: int = 0
    events: int = 0
    acks: int = 0
    seconds: float = 0.0
    streams: int = 0
    services: str = ""
    wrong: list[str] = field(default_factory=list)


def environment(user: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVT_", "CLAUDE"))}
    return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(user), "XDG_CONFIG_HOME": str(user)}


def evt(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "adapters.cli", *words, "--home", str(home)]


def write_at_once(folder: Path, home: Path, writers: int, each: int, told: Told) -> None:
    """So many processes with so many commands each, all at the same home."""
    before = len(lines(home))
    begun = time.monotonic()
    places = [folder / f"witness-{number}.txt" for number in range(writers)]
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "tools.crash.writing",
                str(home),
                f"w{number}",
                str(each),
                str(place),
            ],
            env=environment(folder / "user"),
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for number, place in enumerate(places)
    ]
    for process in processes:
        said = process.communicate()[1]
        if process.returncode:
            told.wrong.append(f"a writer ended with {process.returncode}: {said[-500:]}")
    told.seconds = time.monotonic() - begun
    told.commands = writers * each
    acks = [ack for place in places for ack in acknowledged(place)]
    told.acks = len(acks)
    with closing(SqliteLog(home / LOG)) as log:
        events = list(log.all())
    told.events, told.streams = len(events) - before, len({event.stream for event in events})
    told.wrong += [*oracle.wrong_order(events), *oracle.wrong_acks(events, acks)]
    wanted = sum(range(before + 1, len(events) + 1))
    if (found := sum(ack.global_position for ack in acks)) != wanted:
        told.wrong.append(f"the acknowledged positions are {found} in sum, those of the log {wanted}")
    twice = [place for place, count in Counter(ack.global_position for ack in acks).items() if count > 1]
    if twice:
        told.wrong.append(f"positions that two writers were told: {twice[:5]}")
    told.wrong += [*oracle.wrong_views(home), *oracle.wrong_mirror(home), *oracle.wrong_log(home, [], acks)]


@contextmanager
def serving(home: Path, user: Path) -> Iterator[subprocess.Popen[str]]:
    service = subprocess.Popen(
        evt(home, "run", "--quiet"),
        env=environment(user),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield service
    finally:
        service.terminate()
        service.communicate()


def two_services(home: Path, user: Path, told: Told) -> None:
    """The second one goes away at once and names the first."""
    with serving(home, user) as first:
        until = time.monotonic() + PATIENCE_S
        while not _started(home, first.pid):
            if time.monotonic() > until or first.poll() is not None:
                told.wrong.append("the first service did not start")
                return
            time.sleep(0.05)
        second = subprocess.run(
            evt(home, "run", "--quiet", "--json"),
            env=environment(user),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        said = second.stderr.strip().splitlines()[-1:]
        error = json.loads(said[0])["error"] if said else {}
        told.services = str(error.get("message", ""))
        if second.returncode != CONFLICT or f"pid {first.pid}," not in told.services:
            told.wrong.append(f"the second service ended with {second.returncode}: {second.stderr}")
        if first.poll() is not None:
            told.wrong.append(f"the first service ended with {first.returncode}")
    with closing(SqliteLog(home / LOG, read_only=True)) as log:
        starts = [event for event in log.all() if event.type == names.ORCHESTRATOR_STARTED]
    if len(starts) != 1:
        told.wrong.append(f"{len(starts)} services say that they have started")


def _started(home: Path, pid: int) -> bool:
    with closing(SqliteLog(home / LOG, read_only=True)) as log:
        starts = log.all(types=frozenset({names.ORCHESTRATOR_STARTED}))
        return any(event.data["process"]["pid"] == pid for event in starts)


def write(writers: int, each: int) -> Told:
    """Two services first, then the writers, at one home."""
    folder, told = scratch("evt-writers-"), Told()
    try:
        home, user = folder / "home", folder / "user"
        home.mkdir()
        user.mkdir()
        furnish(home)
        with Player(folder, user) as player:
            for words in (
                ("init",),
                ("pause",),
                ("add", *(word.replace("HOME", str(home)) for word in given("alpha"))),
            ):
                if (ran := player.evt(words, home)).code:
                    raise RuntimeError(f"`evt {words[0]}` ended with {ran.code}: {ran.err}")
        two_services(home, user, told)
        write_at_once(folder, home, writers, each, told)
        return told
    finally:
        shutil.rmtree(folder, ignore_errors=True)
