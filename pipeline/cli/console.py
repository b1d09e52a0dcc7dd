"""What a run says on stderr: lines for people, JSON lines for programs, or only what went wrong.

One event is one line whatever the names in it are, and a log never gets a carriage return.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.errors import ExitCode, ManifestError, StylizeError, exit_words
from pipeline.printable import printable
from pipeline.report.quantities import count, duration, in_about, memory

if TYPE_CHECKING:
    from pipeline.batch.estimates.estimator import Estimate
    from pipeline.batch.plan import Plan
    from pipeline.job import Job, Outcome
    from pipeline.reading import Reading

_HEARTBEAT_SECONDS = 60.0  # a log of a night stays readable: a line a minute when nothing else happens


class Quiet:
    """Says only what went wrong, so that cron sends mail only then."""

    _page = True  # there is one to be seen

    def waiting(self, holder: str) -> None: ...

    def planned(self, plan: Plan, ahead: Estimate | None) -> None: ...

    def started(self, job: Job, steps: int, estimate: Estimate | None) -> None: ...

    def corrected(self, ahead: Estimate) -> None: ...

    def resumed(self, job: Job, position: str, steps: int) -> None: ...

    def reading(self, job: Job, reading: Reading, coarse: bool) -> None: ...

    def finished(self, outcome: Outcome) -> None:
        if _is_trouble(outcome):
            self._say(finished_line(outcome))

    def warned(self, text: str) -> None:
        self._say(f"warning: {printable(text)}")

    def standing(self, text: str) -> None: ...

    def ended(self, report: Mapping[str, Any], output: str) -> None:
        if report["run"]["exit_code"]:
            print(exit_line(report, output, page=self._page), file=sys.stderr, flush=True)

    def unwritten(self, report: str) -> None:
        self._page = False
        print(report, end="", file=sys.stderr, flush=True)

    def refused(self, error: StylizeError) -> None:
        print(f"{error_line(error)}\n{exit_words(error.exit_code)}", file=sys.stderr, flush=True)

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class Lines(Quiet):
    """A line for each pair, with the time, and a sign of life each minute."""

    def __init__(self, *, verbose: bool = False, stream: TextIO | None = None) -> None:
        self._verbose = verbose
        self._stream = stream  # left out: stderr, whatever that is by then
        self._whole = self._so_far = 0
        self._steps: dict[str, int] = {}  # of the pairs at work, by output
        self._spoke = 0.0

    def planned(self, plan: Plan, ahead: Estimate | None) -> None:
        self._whole = plan.count("paint") + plan.count("fail")
        self._say(planned_line(plan, ahead))

    def waiting(self, holder: str) -> None:
        self._say(waiting_line(holder))

    def started(self, job: Job, steps: int, estimate: Estimate | None) -> None:
        about = f", about {duration(estimate.seconds)} and {memory(estimate.memory)}" if estimate else ""
        self._steps[job.output] = steps
        at_most = "at most " if job.options.steps == "auto" and not job.options.is_clip else ""
        self._say(f"painting {printable(job.output)} ({at_most}{count(steps, unit(job))}{about})")

    def corrected(self, ahead: Estimate) -> None:
        self._say(corrected_line(ahead))

    def resumed(self, job: Job, position: str, steps: int) -> None:
        self._say(resumed_line(job, position))

    def reading(self, job: Job, reading: Reading, coarse: bool) -> None:
        due = time.monotonic() - self._spoke >= _HEARTBEAT_SECONDS
        if (due or self._verbose) and coarse:
            self._say(f"{printable(job.output)}: {coarse_words(reading)}")
        elif due or self._verbose:
            steps = self._steps.get(job.output, job.options.most_steps)
            left = (steps - reading.step) * reading.seconds / reading.step
            self._say(
                f"{printable(job.output)}: {unit(job)} {reading.step}/{steps}, "
                f"loss {reading.total:.4g}, {duration(left)} left"
            )

    def standing(self, text: str) -> None:
        self.warned(text)

    def ended(self, report: Mapping[str, Any], output: str) -> None:
        print(exit_line(report, output, page=self._page), file=self._stream or sys.stderr, flush=True)

    def finished(self, outcome: Outcome) -> None:
        if outcome.status == "up_to_date":
            if self._verbose:
                self._say(finished_line(outcome))
            return
        if outcome.attempts:
            self._so_far += 1
        number = f"[{self._so_far}/{self._whole}] " if outcome.attempts else ""
        self._say(number + finished_line(outcome))

    def _say(self, text: str) -> None:
        self._spoke = time.monotonic()
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        print(f"{now} {text}", file=self._stream or sys.stderr, flush=True)


class JsonLines:
    """One object a line: time, level, event, and what belongs to it (docs/machines.md)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream  # left out: stderr, whatever that is by then

    def waiting(self, holder: str) -> None:
        self._say("info", "waiting", holder=holder)

    def planned(self, plan: Plan, ahead: Estimate | None) -> None:
        self._say(
            "info",
            "planned",
            paint=plan.count("paint"),
            keep=plan.count("keep"),
            fail=plan.count("fail"),
            quarantined=plan.count("quarantined"),
            **_estimated(ahead),
        )

    def started(self, job: Job, steps: int, estimate: Estimate | None) -> None:
        self._say("info", "started", pair=job.output, steps=steps, **_estimated(estimate))

    def corrected(self, ahead: Estimate) -> None:
        self._say("info", "corrected", **_estimated(ahead))

    def resumed(self, job: Job, position: str, steps: int) -> None:
        self._say("info", "resumed", pair=job.output, standing=position)

    def reading(self, job: Job, reading: Reading, coarse: bool) -> None: ...

    def finished(self, outcome: Outcome) -> None:
        level = "error" if _is_trouble(outcome) else "info"
        self._say(
            level,
            outcome.status,
            pair=outcome.output,
            reason=outcome.reason,
            seconds=outcome.seconds,
            attempts=outcome.attempts,
        )

    def warned(self, text: str) -> None:
        self._say("warning", "warning", text=text)

    def standing(self, text: str) -> None:
        self.warned(text)

    def ended(self, report: Mapping[str, Any], output: str) -> None:
        code, run = report["run"]["exit_code"], report["run"]
        more = {"run": run["id"], "counts": run["counts"], "output": output}
        self._say("error" if code else "info", "ended", exit_code=code, **more)

    def unwritten(self, report: str) -> None:
        self._say("error", "report", text=report)

    def refused(self, error: StylizeError) -> None:
        self._say("error", "ended", exit_code=int(error.exit_code), reason=str(error))

    def _say(self, level: str, event: str, **more: Any) -> None:
        now = datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "level": level, "event": event, **more})  # ASCII: nothing acts on a terminal
        print(line, file=self._stream or sys.stderr, flush=True)


