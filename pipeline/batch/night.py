"""The books of one run: which pair is next, how each went, what the report says. Decides and keeps; workers paint."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from pipeline.batch.clock import end_of_run
from pipeline.batch.estimate import START_SECONDS, Estimator
from pipeline.batch.facts import run_facts, version
from pipeline.batch.files import write_whole
from pipeline.batch.hooks import run_hook
from pipeline.batch.plan import Plan, Step
from pipeline.batch.records import State
from pipeline.batch.signals import Stop
from pipeline.batch.supervisor import Event, Supervisor
from pipeline.errors import ExitCode, OutputError, StylizeError, weightiest
from pipeline.job import Job, Manifest, Outcome, RunSettings, shown_name
from pipeline.report.data import build_report
from pipeline.report.files import write_reports
from pipeline.report.history import append_history, read_history


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which pairs of a manifest a run takes up, and how it behaves towards others (flags of `run`)."""

    only: str | None = None
    limit: int | None = None
    force: bool = False
    wait_seconds: float = 0.0
    command: tuple[str, ...] = ()


class Observer(Protocol):
    """Whoever wants to hear how the run goes: a terminal, a log, nobody."""

    def planned(self, plan: Plan) -> None: ...

    def started(self, job: Job, steps: int) -> None: ...

    def reading(self, job: Job, reading: Mapping[str, Any]) -> None: ...

    def finished(self, outcome: Outcome) -> None: ...

    def warned(self, text: str) -> None: ...

    def ended(self, report: Mapping[str, Any], output: str) -> None: ...


