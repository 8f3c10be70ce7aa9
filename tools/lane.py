"""What the tests' real programs have in common: installed beside, put in place whole, kept while wanted."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

INSTALL_LIMIT_S: Final = 300.0
ERROR: Final = re.compile(r"(?:npm )?(?:error|err!)", re.IGNORECASE)
"""How npm and pip begin the lines that say why."""


class LaneMissing(Exception):
    """There is no lane on this machine; the message is one sentence that says why."""


def folder_for(name: str, variable: str, environ: Mapping[str, str], prefix: Path, base_prefix: Path) -> Path:
    """Where lanes of one kind lie. Raises LaneMissing outside a virtual environment when nothing is named."""
    if named := environ.get(variable):
        return Path(named).expanduser().absolute()
    if prefix == base_prefix:
        raise LaneMissing(f"This Python is in no virtual environment; name a folder in {variable}.")
    return prefix / name


@contextmanager
def put_in_place(home: Path) -> Iterator[Path]:
    """A folder to install into; at the end of the block it becomes `home`, or is gone. Raises LaneMissing.

    Several may do this at once: each installs beside, and the first one's stays.
    """
    beside = home.with_name(f"{home.name}.new-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        try:
            beside.rename(home)
        except OSError as problem:
            if not home.is_dir():
                raise LaneMissing(f"The lane could not be put in its place: {problem}.") from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    _forget_others(home)


def told_by(title: str, command: Sequence[str], environ: Mapping[str, str], cwd: Path | None = None) -> str:
    """What an installing command prints. Raises LaneMissing with its own words where it fails."""
    try:
        told = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=INSTALL_LIMIT_S,
        )
    except subprocess.TimeoutExpired as problem:
        raise LaneMissing(f"`{title}` did not end within {INSTALL_LIMIT_S:.0f} s.") from problem
    except OSError as problem:
        raise LaneMissing(f"`{title}` could not be started: {problem.strerror}.") from problem
    if told.returncode != 0:
        said = [line for line in told.stderr.splitlines() if ERROR.match(line)]
        why = " ".join(said[:3]) or told.stderr[-300:].strip()
        raise LaneMissing(f"`{title}` ended with exit code {told.returncode}: {why}")
    return told.stdout


def _forget_others(home: Path) -> None:
    """A lane is hundreds of megabytes: those of other locks are not kept."""
    for other in home.parent.iterdir():
        if other != home and re.fullmatch(r"[0-9a-f]{16}", other.name):
            shutil.rmtree(other, ignore_errors=True)
