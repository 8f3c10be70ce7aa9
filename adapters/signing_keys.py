"""The private key that signs a home's tree heads: in the person's configuration folder, never in the home."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_config_path

from adapters.safe_files import replace, sync_folder, temporary_beside, unlink, write_atomically
from eventstore.regular_file import read_regular
from eventstore.tree.signed_note import NoteRefused, SigningKey

VARIABLE: Final = "EVT_SIGNING_KEY"
OWNER_ONLY: Final = 0o600
FOLDER_OWNER_ONLY: Final = 0o700


class KeyUnusable(Exception):
    """A private key is there and cannot be used; the text says where and what to do."""


def keys_folder() -> Path:
    """Where this person's private keys lie. Raises KeyUnusable for one who has no folder at all."""
    try:
        return user_config_path("evt", appauthor=False) / "keys"
    except RuntimeError as homeless:
        raise KeyUnusable(f"there is no configuration folder ({homeless})") from homeless


def private_folder() -> str:
    """The real path of the folder that holds a person's keys and list of homes; "" where there is none."""
    try:
        return str(keys_folder().parent.resolve())
    except (KeyUnusable, OSError, RuntimeError):
        return ""


@dataclass(frozen=True)
class SigningKeys:
    """One home's. `given` is the key that the environment brings; then no file is read for it.

    Beside the key lies the last tree head that it signed: whoever puts the whole home back to
    an older state cannot put that back, too, and the signer sees that its log has been cut. It is not so
    kept where `remembers` is False: a copy of a home has the same id, and goes ways of its own.
    """

    home_id: str
    name: str
    given: str | None = None
    folder: Path | None = None
    remembers: bool = True

    @property
    def path(self) -> Path:
        """Raises KeyUnusable."""
        return (keys_folder() if self.folder is None else self.folder / "keys") / self.home_id

    @property
    def where(self) -> str:
        """Where the key at work comes from, for a sentence. Raises KeyUnusable."""
        return VARIABLE if self.given else str(self.path)

    @property
    def next_path(self) -> Path:
        """The key of a change that is under way."""
        return self.path.with_name(f"{self.home_id}.next")

    def key(self) -> SigningKey | None:
        """The private key, None where there is none. Raises KeyUnusable, OSError."""
        if self.given:
            return self._parsed(self.given, VARIABLE)
        return self._read(self.path)

    def next_key(self) -> SigningKey | None:
        """See `next_path`; with a given key where there is a folder. Raises KeyUnusable, OSError."""
        try:
            return self._read(self.next_path)
        except (OSError, KeyUnusable):
            if not self.given:
                raise
            return None

    def create(self) -> SigningKey:
        """A new key, kept. Raises OSError."""
        return self._made(self.path)

    def create_next(self) -> SigningKey:
        """A new key for a change of keys, kept beside the one at work. Raises OSError."""
        return self._made(self.next_path)

    def take_next(self) -> None:
        """The change is done: the next key is the key."""
        replace(self.next_path, self.path)

    def remembered(self) -> bytes | None:
        """The note of the last tree head that was signed here; None where none is known.

        Raises OSError, KeyUnusable; not so with a given key, see `remember`.
        """
        if not self.remembers:
            return None
        try:
            return read_regular(self.head_path)
        except FileNotFoundError:
            return None
        except (OSError, KeyUnusable):
            if not self.given:
                raise
            return None

    def remember(self, note: bytes) -> None:
        """With a given key only where there is a folder to write to. Raises OSError, KeyUnusable."""
        if not self.remembers:
            return
        try:
            self._make_folder()
            write_atomically(self.head_path, note, mode=OWNER_ONLY)
        except (OSError, KeyUnusable):
            if not self.given:
                raise

    def forget(self) -> None:
        """The log was put back to an older state by somebody who knows that."""
        unlink(self.head_path)

    def remove(self) -> None:
        """The home is gone for good: nothing of its key stays. Raises OSError."""
        for path in (self.path, self.next_path, self.head_path):
            unlink(path)

    @property
    def head_path(self) -> Path:
        """Where the last tree head lies that was signed here. Raises KeyUnusable."""
        return self.path.with_name(f"{self.home_id}.head")

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=FOLDER_OWNER_ONLY, parents=True, exist_ok=True)

    def _read(self, path: Path) -> SigningKey | None:
        try:
            text = read_regular(path).decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise KeyUnusable(f"{path} is no signing key ({error}): put the key's file back") from error
        return self._parsed(text, str(path))

    def _parsed(self, text: str, where: str) -> SigningKey:
        try:
            key = SigningKey.parse(text.strip())
        except NoteRefused as error:
            # The text itself is never shown: it may be all but right.
            raise KeyUnusable(
                f"{where} is no signing key ({error}): put the key of this home there"
            ) from error
        if key.verifying.name != self.name:
            raise KeyUnusable(
                f"{where} is the signing key of {key.verifying.name}, and this home is {self.name}: "
                "put the key of this home there"
            )
        return key

    def _made(self, path: Path) -> SigningKey:
        key = SigningKey.generate(self.name)
        self._make_folder()
        temporary = temporary_beside(path)
        # Nobody else may read it even for a moment: the mode is given when the file is made.
        handle = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), OWNER_ONLY
        )
        with os.fdopen(handle, "wb") as file:
            file.write(f"{key.text()}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
        sync_folder(path.parent)  # the log is about to name it
        return key
