"""The work of one run: which pair is next, and what is done about how it went. Decides; workers paint."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.batch.engines.local import LAST_WORDS, Event, Supervisor
from pipeline.batch.estimates.estimator import START_SECONDS, Estimate, Estimator, in_all
from pipeline.batch.plan import Plan, PlannedPair
from pipeline.batch.results import Results
from pipeline.batch.run_metadata import worker_threads
from pipeline.batch.system.deadline import end_of_run
from pipeline.batch.system.signals import Stop
from pipeline.batch.system.versions import version
from pipeline.errors import EnvironmentProblem, ExitCode, OutOfMemory, StylizeError, WorkerDied
from pipeline.job import RunSettings

# Classes of failures whose second try gets the machine for itself: memory that ran out was perhaps another worker's doing.
_WANTS_ROOM = frozenset({OutOfMemory.reason_class, WorkerDied.reason_class})


class Scheduler:
    """One run over a plan. `machine` is what the workers said: device, threads, versions."""

    def __init__(self, plan: Plan, results: Results, stopped: Stop, began: float) -> None:
        self.plan, self.results, self.stopped = plan, results, stopped
        self.machine: dict[str, Any] = {}
        self._settings: RunSettings = results.manifest.run
        self._estimator = Estimator(
            results.state.recent(), threads=worker_threads(self._settings), max_memory=self._settings.max_memory
        )
        self._until = end_of_run(self._settings, began)
        self._waiting = deque(pair for pair in plan.pairs if pair.action == "paint")
        self._reasons: dict[str, Mapping[str, Any]] = {}  # of the last failed try
        self._saved: dict[str, Mapping[str, Any]] = {}  # what the worker told last of a pair's checkpoint
        self._in_hand: set[str] = set()  # outputs that workers have
        self._alone: set[str] = set()  # outputs that are painted with no other beside them
        self._closing = False  # no new pair is started any more
        self._aborted: Exception | None = None  # what ended the work before its time

    def ahead(self) -> Estimate | None:
        """What the pairs that wait will probably take, with the start of the run where it is still to come."""
        estimates = [self._estimator.estimate(pair.job) for pair in self._waiting]
        return in_all(estimates, self._settings.workers, started=bool(self.machine))

    def abort(self, trouble: Exception) -> None:
        """Start no pair any more, for this reason: the machine's, or a bug's. It ends the work and not the books."""
        self._aborted, self._closing = trouble, True
        if isinstance(trouble, StylizeError):
            self.results.codes.append(trouble.exit_code)
            self.results.warn(str(trouble))
            return
        self.results.codes.append(ExitCode.BUG)
        self.results.write_log("".join(traceback.format_exception(trouble)))
        self.results.warn(f"a bug ended the run; its traceback is in {self.results.log}")

    def work(self) -> None:
        """Settle what needs no painting, then have the rest painted."""
        try:
            self._work()
        except Exception as trouble:
            self.abort(trouble)
        for pair in self.plan.pairs:
            if pair.job.output not in self.results.outcomes:
                self._leave_over(pair)

    def _work(self) -> None:
        for pair in self.plan.pairs:
            if pair.action == "keep":
                self.results.add(self.results.kept(pair))
            elif pair.action == "fail":
                self.results.failed(pair, pair.reason, pair.reason_class, attempts=1)
                self._closing = self._closing or self._settings.on_error == "stop"
            elif pair.action == "quarantined":
                self.results.quarantined(pair)
        if self._waiting and not self._closing:
            self._paint()

    def _paint(self) -> None:
        supervisor = Supervisor[PlannedPair](
            self._command,
            log=self.results.log,
            threads=worker_threads(self._settings),
            slots=self._settings.workers,
            pair_timeout=self._settings.pair_timeout,
            max_memory=self._settings.max_memory,
        )
        for event in supervisor.run(self._next, lambda: self.stopped.by is not None):
            self._hear(event)
            self.machine = supervisor.machine

    def _next(self) -> PlannedPair | None:
        """The first waiting pair that can be finished in time, or None when there is none to start (now or ever)."""
        if self._closing or self._in_hand & self._alone:
            return None
        for pair in self._waiting:
            if self._fits(pair):
                if self._in_hand and pair.job.output in self._alone:
                    return None
                self._waiting.remove(pair)
                self._in_hand.add(pair.job.output)
                return pair
        if self._waiting:
            self._closing = True
            self.results.codes.append(ExitCode.DEADLINE)
        return None

    def _fits(self, pair: PlannedPair) -> bool:
        if self._until is None:
            return True
        estimate = self._estimator.estimate(pair.job)
        start_seconds = 0.0 if self.machine else START_SECONDS
        return time.time() + start_seconds + (estimate.seconds if estimate else 0.0) <= self._until

    def _command(self, pair: PlannedPair) -> dict[str, Any]:
        """What the worker is told (batch/engines/worker)."""
        weights = pair.weights
        assert weights is not None  # a pair that paints has its network
        return {
            "job": pair.job.to_json(),
            "names": self.results.names(pair.job),
            "folder": str(self.results.manifest.output),
            "weights": weights.to_json(),
            "max_memory": self._settings.max_memory,
            "made_by": {"pipeline": version("stylize-pipeline")},
        }

    def _hear(self, event: Event[PlannedPair]) -> None:
        pair, message = event.task, event.message
        if message["type"] in LAST_WORDS:
            self._in_hand.discard(pair.job.output)
        match message["type"]:
            case "started":
                self.results.begin_try(pair)
                estimate = self._estimator.estimate(pair.job)
                self.results.observer.started(pair.job, pair.job.options.steps, estimate)
            case "reading":
                self.results.observer.reading(pair.job, message)
                if self._estimator.try_out(pair.job, message) and (ahead := self.ahead()):
                    self.results.observer.corrected(ahead)
            case "done":
                outcome = self.results.done(pair, message)
                # A disk that takes no record takes no picture.
                self._closing = self._closing or ExitCode.ENVIRONMENT in self.results.codes
                self._estimator.learn(asdict(outcome))
                self.results.add(outcome)
            case "failed":
                self._failed(pair, message)
            case "resumed":
                self._saved[pair.job.output] = message
                self.results.observer.resumed(pair.job, message["position"], message["steps"])
            case "saved":
                self._saved[pair.job.output] = message
            case "interrupted":
                self._interrupted(pair, message)

    def _interrupted(self, pair: PlannedPair, message: Mapping[str, Any]) -> None:
        """`message` is the worker's last, or one without words of his where he had to be killed."""
        saved = message if "position" in message else self._saved.get(pair.job.output, {})
        if position := saved.get("position"):
            reason = f"stopped; {position} is saved, and the next run goes on from there"
        else:
            reason = "stopped before there was anything to save"
        self.results.add(self.results.outcome(pair, "interrupted", reason=reason, steps=saved.get("steps", 0)))

    def _failed(self, pair: PlannedPair, message: Mapping[str, Any]) -> None:
        tries = self.results.tries(pair)
        self._reasons[pair.job.output] = message
        may_retry = self.stopped.by is None and not self._closing
        if message["retry"] and tries <= self._settings.retries and may_retry:
            self.results.observer.warned(f"{pair.job.output}: {message['reason']}; trying once more ({tries + 1})")
            self._waiting.appendleft(pair)
            if message["class"] in _WANTS_ROOM:
                self._alone.add(pair.job.output)
            return
        if message["traceback"]:
            self.results.write_log(f"{pair.job.output}\n{message['traceback']}")
        code = ExitCode(message["exit_code"])
        self.results.failed(pair, message["reason"], message["class"], code)
        if code is ExitCode.ENVIRONMENT or self._settings.on_error == "stop":
            self._closing = True

    def _leave_over(self, pair: PlannedPair) -> None:
        """A pair whose turn never came, or whose second try never came."""
        if last := self._reasons.get(pair.job.output):
            self.results.failed(pair, last["reason"], last["class"], ExitCode(last["exit_code"]))
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
