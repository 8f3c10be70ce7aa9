"""Print the script that lets a shell complete verbs, options, their values and task ids.

The script asks `evt` at each press of the tab key, so it need not be renewed with the program.
"""

import argparse

from adapters.cli.call import Call
from adapters.cli.failure import GOOD
from adapters.cli.shell_scripts import SCRIPTS


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help=", ".join(SCRIPTS))


def run(call: Call) -> int:
    script = SCRIPTS[call.args.shell]
    if call.output.json:
        call.output.document({"shell": call.args.shell, "script": script})
        return GOOD
    call.output.write(script)
    return GOOD
