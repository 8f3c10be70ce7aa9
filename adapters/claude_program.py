"""The program that is the agent: found on the search path, and behind a Windows shim."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

_SHIM_TARGET = re.compile(r'"%(?:~dp0|dp0%)\\?([^"%]+\.(?:[cm]?js|exe))"', re.IGNORECASE)


class CannotStart(Exception):
    """The agent's program cannot be started; the message is a sentence for a person."""


def command(executable: str, search_path: str, separator: str) -> list[str]:
    """The words that start a program: its full path, or for a Windows shim what it would start.

    A bare name is sought on the search path alone, never in a current directory. Reads
    the disk. Raises CannotStart.
    """
    found = _found(executable, search_path.split(separator))
    if found is None:
        raise CannotStart(
            f"The agent's program {executable!r} was not found; set CLAUDE_EXECUTABLE to its full path."
        )
    program = Path(found).absolute()
    if program.suffix.lower() not in (".cmd", ".bat"):
        return [str(program)]
    # A shim runs in cmd.exe, where a quote in an argument can begin another command.
    named = _SHIM_TARGET.findall(program.read_text(encoding="utf-8", errors="replace"))
    targets = [PureWindowsPath(target) for target in named]
    real = next((program.parent.joinpath(*target.parts) for target in targets if target.stem != "node"), None)
    if real is None or not real.is_file():
        raise CannotStart(
            f"{program} is a shim whose program is not known; set CLAUDE_EXECUTABLE to claude.exe itself."
        )
    if real.suffix.lower() == ".exe":
        return [str(real)]
    node = _found("node", [str(program.parent), *search_path.split(separator)])
    if node is None:
        raise CannotStart(f"{program} needs node, which was not found on the PATH.")
    return [node, str(real)]


def _found(name: str, folders: Sequence[str]) -> str | None:
    if Path(name).name != name:
        return shutil.which(name)
    for folder in folders:
        if folder and Path(folder).is_absolute() and (hit := shutil.which(str(Path(folder) / name))):
            return hit
    return None
