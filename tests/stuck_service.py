"""`evt run` on a disk that answers no more: a look at the tree never comes back once `HUNG` is there.

No disk of a test machine can be made to hang for a process and let others live; so the call itself is
replaced, and it hangs as the real one does: in a thread, in the system, where nothing can wake it.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from adapters import app
from adapters.cli.main import main
from adapters.last_resort import LastResort
from adapters.work_tree import WorkTrees


def _hang(tree: WorkTrees, cwd: Path, before: bytes) -> NoReturn:
    Path(os.environ["HUNG"]).touch()
    reader, _ = os.pipe()
    os.read(reader, 1)
    raise AssertionError("an empty pipe gave a byte")


if __name__ == "__main__":
    vars(app)["LastResort"] = partial(LastResort, patience_s=1.0)
    setattr(WorkTrees, "_changes", _hang)  # noqa: B010 the type of a method cannot be a function that never returns
    sys.exit(main())
