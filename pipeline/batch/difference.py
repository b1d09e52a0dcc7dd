"""In what a pair differs from what its record was written of, in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.batch.networks import network_difference
from pipeline.idle_options import without_effect
from pipeline.job import Job
from pipeline.nst.weights import NetworkWeights
from pipeline.options import LEFT_OUT
from pipeline.store.keys import KEY_SCHEMA
from pipeline.store.records import Record
from pipeline.style_at import as_table


def difference(job: Job, record: Record, weights: NetworkWeights) -> str:
    """Why two keys differ, in words: the options and the network that changed, or else the
    inputs."""
    if record.schema != KEY_SCHEMA:
        return "made by another version"
    before, now = {**LEFT_OUT, **record.outcome.get("options", {})}, job.options.all_values()
    idle = {"preset", "weights", *without_effect(job.options, Path(job.output).suffix)}
    changed = [
        f"{name} {_short(before[name])} -> {_short(now[name])}"
        for name in now
        if name not in idle and name in before and not _same(before[name], now[name])
    ]
    if record.outcome.get("style_at", {}) != as_table(job.style_at):
        changed.append("style_at is another")
    if network := network_difference(record.outcome, weights):
        changed.append(network)
    return ", ".join(changed) or f"its content{', style or a mask' if job.masks else ' or style'} changed"


def _same(before: Any, now: Any) -> bool:
    """Equal; or, for the picture of `init`, one name, as records know no path of this machine."""
    return bool(before == now) or (isinstance(now, str) and os.path.isabs(now) and now.endswith(f"/{before}"))


def _short(value: Any) -> str:
    if isinstance(value, dict):  # layers; what a record holds may be anything
        return ", ".join(f"{k}: {v:g}" if isinstance(v, int | float) else f"{k}: {v}" for k, v in value.items())
    return (str(value).lower() if isinstance(value, bool) else str(value))[:_MOST_SHOWN]


_MOST_SHOWN = 200  # characters of an option's value
