"""What an audit reads: the log, whoever writes it meanwhile, and the tree heads and keys that judge it."""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from adapters.cli.call import Call
from adapters.cli.failure import NOT_FOUND, USAGE, Failure
from adapters.home import Home
from adapters.safe_files import NotRegular, read_at_most
from adapters.signing_keys import SigningKeys
from adapters.trusted_homes import TrustedHomes
from eventstore.audit.heads import Stated, stated_in
from eventstore.audit.table_rows import SqliteRows
from eventstore.audit.text_rows import TextRows
from eventstore.audit.verdict import Evidence, Rows
from eventstore.line import NotALine, parse
from eventstore.log import LogUnreadable
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.frozen import Unchanged, in_use
from eventstore.tree.signed_note import NoteRefused, VerifyingKey
from schemas.shown import shown

T = TypeVar("T")

SQLITE: Final = b"SQLite format 3\0"
LOOKED_AT: Final = 2**20
"""Bytes in which a text must have a line of an event, to be taken for a log."""

LARGEST: Final = 64 * 2**20
"""Bytes of a file of tree heads or keys."""

TRIES: Final = 5
REMEMBERED: Final = "the tree head that your configuration folder remembers"


@dataclass
class Inputs:
    """`own_keys`: the keys are those that lie beside the log, so nobody else vouches for them.

    `unlisted` is the home, where it is none of those that this person has made.
    """

    evidence: Evidence
    own_keys: bool
    notes: list[str] = field(default_factory=list)
    unlisted: Path | None = None


def over_rows(path: Path, work: Callable[[Rows], T]) -> T:
    """What `work` finds in the rows of a log's file, or of a text with its lines.

    Nothing is written beside a file that nobody has open: it is read without a lock, and once more where
    somebody wrote it meanwhile. Raises Failure, LogUnreadable, OSError.
    """
    if not _is_sqlite(path):
        return work(TextRows(path))
    if not in_use(path):
        try:
            return _without_lock(path, work)
        except Disturbed:
            pass  # somebody has it open now
    try:
        connection = sqlite_file.connect(path, read_only=True)
    except (LogUnreadable, OSError):
        # Its folder may not be written by us: then it has to be read as it stands.
        return _in_a_quiet_moment(path, work)
    with closing(connection):
        return work(SqliteRows(connection, path))


class Disturbed(Exception):
    """The file was changed while it was read."""


def _without_lock(path: Path, work: Callable[[Rows], T]) -> T:
    """Raises Disturbed, LogUnreadable."""
    unchanged = Unchanged(path)
    with closing(sqlite_file.connect_still(path)) as connection:
        found = work(SqliteRows(connection, path))
    try:
        unchanged.require()
    except LogUnreadable as changed:
        raise Disturbed(str(changed)) from changed
    return found


def _in_a_quiet_moment(path: Path, work: Callable[[Rows], T]) -> T:
    for _ in range(TRIES - 1):
        with suppress(Disturbed):
            return _without_lock(path, work)
    try:
        return _without_lock(path, work)
    except Disturbed as disturbed:
        raise LogUnreadable(str(disturbed)) from disturbed


def gathered(call: Call, home: Home | None, folder: Path | None) -> Inputs:
    """`folder` is that of the tree, `home` the one whose own log is judged. Raises Failure, OSError."""
    notes: list[str] = []
    known = _keys_in(folder / "keys", notes) if folder is not None else []
    given = [key for text in call.args.key for key in _given_keys(text)]
    heads: list[Stated] = []
    for name in call.args.tree_head:
        heads += _notes_of(Path(name), "tree head")
    if not call.args.tree_head and folder is not None:
        heads += _heads_in(folder, notes)
    for name in call.args.anchor:
        heads += _notes_of(Path(name), "anchor")
    keys = given or known[:1]
    unlisted = None if home is None or TrustedHomes().trusts(home.root) else home.root
    if home is not None and known and unlisted is None:
        # Not for a copy of a home, such as a backup: that may well be older.
        heads += _remembered(known[0].name)
    tree = folder if folder is not None and folder.is_dir() else None
    return Inputs(Evidence(_each_once(heads), keys, known, tree), not given, notes, unlisted)


def tree_beside(path: Path) -> Path | None:
    """The folder of the tree beside a log that belongs to no home here."""
    folder = path.absolute().parent / "tree"
    return folder if folder.is_dir() else None


def check_is_there(path: Path) -> None:
    """Raises Failure."""
    if not path.exists():
        raise Failure(NOT_FOUND, "not_found", f"there is no file {shown(str(path))}.", "Check the path.")
    if not path.is_file():
        raise Failure(USAGE, "unreadable", f"{shown(str(path))} is no file.", "Name a log or its mirror.")


def content_of(path: Path, what: str) -> bytes:
    """Raises Failure."""
    try:
        content = read_at_most(path, LARGEST + 1)
    except FileNotFoundError:
        raise Failure(
            NOT_FOUND, "not_found", f"there is no file {shown(str(path))}.", "Check the path."
        ) from None
    except (NotRegular, OSError) as trouble:
        sentence = f"{shown(str(path))} cannot be read: {trouble.strerror}."
        raise Failure(USAGE, "unreadable", sentence, f"Name a file with {what}.") from None
    if len(content) > LARGEST:
        sentence = f"{shown(str(path))} has more than {LARGEST >> 20} MiB."
        raise Failure(USAGE, "unreadable", sentence, f"Name a file with {what}.")
    return content


