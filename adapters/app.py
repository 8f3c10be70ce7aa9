"""The composition of the service: every part is built here and handed on by argument."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial

import trio

from adapters.agent_files import AgentFiles, HomeAgents
from adapters.automations.archiver import Archiver
from adapters.automations.artifact_writer import ArtifactWriter
from adapters.automations.attempt import Fenced, Workshop
from adapters.automations.claims import LEASE_MARGIN_S, Claims, Thresholds
from adapters.automations.disk_watch import DiskWatch
from adapters.automations.feed import Feed
from adapters.automations.intake import Intake
from adapters.automations.keeper import Keeper
from adapters.automations.leases import Leases
from adapters.automations.mediator import Mediator
from adapters.automations.policy_runner import PolicyRunner
from adapters.automations.reconcile import Reconcile
from adapters.automations.stamp import Stamp
from adapters.automations.timers import Timers
from adapters.automations.tree_signer import TreeSigner
from adapters.automations.waiting_log import WaitingLog
from adapters.automations.wish_reader import WishReader
from adapters.automations.worker import Worker
from adapters.blob_store import BlobStore
from adapters.check_runner import CheckRunner
from adapters.claude_agent import ClaudeAgent
from adapters.config.settings import Settings
from adapters.disk import DiskOf
from adapters.folders import Folders
from adapters.home import Home
from adapters.last_resort import LastResort
from adapters.late_model import LateModel
from adapters.output_files import OutputFiles
from adapters.process_tree import ProcessTrees
from adapters.safe_files import sweep
from adapters.signing_keys import private_folder
from adapters.storage import WINDOWS, Storage
from adapters.supervisor import Crew, Supervisor, obey_signals
from adapters.system_clock import SystemClock, SystemIds
from adapters.threaded_log import LogDoorbell, LogFailed, ThreadedLog
from adapters.version import installed_version
from adapters.watchdog_inbox import WatchdogInbox
from adapters.work_tree import WorkTrees
from eventstore.event import Recorded
from eventstore.log import LogUnreadable
from eventstore.text.mirror import MirrorAhead
from handlers.deciders import DECIDERS
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground
from handlers.path_policy import AGENTS_FOLDER, OWN_FOLDERS
from handlers.ports.log import NotNow
from projections.all_views import BY_NAME
from projections.live import LiveViews
from projections.projection import Row
from projections.view_rows import ViewRows
from schemas.attempt import Conditions

LIVE = (
    *("queue", "received", "waiting", "timers", "to_write", "to_archive", "in_inbox"),
    *("executors", "metrics", "mediator"),
)
"""The views that automations drain: kept in memory, brought up from what is stored. None of them has
a row for each task there ever was, so that a start takes no longer over a long log.
"""

VERB_S = 15
"""So many seconds a verb waits for an answer of the local model at most."""

Listener = Callable[[Sequence[Recorded]], None]
Say = Callable[[str], None]
"""Told in words what cannot be written into the log now."""


def ground_of(home: Home, settings: Settings) -> Ground:
    return Ground(
        home=str(home.root),
        base=str(settings.base_cwd.resolve()),
        allowed_root=str(settings.allowed_root.resolve()),
        windows=WINDOWS,
        private=private_folder(),
    )


def live_views(home: Home, storage: Storage) -> LiveViews:
    """The live views as they are stored; the feed brings them up to the head."""
    projections = [BY_NAME[name] for name in LIVE]
    storage.records.try_views()
    live = LiveViews(projections)
    with ViewRows.open(home.views, storage.log, projections) as stored:
        position = min(stored.position, storage.log.head())
        for name in LIVE:
            live.load(name, stored.written(name), position)
        spoilt = stored.spoilt
    if spoilt is not None:
        storage.records.distrust_views(spoilt)
    return live


async def _artifacts(home: Home, storage: Storage) -> Mapping[str, Row]:
    """The view `artifacts` as of now."""

    def stored() -> Mapping[str, Row]:
        with ViewRows.open(home.views, storage.log, [BY_NAME["artifacts"]]) as views:
            return views.rows("artifacts")

    return await trio.to_thread.run_sync(stored)


def denied_by(home: Home, private: str) -> tuple[str, ...]:
    """The agent never reads a home's settings, and never edits its state, nor what agents are told.

    Nor does it touch the person's signing keys. The paths are whole ones: they hold in any directory.
    """
    root = home.root
    folders = [f"Edit({root / name}/**)" for name in (*OWN_FOLDERS, AGENTS_FOLDER)]
    keys = [f"Read({private}/**)", f"Edit({private}/**)"] if private else []
    return (f"Read({root / '.env'})", f"Edit({root / '.env'})", *folders, *keys)


class AgentMissing(Exception):
    """The program that does the work is not there."""


class Service:
    """One home's service, built and ready to run."""

    def __init__(
        self,
        home: Home,
        settings: Settings,
        storage: Storage,
        environ: Mapping[str, str],
        workers: int,
        listener: Listener | None = None,
        lease_margin_s: float = LEASE_MARGIN_S,
        say: Say = lambda text: None,
    ) -> None:
        clock = SystemClock()
        self._stamp = Stamp(clock, SystemIds(clock.now))
        self._log = ThreadedLog(storage.log, storage.raw.bell, check_files=storage.raw.check_files)
        self._patient = WaitingLog(self._log, clock, say)
        self._doorbell = LogDoorbell(self._log, storage.raw.bell)
        self._dispatch = AsyncDispatch(self._patient, storage.source, DECIDERS)
        self._feed = Feed(self._log, live_views(home, storage), listener)
        self._folders = Folders(environ.get("PATH", ""))
        self._processes = ProcessTrees()
        self._blobs = BlobStore(home.blobs, storage.redact)
        self._tree = WorkTrees([*(home.root / name for name in OWN_FOLDERS), home.root / ".env"])
        self._home = home
        self._settings = settings
        self._storage = storage
        self._environ = environ
        self._agents = HomeAgents(AgentFiles(home.root, settings.agents_enabled))
        self._workers = workers
        self._mediator = self._mediating()
        self._lease_margin_s = lease_margin_s
        self._last_resort = LastResort()
        self.inbox = WatchdogInbox(home.root, hard_links=settings.allow_hard_links)

    async def run(self, drain_wait_s: float | None) -> str:
        """Serve until told to stop, or until drained; the reason of the end. Only for the owner."""
        self._processes.adopt_orphans()
        for name in ("results", "summaries", "blobs", "logs/tree", "tasks/processed"):
            await trio.to_thread.run_sync(sweep, self._home.root / name)
        if await self._folders.executable(self._settings.claude_executable) is None:
            # Said before anything is claimed: otherwise each task in the queue would fail of it.
            program = self._settings.claude_executable
            where = (
                "is no program that may be run" if {"/", "\\"} & set(program) else "was not found on the PATH"
            )
            raise AgentMissing(f"the agent's program {program!r} {where}.")
        try:
            async with self.inbox:
                with closing(self._doorbell):
                    supervisor = Supervisor(await self._crew(), drain_wait_s)
                    async with trio.open_nursery() as nursery:
                        await nursery.start(_obeying, supervisor)
                        reason = await supervisor.run()
                        nursery.cancel_scope.cancel()
        finally:
            self._last_resort.disarm()
        return reason

    async def _crew(self) -> Crew:
        feed, dispatch, stamp = self._feed, self._dispatch, self._stamp
        ground = ground_of(self._home, self._settings)
        executable = await self._folders.executable(self._settings.claude_executable)
        agent = self._agent(executable or self._settings.claude_executable)
        conditions = self._conditions(agent.executable, found=executable is not None)
        thresholds = Thresholds(self._settings.similarity_threshold, self._settings.entropy_threshold)
        claims = Claims(
            feed,
            dispatch,
            stamp,
            self._folders,
            self._processes,
            self._agents,
            ground,
            conditions,
            thresholds,
            self._settings.daily_budget_usd,
            self._lease_margin_s,
        )
        reconcile = Reconcile(feed, dispatch, stamp, self._processes, self._tree, self._blobs)
        shop = Workshop(
            feed=feed,
            dispatch=dispatch,
            stamp=stamp,
            claims=claims,
            agent=agent,
            mediator=self._mediator,
            checks=self._checks(),
            tree=self._tree,
            blobs=self._blobs,
            folders=self._folders,
            denied=denied_by(self._home, ground.private),
            max_turns=self._settings.max_turns,
            inactivity_s=self._settings.inactivity_s,
        )
        return Crew(
            feed=feed,
            doorbell=self._doorbell,
            dispatch=dispatch,
            stamp=stamp,
            processes=self._processes,
            reconcile=reconcile,
            leases=Leases(feed, reconcile),
            claims=claims,
            intake=self._intake(ground),
            mediator=self._mediator,
            wishes=self._wishes(ground),
            policies=PolicyRunner(feed, dispatch, stamp, mediated=self._mediator.on),
            timers=Timers(feed, stamp),
            artifacts=self._artifact_writer(),
            archiver=Archiver(feed, self.inbox, dispatch, stamp),
            keeper=Keeper(feed, self._storage.records, dispatch, stamp),
            disk=self._disk_watch(),
            signer=TreeSigner(feed, self._storage.tree, dispatch, stamp),
            workers=[Worker(f"w{number + 1}", shop) for number in range(self._workers)],
            fatal=(LogFailed, LogUnreadable, NotNow, MirrorAhead, Fenced),
            version=installed_version(),
            last_resort=self._last_resort.arm,
        )

    def _conditions(self, executable: str, *, found: bool) -> Conditions:
        return Conditions(
            executable=executable,
            executable_found=found,
            max_turns=self._settings.max_turns,
            timeout_s=self._settings.timeout_s,
            skip_permissions=self._settings.skip_permissions,
            workers=self._workers,
            watcher_running=self.inbox.watching,
            inactivity_s=self._settings.inactivity_s,
            max_budget_usd=self._settings.max_budget_usd,
            validation_retries=self._settings.validation_retries,
            validation_backoff=self._settings.validation_backoff,
        )

    def _wishes(self, ground: Ground) -> WishReader:
        known = self._folders, self._agents
        return WishReader(self._feed, self._mediator, *known, ground, self._dispatch, self._stamp)

    def _intake(self, ground: Ground) -> Intake:
        kept = self._feed, self.inbox, self._folders, self._agents
        return Intake(*kept, ground, self._dispatch, self._stamp, self._storage.redact)

    def _agent(self, executable: str) -> ClaudeAgent:
        return ClaudeAgent(
            executable=executable,
            environ=self._environ,
            env_allow=self._settings.env_allow,
            blobs=self._blobs,
            redact=self._storage.redact,
            trees=self._processes,
            skip_permissions=self._settings.skip_permissions,
        )

    def _mediating(self) -> Mediator:
        settings, model = self._settings, None
        if settings.model is not None:
            # A verb holds the home while it asks, and a service that starts waits for it half a minute.
            timeout_s = settings.model_timeout_s if self._workers else min(VERB_S, settings.model_timeout_s)
            model = LateModel(settings.ollama_host, settings.model, settings.model_silence_s, timeout_s)
        return Mediator(model, self._feed, self._stamp, self._storage.redact, settings.model_num_ctx)

    def _disk_watch(self) -> DiskWatch:
        disk, reserve = DiskOf(self._home.logs), self._settings.disk_reserve_bytes
        at_once = AsyncDispatch(self._log, self._storage.source, DECIDERS)
        return DiskWatch(self._feed, disk, self._patient, self._log.check, reserve, at_once, self._stamp)

    def _artifact_writer(self) -> ArtifactWriter:
        outputs, stored = OutputFiles(self._home.root), partial(_artifacts, self._home, self._storage)
        return ArtifactWriter(self._feed, self._log, outputs, self._dispatch, self._stamp, stored)

    def _checks(self) -> CheckRunner:
        return CheckRunner(
            self._processes, self._environ, self._settings.env_allow, self._blobs, self._storage.redact
        )

    async def read_wish(self, task_id: str) -> None:
        """For a verb that owns the home for a moment: one wish is understood, and all get their places."""
        crew = await self._crew()
        self._patient.give_up()
        await crew.feed.advance()
        await crew.wishes.drain(task_id)
        await crew.policies.drain()

    async def settle(self) -> None:
        """For a verb that owns the home for a moment: what it decided is carried out, nothing is claimed."""
        crew = await self._crew()
        self._patient.give_up()  # whoever calls a verb is not kept waiting for room
        await crew.feed.advance()
        await crew.reconcile.close_foreign()
        await crew.policies.drain()
        await crew.artifacts.drain()
        await crew.archiver.drain()
        await crew.keeper.once()


async def _obeying(
    supervisor: Supervisor, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    await obey_signals(supervisor, task_status)
