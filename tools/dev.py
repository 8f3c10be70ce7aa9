"""Set the project up, show it, test it: needs Python 3.11 and nothing else.

    python3 tools/dev.py demo [ARGUMENTS of `evt demo`]
    python3 tools/dev.py test [ARGUMENTS of pytest]
    python3 tools/dev.py setup
    python3 tools/dev.py lock [--upgrade]      write requirements.lock anew

The first run makes `.venv` here and installs what requirements.lock says into it; later
runs skip that until requirements.lock or pyproject.toml changes. Nothing else is touched.

Exit codes: 0 good, 1 the set-up failed, 2 something is missing on this machine or in the
command, 130 interrupted; `demo` and `test` give the code of what they started.
"""

# This file must be readable for Python 3.6, so that an old one is told so in a sentence.
import ast
import collections
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep the certificates that they trust."""

COMPILE = (
    "pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --no-annotate"
    " --no-emit-index-url --no-emit-find-links pyproject.toml --output-file requirements.lock"
)

PARTIAL = {"UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"}
"""Sources that may hold the files of one system only; a lock needs the hashes of all."""


class Lacking(Exception):
    """This machine lacks something; the text is one sentence that names it."""


class StepFailed(Exception):
    """A step of the set-up ended with an error; `output` is what its program said."""

    def __init__(self, title: str, code: int, output: "list[str]") -> None:
        super().__init__(f"{title} failed with exit code {code}")
        self.output = output


class Place:
    """The work tree and the programs in its `.venv`."""

    def __init__(self, root: Path, windows: bool) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.programs = self.venv / ("Scripts" if windows else "bin")
        self.suffix = ".exe" if windows else ""
        self.python = self.program("python")
        self.lock = root / "requirements.lock"
        self.stamp = self.venv / "set-up.sha256"

    def program(self, name: str) -> Path:
        return self.programs / (name + self.suffix)

    def wanted_stamp(self) -> str:
        """Changes when the set-up has to be done again (a moved folder breaks a venv)."""
        digest = hashlib.sha256(repr((sys.version, str(self.root))).encode("utf-8"))
        for path in (self.lock, self.root / "pyproject.toml"):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def is_set_up(self) -> bool:
        there = self.python.exists() and self.stamp.exists()
        return there and self.stamp.read_text(encoding="utf-8") == self.wanted_stamp()


class Progress:
    """Runs the steps and shows them: one living line on a terminal, plain lines off it."""

    beat_s = 15.0

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0
        self.terminal = sys.stderr.isatty()

    def run(self, title: str, command: "list[str]", environment: "dict[str, str]", cwd: Path) -> None:
        """Run one program to its end. Raises StepFailed, OSError (it could not be started)."""
        self.number += 1
        head = f"[{self.number}/{max(self.total, self.number)}] {title}"
        started = time.monotonic()
        if not self.terminal:
            self.say(head)
        said: collections.deque[str] = collections.deque(maxlen=200)
        with subprocess.Popen(
            command,
            cwd=str(cwd),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            reader = threading.Thread(target=_listen, args=(process, said), daemon=True)
            reader.start()
            while reader.is_alive():
                reader.join(0.2 if self.terminal else self.beat_s)
                if reader.is_alive():
                    self.beat(head, time.monotonic() - started, said[-1] if said else "")
            code = process.wait()
        result = "done" if code == 0 else "FAILED"
        self.say(f"{head}: {result} after {time.monotonic() - started:.0f} s")
        if code != 0:
            raise StepFailed(title, code, list(said))

    def beat(self, head: str, elapsed_s: float, said: str) -> None:
        line = f"{head} … {elapsed_s:.0f} s  {said.strip()}"
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + line[:width].ljust(width))
            sys.stderr.flush()
        else:
            self.say(line)

    def say(self, line: str) -> None:
        if self.terminal:
            line = "\r" + line.ljust(shutil.get_terminal_size().columns - 1)
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _listen(process: "subprocess.Popen[bytes]", said: "collections.deque[str]") -> None:
    for line in process.stdout or ():
        said.append(line.decode("utf-8", "replace").rstrip())


def check_machine(version: "tuple[int, ...]", modules: "set[str]", linux: bool) -> None:
    """Raises Lacking where this Python is too old or cannot make a virtual environment."""
    name = "{}.{}".format(*version[:2])
    if tuple(version[:2]) < OLDEST:
        raise Lacking(f"evt needs Python 3.11 or newer; this is Python {name}.")
    if not {"venv", "ensurepip"} <= modules:
        package = f"python{name}-venv"
        remedy = f"sudo apt install {package}" if linux else "a Python from python.org has it"
        sentence = f"This Python cannot make a virtual environment: the system package {package} is missing"
        raise Lacking(f"{sentence} ({remedy}).")


def pip_settings(listing: str) -> "dict[str, str]":
    """Option → value as pip itself would take it, from what `pip config list` prints."""
    ranks = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in ranks and ranks[section] >= found.get(option, (-1, ""))[0]:
            found[option] = (ranks[section], str(ast.literal_eval(value)))
    return {option: value for option, (_, value) in found.items()}


def uv_environment(pip: "dict[str, str]", environment: "dict[str, str]") -> "dict[str, str]":
    """The environment for uv, which does not read pip's configuration.

    What is set for uv already stays as it is. Where pip knows several indexes the best
    version of them all is taken, as pip does; the hashes in the lock say what is right.
    """
    said = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
    if not {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"} & set(environment):
        if pip.get("index-url"):
            said["UV_DEFAULT_INDEX"] = pip["index-url"]
        if pip.get("extra-index-url"):
            said["UV_EXTRA_INDEX_URL"] = " ".join(pip["extra-index-url"].split())
            said["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if pip.get("find-links"):
        said["UV_FIND_LINKS"] = ",".join(pip["find-links"].split())
    if pip.get("trusted-host"):
        said["UV_INSECURE_HOST"] = " ".join(pip["trusted-host"].split())
    if pip.get("proxy") and not {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} & set(environment):
        said["HTTPS_PROXY"] = said["HTTP_PROXY"] = pip["proxy"]
    for option, name in (("cert", "SSL_CERT_FILE"), ("client-cert", "SSL_CLIENT_CERT")):
        if pip.get(option):
            said[name] = pip[option]
    for option in ("timeout", "default-timeout"):
        if pip.get(option, "").isdigit():
            said["UV_HTTP_TIMEOUT"] = pip[option]
    return {**said, **environment}


def pip_environment(
    version: "tuple[int, ...]",
    pip: "dict[str, str]",
    environment: "dict[str, str]",
    bundles: "tuple[str, ...]",
) -> "dict[str, str]":
    """The environment for pip: the system's certificates, which it trusts by itself from 24.2 on."""
    said = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    if "cert" not in pip and version < (24, 2):
        there = [path for path in bundles if Path(path).exists()]
        if version >= (23, 3):
            said["PIP_USE_FEATURE"] = "truststore"
        elif there:
            said["PIP_CERT"] = there[0]
    return {**said, **environment}


