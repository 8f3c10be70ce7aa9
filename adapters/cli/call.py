"""What every verb is given: its arguments, where it speaks, and the way to the home."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from adapters.cli.failure import NOT_PERMITTED, USAGE, Failure
from adapters.cli.log_place import refuse_another_log
from adapters.cli.output import Output
from adapters.cli.pasted import pasted
from adapters.home import Home, NoHome, NotOurs, find_home


class Call(NamedTuple):
    args: argparse.Namespace
    output: Output
    environ: Mapping[str, str]

    def home(self) -> Home:
        """Raises Failure where there is none, or where its log is said to lie elsewhere."""
        try:
            home = find_home(self.args.home, self.environ.get("EVT_HOME"), self._here())
        except NoHome as missing:
            hint = "Make one with `evt init DIR`, or name one with `--home DIR`."
            if (lost := self._without_its_log()) is not None:
                way = f"`evt recover --home {pasted(lost)}`"
                hint = f"Its mirror is there: {way} makes the log again from it."
            raise Failure(USAGE, "no_home", str(missing), hint) from None
        except NotOurs as other:
            raise not_ours(other) from None
        refuse_another_log(home.root, self.environ)
        return home

    def _without_its_log(self) -> Path | str | None:
        """A home whose log is gone: the one that is named, or the nearest upward that has its tree."""
        named = self.args.home or self.environ.get("EVT_HOME")
        if named:
            return named if Home(Path(named).expanduser(), named=True).mirror.is_file() else None
        here = self._here()
        for folder in (here, *here.parents):
            home = Home(folder, named=False)
            if home.mirror.is_file() and home.tree.is_dir():
                return folder
        return None

    def _here(self) -> Path:
        """Where to look from. Raises Failure: somebody may have removed the folder meanwhile."""
        try:
            return Path.cwd()
        except FileNotFoundError:
            named = Path(self.args.home or self.environ.get("EVT_HOME") or "").expanduser()
            if named.is_absolute():
                return named
            hint = "Go to another one, or name a home by its whole path with `--home`."
            raise Failure(USAGE, "no_home", "the current folder is gone: it was removed.", hint) from None


def bad_setting(bad: Exception) -> Failure:
    """What somebody reads whose settings are of no use; the sentence says what may stand there."""
    return Failure(USAGE, "bad_setting", str(bad), "Nothing was done: put it right there, and try again.")


def not_ours(other: NotOurs) -> Failure:
    """What somebody reads who is at another user's home."""
    hint = f"Work on it as its owner: `sudo -u {other.user or 'USER'} evt …`."
    return Failure(NOT_PERMITTED, "not_permitted", str(other), hint)
