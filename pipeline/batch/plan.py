"""What a run would do, pair by pair, and why: decided from records, hashes and file names alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pipeline.batch.records import KEY_SCHEMA, Record, State, pair_key
from pipeline.errors import BadImage, PairError
from pipeline.images.settings import read_settings
from pipeline.job import Job, Manifest
from pipeline.studio.weights import Weights, locate

Action = Literal["paint", "keep", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One pair of a plan.

    `paint`: it will be painted; `keep`: its picture is right as it is; `fail`: it cannot be started (`reason` says why).
    `record` is what is known of an earlier picture; for a picture that is right but has no record, `adopted` holds the
    settings found in the picture itself.
    """

    job: Job
    action: Action
    reason: str
    key: str = ""
    weights: Weights | None = None
    record: Record | None = None
    adopted: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of a run, most important first: by priority, then as in the manifest."""

    steps: tuple[Step, ...]

    def count(self, action: Action) -> int:
        """How many steps have this action."""
        return sum(step.action == action for step in self.steps)


def make_plan(
    manifest: Manifest,
    state: State,
    *,
    only: str | None = None,
    limit: int | None = None,
    force: bool = False,
) -> Plan:
    """Compare what the manifest wants with what stands in the output folder. Nothing is written.

    `only` is a glob on output names; `limit` bounds how many pairs are painted; `force` paints even what is up to date.
    Raises WeightsError when a network that a pair asks for is not on this machine.
    """
    wanted = [job for job in manifest.jobs if only is None or fnmatchcase(job.output, only)]
    ordered = sorted(wanted, key=lambda job: -job.priority)  # stable: the manifest's order among equals
    network = functools.cache(locate)
    sha256 = functools.cache(state.hashes.sha256)  # a picture of a matrix stands in hundreds of pairs
    steps = [_step(job, state, network, sha256, force) for job in ordered]
    return Plan(steps=tuple(_limited(steps, limit)))


def _step(
    job: Job, state: State, network: Callable[[str], Weights], sha256: Callable[[Path], str], force: bool
) -> Step:
    weights = network(job.options.weights)
    record = state.record(job.output)
    try:
        key = pair_key(job, sha256, weights.sha256)
    except BadImage as error:
        return Step(job=job, action="fail", reason=str(error), weights=weights, record=record)

    picture = state.output / job.output
    adopted = None
    if force:
        reason = "forced"
    elif not picture.exists():
        reason = "not painted yet" if record is None else "its picture is gone"
    elif record is None:
        adopted = _settings_of(picture)
        if adopted.get("key") == key:
            return Step(job=job, action="keep", reason="up to date", key=key, weights=weights, adopted=adopted)
        reason = "a picture of another making stands there"
    elif record.key != key:
        reason = _difference(job, record)
    elif not record.matches(picture):
        reason = "its picture was changed"
    else:
        return Step(job=job, action="keep", reason="up to date", key=key, weights=weights, record=record)
    return Step(job=job, action="paint", reason=reason, key=key, weights=weights, record=record)


def _settings_of(picture: Path) -> dict[str, Any]:
    try:
        return read_settings(picture)
    except PairError:
        return {}


def _difference(job: Job, record: Record) -> str:
    """Why two keys differ, in words: the options that changed, or else the inputs or the network."""
    if record.schema != KEY_SCHEMA:
        return "made by another version"
    before, now = record.outcome.get("options", {}), job.options.as_dict()
    changed = [
        f"{name} {_short(before[name])} -> {_short(now[name])}"
        for name in now
        if name not in ("preset", "weights") and name in before and before[name] != now[name]
    ]
    return ", ".join(changed) or "its content, style or network changed"


def _short(value: Any) -> str:
    return ", ".join(f"{k}: {v:g}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _limited(steps: Sequence[Step], limit: int | None) -> list[Step]:
    """All steps, but only the first `limit` of those that paint."""
    if limit is None:
        return list(steps)
    kept, painted = [], 0
    for step in steps:
        if step.action == "paint":
            painted += 1
        if step.action != "paint" or painted <= limit:
            kept.append(step)
    return kept
