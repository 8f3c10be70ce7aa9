"""Ctrl-C while a verb loads ends it without a word; once it is at work it is told, and says 130."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there a process cannot send itself Ctrl-C alone"
)

AT_AN_IMPORT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[-1]:
            os.kill(os.getpid(), signal.SIGINT)

from adapters.cli.start import main
sys.meta_path.insert(0, Interrupting())
sys.argv[1:-1] = ["status"]
sys.exit(main())
"""

IN_THE_VERB = """
import os, signal, sys, types

def run(call):
    os.kill(os.getpid(), signal.SIGINT)
    return 0

verb = types.ModuleType("adapters.cli.version")
verb.run, verb.arguments = run, lambda parser: None
sys.modules["adapters.cli.version"] = verb
if sys.argv.pop() == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
from adapters.cli.start import main
sys.argv[1:] = ["version"]
sys.exit(main())
"""


def program(text: str, word: str) -> tuple[int, str]:
    said = subprocess.run(
        [sys.executable, "-c", text, word], capture_output=True, encoding="utf-8", check=False
    )
    return said.returncode, said.stderr


@pytest.mark.parametrize("module", ["adapters.cli.main", "orjson", "adapters.cli.status"])
def test_an_interrupt_while_modules_load_ends_it_without_a_traceback(module: str) -> None:
    assert program(AT_AN_IMPORT, module) == (-2, "")


def test_an_interrupt_of_a_verb_at_work_is_exit_130() -> None:
    assert program(IN_THE_VERB, "heard") == (130, "")


def test_where_interrupts_are_ignored_they_stay_ignored() -> None:
    assert program(IN_THE_VERB, "ignored") == (0, "")
