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
        Argument(("-n",), "N", "of what has ended the newest N (default 50; with --json all)"),
        Argument(("--all",), "", "all that has ended"),
    ),
    "show": (
        Argument((), "ID", "the task's id or its beginning, in any case"),
    ),
    "agents": (
        Argument((), "ACTION", "default: list", choices=("list", "show", "check")),
        Argument((), "AGENT", "show, check: this one"),
    ),
    "tail": (
        Argument(("-f", "--follow"), "", "go on with what comes, until Ctrl-C"),
        Argument(("-n",), "N", "the last N events (default 20; all with --since)"),
        Argument(("--since",), "T", "10m, 2026-11-22T12:00:00Z, or @P for a global position"),
        Argument(("--task",), "ID", "only this task's events"),
        Argument(("--type",), "T[,T]", "only events of this type", many=True),
        Argument(
            ("--format",),
            "FORMAT",
            "for programs: the stored lines, as with --json, or CloudEvents 1.0",
            choices=("ndjson", "cloudevents"),
        ),
    ),
    "project": (
        Argument((), "NAME", "the view: artifacts, costs, erasures, executors, in_inbox, mediator,…"),
        Argument(("--at",), "P|T", "as it was: a global position, a time, or 10m for ten minutes ago"),
        Argument(("--explain",), "KEY", "which events made each row, or the row KEY, or its field KEY.FIELD"),
        Argument(("--write",), "", "with artifacts: write the files again from the log"),
    ),
    "replay": (
        Argument(("--at",), "P|T", "up to a global position, a time, or 10m for ten minutes ago"),
        Argument(("--verify",), "", "say `identical`, or exit 1 and name the first row that differs"),
    ),
    "audit": (
        Argument((), "PART", "default: judge the log", choices=("prove", "check-proof")),
        Argument((), "P|FILE", "prove: a global position; check-proof: a proof"),
        Argument(("--log",), "FILE", "judge this log, or text with its lines, and it alone"),
        Argument(("--tree-head",), "FILE", "hold it against the tree heads of this file alone", many=True),
        Argument(("--anchor",), "FILE", "and against the tree heads of this file, kept elsewhere", many=True),
        Argument(
            ("--key",),
            "FILE|KEY",
            "a public key to trust instead of the home's first one, or a file with…",
            many=True,
        ),
        Argument(("--line",), "FILE", "the event's line (prove writes it)"),
        Argument(("-o", "--output"), "FILE", "prove: write the proof there, not to stdout"),
    ),
    "key": (
        Argument((), "ACTION", "default: show", choices=("show", "change")),
        Argument(("--lost",), "", "change: the private key is lost"),
    ),
    "erase": (
        Argument((), "P", "the event's global position"),
        Argument(("--reason",), "REASON", "why; recorded, so it must not tell the secret"),
        Argument(("--field",), "NAME", "what to erase, such as spec.prompt", many=True),
        Argument(("--finish",), "", "carry out erasures that were cut short"),
    ),
    "validate_artifacts": (
        Argument((), "FILE", "files or folders; default: the home's results", many=True),
        Argument(("--ignore-legacy",), "", "pass over artifacts of schema 1.0 and count them"),
    ),
    "version": (),
    "export": (
        Argument(
            ("--format",),
            "FORMAT",
            "default: ndjson, the stored lines",
            choices=("ndjson", "cloudevents"),
        ),
        Argument(("--since",), "P|T", "from here on: @120, 2026-11-22T12:00:00Z, or 10m"),
        Argument(("--until",), "P|T", "up to here, inclusive"),
        Argument(("-o", "--output"), "FILE", "write this file instead of stdout"),
    ),
    "import_log": (
        Argument((), "FILE", "an exported log, a mirror, a backup's folder, or -"),
    ),
    "backup": (
        Argument((), "DIR", "a new folder, an empty one, or an earlier backup"),
    ),
    "recover": (
        Argument(("--from-mirror",), "", "where they differ, the mirror is right"),
        Argument(("--from-log",), "", "where they differ, the log is right"),
        Argument(("--yes",), "", "end the log before events that cannot be joined"),
    ),
}
"""By the module of the verb."""
