"""Layers, types, lint, tidy and schemas hold, and each check sees a violation that is planted."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from adapters.cli.table import VERBS
from tools import tidy, write_schemas

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "pyproject.toml"


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    whole = [sys.executable, *command]
    return subprocess.run(whole, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their configuration, to plant something in."""
    for name in tidy.PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "recordings")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(CONFIG, tmp_path)
    return tmp_path


def plant(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return root


# layers

LINT_IMPORTS = (
    "import sys; from importlinter.cli import lint_imports; "
    "sys.exit(lint_imports(config_filename='pyproject.toml', no_cache=True))"
)


def test_imports_keep_to_the_contracts() -> None:
    told = run("-c", LINT_IMPORTS)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "No matches for ignored import" not in told.stdout, told.stdout


def test_contracts_name_only_modules_that_exist() -> None:
    named: set[str] = set()
    for contract in tomllib.loads(CONFIG.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]:
        inside = [f"{container}." for container in contract.get("containers", [])] or [""]
        layers = [tail for layer in contract.get("layers", []) for tail in re.findall(r"\w+", layer)]
        named.update(prefix + tail for prefix in inside for tail in layers)
        named.update(entry.split(" -> ")[0] for entry in contract.get("ignore_imports", []))
    for name in sorted(named):
        path = ROOT / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), f"there is no {name}"


FLOORS = "Imports go down"
ADAPTERS = "Adapters have floors of their own"
AUTOMATIONS = "Automations have floors of their own"
STORE = "The log has floors of its own"
PORTS = "Supervisor and automations know trio and ports only"
SETTINGS = "Only the command line and the composition root read settings"
PURE = "Below adapters there is no outside"


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        (FLOORS, "eventstore/log.py", "import schemas.names"),
        (FLOORS, "handlers/ports/files.py", "import projections.queue"),
        (FLOORS, "projections/queue.py", "import handlers.ports"),
        (FLOORS, "handlers/ports/files.py", "import adapters.home"),
        (ADAPTERS, "adapters/folders.py", "import adapters.output_files"),
        (AUTOMATIONS, "adapters/automations/timers.py", "import adapters.automations.keeper"),
        (ADAPTERS, "adapters/automations/worker.py", "import adapters.supervisor"),
        (ADAPTERS, "adapters/stray.py", '"""In no floor."""'),
        (PORTS, "adapters/automations/feed.py", "import sqlite3"),
        (PORTS, "adapters/automations/worker.py", "import adapters.folders"),
        (SETTINGS, "adapters/folders.py", "import adapters.config"),
        (PURE, "handlers/ports/files.py", "import trio"),
        (STORE, "eventstore/text/mirror.py", "import eventstore.sqlite.log"),
        (STORE, "eventstore/tree/merkle.py", "import eventstore.audit.verdict"),
        (PURE, "eventstore/log.py", "import sqlite3"),
        (PURE, "projections/queue.py", "import time"),
    ],
)
def test_a_planted_import_breaks_its_contract(copy: Path, contract: str, module: str, line: str) -> None:
    before = (copy / module).read_text(encoding="utf-8") if (copy / module).exists() else ""
    plant(copy, {module: f"{before}\n{line}\n"})
    told = run("-c", LINT_IMPORTS, cwd=copy)
    assert told.returncode == 1
    assert f"{contract} BROKEN" in told.stdout, told.stdout + told.stderr


HEAVY = ("adapters.app", "dotenv", "logging", "pydantic", "rich", "sqlite_utils", "trio")
LOADED = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sorted(sys.modules))"
READING_VERBS = ("status", "list", "show", "wait", "tail", "project", "version")
READING = (*(VERBS[verb].module for verb in READING_VERBS), "main", "output", "table")


def heavy_modules(name: str, cwd: Path) -> list[str]:
    told = run("-c", LOADED, f"adapters.cli.{name}", cwd=cwd)
    assert told.returncode == 0, told.stderr
    return [module for module in HEAVY if module in told.stdout.split()]


@pytest.mark.parametrize("name", READING)
def test_a_reading_verb_loads_nothing_heavy(name: str) -> None:
    assert heavy_modules(name, ROOT) == []


@pytest.mark.parametrize("verb", ["add", "cancel"])
def test_a_writing_verb_loads_no_service_before_it_needs_one(verb: str) -> None:
    assert "adapters.app" not in heavy_modules(VERBS[verb].module, ROOT)


