"""The real CLI, in two versions: what comes of each cause, from the agent's call to the verdict."""

import re
import shlex
import signal
import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from handlers.agents import built_in
from handlers.outcome import Verdict
from handlers.prompt import compose
from schemas import names
from tests.judgement_table import ANY_WORDS, CASES, CWD, WINDOW_USED_UP, Case, Ending, bash, write
from tests.lane import KEY, Place, Played, both, play, refusing_url, when_silent
from tests.model_api import USAGE, Call, ModelApi, Reply
from tests.rule_bench import spec
from tools import write_judgements
from tools.claude_lane import Cli

pytestmark = pytest.mark.timeout(400)  # the first test that needs the lane may have to install it

ROOT = Path(__file__).resolve().parent.parent
LOGGED_IN = {"ANTHROPIC_API_KEY": None, "CLAUDE_CODE_OAUTH_TOKEN": "dummy-token-of-the-lane"}
PATIENCE_S = 20.0


def in_place(value: Any, cwd: str) -> Any:
    """A case's value with the working directory put in."""
    if isinstance(value, str):
        return value.replace(CWD, cwd)
    if isinstance(value, tuple):
        return tuple(in_place(item, cwd) for item in value)
    if isinstance(value, Call):
        return Call(value.name, {key: in_place(item, cwd) for key, item in value.input.items()})
    if isinstance(value, Reply):
        return replace(value, calls=in_place(value.calls, cwd))
    return value


def with_words_before(cli: Cli, words: tuple[str, ...], folder: Path) -> str:
    """A program that calls the CLI with some words of its own before those that it was given."""
    path = folder / "claude"
    command = shlex.join([str(cli.program), *words])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8", newline="\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def turn(case: Case, cli: Cli, folder: Path) -> Played:
    with ModelApi() as api:
        place = Place(folder / cli.name, cli, refusing_url() if case.api == "refuses" else api.url)
        place.executable = case.executable
        place.more = LOGGED_IN if case.api == "logged_in" else {}
        (place.work / ".env").write_text("SECRET=1\n", encoding="utf-8")
        if case.first_words:
            place.executable = with_words_before(cli, case.first_words, place.root)
        cwd = str(place.work)
        api.script(case.token, *in_place(case.replies, cwd))
        changed = {key: in_place(value, cwd) for key, value in case.order.items()}
        order = place.order(case.prompt_text, case.task_type, **changed)
        if case.same_session_before:
            assert (await play(place, order)).verdict.kind == "succeeded"
        struck = getattr(signal, case.struck_by) if case.struck_by else None
        played = await play(place, order, when_silent(api, case.token, struck) if struck else None)
        assert api.strays == []
        return played


def is_so(ending: Ending, verdict: Verdict) -> bool:
    """Whether the verdict is this ending, with any words where the sentence leaves them open."""
    event = names.TASK_SUCCEEDED if verdict.kind == "succeeded" else names.TASK_FAILED
    words = ".*".join(re.escape(part) for part in ending.sentence.split(ANY_WORDS))
    told = (event, verdict.error_class, verdict.reason)
    exact = told == (ending.event, ending.error_class, ending.reason)
    return exact and re.fullmatch(words, verdict.sentence, re.DOTALL) is not None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.token)
def test_each_cause_ends_the_task_as_the_table_says(case: Case, tmp_path: Path) -> None:
    for played in both(lambda cli: turn(case, cli, tmp_path)):
        assert any(is_so(ending, played.verdict) for ending in case.endings), played.verdict


def test_the_page_of_the_table_is_up_to_date() -> None:
    path = ROOT / write_judgements.PAGE
    assert path.read_text(encoding="utf-8") == write_judgements.page(), f"run {write_judgements.COMMAND}"


def test_every_case_of_the_table_can_be_told_from_the_others() -> None:
    assert len({case.token for case in CASES}) == len(CASES)
    assert len({case.cause for case in CASES}) == len(CASES)


