"""After a crash: the home stands as it was acknowledged, works on, and a service does once what is left."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing

import orjson

from eventstore.sqlite.log import SqliteLog
from schemas import names
from tools.crash import oracle
from tools.crash.player import Player
from tools.crash.sandbox import LOG, Sandbox
from tools.crash.script import AFTER, DROPPED, Step, given
from tools.crash.witness import Ack
from tools.kill_storm.findings import Reading

WORKS_ON = (("init",), ("add", *given(AFTER)), ("cancel", AFTER), ("audit",))
"""The home is taken up again, a task comes in, a verb that owns it settles what was left, all is proved."""
DRAINS = (("resume",), ("run", "--drain", "--quiet", "--workers", "4"))

HOLDING = frozenset({names.TASK_PAUSED, names.TASK_RESUMED})


class Aftermath:
    """Each answer is a list of sentences that name what is wrong."""

    def __init__(self, sandbox: Sandbox, player: Player) -> None:
        self._home = sandbox.home
        self._player = player

    def stands(self, before: Sequence[bytes], acks: Sequence[Ack]) -> list[str]:
        """Log and views, as they are found. `before` are the lines that stood there when all was well."""
        wrong = oracle.wrong_log(self._home, before, acks)
        if wrong or not (before or acks):
            return wrong
        return [*self._false_alarm(), *oracle.wrong_views(self._home)]

    def works_on(self) -> list[str]:
        refused = self._refused(WORKS_ON)
        if refused:
            return refused
        home = self._home
        return [*oracle.wrong_mirror(home), *oracle.wrong_log(home, [], []), *oracle.half_done(home)]

    def drains(self) -> list[str]:
        home = self._home
        refused = self._refused(DRAINS)
        if refused:
            return refused
        wrong = [
            *self._wrong_ends(),
            *oracle.wrong_mirror(home),
            *oracle.half_done(home),
            *oracle.litter(home),
        ]
        return [
            *wrong,
            *(f"{path.name} lies in the inbox still" for path in (home / "tasks").glob("*.task.md")),
        ]

    def unacknowledged(self, before: Sequence[bytes], acks: Sequence[Ack]) -> int:
        """Events that stand in the log though nobody was told so: a crash came in between."""
        with closing(SqliteLog(self._home / LOG, read_only=True)) as log:
            told = {ack.global_position for ack in acks if ack.global_position > len(before)}
            return log.head() - len(before) - len(told)

    def _false_alarm(self) -> list[str]:
        """An audit may say that a home has crashed, but not that somebody has tampered with it."""
        ran = self._player.evt(("audit", "--json"), self._home)
        try:
            report = orjson.loads(ran.out)
        except ValueError:
            return [f"`evt audit` ended with {ran.code}: {ran.last_words}"]
        kinds = [finding["kind"] for finding in report["findings"]]
        return [f"`evt audit` says TAMPERED: {kinds}"] if report["verdict"] == "TAMPERED" else []

    def _refused(self, calls: Sequence[Sequence[str]]) -> list[str]:
        for words in calls:
            ran = self._player.evt(Step(tuple(words)).said(self._home), self._home)
            if ran.code or ran.crashed:
                return [f"afterwards `evt {' '.join(words)}` ended with {ran.code}: {ran.last_words}"]
        return []

    def _wrong_ends(self) -> list[str]:
        """Every task ended once for each time it was wanted, but for those that are held; no file is two."""
        with closing(SqliteLog(self._home / LOG, read_only=True)) as log:
            events = list(log.all())
        wishes = {event.stream: event.type for event in events if event.type in HOLDING}
        held = {one.removeprefix("task-") for one, last in wishes.items() if last == names.TASK_PAUSED}
        received = [event.data for event in events if event.type == names.TASK_RECEIVED]
        held |= {data["task_id"] for data in received if held & set(data["spec"]["after"])}
        said = tuple(f"{task} was wanted" for task in held)
        wrong = [sentence for sentence in Reading().read(events).wrong if not sentence.startswith(said)]
        taken = Counter(data["file_name"] for data in received)
        files = [f"{name}.task.md" for name in DROPPED]
        return [*wrong, *(f"{file} was taken in {taken[file]} times" for file in files if taken[file] > 1)]
