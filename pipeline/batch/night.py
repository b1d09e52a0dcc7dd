"""The work of one run: which pair is next, and what is done about how it went. Decides; workers paint."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.batch.clock import end_of_run
from pipeline.batch.estimate import START_SECONDS, Estimate, Estimator, in_all
from pipeline.batch.facts import worker_threads
from pipeline.batch.ledger import Ledger
from pipeline.batch.plan import Plan, Step
from pipeline.batch.signals import Stop
from pipeline.batch.supervisor import LAST_WORDS, Event, Supervisor
from pipeline.batch.versions import version
from pipeline.errors import EnvironmentProblem, ExitCode, OutOfMemory, StylizeError, WorkerDied
from pipeline.job import RunSettings

# Classes of failures whose second try gets the machine for itself: memory that ran out was perhaps another worker's doing.
_WANTS_ROOM = frozenset({OutOfMemory.reason_class, WorkerDied.reason_class})


class Night:
    """One run over a plan. `machine` is what the workers said: device, threads, versions."""

    def __init__(self, plan: Plan, ledger: Ledger, stopped: Stop, began: float) -> None:
        self.plan, self.ledger, self.stopped = plan, ledger, stopped
        self.machine: dict[str, Any] = {}
        self._settings: RunSettings = ledger.manifest.run
        self._estimator = Estimator(
            ledger.state.recent(), threads=worker_threads(self._settings), max_memory=self._settings.max_memory
        )
        self._until = end_of_run(self._settings, began)
        self._waiting = deque(step for step in plan.steps if step.action == "paint")
        self._reasons: dict[str, Mapping[str, Any]] = {}  # of the last failed try
        self._saved: dict[str, Mapping[str, Any]] = {}  # what the worker told last of a pair's checkpoint
        self._in_hand: set[str] = set()  # outputs that workers have
        self._alone: set[str] = set()  # outputs that are painted with no other beside them
        self._closing = False  # no new pair is started any more
        self._called_off: Exception | None = None  # what ended the work before its time

    def ahead(self) -> Estimate | None:
        """What the pairs that wait will probably take, with the start of the run where it is still to come."""
        estimates = [self._estimator.estimate(step.job) for step in self._waiting]
        return in_all(estimates, self._settings.jobs, started=bool(self.machine))

    def call_off(self, trouble: Exception) -> None:
        """Start no pair any more, for this reason: the machine's, or a bug's. It ends the work and not the books."""
        self._called_off, self._closing = trouble, True
        if isinstance(trouble, StylizeError):
            self.ledger.codes.append(trouble.exit_code)
            self.ledger.warn(str(trouble))
            return
        self.ledger.codes.append(ExitCode.BUG)
        self.ledger.write_log("".join(traceback.format_exception(trouble)))
        self.ledger.warn(f"a bug ended the run; its traceback is in {self.ledger.log}")

    def work(self) -> None:
        """Settle what needs no painting, then have the rest painted."""
        try:
            self._work()
        except Exception as trouble:
            self.call_off(trouble)
        for step in self.plan.steps:
            if step.job.output not in self.ledger.outcomes:
                self._leave_over(step)

    def _work(self) -> None:
        for step in self.plan.steps:
            if step.action == "keep":
                self.ledger.settle(self.ledger.kept(step))
            elif step.action == "fail":
                self.ledger.failed(step, step.reason, step.reason_class, attempts=1)
                self._closing = self._closing or self._settings.on_error == "stop"
            elif step.action == "quarantined":
                self.ledger.quarantined(step)
        if self._waiting and not self._closing:
            self._paint()

    def _paint(self) -> None:
        supervisor = Supervisor[Step](
            self._command,
            log=self.ledger.log,
            threads=worker_threads(self._settings),
            slots=self._settings.jobs,
            pair_timeout=self._settings.pair_timeout,
            max_memory=self._settings.max_memory,
        )
        for event in supervisor.run(self._next, lambda: self.stopped.by is not None):
            self._hear(event)
            self.machine = supervisor.machine

    def _next(self) -> Step | None:
        """The first waiting pair that can be finished in time, or None when there is none to start (now or ever)."""
        if self._closing or self._in_hand & self._alone:
            return None
        for step in self._waiting:
            if self._fits(step):
                if self._in_hand and step.job.output in self._alone:
                    return None
                self._waiting.remove(step)
                self._in_hand.add(step.job.output)
                return step
        if self._waiting:
            self._closing = True
            self.ledger.codes.append(ExitCode.DEADLINE)
        return None

    def _fits(self, step: Step) -> bool:
        if self._until is None:
            return True
        estimate = self._estimator.estimate(step.job)
        start_seconds = 0.0 if self.machine else START_SECONDS
        return time.time() + start_seconds + (estimate.seconds if estimate else 0.0) <= self._until

    def _command(self, step: Step) -> dict[str, Any]:
        """What the worker is told (batch/worker)."""
        weights = step.weights
        assert weights is not None  # a step that paints has its network
        return {
            "job": step.job.to_json(),
            "names": self.ledger.names(step.job),
            "folder": str(self.ledger.manifest.output),
            "weights": weights.to_json(),
            "max_memory": self._settings.max_memory,
            "made_by": {"pipeline": version("stylize-pipeline")},
        }

    def _hear(self, event: Event[Step]) -> None:
        step, message = event.task, event.message
        if message["type"] in LAST_WORDS:
            self._in_hand.discard(step.job.output)
        match message["type"]:
            case "started":
                self.ledger.begin_try(step)
                estimate = self._estimator.estimate(step.job)
                self.ledger.observer.started(step.job, step.job.options.steps, estimate)
            case "reading":
                self.ledger.observer.reading(step.job, message)
                if self._estimator.try_out(step.job, message) and (ahead := self.ahead()):
                    self.ledger.observer.corrected(ahead)
            case "done":
                outcome = self.ledger.done(step, message)
                # A disk that takes no record takes no picture.
                self._closing = self._closing or ExitCode.ENVIRONMENT in self.ledger.codes
                self._estimator.learn(asdict(outcome))
                self.ledger.settle(outcome)
            case "failed":
                self._failed(step, message)
            case "resumed":
                self._saved[step.job.output] = message
                self.ledger.observer.resumed(step.job, message["standing"], message["steps"])
            case "saved":
                self._saved[step.job.output] = message
            case "interrupted":
                self._interrupted(step, message)

    def _interrupted(self, step: Step, message: Mapping[str, Any]) -> None:
        """`message` is the worker's last, or one without words of his where he had to be killed."""
        saved = message if "standing" in message else self._saved.get(step.job.output, {})
        if standing := saved.get("standing"):
            reason = f"stopped; {standing} is saved, and the next run goes on from there"
        else:
            reason = "stopped before there was anything to save"
        self.ledger.settle(self.ledger.outcome(step, "interrupted", reason=reason, steps=saved.get("steps", 0)))

    def _failed(self, step: Step, message: Mapping[str, Any]) -> None:
        tries = self.ledger.tries(step)
        self._reasons[step.job.output] = message
        may_retry = self.stopped.by is None and not self._closing
        if message["retry"] and tries <= self._settings.retries and may_retry:
            self.ledger.observer.warned(f"{step.job.output}: {message['reason']}; trying once more ({tries + 1})")
            self._waiting.appendleft(step)
            if message["class"] in _WANTS_ROOM:
                self._alone.add(step.job.output)
            return
        if message["traceback"]:
            self.ledger.write_log(f"{step.job.output}\n{message['traceback']}")
        code = ExitCode(message["exit_code"])
        self.ledger.failed(step, message["reason"], message["class"], code)
        if code is ExitCode.ENVIRONMENT or self._settings.on_error == "stop":
            self._closing = True

    def _leave_over(self, step: Step) -> None:
        """A pair whose turn never came, or whose second try never came."""
        if last := self._reasons.get(step.job.output):
            self.ledger.failed(step, last["reason"], last["class"], ExitCode(last["exit_code"]))
            return
        if isinstance(self._called_off, EnvironmentProblem):
            reason, reason_class = str(self._called_off), self._called_off.reason_class
        elif self._called_off is not None:
            reason, reason_class = "a bug ended the run", "bug"
        elif ExitCode.DEADLINE in self.ledger.codes:
            reason, reason_class = "no time left before the deadline", "deadline"
        else:
            reason = "the run was stopped" if self.stopped.by else "the run ended early, after a failure"
            reason_class = "stopped"
        self.ledger.settle(self.ledger.outcome(step, "not_started", reason=reason, reason_class=reason_class))
