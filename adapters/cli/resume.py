"""Let paused tasks go on, or without an id the whole queue. An agent's session goes on where it was."""

import argparse

from adapters.cli.call import Call
from adapters.cli.wishes import Asked, Wish, add_ids, ask, queue_only
from schemas.executor import ResumeQueue
from schemas.task import ResumeTask


def arguments(parser: argparse.ArgumentParser) -> None:
    add_ids(parser, "without one: the queue")


def run(call: Call) -> int:
    if call.args.id:
        return ask(call, Wish("resume", ResumeTask, _words))
    return queue_only(call, ResumeQueue, _queue_words)


def _queue_words(changed: bool) -> str:
    return "goes on" if changed else "was not paused"


def _words(asked: Asked) -> str:
    return f"goes on: it is {asked.status}" if asked.changed else f"was not paused: it is {asked.status}"
