"""One run: take the lock, plan, have every pair painted that needs it, record, report. Never
imports TensorFlow."""

from __future__ import annotations

import contextlib
import datetime
import secrets
from dataclasses import replace
from typing import Any

from pipeline.batch.engines.local import LocalEngine
from pipeline.batch.engines.protocol import OpenEngine
from pipeline.batch.engines.shots import dividing
from pipeline.batch.estimates.disk_space import look_for_room
from pipeline.batch.finish import call_hook, call_last_hook, finish
from pipeline.batch.interim import InterimPage
from pipeline.batch.live import Live
from pipeline.batch.observer import Observer
from pipeline.batch.plan import Plan, PlannedPair, make_plan, refused
from pipeline.batch.results import Results
from pipeline.batch.scheduler import Scheduler
from pipeline.batch.selection import Selection
from pipeline.batch.system.deadline import End, Moment, end_of_run
from pipeline.batch.system.signals import Stop, stop_on_signals
from pipeline.batch.workers import settled
from pipeline.errors import DiskFull, OutOfTime, OutputError, OutputRefused, Stopped
from pipeline.images.reader import Reader
from pipeline.job import Manifest, RunSettings
from pipeline.objects.cache import copies_in_use
from pipeline.store.records import State, name_in_records
from pipeline.store.store import Store, output_store

# A part file is written in seconds; the other shards' live ones are younger than this, whatever
# their machines' clocks say.
_SURELY_DEAD_SECONDS = 3600.0


def run(
    manifest: Manifest,
    selection: Selection,
    observer: Observer,
    *,
    engine: OpenEngine = LocalEngine,
    command: tuple[str, ...] = (),
    wait_seconds: float = 0.0,
) -> dict[str, Any]:
    """Bring every selected pair up to date; returns the report, whose `run.exit_code` is the run's.

    `engine` makes what paints the pairs; `command` is the command line, for the report;
    `wait_seconds` is how long another run is waited for. Raises, where nothing was planned or
    nothing may be written: Locked, OutputError, Stopped.
    """
    began = Moment.now()
    run_id = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    state = State(output_store(manifest), name_in_records(manifest))
    with contextlib.ExitStack() as held:
        stopped = held.enter_context(stop_on_signals())
        waiting = _Waiting(observer, stopped)
        pictures = (path for job in manifest.pairs for path in job.inputs)
        held.enter_context(copies_in_use(pictures, manifest.run.object_cache))
        shard = selection.shard.suffix if selection.shard else None
        held.enter_context(state.store.lock(run_id, wait_seconds, shard, waiting))
        state.store.remove_parts(seconds_old=0.0 if shard is None else _SURELY_DEAD_SECONDS)
        lacks = state.store.try_out()
        end = end_of_run(manifest.run, began)
        reader = Reader(_Clock(stopped, end))
        live = Live(observer, state.store, run_id, shard)
        live.begin()
        try:
            plan, scarce, trouble = _planned(manifest, state, selection, reader)
        except Stopped:
            live.close()
            raise
        manifest = replace(manifest, run=_settled(manifest, plan, reader))
        results = Results(manifest, state, live, run_id)
        results.warnings += [*plan.warnings, *_without_use(manifest), *lacks, *state.strange()]
        scheduler = Scheduler(plan, results, dividing(engine), stopped, end, reader)
        live.ahead, live.sources = scheduler.ahead, results.sources
        live.write_page = InterimPage(scheduler, began, command, selection).write
        live.planned(plan, scheduler.ahead() if trouble is None else None)
        for warning in results.warnings:
            live.standing(warning)
            results.write_log(f"warning: {warning}")
        if scarce:
            results.warn(scarce)
        if trouble is not None:
            scheduler.abort(trouble)
        elif manifest.run.on_start:
            call_hook(results, manifest.run.on_start, None, selection.shard, lambda: stopped.by is not None)
        scheduler.work()
        report = finish(scheduler, began=began, command=command, selection=selection)
        live.close()
        call_last_hook(results, report, selection.shard, stopped)
        return report


def _planned(
    manifest: Manifest, state: State, selection: Selection, reader: Reader
) -> tuple[Plan, str | None, Exception | None]:
    """The plan; a warning where room on the disk is scarce; and what forbids to carry it out, so
    that the report can say it.

    A signal ends the reading of a thousand photographs, and keeps what was learnt of them. Raises
    Stopped then.
    """
    try:
        plan = make_plan(manifest, state, selection, reader)
    except Stopped:
        with contextlib.suppress(OutputError):
            state.hashes.save(whole=False)
        raise
    # weights that are missing, or a bug: none of the pairs is looked at
    except Exception as trouble:
        wanted = (job for job in manifest.pairs if selection.takes(job.output))
        pairs = (refused(job) if job.refusal else PlannedPair(job=job, action="paint", reason="") for job in wanted)
        return Plan(pairs=tuple(pairs)), None, trouble
    try:
        return _without_refused(plan, state.store), look_for_room(plan, manifest.output, state.store, reader), None
    except OutOfTime:  # nothing will be written
        return plan, None, None
    except DiskFull as full:
        return plan, None, full


def _settled(manifest: Manifest, plan: Plan, reader: Reader) -> RunSettings:
    """How to run, with workers for what is to be painted."""
    return settled(manifest.run, (pair.job for pair in plan.pairs if pair.action == "paint"), reader)


def _without_use(manifest: Manifest) -> list[str]:
    """What is asked for and does nothing for any pair of the manifest."""
    if manifest.run.save_every is None or not all(job.options.is_clip for job in manifest.pairs):
        return []
    return ["'save_every' has no effect on clips: each of their frames is kept, below .pipeline/clips"]


def _without_refused(plan: Plan, store: Store) -> Plan:
    """The plan with those pairs as failures whose output's name the file system does not take: it
    would say so after hours of painting."""
    refused = store.refused_names(pair.job.output for pair in plan.pairs if pair.action == "paint")

    def looked_at(pair: PlannedPair) -> PlannedPair:
        if (why := refused.get(pair.job.output)) is None:
            return pair
        reason = f"the file system of the output folder does not take this name ({why}); change the output"
        return replace(pair, action="fail", reason=reason, reason_class=OutputRefused.reason_class)

    return replace(plan, pairs=tuple(map(looked_at, plan.pairs))) if refused else plan


class _Clock:
    """Raises Stopped after a signal, and OutOfTime when the run must be over."""

    def __init__(self, stopped: Stop, end: End) -> None:
        self._stopped, self._end = stopped, end

    def __call__(self) -> None:
        self._stopped.check()
        if self._end.seconds_left(Moment.now()) <= 0:
            raise OutOfTime


class _Waiting:
    """Says once who is waited for, and ends the waiting on a signal."""

    def __init__(self, observer: Observer, stopped: Stop) -> None:
        self._observer, self._stopped = observer, stopped
        self._said = ""

    def __call__(self, holder: str) -> None:
        self._stopped.check()
        if holder and holder != self._said:
            self._observer.waiting(holder)
            self._said = holder
