"""The work of one run: which pair is next, and what is done about how it went. Decides; workers
paint."""

from __future__ import annotations

import math
import random
import traceback
from collections import Counter, deque
from collections.abc import Collection
from contextlib import suppress
from typing import Any, assert_never

from pipeline.batch.engines.protocol import Event, OpenEngine, Remark
from pipeline.batch.estimates.disk_space import check_floor
from pipeline.batch.estimates.estimator import START_SECONDS, Estimate, Estimator, in_all, time_limit
from pipeline.batch.messages import (
    Command,
    Done,
    Failed,
    Interrupted,
    Killed,
    LastMessage,
    Machine,
    PartDone,
    Position,
    Read,
    Resumed,
    Saved,
    Started,
)
from pipeline.batch.plan import Plan, PlannedPair
from pipeline.batch.results import Results
from pipeline.batch.system.deadline import End, Moment
from pipeline.batch.system.machine import worker_threads
from pipeline.batch.system.signals import Stop
from pipeline.clip_names import is_clip_name
from pipeline.clips.facts import as_json
from pipeline.errors import (
    DiskFull,
    EnvironmentProblem,
    ExitCode,
    MachineLost,
    OutOfMemory,
    OutOfTime,
    PairError,
    Stopped,
    StylizeError,
    WorkerDied,
)
from pipeline.images.reader import READER, Reader
from pipeline.job import Job, RunSettings, flat
from pipeline.program import version

# Classes of failures whose second try gets the machine for itself: memory that ran out was perhaps
# another worker's doing.
_WANTS_ROOM = frozenset({OutOfMemory.reason_class, WorkerDied.reason_class})
# What ends a run tells its workers too: systemd (KillMode=control-group) and scancel do.
_OF_A_STOP = frozenset({WorkerDied.reason_class, MachineLost.reason_class})
# How often a pair may lose its machine before it is held to be the reason: a node whose memory ran
# out is gone too. `retries` does not count these: where machines come and go it would be used up.
_MOST_LOSSES = 5
# Of the pairs that wait, that an estimate of them all looks at, every ten seconds: if pairs take
# between nothing and twice the mean, it is right within 3 % mostly. By chance, as every n-th of a
# matrix may be of one style.
_MOST_LOOKED_AT = 400


