"""See it at work: a home, a sample repository, three task files, a recorded agent. No key, no network."""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import orjson
from rich.console import Console
from rich.json import JSON
from rich.rule import Rule

from adapters.cli.call import Call
from adapters.cli.failure import CONFLICT, GOOD, UNAVAILABLE, USAGE, Failure
from adapters.demo_home import RECORDED_AGENT, clear_away, demo_task, furnish

DRAIN_WAIT_S = 1
PAUSE_S = 0.7
WORDS = 20
"""So often the service is told to end before it is killed, every WORD_S seconds."""
WORD_S = 0.5


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep", action="store_true", help="keep the folder, to look around in it afterwards"
    )


def run(call: Call) -> int:
    if call.output.json:
        hint = "Leave --json out; in the home that `evt demo --keep` leaves, every verb takes it."
        raise Failure(USAGE, "usage", "the demo is for the eye: it has no JSON to give.", hint)
    if shutil.which(RECORDED_AGENT, path=str(Path(sys.executable).parent)) is None:
        hint = "Install the project itself: `python3 tools/dev.py setup`."
        raise Failure(UNAVAILABLE, "not_installed", f"{RECORDED_AGENT} is not beside {sys.executable}.", hint)
    named = call.args.home
    root = Path(named).expanduser().absolute() if named else Path(tempfile.mkdtemp(prefix="evt-demo-"))
    if named and root.exists() and any(root.iterdir()):
        hint = "Name a new or an empty folder."
        raise Failure(CONFLICT, "occupied", f"{root} is not empty.", hint)
    kept = bool(named or call.args.keep)
    try:
        code = _Show(call, root).play()
    except BaseException:
        if kept:
            call.output.note(f"The home is kept: {root}")
        raise
    finally:
        if not kept:
            clear_away(root)
    if code == GOOD:
        _last_word(call, root, kept=kept)
    return code


def _last_word(call: Call, root: Path, *, kept: bool) -> None:
    where = f"The home is kept: {root}" if kept else f"The home {root} is removed again; --keep keeps it."
    call.output.line()
    call.output.line("The dollars were worked out from the recording's token counts: nobody was billed.")
    call.output.line(where)
    call.output.line("Next, a home of your own: evt init ~/evt-home")


def end(service: subprocess.Popen[bytes]) -> None:
    """Have the service end at once, and wait for it: at the first word it lets its agents finish.

    A terminal's Ctrl-C was such a word. A further one here would leave the service behind.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for _ in range(WORDS):
            service.terminate()
            with suppress(subprocess.TimeoutExpired):
                service.wait(WORD_S)
                return
        service.kill()
        service.wait()
    finally:
        signal.signal(signal.SIGINT, before)


class _Show:
    """The demo's steps, each with the command that a person would type."""

    def __init__(self, call: Call, root: Path) -> None:
        colored = call.output.colored
        self._call = call
        self._root = root
        self._console = Console(
            file=call.output.out,
            force_terminal=colored,
            no_color=not colored,
            highlight=False,
            soft_wrap=True,
        )
        self._color = "always" if colored else "never"

    def play(self) -> int:
        self._say("A home and a sample repository")
        repository = furnish(self._root)
        self._console.print(f"home        {self._root}\nrepository  {repository}")
        self._console.print(
            "agent       a recorded Claude session, played by a real child process: "
            "nothing is asked of any model, its edits are made for real"
        )
        self._say("The service, and three task files dropped into its inbox", "evt run --drain")
        self._serve(repository)
        for words in (["status"], ["list"]):
            self._say("", f"evt {' '.join(words)}")
            self._evt(*words)
        artifact = self._root / "results" / "02-fix-the-total.json"
        self._say("What is kept of the fix (a part of its artifact)", f"results/{artifact.name}")
        self._show_artifact(artifact)
        self._say(
            "Is the log the whole truth? Every view, rebuilt from the first event", "evt replay --verify"
        )
        return self._evt("replay", "--verify")

    def _say(self, title: str, command: str = "") -> None:
        self._console.print()
        if title:
            self._console.print(Rule(title, align="left", style="cyan"))
        if command:
            self._console.print(f"$ {command}", style="bold")

    def _command(self, *words: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "adapters.cli",
            *words,
            "--home",
            str(self._root),
            "--color",
            self._color,
        ]

    def _evt(self, *words: str) -> int:
        self._call.output.flush()
        return subprocess.run(self._command(*words), check=False).returncode

    def _serve(self, repository: Path) -> None:
        """The first file lies there at the start; the others are dropped while the service runs."""
        demo_task(self._root, "01-analyse-the-cart", repository)
        self._call.output.flush()
        with subprocess.Popen(self._command("run", "--drain", "--drain-wait", str(DRAIN_WAIT_S))) as service:
            try:
                time.sleep(PAUSE_S)
                demo_task(self._root, "02-fix-the-total", repository)
                demo_task(self._root, "03-refused", repository)
                service.wait()
            except BaseException:
                # It works in the folder that is cleared away next.
                end(service)
                raise
        if service.returncode:
            sentence = "the service ended badly; what it said stands above."
            hint = "`evt demo --keep` leaves the home for a look."
            raise Failure(service.returncode, "demo", sentence, hint)

    def _show_artifact(self, artifact: Path) -> None:
        whole = orjson.loads(artifact.read_bytes())
        wanted = ("task_id", "success", "outcome", "files_modified", "cost", "linkage")
        part = orjson.dumps({key: whole[key] for key in wanted}).decode()
        self._console.print(JSON(part))
