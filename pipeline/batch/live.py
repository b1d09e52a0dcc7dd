"""A run while it goes on: passes on what it hears, and keeps a small file and the page up to
date."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.batch.estimates.estimator import Estimate
from pipeline.batch.observer import Observer
from pipeline.batch.plan import Action, Plan, PlannedPair
from pipeline.errors import StylizeError
from pipeline.job import Job, Outcome, Status
from pipeline.reading import Reading
from pipeline.store.layout import preview_name
from pipeline.store.now import AtWork, Now, forget, write_now
from pipeline.store.roll import Enrolled, add_to_roll, write_roll
from pipeline.store.store import Store

# Between two writings of the small file: what `status` says is this old at most, or a step.
_FILE_SECONDS = 2.0
# Pairs at work, up to which the file is written at each one's start: two hundred begin at once.
_FEW = 8
# Between two looks at what the pairs that wait will take.
_AHEAD_SECONDS = 10.0
# Of the page: a reader looks at it for longer.
_PAGE_SECONDS = 5.0
# Of the processor. A page that takes longer waits for the run's end, as signals and deadlines are
# to be heard in two seconds: that of 600 pairs takes 0.8.
_LONGEST_WRITING = 2.0
_MOST_SHARE = 0.05  # of the run's time, for writing the page
_LONGEST_REASON = 500  # characters
# How pairs stand before any is painted, by what is planned for them.
_STATUS: Mapping[Action, Status] = {
    "paint": "not_started",
    "keep": "up_to_date",
    "fail": "failed",
    "quarantined": "quarantined",
}
# Points of one curve: more are not seen (report/drawings draws 32), and twice as many are kept, of
# which every second goes when there are too many.
MOST_POINTS = 32
# Of the curves of all pairs at work, so that the run's small file stays below 64 KiB
# (store/checksummed_json): a point of six losses has 80 bytes.
POINTS_IN_ALL = 480
LEAST_POINTS = 8  # with fewer there is no curve
_MOST_LOSSES = 6  # total, content, style, tv and two more
_DIGITS = 4
_Point = tuple[int, dict[str, float]]  # a step, and losses by name


class Live:
    """An Observer (batch/observer) between a run and whoever listens.

    `ahead` tells what the pairs that wait will take, `write_page` writes the page, and `sources`
    are a pair's content and styles as reports name them; they are called only when the run is
    planned. Nothing that fails here costs the run anything.
    """

    def __init__(self, observer: Observer, store: Store, run_id: str, shard: str | None) -> None:
        self._observer, self._store, self._shard = observer, store, shard
        self.now = Now(run=run_id, started=_time(), updated=_time())
        self.ahead: Callable[[], Estimate | None] = lambda: None
        self.write_page: Callable[[Now], object] = lambda now: None
        self.sources: Callable[[Job], tuple[str, tuple[str, ...]]] = lambda job: ("", ())
        self._at_work: dict[str, AtWork] = {}
        self._curves: dict[str, Curve] = {}
        self._ended: list[Enrolled] = []  # and not in the roll yet
        self._ends: dict[str, float] = {}  # by the clock `time.monotonic`, of the pairs at work
        self._left: float | None = None  # seconds that those that wait will take
        self._wrote = self._page_due = self._ahead_due = 0.0
        self._new = False  # there is news for the page
        self._unwritten = False  # the report could not be

    def begin(self) -> None:
        """Says that there is a run, before it looks at what there is to do, which can take minutes:
        one that is killed meanwhile is known to have been."""
        with suppress(OSError, StylizeError):
            write_now(self._store, self._shard, self.now)

    def planned(self, plan: Plan, ahead: Estimate | None) -> None:
        """Says how much lies ahead."""
        self._observer.planned(plan, ahead)
        self.now = replace(self.now, whole=plan.count("paint") + plan.count("fail"))
        self._look_ahead(ahead)
        if plan.count("paint"):
            with suppress(OSError, StylizeError):
                write_roll(self._store, self._shard, self.now.run, map(self._enrolled, plan.pairs))
            self._write(0.0)

    def started(self, job: Job, steps: int, estimate: Estimate | None) -> None:
        """A pair is at work."""
        self._observer.started(job, steps, estimate)
        self._forget_preview(job.output)
        self._at_work[job.output] = AtWork(
            output=job.output, steps=steps, started=_time(), unit="frame" if job.options.is_clip else "step"
        )
        self._curves[job.output] = Curve()
        if estimate:
            self._ends[job.output] = time.monotonic() + estimate.seconds
        if time.monotonic() >= self._ahead_due:
            self._look_ahead(self.ahead())
        # Of few, nothing more may be heard for a minute; of many somebody is heard of soon.
        self._write(0.0 if len(self._at_work) <= _FEW else None)

    def corrected(self, ahead: Estimate) -> None:
        """What was learnt of the pairs that wait."""
        self._observer.corrected(ahead)
        self._look_ahead(ahead)

    def resumed(self, job: Job, position: str, steps: int) -> None:
        """It goes on from its checkpoint."""
        self._observer.resumed(job, position, steps)
        if job.output in self._at_work:
            self._at_work[job.output] = replace(self._at_work[job.output], step=steps)

    def reading(self, job: Job, reading: Reading, coarse: bool) -> None:
        """A step of it."""
        self._observer.reading(job, reading, coarse)
        pair = self._at_work.get(job.output)
        if pair is None:
            return
        if not coarse:
            left = max(pair.steps - reading.step, 0) * reading.seconds / reading.step
            self._ends[job.output] = time.monotonic() + left
        self._curves[job.output].add(reading)
        self._at_work[job.output] = replace(
            pair, step=reading.step, side=reading.side, coarse=coarse, loss=reading.total
        )
        self._write()

    def finished(self, outcome: Outcome) -> None:
        """A pair's end. Of one that was stopped midway the small picture stays."""
        self._observer.finished(outcome)
        was_at_work = self._at_work.pop(outcome.output, None) is not None
        self._ends.pop(outcome.output, None)
        self._curves.pop(outcome.output, None)
        if was_at_work:
            self._ended.append(Enrolled(output=outcome.output, status=outcome.status, reason=outcome.reason))
        if was_at_work and outcome.status != "interrupted":
            self._forget_preview(outcome.output)
        if not outcome.attempts:
            return
        self.now = replace(self.now, finished=self.now.finished + 1)
        if outcome.status == "failed":
            last = {"output": outcome.output, "reason": (outcome.reason or "")[:_LONGEST_REASON], "time": _time()}
            self.now = replace(self.now, failed=self.now.failed + 1, last_failure=last)
        self._new = True
        self._write(page=False)  # which the next pair's start writes, to show it at work

    def waiting(self, holder: str) -> None:
        """Passed on."""
        self._observer.waiting(holder)

    def standing(self, text: str) -> None:
        """A warning that holds night after night."""
        self._observer.standing(text)

    def warned(self, text: str) -> None:
        """Passed on."""
        self._observer.warned(text)

    def unwritten(self, report: str) -> None:
        """The report could not be written, so the small files stay: nothing else says that there
        was a run."""
        self._unwritten = True
        self._observer.unwritten(report)

    def ended(self, report: Mapping[str, Any], output: str) -> None:
        """Passed on."""
        self._observer.ended(report, output)

    def refused(self, error: StylizeError) -> None:
        """Passed on."""
        self._observer.refused(error)

    def close(self) -> None:
        """The report is written, so the small files go."""
        if not self._unwritten:
            forget(self._store, self._shard)

    def _look_ahead(self, ahead: Estimate | None) -> None:
        self._left = ahead.seconds if ahead else None
        self._ahead_due = time.monotonic() + _AHEAD_SECONDS

    def _write(self, apart: float | None = None, *, page: bool = True) -> None:
        """The small file, `apart` so many seconds from the last, and then the `page`, where it is
        due."""
        clock = time.monotonic()
        if clock < self._wrote + (_FILE_SECONDS if apart is None else apart):
            return
        self._wrote = clock
        self.now = replace(
            self.now, updated=_time(), at_work=self._pairs(clock), seconds_left=self._seconds_left(clock)
        )
        with suppress(OSError, StylizeError):
            if ended := self._ended:
                self._ended = []
                add_to_roll(self._store, self._shard, ended)
        with suppress(OSError, StylizeError):
            write_now(self._store, self._shard, self.now)
        if page and self._new and clock >= self._page_due:
            self._new = False
            work = time.process_time()
            self.write_page(self.now)
            self._page_due = clock + max(_PAGE_SECONDS, (time.monotonic() - clock) / _MOST_SHARE)
            if time.process_time() - work > _LONGEST_WRITING:
                self.write_page = lambda now: None

    def _pairs(self, clock: float) -> list[AtWork]:
        points = points_each(len(self._at_work))
        return [
            replace(
                pair,
                seconds_left=max(self._ends[output] - clock, 0.0) if output in self._ends else None,
                curve=self._curves[output].columns(points),
            )
            for output, pair in self._at_work.items()
        ]

    def _enrolled(self, pair: PlannedPair) -> Enrolled:
        content, style = self.sources(pair.job)
        return Enrolled(
            output=pair.job.output,
            status=_STATUS[pair.action],
            content=content,
            style=[*style],
            reason=None if pair.action == "paint" else pair.reason,
        )

    def _seconds_left(self, clock: float) -> float | None:
        """Of the pairs at work and, after them, those that wait."""
        at_work = max((end - clock for end in self._ends.values()), default=0.0)
        if self._left is None:
            return max(at_work, 0.0) if self._ends else None
        return max(at_work, 0.0) + self._left

    def _forget_preview(self, output: str) -> None:
        with suppress(OSError, StylizeError):
            self._store.delete(preview_name(output))


