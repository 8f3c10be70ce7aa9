"""A prompt arrives whole, however long: an agent that reads less would do half a task."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.blob_store import BlobStore
from adapters.claude_agent import ClaudeAgent
from handlers.ports.agent import AgentOrder
from schemas.process import ProcessIdentity

PROMPT = "Task: x\n" + "für alle\n" * 200_000 + "the end"


@pytest.mark.skipif(sys.platform == "win32", reason="the agent is a script that begins with #!")
def test_a_long_prompt_arrives_whole(tmp_path: Path) -> None:
    program = tmp_path / "agent"
    said = "print(json.dumps({'type': 'digest', 'of': hashlib.sha256(sys.stdin.buffer.read()).hexdigest()}))"
    program.write_text(f"#!{sys.executable}\nimport hashlib, json, sys\n{said}\n", encoding="utf-8")
    program.chmod(0o755)
    heard: list[Mapping[str, Any]] = []

    async def started(process: ProcessIdentity) -> None:
        assert process.pid > 0

    async def hear(line: Mapping[str, Any]) -> None:
        heard.append(line)

    folder = str(tmp_path.resolve())

    async def main() -> None:
        agent = ClaudeAgent(
            executable=str(program),
            environ={"PATH": os.environ["PATH"]},
            blobs=BlobStore(tmp_path / "blobs", lambda text: text),
            redact=lambda text: text,
        )
        order = AgentOrder(
            session_id="0190a1b2-0000-7000-8000-00000000f00d",
            cwd=folder,
            prompt=PROMPT,
            tools=("Read",),
            allowed=(),
            instructions=None,
            denied=(),
            max_turns=0,
            max_budget_usd=None,
            timeout_s=60,
        )
        await agent.run(order, started, hear)

    trio.run(main)
    assert heard == [{"type": "digest", "of": hashlib.sha256(PROMPT.encode()).hexdigest()}]
