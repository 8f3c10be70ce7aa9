"""Decided answers of the Messages API, from a file: what the real agent is told while a session is recorded.

    {"a word of the task": [
        {"text": "I read.", "calls": [{"name": "Read", "input": {"file_path": "{project}/a.txt"}}]},
        {"text": "It says one."}
    ]}

The n-th answer is given to the n-th question of a conversation that holds the word; where a later prompt
holds another of the words, that one's answers follow. `{project}` is the folder of the project. Beside
`text` and `calls` an answer may have what a Reply has, and `meanwhile`: files that somebody writes just
before it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.model_api import Call, ModelApi, Reply, Request
from tools.golden.case import BadCase, Files, put


class ScriptedApi(ModelApi):
    """The stand-in of the tests, with a script out of a file, and somebody who writes files meanwhile."""

    def __init__(self, script: Path, project: Path) -> None:
        super().__init__()
        self._project = project
        self._meanwhile: dict[int, Files] = {}
        try:
            read = json.loads(script.read_text(encoding="utf-8").replace("{project}", str(project)))
            for token, answers in read.items():
                self.script(token, *map(self._reply, answers))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as problem:
            raise BadCase(f"The answers in {script} cannot be read: {problem!r}") from problem

    def _reply(self, said: Mapping[str, Any]) -> Reply:
        calls = tuple(Call(call["name"], call["input"]) for call in said.get("calls", ()))
        more = {name: value for name, value in said.items() if name not in ("calls", "meanwhile")}
        reply = Reply(calls=calls, **more)
        files = {path: str(text).encode() for path, text in said.get("meanwhile", {}).items()}
        self._meanwhile[id(reply)] = files  # replies live as long as this does
        return reply

    def take(self, request: Request) -> tuple[str, Reply]:
        token, reply = super().take(request)
        put(self._project, self._meanwhile.get(id(reply), {}))
        return token, reply
