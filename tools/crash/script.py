"""The scripted workload: thirty commands, from `evt init` to a last look, and what others do before each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.demo_home import NO_MODEL, agent_setting

Before = Callable[[Path], None]
SECRET: Final = "ghp_" + "0123456789abcdefghijABCDEFGHIJ" + "Zz0987"
"""Shaped like a token, and nobody's."""
AFTER: Final = "after-the-crash"
"""The task that is added when all is over."""
DROPPED: Final = ("dropped-1", "dropped-2")
"""Tasks that come as files in the inbox."""


@dataclass(frozen=True)
class Step:
    """`words` with HOME for the home's path; `before` is what others do in the home before it."""

    words: tuple[str, ...]
    code: int = 0
    before: Before | None = None

    @property
    def drains(self) -> bool:
        return self.words[0] == "run"

    def said(self, home: Path) -> list[str]:
        return [word.replace("HOME", str(home)) for word in self.words]

    def __str__(self) -> str:
        return " ".join(self.words).replace("HOME/given/", "")


def shop(home: Path, name: str) -> Path:
    return home / "shops" / name


def task_text(home: Path, name: str, more: str = "") -> str:
    """A task with a directory of its own, in which the recorded agent mends a price."""
    front = f"type: bug_fix\ncwd: '{shop(home, name)}'\n{more}"
    return f"---\n{front}---\n# Mend {name}\n\n**Prompt:**\nMend it.\nRECORDED-EDIT: price.txt: one => two\n"


def furnish(home: Path) -> None:
    """What a person has before the first command: settings, work, and task files that are given by name."""
    given = home / "given"
    given.mkdir(parents=True)
    for name in ("alpha", "beta", "gamma", "delta", "epsilon", *DROPPED):
        shop(home, name).mkdir(parents=True)
        _write(shop(home, name) / "price.txt", "one\n")
        more = f"id: {name}\n" + ("after: [alpha]\n" if name == "delta" else "")
        _write(given / f"{name}.task.md", task_text(home, name, more))
    _write(
        given / f"{AFTER}.task.md",
        f"---\nid: {AFTER}\ntype: analyze\ncwd: '{shop(home, 'alpha')}'\n---\nLook.\n",
    )
    _write(home / ".env", agent_setting() + NO_MODEL)


def _write(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", newline="\n")


def drop_files(home: Path) -> None:
    """Two tasks and one that has to be refused, each renamed into the inbox."""
    for name in DROPPED:
        text = task_text(home, name)
        _drop(home, name, text)
    _drop(home, "bad", "---\ntype: nothing-we-know\n---\nLook.\n")


def _drop(home: Path, name: str, text: str) -> None:
    hidden = home / "tasks" / f".{name}.part"
    _write(hidden, text)
    hidden.replace(home / "tasks" / f"{name}.task.md")


def tear_mirror(home: Path) -> None:
    mirror = home / "logs" / "events.ndjson"
    mirror.write_bytes(mirror.read_bytes()[:-17])


def remove_views(home: Path) -> None:
    for found in (home / "logs").glob("views.db*"):
        found.unlink()


def given(*names: str) -> tuple[str, ...]:
    return tuple(f"HOME/given/{name}.task.md" for name in names)


SCRIPT: Final = (
    Step(("init",), before=furnish),
    Step(("add", *given("alpha"))),
    Step(("add", *given("beta", "gamma"))),
    Step(("add", "Look at the price", "--type", "analyze", "--cwd", "HOME/shops/alpha")),
    Step(("add", *given("delta"))),
    Step(("pause",)),
    Step(("add", f"Say why {SECRET} is no price", "--type", "analyze", "--cwd", "HOME/shops/beta")),
    Step(("resume",)),
    Step(("pause", "alpha")),
    Step(("resume", "alpha")),
    Step(("cancel", "beta")),
    Step(("retry", "beta")),
    Step(("list",)),
    Step(("status",)),
    Step(("show", "alpha")),
    Step(("replay",)),
    Step(("replay", "--verify")),
    Step(("pause", "beta", "gamma")),
    Step(("resume", "beta", "gamma")),
    Step(("add", *given("alpha"))),
    Step(("run", "--drain", "--quiet", "--workers", "2"), before=drop_files),
    Step(("project", "artifacts", "--write")),
    Step(("retry", "gamma")),
    Step(("pause", "gamma"), before=tear_mirror),
    Step(("resume", "gamma"), before=remove_views),
    Step(("add", *given("epsilon"))),
    Step(("cancel", "gamma")),
    Step(("run", "--drain", "--quiet", "--workers", "1")),
    Step(("validate-artifacts",)),
    Step(("tail", "--json")),
)

UP_TO_A_SERVICE: Final = SCRIPT[: next(at for at, step in enumerate(SCRIPT, 1) if step.drains)]

SHORT: Final = (
    Step(("init",), before=furnish),
    Step(("add", *given("alpha", "beta"))),
    Step(("pause", "alpha"), before=tear_mirror),
    Step(("resume", "alpha"), before=remove_views),
    Step(("cancel", "beta")),
    Step(("run", "--drain", "--quiet", "--workers", "2"), before=drop_files),
)
"""A part of it, for a test."""
