"""From what a person wrote to a task: defaults, the working directory's rules, an id."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from handlers.decider import Refused
from handlers.path_policy import refusal
from prompts import agents
from schemas.shown import quoted
from schemas.task import TaskSpec
from schemas.task_file import TaskFile


@dataclass(frozen=True)
class Ground:
    """The folders a task may stand on: all real paths. `base` is the default `cwd`."""

    home: str
    base: str
    allowed_root: str
    windows: bool


def place_of(task: TaskFile, ground: Ground) -> str:
    """Where the task says it works, not looked up yet: a relative `cwd` counts from the base."""
    pure = PureWindowsPath if ground.windows else PurePosixPath
    return str(pure(ground.base, task.cwd or "."))


def spec_of(task: TaskFile, cwd: str | None, ground: Ground) -> TaskSpec:
    """The task with its defaults. `cwd` is the real path of what the task names, None if not there.

    Raises Refused when the working directory is not there or not allowed, or the agent is unknown.
    """
    if cwd is None:
        raise _nowhere(task.cwd or ground.base, ground)
    if task.agent not in agents():
        raise Refused(
            "unknown_agent",
            f"There is no agent {quoted(task.agent)}.",
            f"Choose one of {', '.join(sorted(agents()))}, or leave `agent_type` out.",
        )
    found = refusal(cwd, ground.allowed_root, ground.home, task.type, ground.windows)
    if found is not None:
        raise Refused(found.code, found.sentence, found.remedy)
    return TaskSpec(
        title=task.title,
        task_type=task.type,
        agent=task.agent,
        prompt=task.prompt,
        priority=task.priority,
        cwd=cwd,
        allowed_root=ground.allowed_root,
        target_files=task.target_files,
        criteria=task.criteria,
        context=task.context,
        created=task.created,
        agent_type=task.agent_type,
        template_id=task.template_id,
        timeout_sec=task.timeout_sec,
        after=task.after,
        not_before=task.not_before,
        isolation=task.isolation,
        executor=task.executor,
        max_budget_usd=task.max_budget_usd,
        max_turns=task.max_turns,
        commit=task.commit,
        shaped_by=task.shaped_by,
        metadata=task.metadata,
        warnings=(*task.warnings, *_not_yet(task)),
    )


def refuse_what_is_hidden(redact: Callable[[str], str], named: Mapping[str, str]) -> None:
    """Names by which things are found again must stand in the log as they are.

    `named` says what each one is. Raises Refused for one that redaction would change: a task
    whose id or folder the log does not show could never be found again.
    """
    for what, text in named.items():
        if redact(text) != text:
            raise Refused(
                "looks_secret",
                f"The {what} looks like a secret, and the log keeps none.",
                "Give it another name.",
            )


def names_in(spec: TaskSpec, task_id: str | None) -> dict[str, str]:
    """What must be found again by its name, each under what it is."""
    named = {"working directory": spec.cwd, "allowed root": spec.allowed_root}
    if task_id is not None:
        named["id"] = task_id
    named |= {f"id in `after` (number {at})": name for at, name in enumerate(spec.after, 1)}
    named |= {f"front matter key number {at}": key for at, key in enumerate(_keys(spec.metadata), 1)}
    return named


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _keys(inner)


def _nowhere(named: str, ground: Ground) -> Refused:
    """Why no folder was found there; a path that this system reads otherwise than meant is told so."""
    place = quoted(named, 200)
    if named.startswith("~"):
        return Refused(
            "outside_root",
            f"The working directory {place} begins with `~`, which stands for no folder in a task file.",
            "Write the whole path as `cwd`.",
        )
    if not ground.windows and PureWindowsPath(named).drive:
        return Refused(
            "outside_root",
            f"The working directory {place} is a path of Windows, and this is none.",
            "Name a folder of this machine as `cwd`.",
        )
    return Refused(
        "cwd_missing",
        f"The working directory {place} is not a folder that exists.",
        "Create it, or name another `cwd`.",
    )


def _not_yet(task: TaskFile) -> list[str]:
    """What a file may say already and nothing acts on: said, never passed over in silence."""
    asked = {
        "isolation": task.isolation != "inplace",
        "commit": task.commit != "no",
        "executor": task.executor is not None,
        "template_id": task.template_id is not None,
    }
    return [f"`{key}` is kept, but this version does not act on it." for key, said in asked.items() if said]
