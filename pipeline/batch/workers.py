"""How many workers a run has where its manifest leaves that to the machine: `jobs: auto`.

The time of n pairs on k workers, of t threads each, in times of a pair on one thread:

    ceil(n / k) · (s + (1 - s) / t)        t = processors / k

by Amdahl's law (AFIPS 1967), where s is the share of a pair that knows one thread only: files are
opened and written, what TensorFlow does in Python. More workers lose nothing by it, and lose where
their last round is not full. Each imports and traces for itself, all at the same time, so that a
start costs processor time and no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from pipeline.batch.estimates.estimator import Estimate, Estimator
from pipeline.batch.system.machine import gpus, memory, usable_processors
from pipeline.images.reader import READER, Reader
from pipeline.job import AUTO_WORKERS, Job, RunSettings

# Of a pair of 128 px after a worker's first: processor time of the thread that Python runs in, of
# that of all, measured with 8 steps and reckoned for 50. That one process of two threads makes as
# many steps per second as two of one was measured on two idle cores.
_ON_ONE_THREAD = 0.1
# Of the machine's memory, the part that workers may be given together: programs beside them, and
# the disk's cache. Chosen.
_OF_MEMORY = 0.8


def settled(settings: RunSettings, jobs: Iterable[Job], reader: Reader = READER) -> RunSettings:
    """The settings with as many workers as bring `jobs`, those to be painted, to their end soonest,
    where they say `auto`; else as they are."""
    if settings.workers != AUTO_WORKERS:
        return settings
    pairs = list(jobs)
    if settings.engine != "local" or len(pairs) < 2:
        return replace(settings, workers=1)
    if graphics := len(gpus()):  # one each; not measured
        return replace(settings, workers=min(graphics, len(pairs)), shared_memory=True)
    estimator = Estimator(threads=1, max_memory=settings.max_memory, reader=reader)
    most = _with_room(settings, (estimator.estimate(job) for job in pairs))
    workers = fastest(len(pairs), usable_processors(), settings.threads, most)
    return replace(settings, workers=workers, shared_memory=True)


def fastest(pairs: int, processors: int, threads: int | None, most: int) -> int:
    """How many workers, up to `most`, end first with so many pairs; of those that end together, the
    fewest. `threads` of each are given, or None for its share of the processors."""

    def seconds(workers: int) -> float:
        each = threads or processors // workers
        return math.ceil(pairs / workers) * (_ON_ONE_THREAD + (1 - _ON_ONE_THREAD) / each)

    highest = max(1, min(pairs, processors // (threads or 1), most))
    return min(range(1, highest + 1), key=lambda workers: (round(seconds(workers), 9), workers))


def _with_room(settings: RunSettings, estimates: Iterable[Estimate | None]) -> int:
    """How many workers there is memory for, each with the pair that needs most. `max_memory` is
    then that of all of them together."""
    needed = max((estimate.memory for estimate in estimates if estimate), default=0)
    room = _OF_MEMORY * memory()[0] if settings.max_memory is None else settings.max_memory
    return max(1, int(room // needed)) if needed else 1
