"""What could stand where the cursor is on a command line: a pure function of the words before it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from adapters.cli.argument import Argument
from adapters.cli.argument_table import COMMON, OWN
from adapters.cli.table import VERBS
from adapters.cli.words.events import TELLING
from projections.all_views import BY_NAME
from schemas import names
from schemas.task_id import REFUSALS

MOST_IDS: Final = 200
WORDS, FILES, FOLDERS = "words", "files", "folders"

TASKS: Final = frozenset({"ID", "ID[,ID]"})
AGENT: Final = "AGENT"
PLACES: Final[Mapping[str, str]] = {
    "DIR": FOLDERS,
    "FILE": FILES,
    "TEXT|FILE": FILES,
    "P|FILE": FILES,
    "FILE|KEY": FILES,
}
LISTED: Final[Mapping[str, Iterable[str]]] = {
    "NAME": sorted(BY_NAME),
    "S[,S]": names.STATUSES,
    "T[,T]": sorted(TELLING),
}
UNDER_WAY: Final = frozenset(names.STATUSES) - names.ENDED
FITTING: Final[Mapping[str, frozenset[str]]] = {
    "cancel": UNDER_WAY,
    "pause": UNDER_WAY - {"paused"},
    "resume": frozenset({"paused"}),
    "retry": frozenset({"succeeded", "failed", "cancelled", "waiting_retry", "waiting_quota"}),
}
"""Of which statuses a task is that a verb can do something to; of any where the verb is not here."""
UNTOLD: Final = frozenset({"KEY", "N", "NAME", "P", "P|T", "REASON", "S", "T"})
"""Numbers, moments and free words: nobody can know what is meant."""


class Candidate(NamedTuple):
    """`says` is one line beside it, or empty."""

    text: str
    says: str = ""


class Answer(NamedTuple):
    """What is wanted: one of `found`, or (which the shell knows better) a file or a folder."""

    kind: str
    found: tuple[Candidate, ...] = ()


class Known(NamedTuple):
    """A task, so far as it can be named."""

    task_id: str
    says: str
    status: str


Tasks = Callable[[str | None], Iterable[Known]]
"""All tasks, the newest first, of the home that was named on the line, or of the one that is found."""
Agents = Callable[[str | None], Iterable[str]]
"""The names of that home's agents."""


def answer(before: Sequence[str], word: str, tasks: Tasks, agents: Agents = lambda home: ()) -> Answer:
    """`before` are the words after `evt`, `word` is the one that is being written (it may be empty)."""
    named: str | None = None
    words = list(before)
    while words and words[0].startswith("--"):
        name, given, told = words.pop(0).partition("=")
        if name in ("--home", "--color") and not given:
            if not words:
                return Answer(FOLDERS) if name == "--home" else _matching(_colors(), word)
            told = words.pop(0)
        named = told if name == "--home" else named
    if not words:
        return _matching(_top(word), word)
    verb = words[0]
    if verb not in VERBS or VERBS[verb].module not in OWN:
        return Answer(WORDS)
    line = _read(verb, words[1:], named)
    if line.open is not None:
        return _values(line, line.open, word, tasks, agents)
    if not line.plain and word.startswith("-"):
        name, assigned, value = word.partition("=")
        if not assigned:
            return _matching(_options(line), word)
        option = line.option(name)
        if option is None or not option.value:
            return Answer(WORDS)
        found = _values(line, option, value, tasks, agents)
        return found._replace(found=tuple(one._replace(text=f"{name}={one.text}") for one in found.found))
    place = line.place()
    if place is not None:
        return _values(line, place, word, tasks, agents)
    return _matching(_options(line), word) if not word and not line.plain else Answer(WORDS)


@dataclass
class _Line:
    """What was read so far: `words` stand without an option, `open` is the option that waits for its
    value, `plain` is all after `--`.
    """

    verb: str
    home: str | None
    used: list[Argument] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: Argument | None = None
    plain: bool = False

    @property
    def arguments(self) -> tuple[Argument, ...]:
        return (*OWN[VERBS[self.verb].module], *COMMON)

    def option(self, name: str) -> Argument | None:
        """By its name or, as the verb reads it, by a beginning that means only one."""
        options = [one for one in self.arguments if one.names]
        exact = [one for one in options if name in one.names]
        long = name.startswith("--") and len(name) > 2
        near = [one for one in options if long and any(full.startswith(name) for full in one.names)]
        found = exact or near
        return found[0] if len(found) == 1 else None

    def place(self) -> Argument | None:
        """What is wanted next without an option."""
        places = [one for one in self.arguments if not one.names]
        if len(self.words) < len(places):
            return places[len(self.words)]
        return places[-1] if places and places[-1].many else None


def _read(verb: str, words: Sequence[str], named: str | None) -> _Line:
    line = _Line(verb, named)
    for word in words:
        if line.open is not None:
            _take(line, line.open, word)
            line.open = None
        elif line.plain or not word.startswith("-") or word == "-":
            line.words.append(word)
        elif word == "--":
            line.plain = True
        else:
            name, assigned, value = word.partition("=")
            option = line.option(name)
            if option is None:
                continue
            if option.value and not assigned:
                line.open = option
            else:
                _take(line, option, value)
    return line


def _take(line: _Line, option: Argument, value: str) -> None:
    line.used.append(option)
    if "--home" in option.names:
        line.home = value


def _top(word: str) -> Iterator[Candidate]:
    """Verbs, and what may stand in place of one."""
    if word.startswith("-"):
        yield Candidate("--help", "the verbs")
        for option in COMMON:
            if option.names[-1] != "--help":
                yield Candidate(option.names[-1], option.says)
        yield Candidate("--version", VERBS["version"].line)
        return
    for name, verb in VERBS.items():
        if verb.group:
            yield Candidate(name, verb.line)


def _colors() -> Iterator[Candidate]:
    return (Candidate(one) for option in COMMON if "--color" in option.names for one in option.choices)


def _options(line: _Line) -> Iterator[Candidate]:
    for option in line.arguments:
        if option.many or option not in line.used:
            for name in option.names:
                yield Candidate(name, option.says)


def _values(line: _Line, argument: Argument, word: str, tasks: Tasks, agents: Agents) -> Answer:
    if argument.value in PLACES:
        return Answer(PLACES[argument.value])
    # Of a list only the last item is being written.
    head, comma, item = word.rpartition(",") if "[," in argument.value else ("", "", word)
    given = frozenset(head.lower().split(","))
    if argument.value in TASKS:
        known = _named(line, argument, tasks(line.home))
    elif argument.value == AGENT:
        known = (Candidate(name) for name in agents(line.home))
    else:
        known = (Candidate(one) for one in argument.choices or LISTED.get(argument.value, ()))
    found = _matching((one for one in known if one.text.lower() not in given), item).found
    if argument.value in TASKS:
        found = found[:MOST_IDS]
    return Answer(WORDS, tuple(one._replace(text=head + comma + one.text) for one in found))


def _named(line: _Line, argument: Argument, tasks: Iterable[Known]) -> Iterator[Candidate]:
    """What has ended cannot be cancelled, what was refused is nothing to come after, and once is enough."""
    statuses = FITTING.get(line.verb)
    for task in tasks:
        refused = task.task_id.startswith(REFUSALS) and "--after" in argument.names
        named = not argument.names and task.task_id in line.words
        if not refused and not named and (statuses is None or task.status in statuses):
            yield Candidate(task.task_id, task.says)


def _matching(candidates: Iterable[Candidate], word: str) -> Answer:
    small = word.lower()
    return Answer(WORDS, tuple(one for one in candidates if one.text.lower().startswith(small)))
