"""One run: take the lock, plan, have every pair painted that needs it, record, report. Never imports TensorFlow."""

from __future__ import annotations

import datetime
import secrets
import time
from typing import Any

from pipeline.batch.closing import call_hook, close
from pipeline.batch.files import remove_parts
from pipeline.batch.ledger import Ledger
from pipeline.batch.lock import run_lock
from pipeline.batch.night import Night
from pipeline.batch.observer import Observer
from pipeline.batch.plan import make_plan
from pipeline.batch.records import State
from pipeline.batch.selection import Selection
from pipeline.batch.signals import stop_on_signals
from pipeline.job import Manifest

# A part file is written in seconds; the other shards' live ones are younger than this, whatever their machines' clocks say.
_SURELY_DEAD_SECONDS = 3600.0


def run(
    manifest: Manifest,
    selection: Selection,
    observer: Observer,
    *,
    command: tuple[str, ...] = (),
    wait_seconds: float = 0.0,
) -> dict[str, Any]:
    """Bring every selected pair up to date; returns the report, whose `run.exit_code` is the run's.

    `command` is the command line, for the report; `wait_seconds` is how long another run is waited for.
    Raises, before anything was started: Locked, OutputError, WeightsError.
    """
    began = time.time()
    run_id = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    state = State(manifest.output)
    with run_lock(state.folder, run_id, wait_seconds, selection.shard), stop_on_signals() as stopped:
        remove_parts(manifest.output, seconds_old=0.0 if selection.shard is None else _SURELY_DEAD_SECONDS)
        plan = make_plan(manifest, state, selection)
        observer.planned(plan)
        for warning in manifest.warnings:
            observer.warned(warning)
        ledger = Ledger(manifest, state, observer, run_id)
        if manifest.run.on_start:
            call_hook(ledger, manifest.run.on_start, None, selection.shard)
        night = Night(plan, ledger, stopped, began)
        night.work()
        return close(night, began=began, command=command, selection=selection)
