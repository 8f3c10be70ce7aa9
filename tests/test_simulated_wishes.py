"""What people ask of tasks that run and wait, and claims of services that are gone, in virtual time."""

import trio
from trio.testing import MockClock

from adapters.automations.attempt import Fenced
from adapters.supervisor import Supervisor
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from schemas import names
from schemas.attempt import ClaimTask, Conditions, InterruptAttempt
from schemas.executor import PauseQueue, ResumeQueue
from schemas.process import ProcessIdentity
from schemas.task import CancelTask, PauseTask, ResumeTask, RetryTask
from tests.fakes import EPOCH, FakeProcesses, Listening, World
from tests.test_simulation import task
from tests.troubled import ends, events_of, nothing, say, status_of, with_checks, with_hands, world_of
from tests.world import crew_of, serve


def test_a_task_that_is_paused_at_work_goes_on_in_its_session_when_it_is_resumed() -> None:
    world, seen = world_of(a=task("alpha slowly")), []
    with_hands(
        world,
        (20, lambda: say(world, PauseTask, "p", task_id="a")),
        (60, lambda: seen.append((status_of(world, "a"), set(world.alive)))),
        (100, lambda: say(world, ResumeTask, "r", task_id="a")),
        (300, nothing),
    )
    assert seen == [("paused", set())]
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}
    assert [order.resume for order in world.orders] == [False, True]


def test_a_pause_during_the_checks_keeps_the_answer_and_the_checks_are_run_later() -> None:
    world, seen = world_of(a=with_checks("alpha", "wait 60", "grep alpha cart.py")), []
    with_hands(
        world,
        (30, lambda: say(world, PauseTask, "p", task_id="a")),
        (50, lambda: seen.append(status_of(world, "a"))),
        (60, lambda: say(world, ResumeTask, "r", task_id="a")),
        (300, nothing),
    )
    assert seen == ["paused"]
    assert len(world.orders) == 1, "the agent's answer is not paid for twice"
    (interrupted,) = events_of(world, names.TASK_INTERRUPTED)
    assert interrupted.data["owes_checks"]
    (end,) = events_of(world, names.TASK_SUCCEEDED)
    assert (end.data["verified"], end.data["attempt"], end.data["claimed"]) == ("passed", 2, "done")


def test_a_paused_queue_begins_nothing_and_what_runs_goes_on() -> None:
    world = world_of(a=task("alpha slowly", cwd="/srv/a"), b=task("beta", cwd="/srv/b", after="a"))
    with_hands(
        world,
        (20, lambda: say(world, PauseQueue, "p")),
        (21, lambda: say(world, PauseQueue, "p2")),
        (300, lambda: say(world, ResumeQueue, "r")),
        (500, nothing),
    )
    (paused,), (resumed,) = events_of(world, names.QUEUE_PAUSED), events_of(world, names.QUEUE_RESUMED)
    (first,) = events_of(world, names.TASK_SUCCEEDED, "a")
    (claimed,) = events_of(world, names.TASK_CLAIMED, "b")
    assert paused.time < first.time < resumed.time <= claimed.time


def test_a_waiting_task_that_is_cancelled_is_never_tried_again() -> None:
    world = world_of("quota 300", a=task("alpha"))
    with_hands(world, (60, lambda: say(world, CancelTask, "c", task_id="a")), (600, nothing), workers=1)
    assert ends(world) == {"a": [names.TASK_CANCELLED]}
    assert len(world.orders) == 1


def test_a_person_who_asks_for_a_retry_waits_no_longer_for_the_quota() -> None:
    world = world_of("quota 7200", a=task("alpha"))
    with_hands(world, (60, lambda: say(world, RetryTask, "t", task_id="a")), (600, nothing))
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}
    assert [order.resume for order in world.orders] == [False, True]