def locked(lock: str, name: str) -> str:
    """The lines of one package in a lock file: its version and its hashes."""
    found = re.search(rf"^{re.escape(name)}==.*(?:\n    .*)*", lock, re.MULTILINE)
    if found is None:
        raise StepFailed("reading requirements.lock", 1, [f"it does not name {name}"])
    return found.group() + "\n"


class SetUp:
    """The steps from a bare Python to an `evt` that runs."""

    def __init__(self, place: Place, progress: Progress, environment: "dict[str, str]") -> None:
        self.place = place
        self.progress = progress
        self.environment = environment

    def everything(self) -> None:
        self.make_venv()
        for_pip, for_uv = self.environments()
        uv = self.find_uv(for_pip)
        lock = self.place.lock.read_text(encoding="utf-8")
        title = "install {} packages".format(len(re.findall(r"^\S+==", lock, re.MULTILINE)))
        packages = ["--require-hashes", "-r", str(self.place.lock)]
        itself = ["--no-build-isolation", "--no-deps", "-e", str(self.place.root)]
        if uv is not None:
            try:
                self.uv_install(uv, title, packages, for_uv)
            except StepFailed as failure:
                self.progress.say("uv could not: {}".format(" ".join(failure.output[-3:]).strip()))
                uv = None
        if uv is None:
            self.pip_install(title + " with pip", packages, for_pip)
            self.pip_install("install evt itself", itself, for_pip)
        else:
            self.uv_install(uv, "install evt itself", itself, for_uv)
        self.place.stamp.write_text(self.place.wanted_stamp(), encoding="utf-8")

    def make_venv(self) -> None:
        """Make `.venv`, or keep one of the same Python that has a pip that runs."""
        place = self.place
        if place.venv.exists() and not (place.venv / "pyvenv.cfg").exists() and any(place.venv.iterdir()):
            raise Lacking(f"{place.venv} is there and is no virtual environment: move it away.")
        test = f"import sys, pip; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])!r})"
        kept = place.python.exists() and (
            subprocess.call(
                [str(place.python), "-c", test], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            == 0
        )
        if kept:
            self.progress.total -= 1
            return
        command = [sys.executable, "-m", "venv", "--clear", str(place.venv)]
        self.progress.run("make .venv", command, self.environment, place.root)

    def environments(self) -> "tuple[dict[str, str], dict[str, str]]":
        """The environments for pip and for uv, from what pip is configured to here."""
        python = str(self.place.python)
        command = [python, "-c", "import pip; print(pip.__version__)"]
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=self.environment).stdout
        version = tuple(int(part) for part in re.findall(rb"\d+", said)[:2])
        command = [python, "-m", "pip", "config", "list", "--disable-pip-version-check"]
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=self.environment).stdout
        pip = pip_settings(said.decode("utf-8"))
        for_pip = pip_environment(version, pip, self.environment, BUNDLES)
        return for_pip, uv_environment(pip, self.environment)

    def find_uv(self, for_pip: "dict[str, str]") -> "str | None":
        """The uv on the PATH, or the one in `.venv`, put there as the lock says; None: use pip."""
        own = self.place.program("uv")
        found = shutil.which("uv", path=self.environment.get("PATH")) or (str(own) if own.exists() else None)
        if found is not None:
            self.progress.total -= 1
            return found
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder) / "uv.txt"
            wanted.write_text(locked(self.place.lock.read_text(encoding="utf-8"), "uv"), encoding="utf-8")
            try:
                self.pip_install("put uv into .venv", ["--require-hashes", "-r", str(wanted)], for_pip)
            except StepFailed as failure:
                self.progress.say("no uv for this machine: {}".format(" ".join(failure.output[-1:])))
                return None
        return str(own)

    def uv_install(self, uv: str, title: str, wanted: "list[str]", environment: "dict[str, str]") -> None:
        command = [uv, "pip", "install", "--python", str(self.place.python), *wanted]
        self.progress.run(title, command, environment, self.place.root)

    def pip_install(self, title: str, wanted: "list[str]", environment: "dict[str, str]") -> None:
        command = [str(self.place.python), "-m", "pip", "install", *wanted]
        self.progress.run(title, command, environment, self.place.root)

    def write_lock(self, arguments: "list[str]") -> None:
        self.make_venv()
        for_pip, for_uv = self.environments()
        uv = self.find_uv(for_pip)
        if uv is None:
            raise Lacking("A lock is written by uv, and there is none for this machine.")
        environment = {**for_uv, "UV_CUSTOM_COMPILE_COMMAND": "python3 tools/dev.py lock"}
        for name in PARTIAL - set(self.environment):
            environment.pop(name, None)
        command = [uv, *COMPILE.split(), *arguments]
        self.progress.run("write requirements.lock", command, environment, self.place.root)


