"""Hold tasks back, or without an id the whole queue: nothing new is begun until `evt resume`.

The agent of a task that runs is ended, and its session goes on later. A paused queue lets what
runs go on to its end.
"""

import argparse

from adapters.cli.call import Call
from adapters.cli.wishes import Asked, Wish, add_ids, ask, queue_only
from schemas import names
from schemas.executor import PauseQueue
from schemas.task import PauseTask


def arguments(parser: argparse.ArgumentParser) -> None:
    add_ids(parser, "without one: the queue")


def run(call: Call) -> int:
    if call.args.id:
        return ask(call, Wish("pause", PauseTask, _words, frozenset({"running"})))
    return queue_only(call, PauseQueue, _queue_words)


def _queue_words(changed: bool) -> str:
    return "is paused: what runs goes on, nothing new is begun" if changed else "was paused already"


def _words(asked: Asked) -> str:
    if asked.status == "paused":
        return "is paused" if asked.changed else "was paused already"
    if asked.status in names.ENDED:
        return f"is {asked.status}: it ended before it could be paused"
    return f"is {asked.status}; the service was asked to stop it"
