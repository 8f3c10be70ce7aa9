"""The real CLI, in two versions: a session that goes on after a limit, a kill, a loss or a silence."""

import os
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from adapters.process_tree import alive
from handlers.agents import built_in
from handlers.ports.agent import AgentOrder
from handlers.prompt import compose_resume
from handlers.session import session_lost
from handlers.spending import own_share, totals
from schemas.process import ProcessIdentity
from schemas.turn import TurnReport
from tests.judgement_table import WINDOW_USED_UP, write
from tests.lane import Place, Played, both, play, when_silent
from tests.model_api import USAGE, ModelApi, Reply
from tests.rule_bench import spec
from tools.claude_lane import OLDER, Cli

pytestmark = pytest.mark.timeout(400)  # the first test that needs the lane may have to install it

LOGGED_IN = {"ANTHROPIC_API_KEY": None, "CLAUDE_CODE_OAUTH_TOKEN": "dummy-token-of-the-lane"}
RESETS_AT = 4_102_444_800_000_000
SILENCE_S = 60.0
PATIENCE_S = 30.0


def going_on(order: AgentOrder, token: str, why: str, **changed: Any) -> AgentOrder:
    """The next turn of an order's session, as a worker would order it."""
    fields = spec(title="Going on", prompt=token).model_dump(mode="json")
    prompt = compose_resume(built_in("bug_fix"), fields, "-----", why)
    return replace(order, resume=True, prompt=prompt, **changed)


def test_a_used_up_window_says_its_end_and_the_session_goes_on_after_it(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url, LOGGED_IN)
            api.script("ZQUOTA", Reply(status=429, headers=WINDOW_USED_UP))
            api.script("ZLATER", Reply("Done now."))
            order = place.order("Task:\nZQUOTA")
            first = await play(place, order)
            assert (first.report.rate_limit_rejected, first.report.resets_at) == (True, RESETS_AT)
            second = await play(place, going_on(order, "ZLATER", "Its quota was used up."))
            assert second.verdict.kind == "succeeded"
            assert (second.report.result_text, second.report.resets_at) == ("Done now.", None)
            assert second.line("system", "init")["session_id"] == order.session_id
            asked = " ".join(api.asked("ZLATER")[0].texts)
            assert asked.index("ZQUOTA") < asked.index("ZLATER")
            assert api.strays == []

    both(work)


def kill_once_written(api: ModelApi, token: str, place: Place) -> Callable[[ProcessIdentity], None]:
    """SIGKILL the CLI while it waits for an answer, after its transcript got the last tool's result.

    It writes that file by and by: what it had not written by then is lost with it.
    """

    def strike(process: ProcessIdentity) -> None:
        assert api.wait_silent(token)
        deadline = time.monotonic() + PATIENCE_S
        written = ""
        while f'"tool_use_id":"toolu_{token}' not in written and time.monotonic() < deadline:
            time.sleep(0.05)
            written = "".join(
                path.read_text(encoding="utf-8", errors="replace") for path in place.user.rglob("*.jsonl")
            )
        os.kill(process.pid, signal.SIGKILL)

    return strike


