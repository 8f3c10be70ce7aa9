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
    gc.disable()  # what loads is no garbage; `call` enables it again
    sys.path[:] = library_first(sys.path, os.__file__.rpartition(os.sep)[0], sys.version_info[:2])
    code = int(__import__("adapters.cli.main", fromlist=["main"]).main())
    gc.freeze()  # the process ends: to search all that was loaded for garbage takes longer than a verb
    return code


def library_first(path: list[str], library: str, version: tuple[int, ...]) -> list[str]:
    """The search path with what stands before Python's library moved to its end."""
    archive = f"python{version[0]}{version[1]}.zip"
    for number, folder in enumerate(path):
        if folder == library or folder.endswith(archive):
            return [*path[number:], *path[:number]]
    return list(path)