def side_by_side() -> "list[str]":
    """How all tests are run: many wait for programs, so one more at a time than there are cores.

    Those of one file stay together, for they share what is dear to set up.
    """
    return ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile"]


def start(command: "list[str]", cwd: Path, environment: "dict[str, str] | None" = None) -> int:
    """Run a program in front; Ctrl-C reaches it too, and it decides how to end."""
    process = subprocess.Popen(command, cwd=str(cwd), env=environment)
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            continue
        return code if code >= 0 else 128 - code


def act(verb: str, arguments: "list[str]", place: Place) -> int:
    """Do one verb; the set-up comes first where something changed."""
    set_up = SetUp(place, Progress(4 if verb != "lock" else 3), dict(os.environ))
    if verb == "lock":
        set_up.write_lock(arguments)
        return 0
    if not place.is_set_up():
        set_up.everything()
    if verb == "demo":
        return start([str(place.program("evt")), "demo", *arguments], Path.cwd())
    if verb == "test":
        # A file opened without saying its encoding is a warning, and a warning fails.
        strict = {**os.environ, "PYTHONWARNDEFAULTENCODING": "1"}
        command = [str(place.python), "-m", "pytest", *(arguments or side_by_side())]
        return start(command, place.root, strict)
    sys.stderr.write(f"{place.venv} is set up\n")
    return 0


def main(arguments: "list[str]") -> int:
    verb = arguments[0] if arguments else ""
    if verb not in {"setup", "demo", "test", "lock"}:
        asked = verb in {"-h", "--help", "help"}
        if verb and not asked:
            sys.stderr.write(f"dev.py: there is no command {verb!r}.\n\n")
        (sys.stdout if asked else sys.stderr).write(__doc__ or "")
        return 0 if asked else 2
    modules = {name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is not None}
    try:
        check_machine(sys.version_info[:2], modules, sys.platform.startswith("linux"))
        return act(verb, arguments[1:], Place(ROOT, os.name == "nt"))
    except Lacking as lacking:
        sys.stderr.write(f"{lacking}\n")
        return 2
    except StepFailed as failure:
        sys.stderr.write("\n".join([*failure.output[-30:], "", f"{failure}."]) + "\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted; the same command goes on from here\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
