"""Which versions are at work: evt, Python, and the two SQLites."""

import argparse
import platform
import sqlite3

import apsw

from adapters.cli.call import Call
from adapters.cli.failure import GOOD
from adapters.version import installed_version
from eventstore.sqlite.versions import as_document


def arguments(parser: argparse.ArgumentParser) -> None:
    """It asks for nothing more."""


def run(call: Call) -> int:
    told = {
        "evt": installed_version(),
        "python": platform.python_version(),
        "sqlite": {"log": apsw.sqlite_lib_version(), "views": sqlite3.sqlite_version},
        "sqlite_libraries": as_document(),
        "platform": platform.platform(),
    }
    if call.output.json:
        call.output.document(told)
        return GOOD
    call.output.line(f"evt {told['evt']}")
    call.output.line(f"Python {told['python']} on {told['platform']}")
    call.output.line(
        f"SQLite {apsw.sqlite_lib_version()} for the log, {sqlite3.sqlite_version} for the views"
    )
    return GOOD
