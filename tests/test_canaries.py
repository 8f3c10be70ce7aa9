"""Twelve planted secrets go in by every way there is, and come out by none: not escaped, not in colour."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.service import environment, events, evt, folder, home_at
from tests.test_patterns import JWT, LETTERS, SECRETS, TELEGRAM

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the played agent begins with a #! line")

OURS = "our-own-value-Qx81ZkPd"
"""Known by its value alone: it stands in the settings, and looks like nothing."""
PLANTED: Mapping[str, str] = {
    **{
        what: SECRETS[what][0].removeprefix("export KEY=").removeprefix("key=").removesuffix(" ok")
        for what in ("anthropic", "openai old", "stripe", "github", "gitlab", "google", "aws id", "slack")
    },
    "telegram": TELEGRAM,
    "jwt": JWT,
    "env": "DB_PASSWORD=correcthorse",
    "ours": OURS,
}
NEEDLES = (LETTERS[:20], "QRSTUVWXYZ234567", JWT.split(".")[1][:30], "correcthorse", OURS, OURS[:9])
"""What is left of each, however it is cut."""
LINES = "\n".join(PLANTED.values())

AGENT = f"""#!{sys.executable}
import json, pathlib, sys
sys.stdin.read()
secrets = pathlib.Path("secrets.txt").read_text(encoding="utf-8")
def say(line):
    print(json.dumps(line), flush=True)
def used(text):
    result = {{"type": "tool_result", "tool_use_id": "t1", "content": text}}
    say({{"type": "user", "message": {{"role": "user", "content": [result]}}}})
tool = {{"type": "tool_use", "id": "t1", "name": "Bash", "input": {{"command": "echo '" + secrets + "'"}}}}
say({{"type": "assistant", "message": {{"role": "assistant", "content": [tool]}}}})
used("the tokens:\\n" + secrets)
used("\\t" + secrets.replace("\\n", "\\n\\t"))
used(json.dumps({{"file": "x\\n" + secrets}}))
used("\\n".join("\\x1b[32m" + line + "\\x1b[0m" for line in secrets.splitlines()))
print("no JSON at all: " + secrets)
print("on stderr:\\n" + secrets, file=sys.stderr)
pathlib.Path("new-" + secrets.splitlines()[3] + ".txt").write_text("new", encoding="utf-8")
ours = secrets.splitlines()[-1]
cut = {{"type": "tool_use", "id": "t2", "name": "Bash", "input": {{"command": "z" * 488 + " " + ours}}}}
say({{"type": "assistant", "message": {{"role": "assistant", "content": [cut]}}}})
print("k" * (81910 - len(secrets.encode()) - 11) + ours + "k" * 200_000 + "\\n" + secrets, file=sys.stderr)
told = "I found these:\\n" + secrets + "\\nand " + json.dumps(secrets)
told += " " + "t" * (65536 - len(told) - 10) + " " + ours + " and so on"
say({{"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "total_cost_usd": 0.01,
      "errors": ["e" * 490 + " " + ours], "result": told}})
"""

TASK = """---
id: planted
type: bug_fix
cwd: {cwd}
ticket: "{first}"
---
# Look at {first}

**Prompt:**
These are in use:
{lines}
and in JSON: {escaped}

**Success Criteria:**
- [ ] The token {first} is gone
- [ ] $ `cat colour.txt secrets.txt; cat secrets.txt >&2; false`

**Context:**
{lines}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("canaries")
    agent = root / "agent"
    agent.write_text(AGENT, encoding="utf-8", newline="\n")
    agent.chmod(0o755)
    home = home_at(root / "home", f"CLAUDE_EXECUTABLE={agent}\nTELEGRAM_BOT_TOKEN={OURS}\n")
    cwd = folder(home)
    (cwd / "secrets.txt").write_text(LINES + "\n", encoding="utf-8", newline="\n")
    colour = "\n".join(f"\x1b[1;32m{line}\x1b[0m -p{line} 'x'" for line in PLANTED.values())
    (cwd / "colour.txt").write_text(colour + "\n", encoding="utf-8", newline="\n")
    first = PLANTED["github"]
    text = TASK.format(cwd=cwd, first=first, lines=LINES, escaped=json.dumps(LINES))
    (home / "tasks" / "planted.task.md").write_text(text, encoding="utf-8", newline="\n")
    for name in (f"p12-{first}", f"p13_{first}"):
        (home / "tasks" / f"{name}.task.md").write_text("# T\n\nLook.\n", encoding="utf-8", newline="\n")
    assert evt(home, "add", f"explain why {first} is in ./shops/shop\n{LINES}").returncode == 0
    assert evt(home, "pause", "--reason", f"leaked:\n{LINES}").returncode == 0
    assert evt(home, "resume").returncode == 0
    evt(home, "run", "--drain", "--quiet", CLAUDE_CODE_OURS="x")
    return home


def written(text: bytes) -> Iterator[str]:
    """Which of the planted secrets a text holds: as it is, as a URL has it, as base64 does."""
    for needle in NEEDLES:
        raw = needle.encode()
        for form in (
            raw,
            quote(needle, safe="").encode(),
            *(base64.b64encode(b"x" * before + raw)[4:-4] for before in range(3)),
        ):
            if form in text:
                yield needle


def test_what_was_planted_was_seen(home: Path) -> None:
    """Else the tests below would find nothing because nothing went in."""
    kinds = [event.type for event in events(home) if event.stream == "task-planted"]
    assert {"tool_used", "turn_finished", "check_finished", "task_failed", "artifact_written"} <= {*kinds}
    log = (home / "logs" / "events.ndjson").read_bytes()
    for name in ("anthropic-key", "github-token", "telegram-token", "named-value", "known-value", "jwt"):
        assert f"[redacted:{name}]".encode() in log, name


def test_no_file_that_the_program_writes_holds_one(home: Path) -> None:
    """Not those that are a person's own: the settings, the task files, the project."""
    own = [home / ".env", home / "tasks", home / "shops"]
    files = [
        path
        for path in home.rglob("*")
        if path.is_file() and not any(path == one or path.is_relative_to(one) for one in own)
    ]
    assert len(files) > 10
    found = {str(path.relative_to(home)): {*written(path.read_bytes())} for path in files}
    assert {path: needles for path, needles in found.items() if needles} == {}
    assert [path for path in files if [*written(path.name.encode())]] == []


@pytest.mark.parametrize(
    "words",
    [
        *("list", "list --json", "status", "show planted", "show planted --json", "project tasks --json"),
        *("tail -n 1000", "tail -n 1000 --json", "export", "export --format cloudevents", "audit --json"),
    ],
)
def test_no_verb_says_one(home: Path, words: str) -> None:
    said = evt(home, *words.split())
    assert said.stdout
    assert [*written((said.stdout + said.stderr).encode())] == []


def test_a_file_whose_name_is_a_secret_is_refused(home: Path) -> None:
    refused = [event.data["code"] for event in events(home) if event.type == "task_refused"]
    assert len(refused) == 2, refused


def test_a_verb_that_takes_secrets_in_says_none(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "adapters.cli", "add", f"explain {LINES}", "--home", str(home)],
        capture_output=True,
        check=False,
        env=environment(),
    )
    assert [*written(done.stdout + done.stderr)] == []
