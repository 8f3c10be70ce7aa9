"""The agents that a task of this home can have: all in a line each, one of them whole, or what is wrong.

`evt agents list` tells of each; `show NAME` prints one and what it would be told of an example task;
`check [NAME]` explains each that is broken by file and line, whether it is enabled or not.
"""

import argparse
import re
from pathlib import Path
from typing import Any, Final

from adapters.agent_files import AgentFiles
from adapters.cli.call import Call, bad_setting
from adapters.cli.failure import BAD, GOOD, NOT_FOUND, USAGE, Failure
from adapters.cli.given import agents_of
from adapters.config.settings import Settings, read_settings
from adapters.config.table import BadSetting
from adapters.home import Home
from handlers.agents import Catalogue, Found, meant
from handlers.prompt import example_prompt
from schemas.agent import Agent, BrokenAgent
from schemas.shown import quoted, shown

HEADS: Final = ("agent", "state", "edits", "tools", "similarity", "entropy", "from", "purpose, or why not")
STYLES: Final = {"ready": "green", "broken": "red", "disabled": "dim", "blocked": "red"}
LABEL: Final = 17
LINE: Final = re.compile(r"\ALine [0-9]+: ")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = ("list", "show", "check")
    parser.add_argument("action", nargs="?", choices=actions, default="list", help="default: list")
    parser.add_argument("name", nargs="?", metavar="AGENT", help="show, check: this one")


def run(call: Call) -> int:
    action, name = call.args.action, call.args.name
    if (action == "show") != (name is not None) and action != "check":
        wanted = "wants the name of an agent" if action == "show" else "takes no name"
        raise Failure(USAGE, "usage", f"`evt agents {action}` {wanted}.", "See `evt agents --help`.")
    home = call.home()
    settings = _settings(call, home)
    known = agents_of(home, settings).catalogue()
    # What is switched off may be looked at and checked, before it is switched on.
    every = AgentFiles(home.root, enabled=True).catalogue()
    if action == "check":
        return _check(call, home, every, name)
    for warning in known.warnings:
        call.output.note(f"note: {warning}")
    if action == "show":
        return _show(call, home, known, every, name)
    return _list(call, home, known, every)


def _settings(call: Call, home: Home) -> Settings:
    try:
        return read_settings(home.root, call.environ)
    except BadSetting as bad:
        raise bad_setting(bad) from None


def _list(call: Call, home: Home, known: Catalogue, every: Catalogue) -> int:
    rows = [_row(home, known, _whole(one, every)) for one in known.found.values()]
    if call.output.json:
        call.output.document(rows)
        return GOOD
    cells = [
        (
            row["name"],
            row["state"],
            "-" if row["edits"] is None else "yes" if row["edits"] else "no",
            " ".join(row["tools"] or ()) or "-",
            "-" if row["similarity"] is None else f"{row['similarity']:g}",
            "-" if row["entropy"] is None else f"{row['entropy']:g}",
            row["origin"],
            row["purpose"] or row["broken"]["reason"],
        )
        for row in rows
    ]
    styles = [STYLES[row["state"]] for row in rows]
    call.output.table(
        cells, HEADS, styles, styled=1, spare=("entropy", "similarity", "tools", "edits", "from")
    )
    return GOOD


def _show(call: Call, home: Home, known: Catalogue, every: Catalogue, name: str) -> int:
    if name not in known.found:
        raise _unknown(name, known)
    found = _whole(known.found[name], every)
    if found.agent is None:
        raise _broken(home, found)
    row, prompt = _row(home, known, found), example_prompt(found.agent)
    if call.output.json:
        call.output.document({**row, "template": found.agent.template, "example_prompt": prompt})
        return GOOD
    call.output.line(
        f"{call.output.paint(found.name, 'bold')}  {call.output.paint(row['state'], STYLES[row['state']])}"
    )
    for label, text in _told(row, found.agent).items():
        call.output.line(f"{call.output.paint(label.ljust(LABEL), 'dim')}{shown(text)}")
    call.output.line()
    call.output.line(call.output.paint("What it is told of an example task:", "dim"))
    call.output.line()
    for line in prompt.splitlines():
        call.output.line(shown(line))
    return GOOD