def test_a_retried_task_ends_once_more_and_its_file_follows() -> None:
    world = world_of(a=task("alpha badly"))
    assert serve(world)
    say(world, RetryTask, "t", task_id="a")
    say(world, RetryTask, "t2", task_id="a")
    world.restart()
    assert serve(world)
    assert ends(world) == {"a": [names.TASK_FAILED, names.TASK_FAILED]}
    assert set(world.archive) == {"tasks/processed/a.failed.task.md"}
    assert len(events_of(world, names.RETRY_REQUESTED)) == 1


class Elsewhere(FakeProcesses):
    """Sees no process of another machine."""

    async def alive(self, process: ProcessIdentity) -> bool | None:  # type: ignore[override]  # wider
        return None if process.host == "elsewhere" else await super().alive(process)


def claimed_by(world: World, host: str, lease_s: int) -> None:
    """Another service has taken the task in, claimed it and begun its turn; then nothing is heard of it."""

    async def main() -> None:
        crew = crew_of(world)
        for _ in range(3):
            await crew.intake.scan()
        await crew.policies.drain()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    conditions = Conditions(
        executable="/usr/bin/agent",
        executable_found=True,
        max_turns=0,
        timeout_s=300,
        skip_permissions=False,
        workers=1,
        watcher_running=True,
    )
    command = ClaimTask(
        command_id="claim",
        time=EPOCH,
        actor="worker:w9",
        task_id="a",
        worker="w9",
        lease_until=EPOCH + lease_s * 1_000_000,
        process=ProcessIdentity(pid=9, started=9, boot_id="z", host=host),
        cwd="/srv/shop",
        allowed_root="/srv",
        home="/home",
        windows=False,
        conditions=conditions,
    )
    Dispatch(world.log, "urn:evt:world", DECIDERS)(command)


def test_a_claim_on_another_machine_is_taken_when_its_lease_has_ended_and_not_before() -> None:
    world = world_of(a=task("alpha"))
    claimed_by(world, "elsewhere", lease_s=1000)
    assert serve(world, processes=Elsewhere(world))
    (expired,) = events_of(world, names.LEASE_EXPIRED)
    assert (expired.data["worker"], expired.data["process"]["host"]) == ("w9", "elsewhere")
    claims = events_of(world, names.TASK_CLAIMED)
    assert [event.data["attempt"] for event in claims] == [1, 2]
    assert claims[1].time >= EPOCH + 1_000_000_000
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}


def test_a_dead_worker_of_this_machine_is_noticed_within_two_seconds() -> None:
    world = world_of(a=task("alpha"))
    claimed_by(world, "", lease_s=1000)
    assert serve(world)
    (interrupted,) = events_of(world, names.TASK_INTERRUPTED)
    assert interrupted.time <= EPOCH + 2_000_000
    assert not interrupted.data["worker_died"], "a death of the service is not counted"
    assert not events_of(world, names.LEASE_EXPIRED)


def test_a_worker_whose_attempt_was_taken_away_writes_nothing_and_its_service_ends() -> None:
    world = world_of(a=task("alpha slowly"))
    told: list[BaseException] = []

    def take_away() -> None:
        held = events_of(world, names.TASK_CLAIMED)[-1].data["attempt"]
        say(
            world, InterruptAttempt, "i", task_id="a", attempt=held, reason="thought dead", lease_expired=True
        )

    async def main() -> None:
        supervisor = Supervisor(crew_of(world, doorbell=Listening(world)))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(supervisor.run)
                await trio.sleep_until(20)
                take_away()
        except ExceptionGroup as trouble:
            told.append(trouble)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    (group,) = told
    assert isinstance(group, ExceptionGroup)
    assert group.split(Fenced)[1] is None
    (stale,) = events_of(world, names.STALE_RESULT_REJECTED)
    assert stale.data["attempt"] == 1
    assert not world.alive
    after = [event.type for event in world.log.all() if event.global_position > stale.global_position]
    assert not set(after) & {names.TURN_FINISHED, names.TASK_CLAIMED, names.TASK_SUCCEEDED}
    assert status_of(world, "a") == "queued"
