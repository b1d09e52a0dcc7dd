"""How a run stands that is going on: one small file, written anew every few seconds.

    OUTPUT/.pipeline/now/run.json

It goes when the run has written its report. One that is there while nobody holds the lock is of a
run that was killed, or that found no room for its report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import StylizeError
from pipeline.job import flat
from pipeline.store.checksummed_json import read_checksummed_json, write_checksummed_json
from pipeline.store.layout import NOW, now_name
from pipeline.store.shapes import MOST, fitting
from pipeline.store.store import Store

_NAME = re.compile(re.escape(NOW) + r"run(?:\.([0-9]{1,6}-of-[0-9]{1,6}))?\.json")
_OF_A_RUN = re.compile(re.escape(NOW) + r"run(?:\.([0-9]{1,6}-of-[0-9]{1,6}))?\.(?:json|pairs\.jsonl)")
_MOST_AT_WORK = 1000  # pairs at the same time
_MOST_BYTES = 2**20  # of the file: a pair at work has some 200 bytes, with a long name a thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class AtWork:
    """A pair that is painted. `step` of `steps` at full size; at a smaller one (`side` pixels, then
    `coarse`) `step` is one there. `seconds_left` are its own. `started` is an ISO time. `curve` has
    the losses at this size by name, each as many numbers as `step` there; none where there are too
    many pairs for all to have one. `unit` is what a step is: a `frame` of a clip."""

    output: str
    steps: int
    step: int = 0
    side: int = 0
    coarse: bool = False
    loss: float | None = None
    seconds_left: float | None = None
    started: str = ""
    curve: dict[str, list[float]] = field(default_factory=dict)
    unit: str = "step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """How a run stands: `finished` of `whole` pairs that it took up to paint, `failed` among them;
    `seconds_left` for those that are left, where that is known. Times are ISO 8601 with offset."""

    run: str
    started: str
    updated: str
    whole: int = 0
    finished: int = 0
    failed: int = 0
    seconds_left: float | None = None
    at_work: list[AtWork] = field(default_factory=list)
    last_failure: dict[str, str] | None = None  # output, reason, time

    def as_row(self) -> dict[str, Any]:
        """In plain JSON values."""
        return flat(self) | {"at_work": [flat(pair) for pair in self.at_work]}


def write_now(store: Store, shard: str | None, now: Now) -> None:
    """Write it. Raises as `Store.write` does."""
    write_checksummed_json(store, now_name(shard), now.as_row())


def forget(store: Store, shard: str | None) -> None:
    """Have nothing stand of a run that is over, and of none that was killed before: whatever cannot
    go on beside this one (store/lock). Other parts of its division may."""
    division = (shard or "").partition("-of-")[2]
    for entry in store.list(NOW):
        if (match := _OF_A_RUN.fullmatch(entry.name)) is None:
            continue
        whose = match[1] or ""
        if whose == (shard or "") or not division or whose.partition("-of-")[2] != division:
            with suppress(OSError, StylizeError):
                store.delete(entry.name)


def read_all(store: Store) -> dict[str, Now]:
    """What runs say of themselves, by shard (`2-of-3`; empty for a whole run). What is not as we
    write it counts as none."""
    found = {}
    for entry in store.list(NOW):
        if (match := _NAME.fullmatch(entry.name)) and (now := _read(store, entry.name)) is not None:
            found[match[1] or ""] = now
    return found


def _read(store: Store, name: str) -> Now | None:
    row = read_checksummed_json(store, name, _MOST_BYTES)
    at_work = row.get("at_work") if isinstance(row, dict) else None
    if not isinstance(at_work, list) or len(at_work) > _MOST_AT_WORK:
        return None
    pairs = [fitting(AtWork, pair) for pair in at_work]
    known = fitting(Now, row, unseen="at_work")
    try:
        if known is None or not all(pair is not None and _can_be(pair) for pair in pairs) or not _can_be(known):
            return None
        return Now(**known | {"at_work": [AtWork(**pair) for pair in pairs if pair is not None]})
    except TypeError:  # something is missing
        return None


def _can_be(row: Mapping[str, Any]) -> bool:
    """Numbers that can be told in words; a loss may be any."""
    numbers = [value for name, value in row.items() if name != "loss" and isinstance(value, int | float)]
    return all(0 <= number <= MOST for number in numbers)
