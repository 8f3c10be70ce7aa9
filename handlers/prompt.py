"""Compose what the agent is told. The user's words stand inside a fence, never first."""

from collections.abc import Mapping
from string import Template
from typing import Any

from prompts import load


def compose(spec: Mapping[str, Any], fence: str) -> str:
    """The whole prompt. `fence` is a line that the user's text does not hold (a random one)."""
    return _filled("task", spec, fence)


def compose_resume(spec: Mapping[str, Any], fence: str, why: str) -> str:
    """What a session is told that goes on; `why`, one sentence, says how its last process ended.

    The task stands in it whole, so that a history which was lost does no harm.
    """
    return _filled("resume", spec, fence, why=_on_one_line(why))


def _filled(template: str, spec: Mapping[str, Any], fence: str, **more: str) -> str:
    return Template(load(template)).substitute(
        title=_on_one_line(str(spec["title"])),
        instructions=load(f"agents/{spec['agent']}").strip(),
        fence=fence,
        body=_body(spec),
        **more,
    )


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _body(spec: Mapping[str, Any]) -> str:
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
    return "\n\n".join(parts)
