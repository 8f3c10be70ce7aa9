"""Record a golden task: the real agent does it in a real home, and what it said and changed is kept."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lane import environment
from tools.claude_lane import RECIPE, LaneMissing, Recipe, ensure, lane_folder
from tools.golden.case import TURN, BadCase, Case, Files, files_of, put
from tools.golden.neutral import neutral, without_places
from tools.golden.script import ScriptedApi
from tools.golden.shelf import Taped
from tools.golden.stage import (
    Run,
    Stage,
    configuration_in,
    deliver,
    serve,
    serve_apart,
    set_up,
    what_came,
)


@dataclass(frozen=True)
class Asked:
    """What is to be recorded. `script` None: the agent asks the service that its own environment names."""

    task: Path
    project: Path
    script: Path | None = None
    model: Path | None = None
    settings: Path | None = None


def record(case: Case, asked: Asked, program: Path) -> dict[str, str]:
    """Write the task's folder but for what is expected; what came of the real agent's run. Raises BadCase."""
    if not asked.task.name.endswith(".task.md"):
        raise BadCase(f"{asked.task} is no task file: its name has to end in .task.md.")
    if missing := [path for path in (asked.task, asked.project) if not path.exists()]:
        raise BadCase(f"There is no {missing[0]}.")
    _take_in(case, asked)
    root = Path(tempfile.mkdtemp(prefix="evt-golden-")).resolve()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)

        def tape(stage: Stage) -> Sequence[str]:
            return "tools.golden.tape", str(stage.shelf.folder), str(stage.project), str(program)

        stage = set_up(root, case, tape)
        deliver(stage, case.task)
        environ = stack.enter_context(_environ(stage, asked.script))
        model = None
        if case.answers is None:
            serve_apart(stage, environ)
        else:
            stack.enter_context(configuration_in(stage.user / "config"))
            model = serve(stage, environ, case.answers)
        run = what_came(stage, case.task_id, model)
        _write(case, stage, run)
        return neutral(run)


def _take_in(case: Case, asked: Asked) -> None:
    """The inputs as files of the folder; what was recorded before is gone."""
    shutil.rmtree(case.folder / "changes", ignore_errors=True)
    case.folder.mkdir(parents=True, exist_ok=True)
    if asked.project.resolve() != case.project.resolve():
        shutil.rmtree(case.project, ignore_errors=True)
        shutil.copytree(asked.project, case.project)
    given = {
        asked.task.name: asked.task,
        "answers.json": asked.script,
        "model.json": asked.model,
        "settings.env": asked.settings,
    }
    for name, source in given.items():
        target = case.folder / name
        if source is None:
            target.unlink(missing_ok=True)
        elif source.resolve() != target.resolve():
            shutil.copyfile(source, target)


@contextmanager
def _environ(stage: Stage, script: Path | None) -> Iterator[Mapping[str, str]]:
    """What the service sees: with a script nothing of a person's own, else what their agent needs as well."""
    ours = stage.environment()
    if script is None:
        yield {**os.environ, "LLAMA_MODEL": "", "PATH": ours["PATH"] + os.pathsep + os.environ["PATH"]}
        return
    with ScriptedApi(script, stage.project) as api:
        yield {**environment(stage.user, api.url), **ours}
        if api.strays:
            raise BadCase(f"The agent asked what {script} has no answer to: {'; '.join(api.strays)}")


def _write(case: Case, stage: Stage, run: Run) -> None:
    """The session and the changes. Raises BadCase where the home kept something else than was said."""
    finished = [event["data"] for event in run.events if event["type"] == "turn_finished"]
    taped = stage.shelf.taped()
    if len(taped) != len(finished):
        raise BadCase(f"The log has {len(finished)} turns, and {len(taped)} were heard.")
    lines: list[bytes] = []
    before: Files = files_of(case.project)
    for number, (turn, told) in enumerate(zip(taped, finished, strict=True), 1):
        kept = told["report"]["stdout"]["sha256"]
        if kept is not None and run.blobs[kept] != turn.stdout:
            raise BadCase(f"The blob of turn {number} is not what the agent said: a secret stood in it.")
        written = {path: content for path, content in turn.after.items() if before.get(path) != content}
        deleted = sorted(before.keys() - turn.after.keys())
        put(case.folder / "changes" / str(number), written)
        lines.append(_head(number, turn, deleted))
        lines += _made_neutral(turn.stdout, stage, told["session_id"])
        before = turn.after
    case.session.write_bytes(b"".join(lines))


def _head(number: int, turn: Taped, deleted: list[str]) -> bytes:
    told: dict[str, Any] = {TURN: number, "exit_code": turn.exit_code, "stderr": turn.stderr}
    return f"{json.dumps({**told, 'deleted': deleted})}\n".encode()


def _made_neutral(stdout: bytes, stage: Stage, session_id: str) -> Iterator[bytes]:
    """Without a word of this machine, so that a replay can put in its own."""
    for line in stdout.decode("utf-8", "surrogateescape").splitlines(keepends=True):
        told = without_places(line, stage).replace(session_id, "{session_id}")
        yield (told if told.endswith("\n") else f"{told}\n").encode("utf-8", "surrogateescape")


def real_agent(environ: Mapping[str, str]) -> Path:
    """CLAUDE_EXECUTABLE, or the newer of the two that the tests use. Raises BadCase."""
    if named := environ.get("CLAUDE_EXECUTABLE"):
        found = shutil.which(named)
        if found is None:
            raise BadCase(f"CLAUDE_EXECUTABLE is {named!r}, and there is no such program.")
        return Path(found).absolute()
    try:
        folder = lane_folder(environ, Path(sys.prefix), Path(sys.base_prefix))
        return ensure(environ, Recipe(RECIPE), folder).newer.program
    except LaneMissing as problem:
        raise BadCase(f"Set CLAUDE_EXECUTABLE to the agent to be recorded. {problem}") from problem