class Night:
    """The books of one run."""

    def __init__(
        self,
        manifest: Manifest,
        state: State,
        plan: Plan,
        observer: Observer,
        stopped: Stop,
        run_id: str,
        began: float,
    ) -> None:
        self.manifest, self.state, self.plan, self.observer = manifest, state, plan, observer
        self.settings: RunSettings = manifest.run
        self.stopped = stopped
        self.run_id, self.began = run_id, began
        self.outcomes: dict[str, Outcome] = {}
        self.codes: list[ExitCode] = []
        self.machine: dict[str, Any] = {}
        self.warnings: list[str] = list(manifest.warnings)
        self.estimator = Estimator(step.record.outcome for step in plan.steps if step.record)
        self.until = end_of_run(self.settings, began)
        self.log = state.history / f"{run_id}.log"
        self._waiting = deque(step for step in plan.steps if step.action == "paint")
        self._tries: dict[str, int] = {}
        self._reasons: dict[str, Mapping[str, Any]] = {}  # of the last failed try
        self._closing = False  # no new pair is started any more

    def work(self) -> None:
        """Settle what needs no painting, then have the rest painted. A bug ends the work and not the books."""
        try:
            self._work()
        except StylizeError as error:
            self.warn(str(error))
            self.codes.append(error.exit_code)
        except Exception:
            self.codes.append(ExitCode.BUG)
            self._write_log(traceback.format_exc())
            self.warn(f"a bug ended the run; its traceback is in {self.log}")
        for step in self.plan.steps:
            if step.job.output not in self.outcomes:
                self._settle(self._left_over(step))

    def _work(self) -> None:
        for step in self.plan.steps:
            if step.action == "keep":
                self._settle(self._kept(step))
            elif step.action == "fail":
                self._settle(
                    self._outcome(step, "failed", reason=step.reason, reason_class=step.reason_class, attempts=1)
                )
                self._closing = self._closing or self.settings.on_error == "stop"
        if self._waiting and not self._closing:
            self._paint()

    def _paint(self) -> None:
        supervisor = Supervisor[Step](
            self._command,
            log=self.log,
            threads=self.settings.threads or max(1, len(os.sched_getaffinity(0)) // self.settings.jobs),
            slots=self.settings.jobs,
            pair_timeout=self.settings.pair_timeout,
            max_memory=self.settings.max_memory,
        )
        for event in supervisor.run(self._next, lambda: self.stopped.by is not None):
            self._hear(event)
            self.machine = supervisor.machine

    def _next(self) -> Step | None:
        """The first waiting pair that can be finished in time, or None when there is none to start (now or ever)."""
        if self._closing:
            return None
        for step in self._waiting:
            if self._fits(step):
                self._waiting.remove(step)
                return step
        if self._waiting:
            self._closing = True
            self.codes.append(ExitCode.DEADLINE)
        return None

    def _fits(self, step: Step) -> bool:
        if self.until is None:
            return True
        estimate = self.estimator.estimate(step.job)
        start_seconds = 0.0 if self.machine else START_SECONDS
        return time.time() + start_seconds + (estimate.seconds if estimate else 0.0) <= self.until

    def _hear(self, event: Event[Step]) -> None:
        step, message = event.task, event.message
        match message["type"]:
            case "started":
                self._tries[step.job.output] = self._tries.get(step.job.output, 0) + 1
                self.observer.started(step.job, step.job.options.steps)
            case "reading":
                self.observer.reading(step.job, message)
            case "done":
                self._done(step, message)
            case "failed":
                self._failed(step, message)
            case "interrupted":
                self._settle(self._outcome(step, "interrupted", reason="stopped before it was finished"))

    def _done(self, step: Step, message: Mapping[str, Any]) -> None:
        known = {field.name for field in fields(Outcome)}
        details = {name: value for name, value in message.items() if name in known}
        outcome = self._outcome(step, "done", attempts=self._tries[step.job.output], **details)
        self._record(outcome)
        self.estimator.learn(message)
        self._settle(outcome)

    def _failed(self, step: Step, message: Mapping[str, Any]) -> None:
        tries = self._tries[step.job.output]
        self._reasons[step.job.output] = message
        may_retry = self.stopped.by is None and not self._closing
        if message["retry"] and tries <= self.settings.retries and may_retry:
            self.observer.warned(f"{step.job.output}: {message['reason']}; trying once more ({tries + 1})")
            self._waiting.appendleft(step)
            return
        if message["traceback"]:
            self._write_log(f"{step.job.output}\n{message['traceback']}")
        code = ExitCode(message["exit_code"])
        self._settle(
            self._outcome(step, "failed", reason=message["reason"], reason_class=message["class"], attempts=tries), code
        )
        if code is ExitCode.ENVIRONMENT or self.settings.on_error == "stop":
            self._closing = True

    # -------------------------------------------------------------------------------------------------------- outcomes

    def _settle(self, outcome: Outcome, code: ExitCode = ExitCode.SOME_FAILED) -> None:
        self.outcomes[outcome.output] = outcome
        if outcome.status in ("failed", "quarantined"):
            self.codes.append(code)
        self.observer.finished(outcome)

    def _outcome(self, step: Step, status: str, **details: Any) -> Outcome:
        job = step.job
        names = self._names(job)
        base = {
            "output": job.output,
            "content": names["content"],
            "style": names["style"],
            "status": status,
            "weights": {"name": step.weights.name, "sha256": step.weights.sha256} if step.weights else {},
            "seed": job.options.seed,
            "key": step.key,
            "options": job.options.as_dict() | names["options"],
            "priority": job.priority,
            "meta": dict(job.meta),
            "attempts": self._tries.get(job.output, 0),
        }
        return Outcome(**(base | details))

    def _kept(self, step: Step) -> Outcome:
        """What is known of a picture that is right: from its record, or from its own metadata, which becomes a record."""
        known = {field.name for field in fields(Outcome)}
        fresh = {
            "weights",
            "output",
            "content",
            "style",
            "status",
            "key",
            "options",
            "priority",
            "meta",
            "attempts",
            "seed",
        }
        source = step.adopted or (step.record.outcome if step.record else {})
        details = {name: value for name, value in source.items() if name in known - fresh}
        outcome = self._outcome(step, "up_to_date", **details)
        if step.adopted is not None:
            self._record(outcome)
        return outcome

    def _record(self, outcome: Outcome) -> None:
        """Keep the record; without it the next run finds the key in the picture itself."""
        try:
            self.state.keep(outcome)
        except (OSError, StylizeError) as error:
            self.warn(f"no record of {outcome.output} was kept: {error}")
            self.codes.append(ExitCode.ENVIRONMENT)

    def warn(self, text: str) -> None:
        """Say something once now and once in the report."""
        self.warnings.append(text)
        self.observer.warned(text)

    def _left_over(self, step: Step) -> Outcome:
        """A pair whose turn never came, or whose second try never came."""
        if last := self._reasons.get(step.job.output):
            self.codes.append(ExitCode(last["exit_code"]))
            return self._outcome(step, "failed", reason=last["reason"], reason_class=last["class"])
        if ExitCode.DEADLINE in self.codes:
            return self._outcome(
                step, "not_started", reason="no time left before the deadline", reason_class="deadline"
            )
        reason = "the run was stopped" if self.stopped.by else "the run ended early, after a failure"
        return self._outcome(step, "not_started", reason=reason, reason_class="stopped")

    def _names(self, job: Job) -> dict[str, Any]:
        names: dict[str, Any] = {
            "content": shown_name(job.content, self.manifest.input),
            "style": [shown_name(style.image, self.manifest.input) for style in job.styles],
        }
        # No path of this machine goes into a picture or a report.
        names["options"] = {
            option: shown_name(Path(value), folder)
            for option, value, folder in (
                ("init", job.options.init, self.manifest.input),
                ("weights", job.options.weights, self.manifest.file.parent),
            )
            if os.path.isabs(value)
        }
        return names

    def _command(self, step: Step) -> dict[str, Any]:
        weights = step.weights
        assert weights is not None  # a step that paints has its network
        return {
            "job": step.job.to_json(),
            "names": self._names(step.job),
            "folder": str(self.manifest.output),
            "weights": weights.to_json(),
            "made_by": {"pipeline": version("stylize-pipeline")},
        }

    # ----------------------------------------------------------------------------------------------------------- close

    def close(self, selection: Selection) -> dict[str, Any]:
        """Save what was learnt, write the report and the history, call the hook; whatever fails, the report is returned."""
        if self.stopped.by is not None:
            self.codes.append(ExitCode.SIGINT if self.stopped.by == signal.SIGINT else ExitCode.SIGTERM)
        with suppress(OutputError):  # only saves time next night
            self.state.hashes.save(whole=selection.only is None)
        report = self._report(selection.command)
        try:
            write_reports(
                self.manifest.output,
                report,
                thumbnails=self.state.thumbnails,
                write=write_whole,
                history=read_history(self.state.history_file, last=30),
            )
            append_history(self.state.history_file, report)
        except OutputError as error:
            self.observer.warned(str(error))
            report["run"]["exit_code"] = int(weightiest([*self.codes, ExitCode.ENVIRONMENT]))
        code = report["run"]["exit_code"]
        hook = self.settings.on_success if code == 0 else self.settings.on_failure
        if hook:
            self.hook(hook, code)
        return report

    def _report(self, command: tuple[str, ...]) -> dict[str, Any]:
        used = next((step.weights for step in self.plan.steps if step.weights), None)
        facts = run_facts(
            self.manifest,
            run_id=self.run_id,
            began=self.began,
            exit_code=weightiest(self.codes),
            weights={"name": used.name, "sha256": used.sha256} if used else {},
            machine=self.machine,
            command=command,
            warnings=self.warnings,
        )
        return build_report(facts, [self.outcomes[step.job.output] for step in self.plan.steps])

    def hook(self, command: tuple[str, ...], code: int | None) -> None:
        """Run one of the manifest's hooks; that it fails is worth a warning and changes nothing."""
        trouble = run_hook(
            command,
            folder=self.manifest.file.parent,
            run_id=self.run_id,
            report=self.manifest.output / "report.json",
            exit_code=code,
        )
        if trouble:
            self.warn(trouble)

    def _write_log(self, text: str) -> None:
        with suppress(OSError):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(text + "\n")
