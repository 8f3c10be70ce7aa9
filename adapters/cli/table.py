"""Which verb lives in which module, and its line in the help; one without a group is not shown there."""

from typing import NamedTuple


class Verb(NamedTuple):
    module: str
    group: str
    line: str


VERBS: dict[str, Verb] = {
    "demo": Verb("demo", "Begin", "a home, a sample repository and three tasks, on a recorded agent"),
    "init": Verb("init", "Begin", "make a home in a folder"),
    "create-sample": Verb("create_sample", "Begin", "write a sample task file into the inbox"),
    "completion": Verb("completion", "Begin", "the script that lets your shell complete these words"),
    "run": Verb("run", "Work", "the service: take in tasks and have them done"),
    "add": Verb("add", "Work", "queue a task, from text or from files"),
    "cancel": Verb("cancel", "Work", "stop tasks, whether they wait or run"),
    "retry": Verb("retry", "Work", "have tasks done again, or all that failed"),
    "pause": Verb("pause", "Work", "hold tasks back, or the whole queue"),
    "resume": Verb("resume", "Work", "let paused tasks, or the queue, go on"),
    "wait": Verb("wait", "Work", "wait for a task to end"),
    "status": Verb("status", "Look", "what is going on now"),
    "list": Verb("list_tasks", "Look", "every task in a line"),
    "show": Verb("show", "Look", "all about one task"),
    "agents": Verb("agents", "Look", "the agents that a task can have, and what is wrong with one"),
    "tail": Verb("tail", "Look", "read and follow the log"),
    "tail-events": Verb("tail", "Look", "the same as tail"),
    "project": Verb("project", "Look", "a view of the log, now or at any time before"),
    "replay": Verb("replay", "Prove", "rebuild every view from the first event, and compare"),
    "audit": Verb("audit", "Prove", "prove offline that no event was changed, removed or added"),
    "key": Verb("key", "Prove", "the key that signs tree heads: show it, or change it"),
    "erase": Verb("erase", "Prove", "erase text of one event; that it was erased stays provable"),
    "validate-artifacts": Verb("validate_artifacts", "Prove", "check artifacts against their schema"),
    "version": Verb("version", "Prove", "which versions are at work"),
    "export": Verb("export", "Move", "the log as text: one event a line, or as CloudEvents"),
    "import": Verb("import_log", "Move", "make a home of an exported log, or go on with one"),
    "backup": Verb("backup", "Move", "copy the log and the blobs while the service runs, and check the copy"),
    "recover": Verb("recover", "Move", "make a damaged log again from its mirror"),
    "complete": Verb("complete", "", "what the scripts of `evt completion` ask"),
}
