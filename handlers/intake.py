"""From what a person wrote to a task: defaults, the working directory's rules, an id."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from handlers.decider import Refused
from handlers.path_policy import Refusal, refusal
from handlers.tools import edits
from schemas.agent import Agent
from schemas.free_text import word_of
from schemas.shown import quoted
from schemas.task import TaskSpec
from schemas.task_file import TaskFile


@dataclass(frozen=True)
class Ground:
    """The folders a task may stand on: all real paths. `base` is the default `cwd`.

    `private` is the person's own folder of settings and signing keys, where no task works; "": there is none.
    """

    home: str
    base: str
    allowed_root: str
    windows: bool
    private: str = ""


def place_of(task: TaskFile, ground: Ground) -> str:
    """Where the task says it works, not looked up yet: a relative `cwd` counts from the base."""
    return place_named(task.cwd or ".", ground)


def place_named(name: str, ground: Ground) -> str:
    """The folder of that name, not looked up yet."""
    pure = PureWindowsPath if ground.windows else PurePosixPath
    return str(pure(ground.base, name))


def allowed_place(cwd: str, task_type: str, ground: Ground) -> bool:
    """Whether a task of that type may work in a folder; `cwd` is its real path."""
    return _refusal(cwd, task_type, ground) is None


def _refusal(cwd: str, task_type: str, ground: Ground) -> Refusal | None:
    return refusal(cwd, ground.allowed_root, ground.home, task_type, ground.windows, ground.private)


def spec_of(task: TaskFile, cwd: str | None, ground: Ground, agent: Agent) -> TaskSpec:
    """The task with its defaults. `cwd` is the real path of what the task names, None if not there.

    `agent` is the home's agent of the name that the task wants. Raises Refused when the working directory
    is not there or not allowed.
    """
    if cwd is None:
        raise _nowhere(task.cwd or ground.base, ground)
    found = _refusal(cwd, task.type, ground)
    if found is not None:
        # Said only where it helps: some folders are refused to readers, too.
        guessed = _guessed(task) if _refusal(cwd, "analyze", ground) is None else ""
        raise Refused(found.code, found.sentence, guessed + found.remedy)
    return TaskSpec(
        title=task.title,
        task_type=task.type,
        agent=agent.name,
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
        decided=task.decided,
        alternatives=task.alternatives,
        metadata=task.metadata,
        warnings=(*task.warnings, *_not_yet(task), *_kept_from_editing(task, agent)),
    )


def _guessed(task: TaskFile) -> str:
    """Which word made a type that nobody wrote, where the type is one that may do more than read."""
    word = (
        word_of(task.prompt, task.type) if task.decided.get("type") == "rules" and edits(task.type) else None
    )
    if word is None:
        return ""
    return (
        f"The word {quoted(word)} of the text made it a {task.type}; if it only asks for reading, say so "
        "with `--type analyze` (or `type: analyze` in a task file). "
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


def _kept_from_editing(task: TaskFile, agent: Agent) -> list[str]:
    if not edits(task.type):
        # The other way round: the agent could, and it is the type that does not let it.
        what = f"The agent {quoted(agent.name)} edits files, and a task of type {task.type} may only read."
        return [what] if agent.edits and task.agent_type is not None else []
    if edits(task.type, agent.tools):
        return []
    return [f"The agent {quoted(agent.name)} has no tool that changes files, whatever the type allows."]
