"""Tree heads of a home: made over what the log holds, and refused over anything else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.signing_keys import KeyUnusable, SigningKeys
from adapters.tree_keeping import TreeKeeping
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from eventstore.tree.head import SignedHead, read_notes
from eventstore.tree.merkle import Frontier, leaf_hash
from eventstore.tree.signed_note import SigningKey, VerifyingKey
from handlers.ports.log import HeadRefused
from tests.log_contract import fact

HOME_ID = "0190-home"
NAME = f"urn:evt:{HOME_ID}"


class Place:
    """A log with its tree, as a home has them, and the configuration folder of a person."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tree = root / "logs" / "tree"
        (root / "logs").mkdir(parents=True)
        self.log = SqliteLog.create(root / "logs" / "events.db")
        self.keys = SigningKeys(HOME_ID, NAME, folder=root / "config")

    def append(self, count: int) -> None:
        for _ in range(count):
            self.log.append("task-x", [fact(self.log.head())], ANY)

    @property
    def keeping(self) -> TreeKeeping:
        return TreeKeeping(self.tree, self.log, self.keys, NAME)

    def known(self) -> list[VerifyingKey]:
        return [VerifyingKey.parse(line) for line in (self.tree / "keys").read_text("utf-8").split()]

    def heads(self) -> list[SignedHead]:
        notes, torn = read_notes(self.tree / "heads")
        assert not torn
        return [SignedHead.opened(note, self.known(), NAME) for note in notes]

    def root_of(self, size: int) -> bytes:
        frontier = Frontier()
        frontier.extend(leaf_hash(event.line) for event in self.log.all(0, size))
        return frontier.root()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_each_tree_head_is_signed_over_all_that_stands_in_the_log(place: Place) -> None:
    for size in (1, 3, 300, 301):
        place.append(size - place.log.head())
        place.keeping.ready_now()
        place.keeping.sign_now()
    assert [found.head.size for found in place.heads()] == [1, 3, 300, 301]
    assert all(found.head.root == place.root_of(found.head.size) for found in place.heads())
    assert (place.tree / "checkpoint").read_bytes() == place.heads()[-1].note


def test_the_private_key_lies_beside_the_home_never_in_it(place: Place) -> None:
    place.append(1)
    place.keeping.ready_now()
    secret = place.keys.path.read_text("utf-8").strip()
    held = [path.read_bytes() for path in (place.root / "logs").rglob("*") if path.is_file()]
    assert secret.startswith("PRIVATE+KEY+")
    assert not any(secret.encode() in content for content in held)


@pytest.mark.skipif("os.name == 'nt'", reason="Windows keeps access lists instead of modes")
def test_nobody_else_may_read_the_private_key(place: Place) -> None:
    place.append(1)
    place.keeping.ready_now()
    assert place.keys.path.stat().st_mode & 0o777 == 0o600


def cut_short(place: Place) -> None:
    """An older copy of the log comes back, tree and all; only what the key remembers is left."""
    place.log.close()
    shutil.rmtree(place.root / "logs")
    shutil.copytree(place.root / "older", place.root / "logs")
    place.log = SqliteLog(place.root / "logs" / "events.db")


def grown_otherwise(place: Place) -> None:
    cut_short(place)
    for number in range(20):
        place.log.append("task-x", [fact(number, "another")], ANY)


@pytest.mark.parametrize(
    ("change", "said"), [(cut_short, "the log ends at 3"), (grown_otherwise, "not those that were signed")]
)
def test_a_log_that_was_put_back_is_not_signed_again(
    place: Place, change: Callable[[Place], None], said: str
) -> None:
    place.append(3)
    place.keeping.ready_now()
    place.keeping.sign_now()
    shutil.copytree(place.root / "logs", place.root / "older")
    place.append(4)
    place.keeping.sign_now()
    change(place)
    for act in (place.keeping.ready_now, place.keeping.sign_now):
        with pytest.raises(HeadRefused, match=said):
            act()
    assert [found.head.size for found in place.heads()] == [3]


@pytest.mark.parametrize("hurt", ["removed", "cut", "flipped"])
def test_hurt_tiles_are_made_again_from_a_log_that_agrees_with_what_was_signed(
    place: Place, hurt: str
) -> None:
    place.append(300)
    place.keeping.ready_now()
    place.keeping.sign_now()
    if hurt == "removed":
        shutil.rmtree(place.tree / "tile")
    else:
        tile = place.tree / "tile" / "0" / "000"
        content = tile.read_bytes()
        tile.write_bytes(content[:100] if hurt == "cut" else bytes([content[0] ^ 1]) + content[1:])
    place.append(1)
    assert place.keeping.sign_now().root == place.root_of(301)