DATACLASSES = """
import dataclasses, importlib, sys
importlib.import_module(sys.argv[1])
for module in list(sys.modules.values()):
    for one in vars(module).copy().values():
        if dataclasses.is_dataclass(one) and one.__module__ == module.__name__:
            print(one.__module__, one.__qualname__)
"""


@pytest.mark.parametrize("verb", ["status", "tail"])
def test_the_quickest_verbs_make_no_dataclass(verb: str) -> None:
    # Each takes half a millisecond of CPU to make, at every call; a named tuple a fifth of that.
    told = run("-c", DATACLASSES, f"adapters.cli.{VERBS[verb].module}", cwd=ROOT)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_a_reading_verb_that_loads_pydantic_by_another_module_is_seen(copy: Path) -> None:
    path = copy / "adapters" / "cli" / "output.py"
    plant(copy, {"adapters/cli/output.py": path.read_text(encoding="utf-8") + "\nimport schemas.task\n"})
    assert heavy_modules("main", copy) == ["pydantic"]


# types


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("platform", "places"),
    [("linux", ()), ("win32", (*tidy.PACKAGES, "tools"))],  # some tests are for POSIX alone
)
def test_types_hold_on_each_system(platform: str, places: tuple[str, ...]) -> None:
    told = run("-m", "mypy", "--platform", platform, "--cache-dir", f".mypy_cache/{platform}", *places)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.timeout(600)
def test_planted_wrong_types_are_seen(tmp_path: Path) -> None:
    planted = """def add(first, second: int):
    return first + second

def name() -> str:
    return 3  # type: ignore
"""
    plant(tmp_path, {"planted.py": planted})
    options = ("--config-file", str(CONFIG), "--cache-dir", str(tmp_path / "cache"))
    told = run("-m", "mypy", *options, str(tmp_path / "planted.py"))
    assert told.returncode == 1, told.stdout + told.stderr
    assert {"no-untyped-def", "ignore-without-code"} <= set(re.findall(r"\[([\w-]+)\]", told.stdout))


# lint


def test_lint_is_clean() -> None:
    told = run("-m", "ruff", "check", "--no-cache", ".")
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("T201", "print('hello')\n"),
        ("PTH123", "with open('x', encoding='utf-8') as file:\n    file.read()\n"),
        ("DTZ005", "import datetime\n\nnow = datetime.datetime.now()\n"),
        ("ASYNC251", "import time\n\n\nasync def wait() -> None:\n    time.sleep(1)\n"),
        ("S110", "try:\n    import json\nexcept Exception:\n    pass\n"),
        ("BLE001", "def f() -> int:\n    try:\n        return 1\n    except Exception:\n        return 2\n"),
        ("S602", "import subprocess\n\nsubprocess.run('ls', shell=True, check=True)\n"),
        ("PLC0415", "def late() -> None:\n    import json\n\n    json.dumps({})\n"),
        ("PLW0603", "STATE = 1\n\n\ndef change() -> None:\n    global STATE\n    STATE = 2\n"),
        ("TID252", "from . import word\n"),
        ("E501", f"text = '{'x' * 110}'\n"),
    ],
)
def test_a_planted_fault_is_linted(tmp_path: Path, code: str, text: str) -> None:
    plant(tmp_path, {"handlers/planted.py": f'"""Planted."""\n\n{text}'})
    options = ("--no-cache", "--output-format", "concise", "--config", str(CONFIG))
    told = run("-m", "ruff", "check", *options, str(tmp_path))
    assert told.returncode == 1
    assert f" {code} " in told.stdout, told.stdout + told.stderr


# tidy


def test_the_house_is_tidy() -> None:
    assert [str(finding) for finding in tidy.findings(ROOT)] == []


TIDY_HOUSE = {
    "README.md": "# evt\n\n[the log](docs/log.md#how-it-is-kept)\n",
    "docs/log.md": "# The log\n\n## How it is kept\n\n[back](../README.md)\n",
    "pyproject.toml": '[project.scripts]\nevt = "adapters.main:main"\n',
    "requirements.lock": "trio==0.30 \\\n    --hash=sha256:00\n",
    "adapters/__init__.py": '"""Every technology."""\n',
    "adapters/main.py": '"""The command line."""\n\nfrom eventstore import log\n\nprint(log)\n',
    "eventstore/__init__.py": '"""The log."""\n',
    "eventstore/log.py": '"""The protocol."""\n',
}


