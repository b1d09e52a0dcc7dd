"""Which console fits a run's stderr and flags; and the one for terminals, which draws bars."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.cli.console import (
    JsonLines,
    Lines,
    Quiet,
    coarse_words,
    corrected_line,
    exit_line,
    finished_line,
    planned_line,
    resumed_line,
    unit,
    waiting_line,
)
from pipeline.printable import printable

if TYPE_CHECKING:
    from tqdm import tqdm

    from pipeline.batch.estimates.estimator import Estimate
    from pipeline.batch.observer import Observer
    from pipeline.batch.plan import Plan
    from pipeline.job import Job, Outcome
    from pipeline.reading import Reading


def observer(*, quiet: bool, verbose: bool, log_format: str) -> Observer:
    """The console that fits stderr and the flags."""
    if log_format == "json":
        return JsonLines()
    if quiet:
        return Quiet()
    # Two bars are drawn by going up a line, which a dumb terminal cannot.
    draws = sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")
    return Bars() if draws else Lines(verbose=verbose)


class Bars(Quiet):
    """Two bars: pairs, and the steps of the pair in hand with its loss."""

    def __init__(self) -> None:
        self._pairs: tqdm[Any] | None = None
        self._left = 0  # pairs whose end is still to be told
        self._steps: dict[str, tqdm[Any]] = {}

    def waiting(self, holder: str) -> None:
        print(waiting_line(holder), file=sys.stderr, flush=True)

    def planned(self, plan: Plan, ahead: Estimate | None) -> None:
        from tqdm import tqdm

        self._say(planned_line(plan, ahead))
        if plan.count("paint"):
            whole = plan.count("paint") + plan.count("fail")
            self._pairs = tqdm(total=whole, desc="pairs", unit="pair", position=0, smoothing=0)
            self._left = whole

    def corrected(self, ahead: Estimate) -> None:
        self._say(corrected_line(ahead))

    def started(self, job: Job, steps: int, estimate: Estimate | None) -> None:
        from tqdm import tqdm

        self._close(job.output)  # of a first try
        taken = {-bar.pos for bar in self._steps.values()}
        free = next(line for line in range(1, len(taken) + 2) if line not in taken)
        self._steps[job.output] = tqdm(
            total=steps, desc=printable(job.output), unit=unit(job), position=free, leave=False
        )

    def resumed(self, job: Job, position: str, steps: int) -> None:
        self._say(resumed_line(job, position))
        bar = self._steps[job.output]
        bar.initial = bar.n = bar.last_print_n = steps  # its speed is that of the steps to come

    def reading(self, job: Job, reading: Reading, coarse: bool) -> None:
        bar = self._steps[job.output]
        if coarse:
            bar.set_postfix_str(coarse_words(reading))
            return
        bar.set_postfix_str(f"loss {reading.total:.4g}", refresh=False)
        if reading.step <= bar.n:  # from the start, after a checkpoint that could not be gone on from
            bar.initial = bar.n = bar.last_print_n = 0
        if bar.n == bar.initial:  # what came before, smaller sizes and targets, says nothing of the steps to come
            bar.last_print_t = time.time() - reading.seconds / reading.step * (reading.step - bar.n)
        bar.update(reading.step - bar.n)

    def finished(self, outcome: Outcome) -> None:
        self._close(outcome.output)
        if outcome.status == "up_to_date":
            return
        self._say(finished_line(outcome))
        if outcome.status == "quarantined":  # no pair of the bar's
            return
        self._left -= 1
        if self._pairs is None:
            return
        if outcome.status != "not_started":
            self._pairs.update(1)
        if not self._left:  # what is printed next, on stdout too, begins a line of its own
            self._pairs.close()
            self._pairs = None

    def standing(self, text: str) -> None:
        self.warned(text)

    def ended(self, report: Mapping[str, Any], output: str) -> None:
        if self._pairs is not None:
            self._pairs.close()
        print(exit_line(report, output, page=self._page), file=sys.stderr, flush=True)

    def _close(self, output: str) -> None:
        if bar := self._steps.pop(output, None):
            bar.close()

    def _say(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
