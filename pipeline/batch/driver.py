"""One run: take the lock, plan, have every pair painted that needs it, record, report. Never imports TensorFlow."""

from __future__ import annotations

import datetime
import secrets
import time
from typing import Any

from pipeline.batch.files import remove_parts
from pipeline.batch.lock import run_lock
from pipeline.batch.night import Night, Observer, Selection
from pipeline.batch.plan import make_plan
from pipeline.batch.records import State
from pipeline.batch.signals import stop_on_signals
from pipeline.job import Manifest


def run(manifest: Manifest, selection: Selection, observer: Observer) -> dict[str, Any]:
    """Bring every selected pair up to date; returns the report, whose `run.exit_code` is the run's.

    Raises, before anything was started: Locked, OutputError, WeightsError.
    """
    began = time.time()
    run_id = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    state = State(manifest.output)
    with run_lock(state.folder, run_id, selection.wait_seconds), stop_on_signals() as stopped:
        remove_parts(manifest.output)
        plan = make_plan(manifest, state, only=selection.only, limit=selection.limit, force=selection.force)
        observer.planned(plan)
        for warning in manifest.warnings:
            observer.warned(warning)
        night = Night(manifest, state, plan, observer, stopped, run_id, began)
        if manifest.run.on_start:
            night.hook(manifest.run.on_start, None)
        night.work()
        return night.close(selection)
