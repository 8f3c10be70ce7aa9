"""What the home's `.env` sets reaches the checks, the claim, the intake and the local model's server."""

import sys
from pathlib import Path

import pytest

from schemas import names
from tests.broken_ollama import LINES, drips, part
from tests.service import drop, events, evt, folder, home_at, task_text
from tests.test_model_faults_program import WISH, beside

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a check for a POSIX shell, an agent with #!")

AGENT = f"""#!{sys.executable}
import json
result = {{"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done."}}
print(json.dumps(result))
"""
SET = """LLAMA_MODEL=
CLAUDE_MAX_TURNS=7
CLAUDE_SKIP_PERMISSIONS=true
CLAUDE_ENV_ALLOW=MY_OWN_NAME
AGENTS_ENABLED=analyze
"""
CHECK = '\n**Success Criteria:**\n- [ ] $ `test "$MY_OWN_NAME$MY_OTHER_NAME" = seen`\n'


def test_checks_claims_and_the_intake_go_by_the_settings(tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    agent.write_text(AGENT, encoding="utf-8", newline="\n")
    agent.chmod(0o755)
    home = home_at(tmp_path / "home", f"{SET}CLAUDE_EXECUTABLE={agent}\n")
    drop(home, "one", task_text(folder(home), type="analyze") + CHECK)
    drop(home, "two", task_text(folder(home, "other")))
    told = evt(home, "run", "--drain", "--drain-wait", "0", MY_OWN_NAME="seen", MY_OTHER_NAME="unseen")
    assert told.returncode == 0, told.stderr
    log = events(home)
    (claimed,) = (event.data["conditions"] for event in log if event.type == names.TASK_CLAIMED)
    assert (claimed["max_turns"], claimed["skip_permissions"]) == (7, True)
    (checked,) = (event.data for event in log if event.type == names.CHECK_FINISHED)
    assert checked["result"]["passed"], "a check sees the names that are allowed, and no others"
    (refused,) = (event.data for event in log if event.type == names.TASK_REFUSED)
    assert (refused["file_name"], refused["code"]) == ("two.task.md", "agent_disabled")


def test_the_local_model_is_asked_where_and_as_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OLLAMA_HOST", "LLAMA_HOST", "LLAMA_PORT", "LLAMA_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with beside(drips(0.1, LINES, part(" "))) as server:
        settings = (
            f"LLAMA_HOST=127.0.0.1\nLLAMA_PORT={server.port}\nLLAMA_MODEL=tiny:latest\n"
            f"LLAMA_NUM_CTX=2048\nLLAMA_TIMEOUT_SEC=3\nCLAUDE_BASE_CWD={tmp_path / 'home' / 'shops'}\n"
        )
        home = home_at(tmp_path / "home", settings)
        folder(home)
        drop(home, "wish", WISH)
        told = evt(home, "run", "--drain", "--drain-wait", "0")
        assert told.returncode == 0, told.stderr
        asked = [line.body for line in server.lines if "/api/chat" in line.head]
    assert {body["model"] for body in asked} == {"tiny:latest"}
    assert {body["options"]["num_ctx"] for body in asked} == {2048}
    parsed = next(event.data for event in events(home) if event.type == names.MEDIATION_FINISHED)
    assert parsed["fallback"] == "timeout"
    assert "not done after 3 s" in parsed["sentence"]
