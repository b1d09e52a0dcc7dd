"""The page while the run goes on: every pair as it stands at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pipeline.batch.plan import PlannedPair
from pipeline.batch.results import Results
from pipeline.batch.run_metadata import run_metadata
from pipeline.batch.scheduler import Scheduler
from pipeline.batch.selection import Selection
from pipeline.batch.standing import standing
from pipeline.batch.system.deadline import Moment
from pipeline.errors import StylizeError
from pipeline.job import Outcome
from pipeline.report.data import build_report
from pipeline.report.history import HISTORY_RUNS, read_history
from pipeline.report.write import write_page
from pipeline.store.layout import history_name
from pipeline.store.now import Now

# Of more pairs the page is written when the run is over: one of 2,000 takes the processor longer
# than batch/live lets it, and one of a hundred thousand would hold up a farm for minutes.
_MOST_PAIRS = 2000
_AT_WORK, _WAITING = "at_work", "waiting"  # reason classes, of this page alone


class InterimPage:
    """Writes the page of a run that is going on. `began` is the run's start."""

    def __init__(self, scheduler: Scheduler, began: Moment, command: tuple[str, ...], selection: Selection) -> None:
        self._scheduler, self._began, self._command, self._selection = scheduler, began, command, selection
        self._others: Sequence[Outcome] | None = None
        self._history: Sequence[Mapping[str, Any]] | None = None

    def write(self, now: Now) -> None:
        """Write it; that it cannot be written is said by the run's own reports."""
        with suppress(OSError, StylizeError):
            self._write(now)

    def _write(self, now: Now) -> None:
        scheduler, results = self._scheduler, self._scheduler.results
        if len(results.manifest.pairs) > _MOST_PAIRS:
            return
        outcomes = [_so_far(pair, results, now) for pair in scheduler.plan.pairs]
        if self._others is None:  # by their records alone: nothing is read that could take long
            taken = {outcome.output for outcome in outcomes}
            others = standing(results, self._selection, lambda: True)
            self._others = [outcome for outcome in others if outcome.output not in taken]
        facts = run_metadata(
            results.manifest,
            run_id=results.run_id,
            began=self._began,
            exit_code=0,
            weights={},
            machine=scheduler.machine,
            command=self._command,
            shard=str(self._selection.shard) if self._selection.shard else None,
            warnings=results.warnings,
        )
        report = build_report(facts, outcomes, self._others)
        state = results.state
        if self._history is None:
            suffix = self._selection.shard.suffix if self._selection.shard else None
            self._history = read_history(state.store, history_name(suffix), last=HISTORY_RUNS)
        write_page(state.store, report, thumbnails=state.thumbnails, history=self._history, now=now)


def _so_far(pair: PlannedPair, results: Results, now: Now) -> Outcome:
    if (outcome := results.of(pair.job)) is not None:
        return outcome
    at_work = any(pair.job.output == other.output for other in now.at_work)
    reason = "it is being painted" if at_work else "its turn has not come yet"
    return results.outcome(pair, "not_started", reason=reason, reason_class=_AT_WORK if at_work else _WAITING)
