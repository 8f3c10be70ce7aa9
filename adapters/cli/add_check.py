"""`evt add --check`: what would happen to a task, said without writing anything at all."""

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from adapters.agent_files import AgentFiles
from adapters.cli.call import Call, bad_setting
from adapters.cli.failure import CONFLICT, EXIT_OF_CODE, GOOD, USAGE, Failure
from adapters.cli.given import Given, agents_of, check_names, check_twice, ground_of, read_given
from adapters.cli.moments import minute
from adapters.cli.output import Output
from adapters.cli.understood import alternatives, decided_by
from adapters.config.settings import read_settings
from adapters.config.table import BadSetting
from eventstore.log import Log
from eventstore.redaction.patterns import Redactor
from eventstore.sqlite.log import SqliteLog
from handlers.decider import Refused
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from handlers.intake import Ground
from handlers.naming import free_id, id_from_stem
from handlers.task import TASK, TaskState
from handlers.tools import granted, offered
from schemas.names import task_stream
from schemas.shown import shown
from schemas.standing import Standing
from schemas.task import ReceiveTask, TaskSpec
from schemas.task_file import TaskFile
from schemas.upcasts import UPCASTS

LABEL = 12
VERDICT_OF_EXIT = {GOOD: "taken", USAGE: "refused", CONFLICT: "conflict"}
KNOWN = "known"
"""The bytes are the task of that id already: nothing would be done, and nothing is wrong."""


def check(call: Call, given: Sequence[Given]) -> int:
    """Say it for each; exit code 2 when one would be refused, else 7 when an id is another's, else 0."""
    home = call.home()
    try:
        settings = read_settings(home.root, call.environ)
    except BadSetting as bad:
        raise bad_setting(bad) from None
    for warning in settings.warnings:
        call.output.note(f"note: {warning}")
    with closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as log:
        ground, agents = ground_of(home, settings), agents_of(home, settings)
        checking = Checking(log, ground, agents, call.args, Redactor(settings.secrets))
        rows = checking.rows(given)
    if call.output.json:
        call.output.document(rows)
    else:
        for row in rows:
            _say(call.output, row)
    verdicts = {row["verdict"] for row in rows}
    return next((code for code in (USAGE, CONFLICT) if VERDICT_OF_EXIT[code] in verdicts), GOOD)


