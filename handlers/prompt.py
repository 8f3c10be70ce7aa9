"""Compose what the agent is told. The user's words stand inside a fence, never first."""

from collections.abc import Mapping
from string import Template
from typing import Any

from prompts import load


def compose(spec: Mapping[str, Any], fence: str) -> str:
    """The whole prompt. `fence` is a line that the user's text does not hold (a random one)."""
    parts = [str(spec["prompt"]).strip()]
    if spec["target_files"]:
        parts.append("Target files:\n" + "\n".join(f"- {path}" for path in spec["target_files"]))
    if spec["criteria"]:
        wanted = [
            f"- {criterion['text']}" if criterion["check"] is None else f"- `{criterion['check']}` succeeds"
            for criterion in spec["criteria"]
        ]
        parts.append("Success criteria:\n" + "\n".join(wanted))
    if str(spec["context"]).strip():
        parts.append("Context:\n" + str(spec["context"]).strip())
    title = " ".join(str(spec["title"]).split())
    return Template(load("task")).substitute(
        title=title,
        instructions=load(f"agents/{spec['agent']}").strip(),
        fence=fence,
        body="\n\n".join(parts),
    )
