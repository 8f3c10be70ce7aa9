"""Stand between the service and the real agent, and keep what passes: prompt, output, the project after it.

python -m tools.golden.tape SHELF PROJECT PROGRAM [the agent's own arguments]
"""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from tools.golden.case import files_of
from tools.golden.shelf import Shelf, Taped


def main() -> int:
    folder, project, program, *arguments = sys.argv[1:]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # that is ours
    if arguments == ["--version"]:
        return subprocess.run([program, *arguments], env=environment).returncode
    shelf, prompt = Shelf(Path(folder)), sys.stdin.buffer.read()
    number = shelf.keep_prompt(prompt)
    pipe = subprocess.PIPE
    agent = subprocess.Popen([program, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    if agent.stdin is None or agent.stdout is None or agent.stderr is None:
        raise RuntimeError("the agent was started without pipes")
    said, erred = bytearray(), bytearray()
    listeners = [
        threading.Thread(target=_pass_on, args=(agent.stdout, sys.stdout.buffer, said)),
        threading.Thread(target=_pass_on, args=(agent.stderr, sys.stderr.buffer, erred)),
    ]
    for listener in listeners:
        listener.start()
    agent.stdin.write(prompt)
    agent.stdin.close()
    code = agent.wait()
    for listener in listeners:
        listener.join()
    # A signal is told as a shell tells it: a process cannot exit with less than 0.
    exit_code = code if code >= 0 else 128 - code
    after = files_of(Path(project))
    shelf.keep(number, Taped(tuple(arguments), exit_code, erred.decode(), bytes(said), after))
    return exit_code


def _pass_on(source: BinaryIO, target: BinaryIO, kept: bytearray) -> None:
    while chunk := os.read(source.fileno(), 65_536):
        kept.extend(chunk)
        target.write(chunk)
        target.flush()


if __name__ == "__main__":
    sys.exit(main())