def test_a_turn_that_was_killed_goes_on_with_its_history_and_its_work(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            path = str(place.work / "made.txt")
            api.script("ZKILLED", Reply("I write.", (write(path),)), Reply(silence="at_once"))
            api.script("ZLATER", Reply("Done now."))
            order = place.order("Task:\nZKILLED")
            first = await play(place, order, kill_once_written(api, "ZKILLED", place))
            assert (first.report.exit_code, first.report.has_result) == (-9, False)
            assert first.files == ("made.txt",)
            second = await play(place, going_on(order, "ZLATER", "It was killed."))
            assert (second.verdict.kind, second.files) == ("succeeded", ()), second.report
            (request,) = api.asked("ZLATER")
            texts = " ".join(request.texts)
            assert texts.index("ZKILLED") < texts.index("ZLATER")
            assert len(request.tool_results) == 1  # what was done is in the history, once
            assert api.strays == []

    both(work)


def test_a_turn_that_was_killed_before_it_wrote_goes_on_or_its_session_is_lost(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            api.script("ZKILLED", Reply(silence="at_once"))
            api.script("ZLATER", Reply("Done now."))
            order = place.order("Task:\nZKILLED")
            first = await play(place, order, when_silent(api, "ZKILLED", signal.SIGKILL))
            assert (first.report.exit_code, first.report.has_result) == (-9, False)
            later = going_on(order, "ZLATER", "It was killed.")
            second = await play(place, later)
            if session_lost(second.report):  # the prompt repeats the task: any session can do it
                second = await play(place, replace(later, resume=False, session_id=str(uuid.uuid4())))
            assert second.verdict.kind == "succeeded", second.report
            assert api.strays == []

    both(work)


def test_a_session_that_was_never_begun_is_lost_and_a_new_one_of_its_name_begins(tmp_path: Path) -> None:
    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            api.script("ZUNKNOWN", Reply("Done."))
            order = place.order("Task:\nZUNKNOWN")
            lost = await play(place, replace(order, resume=True))
            assert session_lost(lost.report), lost.report
            assert (lost.report.exit_code, lost.verdict.kind, api.requests) == (1, "failed", [])
            assert "No conversation found with session ID" in lost.report.stderr.text
            begun = await play(place, order)
            assert begun.verdict.kind == "succeeded"
            assert not session_lost(begun.report)
            assert api.strays == []

    both(work)


def figures(report: TurnReport) -> tuple[int, int, int]:
    return report.usage.input_tokens, report.usage.output_tokens, report.usage.cache_read_tokens


def test_after_a_resume_the_older_one_counts_its_process_and_the_newer_one_its_session(
    tmp_path: Path,
) -> None:
    once = (USAGE["input_tokens"], USAGE["output_tokens"], USAGE["cache_read_input_tokens"])
    twice = tuple(2 * one for one in once)

    async def work(cli: Cli) -> None:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url)
            for token in ("ZONE", "ZTWO"):
                api.script(token, Reply("Done."))
            order = place.order("Task:\nZONE")
            orders = (order, going_on(order, "ZTWO", "It ended."))
            reports = [(await play(place, one)).report for one in orders]
            assert api.strays == []
            alone = reports[0].cost_usd
            assert alone > 0
            counted = [figures(report) for report in reports]
            costs = [report.cost_usd / alone for report in reports]
            if cli.name == OLDER:
                assert counted == [once, once]
                assert costs == pytest.approx([1, 1])
            else:
                assert counted == [once, twice]
                assert costs == pytest.approx([1, 2])
            before: dict[str, Any] | None = None
            for report in reports:  # counted once in either way
                spent = own_share(report, before)
                assert (spent.input_tokens, spent.output_tokens, spent.cache_read_tokens) == once
                assert spent.usd == pytest.approx(alone)
                before = totals(report).model_dump()

    both(work)


def test_a_cli_whose_service_never_answers_is_silent_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    async def work(cli: Cli) -> Played:
        with ModelApi() as api:
            place = Place(tmp_path / cli.name, cli, api.url, patience_s=1_000.0)
            api.script("ZSILENT", Reply(silence="at_once"))
            clock = cast(MockClock, trio.lowlevel.current_clock())

            def wait(process: ProcessIdentity) -> None:
                """Put the clock forward once nothing more can come: in truth nobody waits a minute."""
                assert api.wait_silent("ZSILENT")
                while alive(process):
                    time.sleep(0.5)
                    trio.from_thread.run_sync(clock.jump, SILENCE_S + 1)

            order = place.order("Task:\nZSILENT", inactivity_s=SILENCE_S, timeout_s=100_000.0)
            return await play(place, order, wait)

    for played in both(work, lambda: MockClock(rate=1.0)):
        assert played.report.ended == "inactivity"
        assert "said nothing for 60 s" in str(played.report.note)
        assert (played.report.has_result, played.verdict.kind) == (False, "failed")
        assert played.line("system", "init")