def test_a_small_tidy_house_has_no_finding(tmp_path: Path) -> None:
    assert tidy.findings(plant(tmp_path, TIDY_HOUSE)) == []


DISORDER = (
    ("file-length", "eventstore/log.py", '"""The protocol."""\n' + "\n" * 400),
    ("function-length", "eventstore/log.py", '"""The protocol."""\ndef f():\n' + "    x = 1\n" * 70),
    ("forbidden-name", "tests/helpers.py", '"""Things."""\n'),
    ("forbidden-name", "adapters/utils/text.py", '"""Things."""\n'),
    ("forbidden-name", "tools/task_manager.py", '"""Things."""\n'),
    ("first-line", "eventstore/log.py", "import os\n"),
    ("platform", "eventstore/log.py", '"""The protocol."""\nimport fcntl\n'),
    ("platform", "eventstore/log.py", '"""The protocol."""\nimport os\nos.killpg(1, 9)\n'),
    ("database-opened", "eventstore/log.py", '"""The protocol."""\nopen("logs/events.db")\n'),
    ("database-opened", "eventstore/log.py", '"""The protocol."""\n(logs / "events.db").read_bytes()\n'),
    ("database-opened", "eventstore/log.py", '"""The protocol."""\nhome.views_db.open("rb")\n'),
    ("dead-module", "eventstore/forgotten.py", '"""Nobody imports it."""\n'),
    ("dead-document", "docs/forgotten.md", "# Nobody links it\n"),
    ("broken-link", "docs/log.md", "## How it is kept\n\n[gone](gone.md)\n"),
    ("broken-link", "docs/log.md", "# Another heading\n"),
    ("lock-address", "requirements.lock", "--index-url https" + "://example.org/simple\n"),
    ("lock-address", "requirements.lock", "trio @ https" + "://example.org/trio.whl\n"),
    ("machine-path", "docs/log.md", "## How it is kept\n\nlook at /home" + "/alice/evt\n"),
    ("machine-path", "pyproject.toml", '[project.scripts]\nevt = "adapters.main:main"\n# /root' + "/evt\n"),
)


@pytest.mark.parametrize(("rule", "path", "text"), DISORDER)
def test_a_planted_disorder_is_found(tmp_path: Path, rule: str, path: str, text: str) -> None:
    found = tidy.findings(plant(tmp_path, {**TIDY_HOUSE, path: text}))
    assert rule in {finding.rule for finding in found}


def test_a_path_of_the_very_folder_is_found(tmp_path: Path) -> None:
    found = tidy.findings(plant(tmp_path, {**TIDY_HOUSE, "CHANGELOG.md": f"made in {tmp_path}/\n"}))
    assert [finding.rule for finding in found] == ["machine-path"]


def test_every_rule_has_a_planted_violation() -> None:
    text = (ROOT / "tools" / "tidy.py").read_text(encoding="utf-8")
    rules = set(re.findall(r'yield Finding\([^"]*"([\w-]+)"', text))
    assert {rule for rule, _, _ in DISORDER} == rules
    assert len(rules) == len(tidy.RULES)


# schemas


def test_the_json_schemas_are_those_of_the_models() -> None:
    assert write_schemas.differences(ROOT, write_schemas.wanted()) == []


def test_every_json_schema_is_a_schema() -> None:
    for text in write_schemas.wanted().values():
        Draft202012Validator.check_schema(json.loads(text))


def test_a_planted_change_of_a_schema_is_seen(tmp_path: Path) -> None:
    files = dict(write_schemas.wanted())
    write_schemas.write(tmp_path, files)
    assert write_schemas.differences(tmp_path, files) == []
    folder = tmp_path / write_schemas.FOLDER
    (folder / "artifact.json").write_text("{}\n", encoding="utf-8")
    (folder / "task_queued.json").unlink()
    (folder / "task_dreamt.json").write_text("{}\n", encoding="utf-8")
    assert write_schemas.differences(tmp_path, files) == [
        "artifact.json differs from its model",
        "task_dreamt.json belongs to no word",
        "task_queued.json is missing",
    ]
    write_schemas.write(tmp_path, files)
    assert write_schemas.differences(tmp_path, files) == []