def test_a_tile_that_is_gone_where_the_last_root_needs_it_no_more_is_made_again(place: Place) -> None:
    place.append(700)
    place.keeping.ready_now()
    place.keeping.sign_now()
    (place.tree / "tile" / "0" / "001").unlink()
    place.append(1)
    assert place.keeping.sign_now().root == place.root_of(701)
    assert (place.tree / "tile" / "0" / "001").exists()


def test_a_head_that_was_begun_and_not_signed_does_not_stand_in_the_way(place: Place) -> None:
    place.append(2)
    keeping = place.keeping
    keeping.ready_now()
    keeping.sign_now()
    place.append(2)
    keeping.sign_now()
    # As if the machine had died between the tiles and the signature of the second head.
    first = place.heads()[0].note
    (place.tree / "heads").write_bytes(first + b"\n")
    (place.tree / "checkpoint").write_bytes(first)
    place.keys.remember(first)
    place.append(1)
    assert place.keeping.sign_now().root == place.root_of(5)


def test_a_home_without_its_private_key_says_what_to_do(place: Place) -> None:
    place.append(1)
    place.keeping.ready_now()
    place.keeping.sign_now()
    place.keys.path.unlink()
    with pytest.raises(HeadRefused, match=r"not here .* `evt key change --lost`"):
        place.keeping.ready_now()


def test_a_key_of_the_environment_signs_and_no_file_is_made(place: Place) -> None:
    place.append(1)
    given = SigningKey.generate(NAME)
    keys = SigningKeys(HOME_ID, NAME, given.text(), place.root / "config")
    keeping = TreeKeeping(place.tree, place.log, keys, NAME)
    keeping.ready_now()
    keeping.sign_now()
    assert place.heads()[0].signers == (given.verifying,)
    assert not keys.path.exists()


@pytest.mark.parametrize("way", ["file", "environment"])
def test_a_key_that_nobody_vouched_for_signs_nothing(place: Place, way: str) -> None:
    place.append(1)
    place.keeping.ready_now()
    place.keeping.sign_now()
    stranger = SigningKey.generate(NAME)
    known = place.known()
    given = None
    if way == "file":
        place.keys.path.write_text(stranger.text(), encoding="utf-8")
    else:
        given = stranger.text()
    place.append(1)
    keeping = TreeKeeping(
        place.tree, place.log, SigningKeys(HOME_ID, NAME, given, place.root / "config"), NAME
    )
    for act in (keeping.ready_now, keeping.sign_now, lambda: keeping.change_key(lost=False)):
        with pytest.raises(HeadRefused, match=r"signed with|EVT_SIGNING_KEY brings the key"):
            act()
    assert [found.head.size for found in place.heads()] == [1]
    assert place.known() == known
    assert not place.keys.next_path.exists()


def test_a_given_key_signs_where_no_configuration_folder_can_be_made(place: Place) -> None:
    place.append(1)
    (place.root / "file").write_bytes(b"")
    given = SigningKey.generate(NAME)
    keys = SigningKeys(HOME_ID, NAME, given.text(), place.root / "file")
    for size in (1, 2):
        keeping = TreeKeeping(place.tree, place.log, keys, NAME)
        keeping.ready_now()
        assert keeping.sign_now().size == size
        place.append(1)


def test_who_has_no_home_folder_is_told_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object, **__: object) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("adapters.signing_keys.user_config_path", homeless)
    place.append(1)
    keeping = TreeKeeping(place.tree, place.log, SigningKeys(HOME_ID, NAME), NAME)
    for act in (keeping.ready_now, lambda: keeping.change_key(lost=True)):
        with pytest.raises(HeadRefused, match="no configuration folder"):
            act()
    given = SigningKeys(HOME_ID, NAME, SigningKey.generate(NAME).text())
    assert TreeKeeping(place.tree, place.log, given, NAME).sign_now().size == 1


@pytest.mark.parametrize(
    "text",
    ["", "PRIVATE+KEY+", SigningKey.generate("urn:evt:another").text(), "\x00", "PRIVATE+KEY+a+b+c"],
    ids=["empty", "cut", "another's", "nul", "no key"],  # a name that changes is no name
)
def test_a_key_file_that_holds_something_else_is_refused_without_showing_it(place: Place, text: str) -> None:
    place.keys.path.parent.mkdir(parents=True)
    place.keys.path.write_text(text, encoding="utf-8")
    with pytest.raises(KeyUnusable) as refused:
        place.keys.key()
    assert str(place.keys.path) in str(refused.value)
    assert text == "" or text not in str(refused.value)
