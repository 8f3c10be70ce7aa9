"""Where a verb may write a file that somebody named: nowhere in what a home keeps for itself."""

from importlib import import_module
from pathlib import Path
from typing import Final

from adapters.cli.failure import USAGE, Failure
from adapters.home import Home
from handlers.path_policy import OWN_FOLDERS
from schemas.shown import shown

OWN: Final = (*OWN_FOLDERS, "prompts", ".env")
"""Of each home, ours or another's: a log that is overwritten by its own proof would be gone."""


def out_file(path: Path) -> Path:
    """The real path. Raises Failure where no file may be written, or none can be."""
    real = path.expanduser().resolve()
    kept = [folder for folder in real.parents if Home(folder, named=True).log.exists()]
    if any(real.relative_to(folder).parts[0] in OWN for folder in kept):
        sentence = f"{shown(str(path))} lies where a home keeps its own state."
        raise Failure(USAGE, "usage", sentence, "Name a file elsewhere.")
    # Loaded by its name: only whoever writes a file needs to know.
    private: str = import_module("adapters.signing_keys").private_folder()
    if private and real.is_relative_to(private):
        sentence = f"{shown(str(path))} lies where the signing keys are."
        raise Failure(USAGE, "usage", sentence, "Name a file elsewhere.")
    if not real.parent.is_dir():
        sentence = f"there is no folder {shown(str(path.parent))}."
        raise Failure(USAGE, "usage", sentence, "Make it, or name another file.")
    if real.exists() and not real.is_file():
        raise Failure(USAGE, "usage", f"{shown(str(path))} is no regular file.", "Name a file.")
    return real
