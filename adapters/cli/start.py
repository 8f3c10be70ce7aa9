"""A verb's way in, after `evt_start`: Python's own library and our packages come before what lies about.

PYTHONPATH, or an empty entry in it, which means the current directory, stands before the library:
a `json.py` there would be taken for Python's. So this module imports nothing that is not built into
Python or loaded by it, and puts those folders last. Who may write a `sitecustomize.py` into such a
folder owns the interpreter before anybody else has a say; only `python -I` is proof against that.
"""

import gc
import os
import sys


def main() -> int:
    """Run a verb; returns the exit code."""
    interrupts = Interrupts()
    interrupts.end_it()
    fill_closed_streams()
    gc.disable()  # what loads is no garbage; `call` enables it again
    sys.path[:] = library_first(sys.path, os.__file__.rpartition(os.sep)[0], sys.version_info[:2])
    code = int(__import__("adapters.cli.main", fromlist=["main"]).main(interrupts.tell_it))
    interrupts.end_it()
    gc.freeze()  # the process ends: to search all that was loaded for garbage takes longer than a verb
    return code


class Interrupts:
    """What Ctrl-C does. While modules load it ends the process at once, as it ends one without a handler.

    A KeyboardInterrupt would come out of an import as a traceback, and out of a C module's as a crash.
    Nothing is touched where SIGINT is ignored, as `nohup` and `&` have it.
    """

    def __init__(self) -> None:
        self._signal = __import__("_signal")  # built in; `signal` would load `enum`
        self._ours = self._signal.getsignal(self._signal.SIGINT) is self._signal.default_int_handler

    def end_it(self) -> None:
        if self._ours:
            self._signal.signal(self._signal.SIGINT, self._signal.SIG_DFL)

    def tell_it(self) -> None:
        """As Python has it: a verb that is at work hears of it."""
        if self._ours:
            self._signal.signal(self._signal.SIGINT, self._signal.default_int_handler)


def fill_closed_streams() -> None:
    """Put nothing on the standard streams that are closed (`evt list >&-`), as some daemons start programs.

    Python has None for their objects then, and the next file that is opened, the log perhaps, would get
    the number that others write their errors to.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            os.set_inheritable(number, True)  # noqa: FBT003  it has no name
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def library_first(path: list[str], library: str, version: tuple[int, ...]) -> list[str]:
    """The search path with what stands before Python's library moved to its end."""
    archive = f"python{version[0]}{version[1]}.zip"
    for number, folder in enumerate(path):
        if folder == library or folder.endswith(archive):
            return [*path[number:], *path[:number]]
    return list(path)
