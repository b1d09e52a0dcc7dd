"""What runs leave behind and nobody will ask for any more: old logs, checkpoints, pictures."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pipeline.errors import StylizeError
from pipeline.job import RunSettings
from pipeline.store.clips import pairs_with_frames
from pipeline.store.layout import CHECKPOINT_SUFFIX, CHECKPOINTS, HISTORY, frames_of_pair
from pipeline.store.previous import files_by_pair
from pipeline.store.store import Entry, Store

# Folders, and how the files in them end that become old, beside older pictures. Records, failures
# and the history itself are small and stay.
_AGEING = ((HISTORY, ".log"), (CHECKPOINTS, CHECKPOINT_SUFFIX))


def remove_old(store: Store, settings: RunSettings, rows: Sequence[Mapping[str, Any]]) -> int:
    """Remove what is older than `retention` says, and return how many files that were; `rows` are
    those of the history, oldest first, of which the last may be the run that ends now. What cannot
    be removed stays."""
    if (oldest := _oldest(settings, rows)) is None:
        return 0
    ours = [entry for folder, suffix in _AGEING for entry in store.list(folder) if entry.name.endswith(suffix)]
    older_pictures = itertools.chain.from_iterable(files_by_pair(store).values())
    removed = 0
    for entry in itertools.chain(ours, older_pictures, _frames(store, oldest)):
        if entry.fingerprint.mtime_ns < oldest * 1e9:
            with suppress(OSError, StylizeError):
                store.delete(entry.name)
                removed += 1
    return removed


def _frames(store: Store, oldest: float) -> Iterator[Entry]:
    """Those of clips of which none was painted since `oldest`: a clip may be at work for weeks."""
    for pair in pairs_with_frames(store):
        frames = [entry for entry in store.list(frames_of_pair(pair)) if entry.name.endswith(".png")]
        if max((entry.fingerprint.mtime_ns for entry in frames), default=0) < oldest * 1e9:
            yield from frames


def _oldest(settings: RunSettings, rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The moment, in seconds of `time.time`, before which things are old; None where nothing is."""
    if settings.retention is not None:
        return time.time() - settings.retention
    if settings.retention_runs is not None and len(rows) >= settings.retention_runs:
        # the first of them, unless a clock was set back since: then the others began before it
        return min(map(_began, rows[-settings.retention_runs :]))
    return None


def _began(row: Mapping[str, Any]) -> float:
    """When a run began; before everything, where its row says what no clock can show."""
    try:
        return datetime.fromisoformat(row["started"]).timestamp()
    except (ValueError, OverflowError):
        return -math.inf
