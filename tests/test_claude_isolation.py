"""What a hostile repository has configured neither runs nor is read, in both versions of the real CLI.

Each test of what does not happen has a control in which it does: without our flags, or by git itself.
No control is there for the status line, file suggestions and the helpers of clouds and telemetry:
a headless run without a cloud does not call them.
"""

import json
from pathlib import Path

import pytest
import trio

from tests.hostile_repository import (
    GIT_COMMANDS,
    GIT_HOOKS,
    INSTRUCTIONS,
    KEY_OF_THE_HELPER,
    MODEL,
    ORIGINS,
    Hostile,
    git,
)
from tests.judgement_table import bash, write
from tests.lane import KEY, Place, both, environment, play
from tests.model_api import Call, ModelApi, Reply
from tools.claude_lane import Cli

pytestmark = pytest.mark.timeout(400)  # the first test that needs the lane may have to install it

TOKEN = "ZHOSTILE"
RUN_WITHOUT_OUR_FLAGS = frozenset(
    {
        *(
            f"{origin}-{event}"
            for origin in ORIGINS
            for event in (
                "SessionStart",
                "UserPromptSubmit",
                "PreToolUse",
                "PostToolUse",
                "Stop",
                "SessionEnd",
            )
        ),
        *("local-apiKeyHelper", "local-shell-prefix", "mcp-server", "user-SessionStart"),
    }
)
READ_WITHOUT_OUR_FLAGS = frozenset(
    {
        *("WORD-CLAUDE-LOCAL", "WORD-DOT-CLAUDE", "WORD-RULE", "WORD-AGENT", "WORD-SKILL", "WORD-COMMAND"),
        *("WORD-STYLE", "WORD-IMPORTED", "WORD-USER", MODEL, INSTRUCTIONS),
    }
)
GIT_RUNS = frozenset(f"git-{name}" for name in (*GIT_COMMANDS, *GIT_HOOKS))


class Scene:
    """The repository, the service that is meant, and the one to which the repository redirects."""

    def __init__(self, folder: Path, cli: Cli, api: ModelApi, other: ModelApi) -> None:
        self.place = Place(folder / cli.name, cli, api.url)
        self.hostile = Hostile(self.place.root / "repository", self.place.root / "traces")
        self.hostile.build(other.url)
        self.hostile.build_user(self.place.user)
        self.outside = self.place.root / "outside.txt"
        work = self.hostile.root
        for service in (api, other):
            service.script(
                TOKEN,
                Reply("I look.", (Call("Read", {"file_path": str(work / "a.txt")}), bash("cat a.txt"))),
                Reply("I edit.", (Call("Edit", {"file_path": str(work / "a.txt"), **ONE_TWO}),)),
                Reply("I widen.", (write(str(self.outside)), write(str(work / ".git" / "hooks" / "new")))),
                Reply("Done."),
            )


ONE_TWO = {"old_string": "one", "new_string": "two"}


def test_nothing_of_a_hostile_repository_runs_or_is_read(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api, ModelApi() as other:
            scene = Scene(tmp_path, cli, api, other)
            repository = scene.hostile.root
            instructions = (repository / "CLAUDE.md").read_text(encoding="utf-8")
            order = scene.place.order(f"Task:\n{TOKEN}", cwd=str(repository), instructions=instructions)
            played = await play(scene.place, order)

            assert scene.hostile.touched == frozenset()
            assert (other.requests, api.strays) == ([], [])
            said = [json.dumps([request.body, dict(request.headers)]) for request in api.requests]
            assert len(said) == 4
            assert [word for word in scene.hostile.words if any(word in text for text in said)] == []
            assert {request.headers["x-api-key"] for request in api.requests} == {KEY}
            assert all(not request.headers.keys() & {"x-canary", "authorization"} for request in api.requests)

            # What it may do is what we said: the edit inside, and nothing that its settings allow.
            assert played.files == ("a.txt",)
            assert [denial.tool for denial in played.report.denials] == ["Write", "Write"]
            assert not scene.outside.exists()
            init = played.line("system", "init")
            assert (init["permissionMode"], init["mcp_servers"]) == ("acceptEdits", [])

    both(work)


def test_the_projects_instructions_arrive_as_text_and_only_as_we_hand_them_over(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api, ModelApi() as other:
            scene = Scene(tmp_path, cli, api, other)
            text = (scene.hostile.root / "CLAUDE.md").read_text(encoding="utf-8")
            for token, instructions in (("ZHANDED", text), ("ZWITHOUT", None)):
                api.script(token, Reply("Done."))
                order = scene.place.order(
                    f"Task:\n{token}", "analyze", cwd=str(scene.hostile.root), instructions=instructions
                )
                await play(scene.place, order)
            handed, without = api.asked("ZHANDED")[0], api.asked("ZWITHOUT")[0]
            assert any(text.strip() in block["text"] for block in handed.body["system"])
            assert handed.text.count(INSTRUCTIONS) == 1
            assert INSTRUCTIONS not in without.text

    both(work)


def test_without_our_flags_the_same_repository_runs_and_is_read(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api, ModelApi() as other:
            scene = Scene(tmp_path, cli, api, other)
            words = ["-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits"]
            with trio.fail_after(60):
                told = await trio.run_process(
                    [str(cli.program), *words],
                    cwd=scene.hostile.root,
                    env=environment(scene.place.user, api.url),
                    stdin=f"Task:\n{TOKEN}".encode(),
                    capture_stdout=True,
                    capture_stderr=True,
                    check=False,
                )
            assert told.returncode == 0, told.stderr
            assert scene.hostile.touched >= RUN_WITHOUT_OUR_FLAGS
            assert api.requests == []
            said = "\n".join(request.text for request in other.requests)
            assert [word for word in READ_WITHOUT_OUR_FLAGS if word not in said] == []
            assert other.requests[0].headers["authorization"] == f"Bearer {KEY_OF_THE_HELPER}"
            assert other.requests[0].headers["x-api-key"] == KEY  # our key, at a stranger's door
            assert other.requests[0].headers["x-canary"] == "local"
            assert scene.outside.exists()

    both(work)


def test_the_older_cli_runs_what_git_is_configured_to_unless_it_is_told_not_to_look(tmp_path: Path) -> None:
    async def work(cli: Cli) -> frozenset[str]:
        with ModelApi() as api, ModelApi() as other:
            scene = Scene(tmp_path, cli, api, other)
            scene.place.more = {"CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "0"}
            await play(scene.place, scene.place.order(f"Task:\n{TOKEN}", cwd=str(scene.hostile.root)))
            return scene.hostile.touched

    assert both(work) == [{"git-core.fsmonitor", "git-filter.canary.clean"}, frozenset()]


def test_gits_own_canaries_are_alive(tmp_path: Path) -> None:
    hostile = Hostile(tmp_path / "repository", tmp_path / "traces")
    hostile.build("http://127.0.0.1:9")
    assert hostile.touched == frozenset()
    git("diff", cwd=hostile.root)
    git("-c", "user.name=x", "-c", "user.email=x@example.invalid", "commit", "-qam", "two", cwd=hostile.root)
    git("checkout", "-qb", "other", cwd=hostile.root)
    assert hostile.touched == GIT_RUNS