def test_a_turn_that_went_well_is_told_whole(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            (place.work / "sum.py").write_text("total = 1 - 1\n", encoding="utf-8")
            path = str(place.work / "sum.py")
            edit = {"file_path": path, "old_string": "1 - 1", "new_string": "1 + 1"}
            api.script(
                "ZWHOLE",
                Reply("I read.", (Call("Read", {"file_path": path}),)),
                Reply("I edit.", (Call("Edit", edit), bash("python3 -c 'print(6 * 7)'"))),
                Reply("It adds now."),
            )
            played = await play(place, place.order("Task:\nZWHOLE"))
            told = played.report
            assert (place.work / "sum.py").read_text(encoding="utf-8") == "total = 1 + 1\n"
            assert played.files == ("sum.py",)
            assert (told.ended, told.exit_code, told.num_turns) == ("exited", 0, 4)
            assert told.result_text == "It adds now."
            assert told.usage.input_tokens == 3 * USAGE["input_tokens"]
            assert told.usage.output_tokens == 3 * USAGE["output_tokens"]
            assert told.usage.cache_read_tokens == 3 * USAGE["cache_read_input_tokens"]
            assert told.cost_usd > 0
            assert (told.agent_version, told.note) == (cli.version, None)
            assert (told.unknown_lines, told.unparsed_lines, told.denials) == (0, 0, ())
            last = api.asked("ZWHOLE")[-1]
            assert [result.get("is_error", False) for result in last.tool_results] == [False] * 3
            assert "42" in str(last.tool_results[-1]["content"])
            assert {request.headers["x-api-key"] for request in api.requests} == {KEY}

    both(work)


@pytest.mark.parametrize(("said", "sent"), [({}, 3), ({"CLAUDE_CODE_MAX_RETRIES": "0"}, 1)])
def test_a_request_that_fails_is_sent_twice_more_unless_somebody_says_otherwise(
    said: dict[str, str | None], sent: int, tmp_path: Path
) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url, said)
            api.script("ZRETRY", Reply(status=500))
            await play(place, place.order("Task:\nZRETRY"))
            assert len(api.asked("ZRETRY")) == sent

    both(work)


def test_a_type_gets_its_tools_and_no_other(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            for task_type in ("analyze", "documentation", "bug_fix"):
                token = f"Z{task_type}Z"
                api.script(token, Reply("Done."))
                order = place.order(f"Task:\n{token}", task_type)
                await play(place, order)
                # The newer one offers a place for tools that it would load later; there are none.
                assert api.asked(token)[0].tools - {"DeferredToolPlaceholder"} == set(order.tools)

    both(work)


@pytest.mark.parametrize("typed", ["/clear", "/nosuchcommand now", "!touch made.txt"])
def test_a_task_whose_text_begins_like_a_command_arrives_as_text(typed: str, tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            api.script("ZTYPED", Reply("Done."))
            fields = spec(prompt=f"{typed} ZTYPED", title=typed).model_dump()
            prompt = compose(built_in("bug_fix"), fields, "-----")
            played = await play(place, place.order(prompt))
            assert played.verdict.kind == "succeeded"
            assert any(f"\n{typed} ZTYPED\n" in text for text in api.asked("ZTYPED")[0].texts)
            assert played.files == ()

    both(work)


def test_a_window_that_is_used_up_is_heard_with_its_end(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url, LOGGED_IN)
            api.script("ZWINDOW", Reply(status=429, headers=WINDOW_USED_UP))
            played = await play(place, place.order("Task:\nZWINDOW"))
            assert played.report.rate_limit_rejected
            info = played.line("rate_limit_event")["rate_limit_info"]
            assert (info["status"], info["resetsAt"]) == ("rejected", 4102444800)
            assert len(api.asked("ZWINDOW")) == 1

    both(work)


def test_what_a_rule_denies_is_told_in_both_versions_with_its_path(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            path = str(place.work / "tasks" / "new.task.md")
            api.script("ZRULE", Reply("I write.", (write(path),)), Reply("Done."))
            denied = (f"Edit({place.work}/tasks/**)",)
            played = await play(place, place.order("Task:\nZRULE", "documentation", denied=denied))
            assert [(one.tool, one.detail) for one in played.report.denials] == [("Write", path)]

    both(work)


def living_with(word: str) -> list[int]:
    """The processes whose command line holds a word."""
    rows = psutil.process_iter(["cmdline", "status"])
    living = (row for row in rows if row.info["status"] != psutil.STATUS_ZOMBIE)
    return [row.pid for row in living if word in (row.info["cmdline"] or ())]


def test_the_time_limit_ends_the_cli_with_all_that_its_shell_started(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            # sleep adds its arguments up: the second one is only a word to be found by.
            name = {"claude-older": "0.19701", "claude-newer": "0.33001"}[cli.name]
            endless = f"sleep 600 {name} & setsid sleep 600 {name} & echo $! > child; sleep 600 {name}"
            api.script("ZTREE", Reply("I wait.", (bash(endless),)), Reply("Done."))
            lived: list[list[int]] = []

            def look(_process: object) -> None:
                deadline = time.monotonic() + PATIENCE_S
                while not (place.work / "child").exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                lived.append(living_with(name))

            played = await play(place, place.order("Task:\nZTREE", timeout_s=8.0), look)
            assert played.verdict.reason == "timeout"
            assert len(lived[0]) >= 2
            assert living_with(name) == []

    both(work)
