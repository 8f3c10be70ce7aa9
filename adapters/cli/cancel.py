"""Stop tasks: one that waits is cancelled at once, one that runs is stopped with all its processes."""

import argparse

from adapters.cli.call import Call
from adapters.cli.wishes import Asked, Wish, add_ids, ask
from schemas.task import CancelTask


def arguments(parser: argparse.ArgumentParser) -> None:
    add_ids(parser)


def run(call: Call) -> int:
    return ask(call, Wish("cancel", CancelTask, _words, frozenset({"running"})))


def _words(asked: Asked) -> str:
    if asked.was == "cancelled":
        return "was cancelled already"
    if asked.status == "cancelled":
        return "is cancelled"
    return f"is {asked.status}; the service was asked to stop it"
