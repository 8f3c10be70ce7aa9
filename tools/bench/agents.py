"""The agents that are measured with: the real CLI before a model on loopback, and one that takes no time."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.bench.model import model
from tools.claude_lane import RECIPE, LaneMissing, Recipe, ensure, lane_folder

# A shell that reads its prompt and says three lines: the start of an interpreter would be most of it.
QUICK: Final = """#!/bin/sh
for word in "$@"; do
  case "$word" in --session-id=*) session=${word#*=} ;; esac
done
cat >/dev/null
printf '%s\\n' '{"type":"system","subtype":"init","cwd":"'"$PWD"'","session_id":"'"$session"'",\
"tools":["Read"],"mcp_servers":[],"model":"none","permissionMode":"acceptEdits","claude_code_version":"0"}'
printf '%s\\n' '{"type":"assistant","session_id":"'"$session"'","parent_tool_use_id":null,\
"message":{"type":"message","role":"assistant","model":"none","content":[{"type":"text","text":"Done."}]}}'
printf '%s\\n' '{"type":"result","subtype":"success","is_error":false,"num_turns":1,"duration_ms":1,\
"duration_api_ms":1,"session_id":"'"$session"'","result":"Done.","total_cost_usd":0,"modelUsage":{},\
"usage":{"input_tokens":1,"output_tokens":1},"permission_denials":[],"terminal_reason":"completed"}'
"""


class AgentMissing(Exception):
    """This agent is not on this machine; the message is one sentence that says why."""


@dataclass(frozen=True)
class MeasuredAgent:
    """A program, and what its environment says beside the usual."""

    name: str
    program: Path
    environ: Mapping[str, str]
    takes_time: bool


@contextmanager
def agent(kind: str, folder: Path) -> Iterator[MeasuredAgent]:
    """`recorded` or `claude`, for as long as this is entered. Raises AgentMissing."""
    if kind == "recorded":
        yield _quick(folder)
        return
    try:
        place = lane_folder(os.environ, Path(sys.prefix), Path(sys.base_prefix))
        newer = ensure(os.environ, Recipe(RECIPE), place).newer
    except LaneMissing as missing:
        raise AgentMissing(str(missing)) from missing
    with model() as url:
        environ = {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "dummy-key-of-the-bench",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
        }
        yield MeasuredAgent(f"Claude CLI {newer.version}", newer.program, environ, takes_time=True)


def _quick(folder: Path) -> MeasuredAgent:
    if sys.platform == "win32":
        raise AgentMissing("The agent that takes no time is a shell script, and Windows starts none.")
    program = folder / "quick-agent"
    program.write_text(QUICK, encoding="utf-8", newline="\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return MeasuredAgent("an agent that takes no time", program, {}, takes_time=False)
