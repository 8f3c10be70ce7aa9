"""The real CLI behind the whole program: files dropped into a home, `evt run --drain`, the outcome."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.home_making import make_home
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from handlers.path_policy import OWN_FOLDERS
from projections.story import artifact_path
from schemas import names
from tests.hostile_repository import git
from tests.judgement_table import write
from tests.lane import both, environment
from tests.model_api import Call, ModelApi, Reply
from tools.claude_lane import Cli

pytestmark = pytest.mark.timeout(400)  # the first test that needs the lane may have to install it

SECRET = "ZSECRETOFTHEHOME"
HARMLESS = "ZSECRETLESS"
"""Found by the same search as the secret, so that a search that finds nothing is noticed."""

PRICE_MODIFIED = {"change": "modified", "path": "price.txt"}
NOTES_CREATED = {"change": "created", "path": "notes.md"}


@dataclass(frozen=True)
class Service:
    """A home whose agent is the real CLI, and the environment of a person who runs `evt` on it."""

    home: Path
    environ: dict[str, str]

    def drop(self, name: str, task_type: str, prompt: str, cwd: Path | None = None) -> None:
        place = "" if cwd is None else f"cwd: '{cwd}'\n"
        text = f"---\ntype: {task_type}\n{place}---\n# {name}\n\n**Prompt:**\n{prompt}\n"
        (self.home / "tasks" / f"{name}.task.md").write_text(text, encoding="utf-8", newline="\n")

    def evt(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "adapters.cli", *words, "--home", str(self.home)]
        return subprocess.run(
            command, env=self.environ, cwd=self.home, capture_output=True, encoding="utf-8", timeout=120
        )

    def events(self) -> Sequence[Recorded]:
        log = SqliteLog(self.home / "logs" / "events.db", read_only=True)
        try:
            return list(log.all())
        finally:
            log.close()

    def of_task(self, name: str, event_type: str) -> list[Any]:
        stream = names.task_stream(name)
        return [one.data for one in self.events() if (one.stream, one.type) == (stream, event_type)]

    def artifact(self, name: str) -> Any:
        return json.loads((self.home / artifact_path(name)).read_text(encoding="utf-8"))


def service(folder: Path, cli: Cli, api: ModelApi) -> Service:
    user = folder / cli.name / "user"
    user.mkdir(parents=True)
    home = make_home(folder / cli.name / "home", register=False).root
    settings = f"# {SECRET}\nCLAUDE_EXECUTABLE='{cli.program}'\n"
    (home / ".env").write_text(settings, encoding="utf-8", newline="\n")
    return Service(home, environment(user, api.url))


def test_tasks_of_each_kind_go_through_the_service_to_their_right_end(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            evt = service(tmp_path, cli, api)
            shop = evt.home / "shop"
            shop.mkdir()
            (shop / "price.txt").write_text("one\n", encoding="utf-8")
            git("init", "-q", cwd=shop)
            path = str(shop / "price.txt")
            edit = {"file_path": path, "old_string": "one", "new_string": "two"}
            api.script(
                "ZMEND",
                Reply("I read.", (Call("Read", {"file_path": path}),)),
                Reply("I edit.", (Call("Edit", edit),)),
                Reply("Mended."),
            )
            api.script("ZDOWN", Reply(status=500))
            api.script("ZLIES", Reply("I write.", (write(str(shop / "a.txt")),)), Reply("Done, I wrote it."))
            evt.drop("mend", "bug_fix", "ZMEND", shop)
            evt.drop("down", "analyze", "/clear ZDOWN", shop)
            evt.drop("lies", "analyze", "ZLIES", shop)

            told = evt.evt("run", "--drain", "--quiet")
            assert told.returncode == 0, told.stderr
            assert (shop / "price.txt").read_text(encoding="utf-8") == "two\n"
            artifact = evt.artifact("mend")
            assert (artifact["success"], artifact["files_modified"]) == (True, [PRICE_MODIFIED])
            (down,) = evt.of_task("down", names.TASK_FAILED)
            assert (down["error_class"], down["reason"]) == ("network", "overloaded")
            (lies,) = evt.of_task("lies", names.TASK_FAILED)
            assert (lies["error_class"], lies["reason"]) == ("interactive", "permission_denied")
            assert lies["claimed"] == "Done, I wrote it."
            assert [one["tool"] for one in evt.of_task("lies", names.PERMISSION_DENIED)] == ["Write"]
            assert not (shop / "a.txt").exists()
            assert api.strays == []
            listed = evt.evt("list")
            assert listed.returncode == 0
            assert all(name in listed.stdout for name in ("mend", "down", "lies"))
            assert "identical" in evt.evt("replay", "--verify").stdout

    both(work)


def test_a_home_that_is_the_working_directory_keeps_its_settings_and_its_state(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            evt = service(tmp_path, cli, api)
            settings = evt.home / ".env"
            before = settings.read_bytes()
            (evt.home / "shelf.txt").write_text(f"{HARMLESS}\n", encoding="utf-8")
            looks = (
                Call("Read", {"file_path": str(settings)}),
                Call("Grep", {"pattern": "ZSECRET", "path": str(evt.home), "output_mode": "content"}),
                Call("Grep", {"pattern": "ZSECRET", "path": str(settings), "output_mode": "content"}),
            )
            planted = [evt.home / folder / "planted.task.md" for folder in OWN_FOLDERS]
            api.script(
                "ZATHOME",
                Reply("I look.", looks),
                Reply("I plant.", (*(write(str(path)) for path in planted), write(str(settings)))),
                Reply("I write what I may.", (write(str(evt.home / "notes.md")),)),
                Reply("Done."),
            )
            evt.drop("at-home", "documentation", "ZATHOME")

            told = evt.evt("run", "--drain", "--quiet")
            assert told.returncode == 0, told.stderr
            assert settings.read_bytes() == before
            assert [path for path in planted if path.exists()] == []
            assert (evt.home / "notes.md").read_text(encoding="utf-8") == "written\n"
            heard = str([request.tool_results for request in api.requests])
            assert (HARMLESS in heard, SECRET in heard) == (True, False)
            denied = [(one["tool"], one["detail"]) for one in evt.of_task("at-home", names.PERMISSION_DENIED)]
            assert {("Read", str(settings)), ("Write", str(settings))} <= set(denied)
            assert {("Write", str(path)) for path in planted} <= set(denied)
            artifact = evt.artifact("at-home")
            assert (artifact["success"], artifact["files_modified"]) == (True, [NOTES_CREATED])
            assert api.strays == []

    both(work)
