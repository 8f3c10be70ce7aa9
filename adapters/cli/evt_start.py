"""What the script `evt` imports; the wheel carries it beside the packages, as `evt_start`.

PYTHONPATH stands before what is installed, so an `adapters.py` in it would be taken for our package, before
a line of ours had run. Under a name of its own this one is found; it puts the folders that stand before
Python's library last, and only then looks for a package of ours. It imports none by itself for that reason.
"""

import os
import sys


def main() -> int:
    """Run a verb; returns the exit code."""
    library = os.__file__.rpartition(os.sep)[0]
    if library in sys.path:
        number = sys.path.index(library)
        sys.path[:] = [*sys.path[number:], *sys.path[:number]]
    return int(__import__("adapters.cli.start", fromlist=["main"]).main())
