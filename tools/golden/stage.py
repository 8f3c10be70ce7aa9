"""A temporary home for one golden task, its project beside it, and the program that serves it."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import trio

from adapters.app import Service
from adapters.automations.mediator import Mediator
from adapters.blob_store import read_blob
from adapters.desk import desk
from adapters.home import Home
from adapters.home_making import make_home
from eventstore.sqlite.log import SqliteLog
from projections.story import artifact_path, summary_path
from tests.fake_model import FakeModel, end
from tools.golden.case import ROOT, BadCase, Case, Files, files_of
from tools.golden.shelf import Shelf

DRAIN_WAIT_S: Final = 120.0
SERVICE_LIMIT_S: Final = 600.0
DELIVERED: Final = 0o700


@dataclass(frozen=True)
class Stage:
    """Everything of one run lies in `root`, a real path; the folders' names are no part of any outcome."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.root / "project"

    @property
    def agent(self) -> Path:
        """The program that the home's settings name."""
        return self.root / "agent"

    @property
    def user(self) -> Path:
        return self.root / "user"

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.root / "shelf")

    def environment(self, **more: str) -> dict[str, str]:
        """All that the service sees: nothing of the one who runs it. `python` is this very one."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "HOME": str(self.user),
            "LLAMA_MODEL": "",
            **more,
        }


@dataclass(frozen=True)
class Run:
    """What a run left behind; it holds when the stage's folders are gone."""

    stage: Stage
    events: tuple[dict[str, Any], ...]
    artifact: bytes
    summary: bytes
    prompts: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]
    """What the local model was asked: the purpose, and the whole text."""
    directory: Files
    blobs: Mapping[str, bytes]
    """By the SHA-256 in hex by which events name them."""


def set_up(root: Path, case: Case, agent: Callable[["Stage"], Sequence[str]]) -> Stage:
    """A home and a copy of the project. The agent is a module of this Python, with its first words."""
    stage = Stage(root.resolve())
    stage.user.mkdir()
    shutil.copytree(case.project, stage.project)
    line = shlex.join([sys.executable, "-P", "-m", *agent(stage)])
    script = f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {line} "$@"\n'
    stage.agent.write_text(script, encoding="utf-8", newline="\n")
    stage.agent.chmod(DELIVERED)
    make_home(stage.home, register=False)
    lines = f"CLAUDE_EXECUTABLE='{stage.agent}'\nCLAUDE_BASE_CWD='{stage.project}'\n{case.settings}"
    (stage.home / ".env").write_text(lines, encoding="utf-8", newline="\n")
    return stage


def deliver(stage: Stage, task: Path) -> None:
    shutil.copyfile(task, stage.home / "tasks" / task.name)


def serve(stage: Stage, environ: Mapping[str, str], answers: Mapping[str, Any] | None) -> FakeModel | None:
    """Serve inside this process until nothing is left to do, with a local model that gives these answers."""
    model = None if answers is None else FakeModel(answers=_said(answers), takes_s=0.0)
    with (
        desk(Home(stage.home, named=True), environ, starts_programs=True) as found,
        found.ownership() as owner,
    ):
        if not owner:
            raise BadCase(f"Another process holds the home {stage.home}.")
        service = Service(found.home, found.settings, found.storage, environ, workers=1)
        if model is not None:
            # As the composition makes it, but for the model, which it takes from a server alone.
            service._mediator = Mediator(
                model, service._feed, service._stamp, found.storage.redact, found.settings.model_num_ctx
            )
        trio.run(service.run, DRAIN_WAIT_S)
    return model


def _said(answers: Mapping[str, Any]) -> dict[str, Any]:
    """An answer with a `problem` is a server's that gave none."""
    return {
        purpose: end(**said) if isinstance(said, dict) and "problem" in said else said
        for purpose, said in answers.items()
    }


def serve_apart(stage: Stage, environ: Mapping[str, str]) -> None:
    """Serve with `evt run --drain`, a process of its own. Raises BadCase where it ends badly."""
    command = [sys.executable, "-P", "-m", "adapters.cli", "run", "--drain", "--quiet", "--workers", "1"]
    told = subprocess.run(
        [*command, "--home", str(stage.home)],
        env={**environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(stage.user / "config")},
        capture_output=True,
        encoding="utf-8",
        timeout=SERVICE_LIMIT_S,
    )
    if told.returncode:
        raise BadCase(f"`evt run --drain` ended with {told.returncode}: {told.stderr.strip()[-500:]}")


def what_came(stage: Stage, task_id: str, model: FakeModel | None = None) -> Run:
    log = SqliteLog(stage.home / "logs" / "events.db", read_only=True)
    try:
        events = tuple(orjson.loads(event.line) for event in log.all())
    finally:
        log.close()
    artifact, summary = stage.home / artifact_path(task_id), stage.home / summary_path(task_id)
    if not artifact.is_file():
        kinds = ", ".join(event["type"] for event in events)
        raise BadCase(f"The task {task_id} has no artifact; its log: {kinds}.")
    asked = () if model is None else model.asked
    return Run(
        stage,
        events,
        artifact.read_bytes(),
        summary.read_bytes() if summary.is_file() else b"",
        tuple(stage.shelf.prompts()),
        tuple((purpose, f"{order.system}\n{order.prompt}") for purpose, order in asked),
        files_of(stage.project),
        {sha256: read_blob(stage.home / "blobs", sha256) for sha256 in _kept(stage)},
    )


def _kept(stage: Stage) -> Iterator[str]:
    return (path.stem for path in sorted((stage.home / "blobs").glob("sha256/*/*.gz")))


@contextmanager
def configuration_in(folder: Path) -> Iterator[None]:
    """Signing keys of the homes that are made meanwhile lie there, and not among a person's own."""
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CONFIG_HOME"]
        else:
            os.environ["XDG_CONFIG_HOME"] = before


def replayed(case: Case, root: Path) -> Run:
    """Play a golden task in an empty folder."""

    def player(stage: Stage) -> Sequence[str]:
        return "tools.golden.player", str(case.folder), str(stage.shelf.folder), str(stage.project)

    stage = set_up(root, case.playable(), player)
    deliver(stage, case.task)
    model = serve(stage, stage.environment(), case.answers)
    return what_came(stage, case.task_id, model)
