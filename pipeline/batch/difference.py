"""In what a pair differs from what its record was written of, in words."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from pipeline.batch.networks import network_difference
from pipeline.idle_options import without_effect
from pipeline.job import Job
from pipeline.nst.weights import NetworkWeights
from pipeline.options import LEFT_OUT
from pipeline.store.keys import KEY_SCHEMA, WITHOUT_EFFECT
from pipeline.store.records import Record
from pipeline.style_at import as_table


def difference(job: Job, record: Record, weights: NetworkWeights, outdated: Callable[[], Collection[str]]) -> str:
    """Why two keys differ, in words: the options and the network that changed, or else the program
    or the inputs. `outdated` are the pair's `outdated_keys`."""
    if record.schema != KEY_SCHEMA:
        return "made by another version"
    before, now = {**LEFT_OUT, **record.outcome.get("options", {})}, job.options.all_values()
    idle = {*WITHOUT_EFFECT, *without_effect(job.options, Path(job.output).suffix)}
    changed = [
        f"{name} {_short(before[name])} -> {_short(now[name])}"
        for name in now
        if name not in idle and name in before and not _same(before[name], now[name])
    ]
    if record.outcome.get("style_at", {}) != as_table(job.style_at):
        changed.append("style_at is another")
    shares, shares_now = record.outcome.get("style_shares"), [style.weight for style in job.styles]
    if shares and not job.style_at and len(shares) == len(shares_now) and shares != shares_now:
        changed.append(f"weights of the styles {_numbers(shares)} -> {_numbers(shares_now)}")
    if network := network_difference(record.outcome, weights):
        changed.append(network)
    if changed:
        return ", ".join(changed)
    if record.key in outdated():
        return "an earlier version painted it, and this one paints it otherwise"
    return f"its {_files(job, record)} changed"


def _files(job: Job, record: Record) -> str:
    """What a pair is made from, in words."""
    has_masks = job.masks or record.outcome.get("masks")
    words = {
        "content": not job.options.is_texture,
        "style": True,
        "a mask": has_masks,
        "the picture of init": job.options.starts_from_file,
    }
    *others, last = (word for word, there in words.items() if there)
    return f"{', '.join(others)} or {last}" if others else last


def _numbers(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:g}" for share in shares)[:_MOST_SHOWN]  # a folder has a hundred


def _same(before: Any, now: Any) -> bool:
    """Equal; or, for the picture of `init`, one name, as records know no path of this machine."""
    return bool(before == now) or (isinstance(now, str) and os.path.isabs(now) and now.endswith(f"/{before}"))


def _short(value: Any) -> str:
    if isinstance(value, dict):  # layers; what a record holds may be anything
        return ", ".join(f"{k}: {v:g}" if isinstance(v, int | float) else f"{k}: {v}" for k, v in value.items())
    return (str(value).lower() if isinstance(value, bool) else str(value))[:_MOST_SHOWN]


_MOST_SHOWN = 200  # characters of a value