class Checking:
    """Judges one after the other; each sees those before it as if they had been taken in."""

    def __init__(
        self,
        log: Log,
        ground: Ground,
        agents: AgentFiles,
        options: argparse.Namespace,
        redactor: Redactor,
    ) -> None:
        self._dispatch = Dispatch(log, "", DECIDERS)
        self._ground = ground
        self._agents = agents
        self._options = options
        self._redactor = redactor
        self._taken: dict[str, TaskState] = {}
        self._written: set[str] = set()

    def rows(self, given: Sequence[Given]) -> list[dict[str, Any]]:
        """One for each. What it waits for may come behind it, with the same call."""
        rows = [self.row(one) for one in given]
        for waits in (one for row in rows for one in row.get("waits_for", ())):
            waits["status"] = self._task(waits["task_id"]).status
        return rows

    def row(self, given: Given) -> dict[str, Any]:
        task_id: str | None = None
        try:
            task, spec = read_given(given, self._options, self._ground, self._agents, self._text)
            tools = self._agents.get(spec.agent).tools
            check_names(given, task, spec, self._text)
            task_id = self._id(given, task)
            if task_id is not None:
                # What the log says of the id comes first, then the files beside this one.
                if task_id.lower() in self._taken:
                    check_twice(given, task, self._written)
                self._take(task_id, given, spec)
                self._written.update({task.id.lower()} if task.id else ())
        except Failure as no:
            return _no(given, no.exit_code, no.code, no.sentence.removeprefix(f"{given.called}: "), no.hint)
        except Refused as no:
            if no.code == "already_known":
                return {**_said(given, no.code, no.sentence, no.hint), "verdict": KNOWN, "task_id": task_id}
            return _no(given, EXIT_OF_CODE.get(no.code, USAGE), no.code, no.sentence, no.hint)
        return {
            "name": given.name,
            "verdict": VERDICT_OF_EXIT[GOOD],
            "task_id": task_id,
            "title": spec.title,
            "task_type": spec.task_type,
            "agent": spec.agent,
            "cwd": spec.cwd,
            "priority": spec.priority,
            "waits_for": [{"task_id": one, "status": self._task(one).status} for one in spec.after],
            "not_before": spec.not_before,
            "tools": list(offered(spec.task_type, tools)),
            "allowed": list(granted(spec.task_type, tools)),
            "checks": [one.check for one in spec.criteria if one.check is not None],
            "decided": dict(spec.decided),
            "alternatives": [other.model_dump() for other in spec.alternatives],
            "warnings": list(spec.warnings),
        }

    def _text(self, text: str) -> str:
        return self._redactor.text(text)[0]

    def _task(self, task_id: str) -> TaskState:
        state: TaskState
        state, _ = self._dispatch.state(TASK, task_stream(task_id))
        return self._taken.get(task_id.lower(), state)

    def _id(self, given: Given, task: TaskFile) -> str | None:
        """None where it is made of the message that is never sent."""
        wanted = task.id or (id_from_stem(given.name) if given.name else None)
        if wanted is None or task.id:
            return wanted
        return free_id(wanted, lambda one: self._task(one).received is not None)

    def _take(self, task_id: str, given: Given, spec: TaskSpec) -> None:
        """Ask the rule that `add` asks. Raises Refused."""
        digest = hashlib.sha256(given.content).hexdigest()
        state = self._task(task_id)
        command = ReceiveTask(
            command_id="check",
            time=0,
            actor="cli",
            task_id=task_id,
            origin="cli",
            file_name=None,
            content_sha256=digest,
            spec=spec,
        )
        TASK.decide(command, state)
        standing = Standing("received", "received")
        self._taken[task_id.lower()] = replace(state, standing=standing, received={"content_sha256": digest})


def _no(given: Given, exit_code: int, code: str, message: str, hint: str) -> dict[str, Any]:
    return {**_said(given, code, message, hint), "verdict": VERDICT_OF_EXIT[exit_code]}


def _said(given: Given, code: str, message: str, hint: str) -> dict[str, Any]:
    return {"name": given.name, "code": code, "message": message, "hint": hint}


def _say(output: Output, row: Mapping[str, Any]) -> None:
    name = "the text" if row["name"] is None else shown(row["name"])
    if row["verdict"] != VERDICT_OF_EXIT[GOOD]:
        known = row["verdict"] == KNOWN
        said = output.paint("is known already", "blue") if known else output.paint("would be refused", "red")
        output.line(f"{name}: {said}: {row['message']}")
        if row["hint"]:
            output.line(f"  {row['hint']}")
        return
    task_id = row["task_id"] or "task_ and 8 digits"
    output.line(f"{name}: {output.paint('would be taken in', 'green')} as {task_id}")
    waits = ", ".join(f"{one['task_id']} ({one['status']})" for one in row["waits_for"])
    freely = f"; {', '.join(row['allowed'])} without being asked" if row["allowed"] else ""
    parts = {
        "title": row["title"],
        "type": f"{row['task_type']}, done by the agent {row['agent']}",
        "cwd": row["cwd"],
        "priority": row["priority"],
        "waits for": waits,
        "not before": "" if row["not_before"] is None else minute(row["not_before"]),
        "tools": ", ".join(row["tools"]) + freely,
        "decided": decided_by(row["decided"]),
    }
    told = [(label, text) for label, text in parts.items() if text]
    told += [("check", one) for one in row["checks"]]
    for label, text in told:
        output.line(f"  {output.paint(label.ljust(LABEL), 'dim')}{shown(text)}")
    for other in alternatives(row["alternatives"]):
        output.line(f"  {output.paint('or else'.ljust(LABEL), 'dim')}{shown(other)}")
    for warning in row["warnings"]:
        output.line(f"  {output.paint('note'.ljust(LABEL), 'dim')}{shown(warning)}")
