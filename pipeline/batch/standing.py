"""Pairs that a run did not take up, as they stand: a report is of the manifest, not of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.batch.observer import Observer
from pipeline.batch.plan import PlannedPair, make_plan, refused
from pipeline.batch.results import Results
from pipeline.batch.run_metadata import run_metadata
from pipeline.batch.selection import Selection
from pipeline.batch.system.deadline import Moment
from pipeline.errors import StylizeError
from pipeline.images.reader import Reader
from pipeline.job import Job, Manifest, Outcome
from pipeline.report.data import build_report, known_run, pair_row
from pipeline.report.history import HISTORY_RUNS, read_history
from pipeline.report.write import write_reports
from pipeline.store.layout import history_name
from pipeline.store.records import State, name_in_records
from pipeline.store.store import output_store

_LEFT_OUT, _LIMIT = "left_out", "limit"  # reason classes


class _TimeUpError(StylizeError):
    """A run that is over looks at nothing that can wait."""


def standing(results: Results, selection: Selection, is_over: Callable[[], bool] = lambda: False) -> Iterator[Outcome]:
    """How the manifest's pairs stand that have no outcome in `results`, in its order, each when it
    is asked for, as a hundred thousand take memory; but what is planned of them is known at once.
    Nothing is written, and no picture is read that nobody has painted from.

    Once `is_over`, records alone are believed.
    """
    left = [job for job in results.manifest.pairs if not results.knows(job)]
    planned = _planned([job for job in left if not job.refusal], results, is_over)
    pairs = (refused(job) if job.refusal else planned[job.output] for job in left)
    return (_outcome(pair, results, selection) for pair in pairs)


def _planned(jobs: Sequence[Job], results: Results, is_over: Callable[[], bool]) -> dict[str, PlannedPair]:
    def check_cancelled() -> None:
        if is_over():
            raise _TimeUpError

    state = results.state
    pairs = {
        job.output: PlannedPair(
            job=job, action="paint", reason="not painted yet", failure=results.failure_of(job.output)
        )
        for job in jobs
    }
    # What was never tried needs no hash of its pictures to be known as such.
    tried = [
        job
        for job in jobs
        if pairs[job.output].failure or state.record(job.output) is not None or state.store.exists(job.output)
    ]
    try:
        looked_at = make_plan(
            replace(results.manifest, pairs=tuple(tried)), state, Selection(), Reader(check_cancelled)
        ).pairs
    # No time, weights that are missing, or a bug: no key is known, and the report is written.
    except Exception:
        looked_at = tuple(_by_record(job, results, is_over) for job in tried)
    return pairs | {pair.job.output: pair for pair in looked_at}


def _by_record(job: Job, results: Results, is_over: Callable[[], bool]) -> PlannedPair:
    record = results.state.record(job.output)
    stands = record is not None and record.matches(results.state.store, job.output, read=not is_over())
    return PlannedPair(
        job=job,
        action="keep" if stands else "paint",
        reason="not looked at",
        key=record.key if stands and record is not None else "",
        record=record.brief({}) if record is not None else None,
        failure=results.failure_of(job.output),
    )


def _outcome(pair: PlannedPair, results: Results, selection: Selection) -> Outcome:
    if pair.action == "keep":
        outcome = results.of_picture(pair)
        results.outcomes.thin(outcome)
        return outcome
    if pair.action == "quarantined":
        return results.of_failure(pair, "quarantined")
    if pair.failure is not None:
        return results.of_failure(pair, "failed")
    if pair.action == "fail":
        return results.outcome(pair, "failed", reason=pair.reason, reason_class=pair.reason_class)
    reason: str = pair.reason
    reason_class: str | None = None  # of a report that is written anew, or a run that did not get so far
    if not selection.takes(pair.job.output):
        flag = "--shard" if selection.names(pair.job.output) else "--only"
        reason, reason_class = f"{pair.reason}; left out by {flag}", _LEFT_OUT
    elif selection.limit is not None:
        reason, reason_class = f"{pair.reason}; left for a later run by --limit", _LIMIT
    return results.outcome(pair, "not_started", reason=reason, reason_class=reason_class)


def rows_as_they_stand(manifest: Manifest, observer: Observer) -> list[dict[str, Any]]:
    """The rows that a report would have of a manifest's pairs, in its order. Nothing is written,
    and no run that is going on is waited for."""
    state = State(output_store(manifest), name_in_records(manifest))
    return [pair_row(outcome) for outcome in standing(Results(manifest, state, observer, "report"), Selection())]


def report_anew(manifest: Manifest, observer: Observer, last: Any, shard: str | None = None) -> dict[str, Any]:
    """Write the reports from records, without painting, and return the report.

    `last` is the report.json that is there, or None: what it says of its run is kept where it makes
    sense. `shard` is whose report it is (`2/3`). Raises Locked while a run is going on, OutputError
    where nothing can be written.
    """
    state = State(output_store(manifest), name_in_records(manifest))
    suffix = shard.replace("/", "-of-") if shard else None
    with state.store.lock("report", shard=suffix):
        results = Results(manifest, state, observer, "report")
        now = run_metadata(
            manifest,
            run_id="",
            began=Moment.now(),
            exit_code=0,
            weights={},
            machine=None,
            command=(),
            warnings=manifest.warnings,
            shard=shard,
        )
        facts, counts = known_run(last, now)
        selection = Selection.of_shard(shard)
        report = build_report(facts, [], standing(results, selection), counts=counts)
        rows = read_history(state.store, history_name(suffix), last=HISTORY_RUNS)
        write_reports(state.store, report, thumbnails=state.thumbnails, history=rows)
    return report