class Scheduler:
    """One run over a plan, until its `end`. `open_engine` makes what paints it; `machine` is where
    that was, once it is known. `reader` tells the sizes of pictures."""

    def __init__(
        self,
        plan: Plan,
        results: Results,
        open_engine: OpenEngine,
        stopped: Stop,
        end: End,
        reader: Reader = READER,
    ) -> None:
        self.plan, self.results, self.stopped = plan, results, stopped
        self.machine: Machine | None = None
        self._open_engine, self._reader = open_engine, reader
        self._settings: RunSettings = results.manifest.run
        self._end = end
        self._waiting = deque(pair for pair in plan.pairs if pair.action == "paint")
        self._estimator = Estimator(
            results.state.recent() if self._waiting else (),
            threads=worker_threads(self._settings),
            max_memory=self._settings.max_memory,
            reader=reader,
        )
        self._reasons: dict[str, Failed] = {}  # of the last failed try
        # where a pair's checkpoint stood when it was last told
        self._saved: dict[str, Position] = {}
        self._in_hand: dict[str, PlannedPair] = {}  # pairs that workers have, by output
        self._losses: Counter[str] = Counter()  # of machines under a pair
        self._alone: set[str] = set()  # outputs that are painted with no other beside them
        self._closing = False  # no new pair is started any more
        self._aborted: Exception | None = None  # what ended the work before its time

    def ahead(self) -> Estimate | None:
        """What the pairs that wait will probably take, with the start of the run where it is still
        to come."""
        looked_at = _some(self._waiting)
        estimates = [self._estimator.estimate(pair.job) for pair in looked_at]
        slots = self.machine.slots if self.machine else 0
        return in_all(
            estimates,
            slots or self._settings.workers,
            started=self.machine is not None,
            stand_for=len(self._waiting) / max(1, len(looked_at)),
        )

    def abort(self, trouble: Exception) -> None:
        """Start no pair any more, for this reason: the machine's, or a bug's. It ends the work and
        not the books."""
        self._aborted, self._closing = trouble, True
        if isinstance(trouble, StylizeError):
            self.results.codes.add(trouble.exit_code)
            self.results.warn(str(trouble))
            return
        self.results.codes.add(ExitCode.BUG)
        self.results.write_log("".join(traceback.format_exception(trouble)))
        self.results.warn(f"a bug ended the run; its traceback is in {self.results.log}")

    def work(self) -> None:
        """Settle what needs no painting, then have the rest painted."""
        try:
            self._work()
        except Exception as trouble:
            self.abort(trouble)
        for pair in self.plan.pairs:
            if not self.results.knows(pair.job):
                self._leave_over(pair)

    def _work(self) -> None:
        for pair in self.plan.pairs:
            if pair.action == "keep":
                self.results.add(self.results.kept(pair))
            elif pair.action == "fail" and pair.job.refusal:
                self.results.refused(pair)
                self._closing = self._closing or self._settings.on_error == "stop"
            elif pair.action == "fail":
                self.results.failed(pair, pair.reason, pair.reason_class, attempts=1)
                self._closing = self._closing or self._settings.on_error == "stop"
            elif pair.action == "quarantined":
                self.results.quarantined(pair)
        if self._waiting and not self._closing:
            self._paint()

    def _paint(self) -> None:
        engine = self._open_engine(self._settings, self.results.log)
        for event in engine.run(self._next, self.is_over):
            if isinstance(event, Remark):
                self.results.warn(event.text)
            else:
                self._hear(event)
            self.machine = engine.machine
        if self._waiting and self.stopped.by is None and self._late():
            self.results.codes.add(ExitCode.DEADLINE)

    def is_over(self) -> bool:
        """Has a signal ended the run, or its time?"""
        return self.stopped.by is not None or self._late()

    def _late(self) -> bool:
        return self._end.seconds_left(Moment.now()) <= 0

    def _next(self) -> Command | None:
        """To paint the first waiting pair that can be finished in time, or of which something can;
        None when there is none to start (now or ever)."""
        if self._closing or self._in_hand.keys() & self._alone:
            return None
        if self._waiting and not self._has_room():
            return None
        for pair in self._waiting:
            if self._fits(pair):
                if self._in_hand and pair.job.output in self._alone:
                    return None
                self._waiting.remove(pair)
                self._in_hand[pair.job.output] = pair
                return self._command(pair)
        if self._waiting:
            self._closing = True
            self.results.codes.add(ExitCode.DEADLINE)
        return None

    def _has_room(self) -> bool:
        """Does the disk have more room than the run is to leave? Else the run ends in order."""
        try:
            check_floor(self.results.manifest.output, self._settings.min_free_disk)
        except DiskFull as full:
            self.abort(full)
        return not self._closing

    def _fits(self, pair: PlannedPair) -> bool:
        left = self._end.seconds_left(Moment.now())
        if left == math.inf:
            return True
        if self._late():
            return False
        estimate = self._estimator.estimate(pair.job)
        start_seconds = START_SECONDS if self.machine is None else 0.0
        return start_seconds + (estimate.least if estimate else 0.0) <= left

    def _command(self, pair: PlannedPair) -> Command:
        weights = pair.weights
        assert weights is not None  # a pair that paints has its network
        estimate = self._estimator.estimate(pair.job)
        if self._settings.keep_previous is not None:
            with suppress(OSError, StylizeError):  # what is not there cannot be kept
                self.results.state.store.fetched(pair.job.output)
        return Command(
            job=pair.job,
            weights=weights,
            folder=self.results.manifest.output,
            place=self.results.state.store.place,
            names=self.results.names(pair.job),
            max_memory=self._settings.max_memory,
            memory=estimate.memory if estimate else None,
            seconds=self._settings.pair_timeout or time_limit(estimate),
            preview=self._settings.preview,
            save_every=self._settings.save_every,
            keep_previous=self._settings.keep_previous,
            facts=self._facts(pair.job),
            versions={"pipeline": version("stylize-pipeline")},
        )

    def _facts(self, job: Job) -> dict[str, Any] | None:
        """What the plan knows of a clip, so that no worker has to decode all of it to know that."""
        if not (job.options.is_clip or is_clip_name(job.content.name)):
            return None
        with suppress(PairError, Stopped, OutOfTime):  # the worker finds out by itself
            return as_json(self._reader.clip(job.content, job.home_of(job.content)))
        return None

    def _hear(self, event: Event) -> None:
        output, message = event
        pair = self._in_hand[output]
        if isinstance(message, LastMessage):
            del self._in_hand[output]
        match message:
            case Started():
                self._started(pair)
            case Read():
                self._read(pair, message)
            case Resumed(position):
                self._saved[output] = position
                self.results.observer.resumed(pair.job, position.words, position.steps)
            case Saved(position):
                self._saved[output] = position
            case Done():
                self._done(pair, message)
            case PartDone():
                raise AssertionError(f"a part of {output} was heard of, which is no pair")
            case Failed():
                self._failed(pair, message)
            case Interrupted(saved):
                self._interrupted(pair, saved)
            case Killed():
                self._interrupted(pair, self._saved.get(output))
            case _:
                assert_never(message)

    def _started(self, pair: PlannedPair) -> None:
        self.results.begin_try(pair)
        self.results.observer.started(pair.job, self._estimator.steps(pair.job), self._estimator.estimate(pair.job))

    def _read(self, pair: PlannedPair, message: Read) -> None:
        self.results.observer.reading(pair.job, message.reading, message.coarse)
        learnt = not message.coarse and self._estimator.try_out(pair.job, message.reading)
        if learnt and (ahead := self.ahead()):
            self.results.observer.corrected(ahead)

    def _done(self, pair: PlannedPair, message: Done) -> None:
        try:
            self.results.state.store.deliver(pair.job.output)
        except StylizeError as trouble:
            self._failed(pair, Failed.by(trouble))
            return
        for known in (self._reasons, self._saved):
            known.pop(pair.job.output, None)
        outcome = self.results.done(pair, message.painted, message.notes)
        # A disk that takes no record takes no picture.
        self._closing = self._closing or ExitCode.ENVIRONMENT in self.results.codes
        self._estimator.learn(flat(outcome))
        self.results.add(outcome)

    def _interrupted(self, pair: PlannedPair, saved: Position | None) -> None:
        ended = "stopped"
        if self.stopped.by is None and self._late():
            ended = "the deadline came"
            self.results.codes.add(ExitCode.DEADLINE)
        if saved is None:
            reason, steps = f"{ended} before there was anything to save", 0
        else:
            reason, steps = f"{ended}; {saved.words} is saved, and the next run goes on from there", saved.steps
        self.results.add(self.results.outcome(pair, "interrupted", reason=reason, steps=steps))

    def _failed(self, pair: PlannedPair, failure: Failed) -> None:
        if self.stopped.by is not None and failure.reason_class in _OF_A_STOP:
            return self._interrupted(pair, self._saved.get(pair.job.output))
        self._reasons[pair.job.output] = failure
        if self.stopped.by is None and not self._closing and self._may_retry(pair, failure):
            tries = self.results.tries(pair)
            self.results.observer.warned(f"{pair.job.output}: {failure.reason}; trying once more ({tries + 1})")
            self._waiting.appendleft(pair)
            if failure.reason_class in _WANTS_ROOM and self._settings.engine == "local":
                self._alone.add(pair.job.output)
            return
        if failure.traceback:
            self.results.write_log(f"{pair.job.output}\n{failure.traceback}")
        self.results.failed(pair, failure.reason, failure.reason_class, failure.exit_code)
        if failure.exit_code is ExitCode.ENVIRONMENT or self._settings.on_error == "stop":
            self._closing = True

    def _may_retry(self, pair: PlannedPair, failure: Failed) -> bool:
        output = pair.job.output
        if failure.reason_class == MachineLost.reason_class:
            self._losses[output] += 1
            return self._losses[output] <= _MOST_LOSSES
        return failure.retry and self.results.tries(pair) - self._losses[output] <= self._settings.retries

    def _leave_over(self, pair: PlannedPair) -> None:
        """A pair whose turn never came, or whose second try never came."""
        if last := self._reasons.get(pair.job.output):
            self.results.failed(pair, last.reason, last.reason_class, last.exit_code)
            return
        if isinstance(self._aborted, EnvironmentProblem):
            reason, reason_class = str(self._aborted), self._aborted.reason_class
        elif self._aborted is not None:
            reason, reason_class = "a bug ended the run", "bug"
        elif ExitCode.DEADLINE in self.results.codes:
            reason, reason_class = "no time left before the deadline", "deadline"
        else:
            reason = "the run was stopped" if self.stopped.by else "the run ended early, after a failure"
            reason_class = "stopped"
        self.results.add(self.results.outcome(pair, "not_started", reason=reason, reason_class=reason_class))


def _some(waiting: Collection[PlannedPair]) -> list[PlannedPair]:
    """All of them, or so many as stand for all; the same ones of as many each time."""
    if len(waiting) <= _MOST_LOOKED_AT:
        return list(waiting)
    places = set(random.Random(0).sample(range(len(waiting)), _MOST_LOOKED_AT))
    return [pair for place, pair in enumerate(waiting) if place in places]
