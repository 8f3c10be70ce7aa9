"""Which processes of this machine are of a test, by what their arguments say."""

import psutil


def living(marker: str, *, whole: bool = False) -> list[int]:
    """The processes that have the marker among their arguments, `whole` as one of them; no zombies."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if marker in (words if whole else " ".join(words)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