def _check(call: Call, home: Home, every: Catalogue, name: str | None) -> int:
    if name is not None and name not in every.found:
        raise _unknown(name, every)
    rows = [_row(home, every, one) for one in every.found.values() if name in (None, one.name)]
    if call.output.json:
        call.output.document(rows)
    else:
        for row in rows:
            _say(call, row)
    if every.unread is not None:
        call.output.note(f"note: The home's own agents cannot be read: {every.unread}.")
    return BAD if every.unread is not None or any(row["broken"] for row in rows) else GOOD


def _say(call: Call, row: dict[str, Any]) -> None:
    broken = row["broken"]
    if broken is None:
        call.output.line(f"{shown(row['name'])}: {call.output.paint('good', 'green')}")
        return
    place = shown(row["path"]) + (f":{broken['line']}" if broken["line"] else "")
    call.output.line(f"{place}: {call.output.paint(LINE.sub('', broken['reason']), 'red')}")
    call.output.line(f"  {broken['remedy']}")


def _whole(found: Found, every: Catalogue) -> Found:
    """With what its file says, where it was not read because it is switched off."""
    if found.agent is not None or found.broken is not None:
        return found
    seen = every.found.get(found.name, found)
    return Found(found.name, found.origin, seen.agent, seen.broken, found.enabled, found.replaces)


def _row(home: Home, known: Catalogue, found: Found) -> dict[str, Any]:
    agent, broken = found.agent, found.broken
    return {
        "name": found.name,
        "state": _state(known, found),
        "purpose": agent.purpose if agent else None,
        "tools": list(agent.tools) if agent else None,
        "permission_mode": agent.permission_mode if agent else None,
        "edits": agent.edits if agent else None,
        "similarity": agent.similarity if agent else None,
        "entropy": agent.entropy if agent else None,
        "origin": found.origin,
        "replaces_built_in": found.replaces,
        "path": str(_path(home, found)) if found.origin == "home" else None,
        "broken": _fault(broken) if broken else None,
    }


def _state(known: Catalogue, found: Found) -> str:
    if not found.enabled:
        return "disabled"
    if found.broken is not None:
        return "broken"
    return "ready" if known.unread is None else "blocked"


def _fault(broken: BrokenAgent) -> dict[str, Any]:
    return {
        "code": broken.code,
        "line": broken.line,
        "reason": shown(broken.reason),
        "remedy": shown(broken.remedy),
    }


def _path(home: Home, found: Found) -> Path:
    return home.root / found.path


def _told(row: dict[str, Any], agent: Agent) -> dict[str, str]:
    where = row["path"] or "built in"
    return {
        "purpose": agent.purpose,
        "from": f"{where}, in place of the built-in one" if row["replaces_built_in"] else where,
        "tools": ", ".join(agent.tools),
        "edits": "yes" if agent.edits else "no",
        "permission mode": agent.permission_mode,
        "similarity": f"{agent.similarity:g}",
        "entropy": f"{agent.entropy:g}",
    }


def _broken(home: Home, found: Found) -> Failure:
    broken = found.broken
    reason, remedy = (broken.reason, broken.remedy) if broken else ("It cannot be read.", "")
    sentence = f"the agent {quoted(found.name)} is broken ({_path(home, found)}): {shown(reason)}"
    return Failure(BAD, "agent_broken", sentence, shown(remedy))


def _unknown(name: str, known: Catalogue) -> Failure:
    hint = f"{meant(name, known.found)}There are {', '.join(map(shown, known.found))}."
    return Failure(NOT_FOUND, "unknown_agent", f"there is no agent {quoted(name)}.", hint)
