"""The demo leaves nothing behind, and nobody at work in what it clears away."""

import subprocess
import sys

import pytest

from adapters.cli.demo import end

AT_THE_SECOND_WORD = """
import signal, sys, time
heard = []
def hear(number, frame):
    heard.append(number)
    if len(heard) > 1:
        sys.exit(7)
signal.signal(signal.SIGTERM, hear)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there the first word ends it")
def test_a_service_that_finishes_its_work_at_the_first_word_is_waited_for_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", AT_THE_SECOND_WORD], stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        service.stdout.readline()
        end(service)
        assert service.returncode == 7