def _is_sqlite(path: Path) -> bool:
    """Raises Failure for what is neither a log nor a text with an event."""
    try:
        with path.open("rb") as file:
            start = file.read(LOOKED_AT)
    except PermissionError as refused:
        sentence = f"{shown(str(path))} cannot be read: {refused.strerror}."
        raise Failure(USAGE, "unreadable", sentence, "Read it as its owner, or as root.") from None
    if start.startswith(SQLITE) or path.suffix == ".db":
        return True
    if start and not any(_is_event(line) for line in start.split(b"\n")):
        hint = "Name a log (events.db) or a text with its lines (events.ndjson)."
        raise Failure(USAGE, "unreadable", f"{shown(str(path))} holds no event.", hint)
    return False


def _is_event(line: bytes) -> bool:
    try:
        parse(line.removeprefix(b"\xef\xbb\xbf").strip())
    except NotALine:
        return False
    return True


def _keys_in(path: Path, notes: list[str]) -> list[VerifyingKey]:
    """The public keys beside the log, oldest first; a line that is none is told of."""
    try:
        lines = read_at_most(path, LARGEST).decode("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return []
    keys = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                keys.append(VerifyingKey.parse(line.strip()))
        except NoteRefused as why:
            notes.append(f"line {number} of logs/tree/keys is no key: {why}")
    return keys


def _given_keys(text: str) -> list[VerifyingKey]:
    """A key itself, or the keys of a file. Raises Failure."""
    try:
        return [VerifyingKey.parse(text)]
    except NoteRefused as why:
        if not Path(text).is_file():
            sentence = f"--key is neither a public key nor a file with one: {shown(str(why), 200)}."
            raise Failure(USAGE, "bad_key", sentence, "`evt key` prints the keys of a home.") from None
    words = content_of(Path(text), "public keys").decode("utf-8", "replace").split()
    try:
        keys = [VerifyingKey.parse(word) for word in words]
    except NoteRefused as why:
        sentence = f"{shown(text)} holds a word that is no public key: {shown(str(why), 200)}."
        raise Failure(USAGE, "bad_key", sentence, "One key a line, as `evt key` prints them.") from None
    if not keys:
        raise Failure(
            USAGE, "bad_key", f"{shown(text)} holds no key.", "`evt key` prints the keys of a home."
        )
    return keys


def _heads_in(folder: Path, notes: list[str]) -> list[Stated]:
    heads: list[Stated] = []
    for name in ("heads", "checkpoint"):
        try:
            content = read_at_most(folder / name, LARGEST)
        except FileNotFoundError:
            continue
        if name == "checkpoint":
            heads += [Stated(content, "logs/tree/checkpoint")] if content else []
            continue
        heads, torn = stated_in(content, f"logs/tree/{name}")
        if torn and _was_whole(torn, folder):
            heads.append(Stated(torn, f"tree head {len(heads) + 1} of logs/tree/{name}"))
        elif torn:
            notes.append(
                f"the last tree head of logs/tree/{name} is torn, as by a crash: the next one follows it"
            )
    return heads


def _was_whole(torn: bytes, folder: Path) -> bool:
    """Whether the newest tree head is the one that is torn: that was published when it was whole."""
    try:
        text, gap, _ = read_at_most(folder / "checkpoint", LARGEST).rpartition(b"\n\n")
    except OSError:
        return False
    return bool(gap) and torn.startswith(text + b"\n")


def _notes_of(path: Path, word: str) -> list[Stated]:
    """The tree heads of a file that somebody names: one note, or several with an empty line behind each."""
    content = content_of(path, "signed tree heads")
    name = shown(path.name)
    heads, _ = stated_in(content.rstrip(b"\n") + b"\n\n", f"the file {name}", anchor=True)
    if not any(head.claim for head in heads):
        hint = "A tree head is a signed note, such as logs/tree/checkpoint."
        raise Failure(USAGE, "unreadable", f"{shown(str(path))} holds no {word}.", hint)
    if len(heads) == 1:
        return [Stated(heads[0].note, f"the {word} of {name}", anchor=True)]
    return heads


def _remembered(origin: str) -> list[Stated]:
    """What the signer keeps outside of the home, so that a home that was put back is seen."""
    home_id = origin.removeprefix("urn:evt:")
    if not home_id or not all(letter.isalnum() or letter == "-" for letter in home_id):
        return []
    note = SigningKeys(home_id, origin).remembered()
    return [Stated(note, REMEMBERED, anchor=True)] if note else []


def _each_once(heads: list[Stated]) -> list[Stated]:
    """The newest tree head stands in several files; what was kept elsewhere, too, counts as that."""
    seen: dict[bytes, Stated] = {}
    for head in heads:
        if head.note not in seen or (head.anchor and not seen[head.note].anchor):
            seen[head.note] = head
    return list(seen.values())
