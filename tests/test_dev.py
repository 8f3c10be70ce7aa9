"""tools/dev.py: what it says of a machine that lacks something, its steps, and the lock it installs."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import dev

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
BOTH = {"venv", "ensurepip"}


class FakeProgress(dev.Progress):
    """Runs nothing; remembers the steps and fails those whose program is named."""

    def __init__(self, failing: tuple[str, ...] = ()) -> None:
        super().__init__(4)
        self.failing = failing
        self.steps: list[tuple[str, list[str]]] = []
        self.said: list[str] = []

    def run(self, title: str, command: list[str], environment: dict[str, str], cwd: Path) -> None:
        self.steps.append((title, command))
        if Path(command[0]).stem in self.failing:
            raise dev.StepFailed(title, 2, ["it broke"])

    def say(self, line: str) -> None:
        self.said.append(line)


class FakeSetUp(dev.SetUp):
    """A set-up in which `.venv` is there at once and pip is configured to nothing."""

    def make_venv(self) -> None:
        self.place.programs.mkdir(parents=True, exist_ok=True)
        self.place.python.touch()

    def environments(self) -> tuple[dict[str, str], dict[str, str]]:
        return self.environment, self.environment


@pytest.fixture
def place(tmp_path: Path) -> dev.Place:
    (tmp_path / "requirements.lock").write_text(LOCK, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    return dev.Place(tmp_path, windows=False)


def set_up(place: dev.Place, progress: FakeProgress, path: Path) -> list[str]:
    FakeSetUp(place, progress, {"PATH": str(path)}).everything()
    return [title for title, _ in progress.steps]


def uv_at(folder: Path) -> Path:
    program = folder / ("uv.exe" if os.name == "nt" else "uv")
    program.write_text("", encoding="utf-8")
    program.chmod(0o755)
    return folder


def test_an_old_python_is_told_in_a_sentence() -> None:
    with pytest.raises(dev.Lacking, match=r"^evt needs Python 3\.11 or newer; this is Python 3\.9\.$"):
        dev.check_machine((3, 9), BOTH, linux=True)


def test_a_bare_debian_is_told_the_name_of_the_package() -> None:
    sentence = r"^[^\n]*python3\.11-venv is missing \(sudo apt install python3\.11-venv\)\.$"
    with pytest.raises(dev.Lacking, match=sentence):
        dev.check_machine((3, 11), {"venv"}, linux=True)


def test_a_machine_that_has_everything_is_told_nothing() -> None:
    dev.check_machine((3, 14), BOTH, linux=True)


def test_the_file_can_be_read_by_python_3_6() -> None:
    ast.parse((ROOT / "tools" / "dev.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse((ROOT / "tools" / "dev.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_without_uv_the_lock_says_which_one_is_put_into_the_venv(place: dev.Place, tmp_path: Path) -> None:
    titles = set_up(place, FakeProgress(), tmp_path)
    count = len(re.findall(r"^\S+==", LOCK, re.MULTILINE))
    assert titles == ["put uv into .venv", f"install {count} packages", "install evt itself"]


def test_a_uv_on_the_path_is_used_with_the_hashes_of_the_lock(place: dev.Place, tmp_path: Path) -> None:
    progress = FakeProgress()
    set_up(place, progress, uv_at(tmp_path))
    assert [Path(command[0]).stem for _, command in progress.steps] == ["uv", "uv"]
    assert "--require-hashes" in progress.steps[0][1]
    assert {"--no-deps", "--no-build-isolation", "-e"} <= set(progress.steps[1][1])


def test_where_uv_fails_pip_installs_the_same(place: dev.Place, tmp_path: Path) -> None:
    progress = FakeProgress(failing=("uv",))
    set_up(place, progress, uv_at(tmp_path))
    assert [Path(command[0]).stem for _, command in progress.steps] == ["uv", "python", "python"]
    assert "--require-hashes" in progress.steps[1][1]
    assert progress.said == ["uv could not: it broke"]


def test_where_pip_fails_too_nothing_is_called_set_up(place: dev.Place, tmp_path: Path) -> None:
    with pytest.raises(dev.StepFailed):
        set_up(place, FakeProgress(failing=("uv", "python")), uv_at(tmp_path))
    assert not place.is_set_up()


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_set_up_holds_until_its_files_change(place: dev.Place, tmp_path: Path, changed: str) -> None:
    assert not place.is_set_up()
    set_up(place, FakeProgress(), tmp_path)
    assert place.is_set_up()
    with (tmp_path / changed).open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert not place.is_set_up()


def test_programs_lie_where_each_system_puts_them(tmp_path: Path) -> None:
    assert dev.Place(tmp_path, windows=False).program("evt") == tmp_path / ".venv" / "bin" / "evt"
    assert dev.Place(tmp_path, windows=True).program("evt") == tmp_path / ".venv" / "Scripts" / "evt.exe"


def test_a_folder_that_is_no_venv_is_left_alone(place: dev.Place) -> None:
    place.venv.mkdir()
    (place.venv / "precious").touch()
    with pytest.raises(dev.Lacking, match="move it away"):
        dev.SetUp(place, FakeProgress(), {}).make_venv()
    assert (place.venv / "precious").exists()


PIP_LIST = """:env:.cert='/certs/of-env.pem'
global.cert='/certs/of-file.pem'
global.extra-index-url='file:///one file:///two'
global.index-url='{0}a.example/simple'
install.index-url='{0}b.example/simple'
global.find-links='wheels more'
global.timeout='180'
freeze.timeout='1'
""".format("https" + "://")


def test_what_pip_is_configured_to_is_read_as_pip_ranks_it() -> None:
    assert dev.pip_settings(PIP_LIST) == {
        "cert": "/certs/of-env.pem",
        "extra-index-url": "file:///one file:///two",
        "index-url": "https" + "://b.example/simple",
        "find-links": "wheels more",
        "timeout": "180",
    }


def test_uv_is_told_what_pip_is_configured_to() -> None:
    assert dev.uv_environment(dev.pip_settings(PIP_LIST), {}) == {
        "UV_DEFAULT_INDEX": "https" + "://b.example/simple",
        "UV_EXTRA_INDEX_URL": "file:///one file:///two",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "wheels,more",
        "UV_HTTP_TIMEOUT": "180",
        "UV_NATIVE_TLS": "1",
        "UV_SYSTEM_CERTS": "1",
        "SSL_CERT_FILE": "/certs/of-env.pem",
    }


def test_what_is_set_for_uv_already_wins() -> None:
    own = {"UV_INDEX": "mine", "UV_FIND_LINKS": "here", "SSL_CERT_FILE": "ca.pem"}
    told = dev.uv_environment(dev.pip_settings(PIP_LIST), own)
    assert own.items() <= told.items()
    assert "UV_DEFAULT_INDEX" not in told


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ((22, 3), ("PIP_CERT", str(ROOT / "LICENSE"))),
        ((23, 3), ("PIP_USE_FEATURE", "truststore")),
        ((24, 2), None),
    ],
)
def test_each_pip_is_told_to_trust_what_the_system_trusts(
    version: tuple[int, ...], told: tuple[str, str] | None
) -> None:
    bundles = (str(ROOT / "absent"), str(ROOT / "LICENSE"))
    found = dev.pip_environment(version, {}, {}, bundles).items() & {
        ("PIP_CERT", str(ROOT / "LICENSE")),
        ("PIP_USE_FEATURE", "truststore"),
    }
    assert found == ({told} if told else set())


def test_steps_off_a_terminal_are_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = dev.Progress(2)
    progress.terminal = False
    progress.run("say hello", [sys.executable, "-c", "print('hello')"], dict(os.environ), ROOT)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/2] say hello"
    assert re.fullmatch(r"\[1/2\] say hello: done after \d+ s", lines[-1])


def test_a_step_that_fails_keeps_what_its_program_said() -> None:
    progress = dev.Progress(1)
    progress.terminal = False
    command = [sys.executable, "-c", "print('why'); raise SystemExit(3)"]
    with pytest.raises(dev.StepFailed, match="try failed with exit code 3") as caught:
        progress.run("try", command, dict(os.environ), ROOT)
    assert caught.value.output == ["why"]


def test_a_verb_that_is_unknown_is_answered_with_the_help() -> None:
    command = [sys.executable, str(ROOT / "tools" / "dev.py"), "dance"]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert (told.returncode, told.stdout) == (2, "")
    assert "tools/dev.py demo" in told.stderr
    assert "there is no command 'dance'" in told.stderr


def locked_versions() -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE))


def test_the_lock_has_every_requirement_of_the_project_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted.extend(extra)
    locked = locked_versions()
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name), "")
        good = bool(version) and requirement.specifier.contains(version, prereleases=True)
        assert good, f"{requirement} is locked at {version or 'nothing'}: run tools/dev.py lock"
    for name in locked:
        assert "--hash=sha256:" in dev.locked(LOCK, name)


def test_the_lock_names_no_address_and_no_path() -> None:
    lines = [line for line in LOCK.splitlines() if not line.startswith("    --hash=sha256:")]
    assert lines[:2] == [
        "# This file was autogenerated by uv via the following command:",
        "#    python3 tools/dev.py lock",
    ]
    for line in lines[2:]:
        assert re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; [\w' .=<>!()]+)? \\", line), line