def _time() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


class Curve:
    """Readings of one pair, of its present stage alone: losses of two sizes make no curve."""

    def __init__(self) -> None:
        self._side, self._last, self._every = 0, 0, 1
        self._points: list[_Point] = []
        self._latest: _Point | None = None  # which may be none of them

    def add(self, reading: Reading) -> None:
        """One more step."""
        if reading.side != self._side or reading.step <= self._last:
            self._side, self._every, self._points, self._latest = reading.side, 1, [], None
        self._last = reading.step
        losses = dict(list(reading.losses.items())[:_MOST_LOSSES])
        if not all(map(math.isfinite, losses.values())):
            return
        self._latest = reading.step, losses
        if (reading.step - 1) % self._every:
            return
        self._points.append(self._latest)
        if len(self._points) > 2 * MOST_POINTS:
            self._every *= 2
            self._points = self._points[::2]

    def columns(self, most: int) -> dict[str, list[float]]:
        """By name of a loss, and `step`: as many numbers each, at most `most`, evenly taken, with
        the first and the last. Nothing where there are fewer than two readings."""
        points = self._points
        if self._latest is not None and self._latest not in points[-1:]:
            points = [*points, self._latest]
        last, number = len(points) - 1, min(most, len(points))
        if number < 2:
            return {}
        taken = [points[round(index * last / (number - 1))] for index in range(number)]
        columns: dict[str, list[float]] = {"step": [step for step, _ in taken]}
        for name in taken[0][1]:
            columns[name] = [float(f"{losses.get(name, 0.0):.{_DIGITS}g}") for _, losses in taken]
        return columns


def points_each(pairs: int) -> int:
    """How many points the curve of each of so many pairs may have."""
    points = min(POINTS_IN_ALL // max(pairs, 1), MOST_POINTS)
    return points if points >= LEAST_POINTS else 0
