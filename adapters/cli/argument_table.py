"""What each verb takes. Made by tools/write_completion.py from the verbs' own parsers."""

from collections.abc import Mapping
from typing import Final

from adapters.cli.argument import Argument

COMMON: Final[tuple[Argument, ...]] = (
    Argument(("-h", "--help"), "", "show this help message and exit"),
    Argument(("--home",), "DIR", "the home (else EVT_HOME, else the nearest upward)"),
    Argument(("--json",), "", "one JSON document on stdout (tail and run: one a line), errors and…"),
    Argument(("--color",), "COLOR", "default: auto", choices=("auto", "always", "never")),
)

OWN: Final[Mapping[str, tuple[Argument, ...]]] = {
    "demo": (
        Argument(("--keep",), "", "keep the folder, to look around in it afterwards"),
    ),
    "init": (
        Argument((), "DIR", "default: the current folder"),
    ),
    "create_sample": (),
    "completion": (
        Argument((), "SHELL", "bash, zsh, fish, powershell", choices=("bash", "zsh", "fish", "powershell")),
    ),
    "run": (
        Argument(("--drain",), "", "end when nothing is left to do"),
        Argument(("--drain-wait",), "S", "with --drain: wait for what is due within S seconds (default 60)"),
        Argument(("--workers",), "N", "tasks at the same time (else MAX_CONCURRENT_TASKS)"),
        Argument(("--quiet",), "", "do not show the events as they come"),
    ),
    "add": (
        Argument((), "TEXT|FILE", "words that say what is wanted, or task files", many=True),
        Argument(
            ("--type",),
            "TYPE",
            "what kind of work it is",
            choices=("analyze", "summarize", "code_review", "documentation", "fix", "bug_fix"),
        ),
        Argument(("--cwd",), "DIR", "the working directory (relative to where you are)"),
        Argument(
            ("--priority",),
            "PRIORITY",
            "default: medium, or what the file says",
            choices=("high", "medium", "low"),
        ),
        Argument(("--after",), "ID[,ID]", "tasks that must succeed first"),
        Argument(("--wait",), "", "wait for the end; the exit code tells it"),
        Argument(("--check",), "", "say what would happen and write nothing: 0 taken in or known, 2…"),
        Argument(("--timeout",), "S", "with --wait: at most so many seconds"),
    ),
    "cancel": (
        Argument((), "ID", "ids of tasks or their beginnings", many=True),
        Argument(("--reason",), "REASON", "kept in the log"),
    ),
    "retry": (
        Argument((), "ID", "ids of tasks or their beginnings; none with --failed", many=True),
        Argument(("--reason",), "REASON", "kept in the log"),
        Argument(("--failed",), "", "every task that is failed now"),
    ),
    "pause": (
        Argument((), "ID", "ids of tasks or their beginnings; without one: the queue", many=True),
        Argument(("--reason",), "REASON", "kept in the log"),
    ),
    "resume": (
        Argument((), "ID", "ids of tasks or their beginnings; without one: the queue", many=True),
        Argument(("--reason",), "REASON", "kept in the log"),
    ),
    "wait": (
        Argument((), "ID", "the task's id or its beginning, in any case"),
        Argument(("--timeout",), "S", "wait at most so many seconds, then exit 3"),
    ),
    "status": (),
    "list_tasks": (
        Argument(
            ("--status",),
            "S[,S]",
            "only these: received, queued, running, waiting_retry, waiting_quota,…",
            many=True,
        ),
    ),
    "show": (
        Argument((), "ID", "the task's id or its beginning, in any case"),
    ),
    "tail": (
        Argument(("-f", "--follow"), "", "go on with what comes, until Ctrl-C"),
        Argument(("-n",), "N", "the last N events (default 20; all with --since)"),
        Argument(("--since",), "T", "10m, 2026-11-22T12:00:00Z, or @P for a global position"),
        Argument(("--task",), "ID", "only this task's events"),
        Argument(("--type",), "T[,T]", "only events of this type", many=True),
    ),
    "project": (
        Argument((), "NAME", "the view: artifacts, costs, executors, in_inbox, metrics, queue,…"),
        Argument(("--at",), "P|T", "as it was: a global position, a time, or 10m for ten minutes ago"),
        Argument(("--explain",), "KEY", "which events made each row, or the row KEY, or its field KEY.FIELD"),
        Argument(("--write",), "", "with artifacts: write the files again from the log"),
    ),
    "replay": (
        Argument(("--at",), "P|T", "up to a global position, a time, or 10m for ten minutes ago"),
        Argument(("--verify",), "", "say `identical`, or exit 1 and name the first row that differs"),
    ),
    "validate_artifacts": (
        Argument((), "FILE", "files or folders; default: the home's results", many=True),
        Argument(("--ignore-legacy",), "", "pass over artifacts of schema 1.0 and count them"),
    ),
    "version": (),
}
"""By the module of the verb."""
