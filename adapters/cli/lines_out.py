"""The two ways in which events are given out line by line: as they are stored, and as CloudEvents."""

import argparse
from collections.abc import Callable
from typing import Final

from adapters.cli.failure import BAD, Failure
from eventstore.cloud_event import NoCloudEvent, cloud_event
from eventstore.event import Recorded

NDJSON: Final = "ndjson"
CLOUDEVENTS: Final = "cloudevents"
Render = Callable[[Recorded], bytes]


def add_format(parser: argparse.ArgumentParser, says: str) -> None:
    parser.add_argument("--format", choices=(NDJSON, CLOUDEVENTS), help=says)


def render_as(name: str) -> Render:
    """Gives an event's line, without a newline."""
    return _cloud_event if name == CLOUDEVENTS else _stored


def _stored(event: Recorded) -> bytes:
    return event.line


def _cloud_event(event: Recorded) -> bytes:
    """Raises Failure."""
    try:
        return cloud_event(event.line)
    except NoCloudEvent as no:
        sentence = f"event {event.global_position} cannot be said in CloudEvents: {no}."
        raise Failure(BAD, "no_cloud_event", sentence, "`--format ndjson` gives it as it is.") from None
