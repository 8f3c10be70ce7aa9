"""Give out the log as text, one event a line: as it is stored, or as CloudEvents 1.0.

The stored lines are those of the mirror, byte for byte; `evt import` makes a home of either.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.cli.call import Call
from adapters.cli.failure import GOOD
from adapters.cli.lines_out import NDJSON, Render, add_format, render_as
from adapters.cli.moments import end_of, now, start_of
from adapters.cli.out_file import out_file
from adapters.cli.reading_log import reading_log
from adapters.safe_files import replace, sync_folder, temporary_beside, unlink
from eventstore.event import Recorded

CHUNK: Final = 2**18


def arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser, "default: ndjson, the stored lines")
    parser.add_argument("--since", metavar="P|T", help="from here on: @120, 2026-11-22T12:00:00Z, or 10m")
    parser.add_argument("--until", metavar="P|T", help="up to here, inclusive")
    parser.add_argument("-o", "--output", metavar="FILE", help="write this file instead of stdout")


def run(call: Call) -> int:
    render = render_as(call.args.format or NDJSON)
    with reading_log(call) as (_, log):
        after = 0 if call.args.since is None else start_of(call.args.since, log, now())
        upto = log.head() if call.args.until is None else end_of(call.args.until, log, now(), "--until")
        if call.args.output in (None, "-"):
            for chunk in _chunks(log.all(after, upto), render):
                call.output.write(chunk.decode())
            if upto <= after:
                call.output.note(f"note: no event stands there: the log has {log.head()}.")
            return GOOD
        target = out_file(Path(call.args.output))
        _write(target, _chunks(log.all(after, upto), render))
        call.output.note(f"note: wrote {max(0, upto - after)} events to {target}")
    return GOOD


def _chunks(events: Iterator[Recorded], render: Render) -> Iterator[bytes]:
    waiting, size = [], 0
    for event in events:
        line = render(event)
        waiting.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"\n".join([*waiting, b""])
            waiting, size = [], 0
    if waiting:
        yield b"\n".join([*waiting, b""])


def _write(target: Path, chunks: Iterator[bytes]) -> None:
    """All of it or nothing: a file that stops in the middle would look like a shorter log. Raises OSError."""
    temporary = temporary_beside(target)
    try:
        with temporary.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, target)
    finally:
        unlink(temporary)
    sync_folder(target.parent)