def _is_trouble(outcome: Outcome) -> bool:
    """Does it need a person who does not know of it yet?"""
    return outcome.status == "failed" or (outcome.status == "quarantined" and not outcome.acknowledged)


def _estimated(estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {"estimated_seconds": None, "estimated_memory_bytes": None}
    return {"estimated_seconds": round(estimate.seconds, 1), "estimated_memory_bytes": estimate.memory}


# ---------------------------------------------------------------------------------------- sentences


def unit(job: Job) -> str:
    """What is counted of a pair: its steps, or the frames of a clip."""
    return "frame" if job.options.is_clip else "step"


def coarse_words(reading: Reading) -> str:
    """What a reading says that was made at a smaller size, before the steps that count."""
    return f"first at {reading.side} px: step {reading.step}, loss {reading.total:.4g}"


def resumed_line(job: Job, position: str) -> str:
    """From where a pair goes on."""
    return f"{printable(job.output)}: resumed at {position}"


def waiting_line(holder: str) -> str:
    """Whose end is waited for."""
    return f"waiting for another run: {printable(holder)}"


def error_line(error: StylizeError) -> str:
    """The line to print, or the lines of a manifest's problems, which are made to be printed."""
    return str(error) if isinstance(error, ManifestError) else f"error: {printable(str(error))}"


def corrected_line(ahead: Estimate) -> str:
    """What the first steps of the first pair taught of the pairs that wait."""
    return f"by the first steps, the pairs that wait will take about {duration(ahead.seconds)}"


def planned_line(plan: Plan, ahead: Estimate | None) -> str:
    """What lies ahead, in one line."""
    paint, keep, fail, held = (plan.count(action) for action in ("paint", "keep", "fail", "quarantined"))
    parts = [f"{paint} to paint" + (in_about(ahead.seconds, guess=ahead.guess) if ahead else "")] if paint else []
    parts += [f"{keep} up to date"] if keep or not plan.pairs else []
    parts += [f"{fail} cannot be started"] if fail else []
    parts += [f"{held} quarantined"] if held else []
    parts += [f"{plan.left} left for later by --limit"] if plan.left else []
    return ("everything is up to date: " if keep == len(plan.pairs) > 0 and not plan.left else "") + ", ".join(parts)


def finished_line(outcome: Outcome) -> str:
    """How one pair went, in one line."""
    name = printable(outcome.output)
    if outcome.status == "done":
        width, height = outcome.size or (0, 0)
        painted = "painted at {}x{}, ".format(*outcome.painted_size) if outcome.painted_size else ""
        first, last = (outcome.losses[end]["total"] for end in ("first", "last"))
        counted = count(outcome.steps, "frame" if outcome.clip else "step")
        return (
            f"done {name}: {width}x{height}, {painted}{counted} in {duration(outcome.seconds)}, "
            f"loss {first:.4g} -> {last:.4g}" + "".join(f"; {printable(note)}" for note in outcome.notes)
        )
    return f"{outcome.status.replace('_', ' ')} {name}" + (f": {printable(outcome.reason)}" if outcome.reason else "")


def exit_line(report: Mapping[str, Any], output: str, *, page: bool = True) -> str:
    """The last line of a run: the verdict, and where to read more, if there is a `page`."""
    from pipeline.report.data import report_stem, verdict

    code = report["run"]["exit_code"]
    if not page or (code == ExitCode.OK and not report["run"]["counts"]["done"]):
        return verdict(report)
    return f"{verdict(report)}, see {printable(output)}/{report_stem(report['run']['shard'])}.html"
