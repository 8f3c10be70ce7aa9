"""The console script's way in: Python's own library and our packages come before what lies about.

PYTHONPATH, or an empty entry in it, which means the current directory, stands before the library:
a `json.py` there would be taken for Python's. So this module imports nothing that Python has not
loaded by itself, and puts those folders last. Who may write a `sitecustomize.py` into such a folder
owns the interpreter before anybody else has a say; only `python -I` is proof against that.
"""

import os
import sys


def main() -> int:
    """Run a verb; returns the exit code."""
    sys.path[:] = library_first(sys.path, os.__file__.rpartition(os.sep)[0], sys.version_info[:2])
    return int(__import__("adapters.cli.main", fromlist=["main"]).main())


def library_first(path: list[str], library: str, version: tuple[int, ...]) -> list[str]:
    """The search path with what stands before Python's library moved to its end."""
    archive = f"python{version[0]}{version[1]}.zip"
    for number, folder in enumerate(path):
        if folder == library or folder.endswith(archive):
            return [*path[number:], *path[:number]]
    return list(path)
