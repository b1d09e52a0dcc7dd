"""The books of one run: how each pair went, which records are kept, which exit codes apply. Starts
nothing."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.batch.found import Found
from pipeline.batch.observer import Observer
from pipeline.batch.outcomes import Outcomes
from pipeline.batch.plan import PlannedPair
from pipeline.batch.system.machine import differences_between
from pipeline.clip_names import is_numbered
from pipeline.errors import BadOutput, ExitCode, StylizeError
from pipeline.images.reader import READER
from pipeline.job import (
    FAILED,
    OF_PICTURE,
    Job,
    Manifest,
    Outcome,
    Painted,
    ShownNames,
    Status,
    flat,
    shown_masks,
    shown_name,
)
from pipeline.store.failures import Failure, Failures, circumstances
from pipeline.store.layout import checkpoint_name, log_name
from pipeline.store.output_files import files_of
from pipeline.store.records import Record, State
from pipeline.store.store import Store
from pipeline.style_at import as_table
from pipeline.urls import with_addresses

# Characters: of a name with its folders and what is wrong with it. A bug's own words have no end,
# and a failure that is too long to be read again would never be known the next night.
_LONGEST_REASON = 5000


class Results:
    """Outcomes by output name, and what they mean for the run.

    `codes` are all exit codes that apply, `warnings` what is said once per run, `log` the file for
    tracebacks.
    """

    def __init__(self, manifest: Manifest, state: State, observer: Observer, run_id: str) -> None:
        self.manifest, self.state, self.observer, self.run_id = manifest, state, observer, run_id
        self.log = state.store.path(log_name(run_id))
        self.outcomes = Outcomes(len(manifest.pairs))
        self._refused: dict[int, Outcome] = {}
        self.codes: set[ExitCode] = set()
        self.warnings: list[str] = list(manifest.warnings)
        self._failures = Failures(state.store)
        self._tries: dict[str, int] = {}

    def begin_try(self, pair: PlannedPair) -> None:
        """Count a try of a pair."""
        self._tries[pair.job.output] = self.tries(pair) + 1

    def tries(self, pair: PlannedPair) -> int:
        """How often a pair was begun in this run."""
        return self._tries.get(pair.job.output, 0)

    def add(self, outcome: Outcome, code: ExitCode = ExitCode.SOME_FAILED) -> None:
        """Take in how a pair went; `code` is what a failure means for the run."""
        self.outcomes.add(outcome)
        if outcome.status in FAILED:
            self.codes.add(code)
        self.observer.finished(outcome)

    def refused(self, pair: PlannedPair) -> None:
        """A pair that cannot have its output. Others may want the same one: it is no key to their
        outcomes, and nothing is remembered under it."""
        outcome = self.outcome(pair, "failed", reason=pair.reason, reason_class=pair.reason_class, attempts=1)
        self._refused[id(pair.job)] = outcome
        self.codes.add(ExitCode.SOME_FAILED)
        self.observer.finished(outcome)

    def of(self, job: Job) -> Outcome | None:
        """How a pair went, once that is known."""
        return self._refused.get(id(job)) if job.refusal else self.outcomes.get(job.output)

    def hand_over(self, job: Job) -> Outcome | None:
        """The same for the last time, to whoever makes the report: a hundred thousand outcomes and
        as many rows need not be held at once."""
        return self._refused.get(id(job)) if job.refusal else self.outcomes.pop(job.output)

    def knows(self, job: Job) -> bool:
        """Is it known how a pair went?"""
        return id(job) in self._refused if job.refusal else job.output in self.outcomes

    def done(self, pair: PlannedPair, painted: Painted, notes: Sequence[str]) -> Outcome:
        """A pair was painted, as its painter says. Its record is kept."""
        outcome = Outcome(**self._known(pair, "done") | flat(painted))
        outcome.notes = [*notes, *_not_the_same_again(pair, outcome)]
        self._remove_frames(pair, outcome)
        self._record(outcome)
        self._failures.forget(pair.job.output)
        with suppress(OSError, StylizeError):
            self.state.store.delete(checkpoint_name(pair.job.output))
        return outcome

    def _remove_frames(self, pair: PlannedPair, outcome: Outcome) -> None:
        """Have no numbered frames of an earlier painting that this one has not, where they stand as
        they were written: as a whole, or, where others were written over by a run that did not come
        to its end, each by itself."""
        record, store = pair.record, self.state.store
        if record is None or not is_numbered(outcome.output):
            return
        found = Found(store, pair.job, READER)
        for name in set(record.files) - set(files_of(outcome.output, outcome.clip)):
            with suppress(OSError, StylizeError):
                if pair.stood or (_is_as_old(store, name, record) and found.is_a_frame(name)):
                    store.delete(name)

    def kept(self, pair: PlannedPair) -> Outcome:
        """What is known of a picture that is right: from its record, or from its own metadata,
        which becomes a record."""
        pair = self._with_whole_record(pair)
        outcome = self.of_picture(pair)
        # a record with the key of an earlier version gets today's
        if pair.adopted is not None or (pair.record is not None and pair.record.key != pair.key):
            self._record(outcome)
        elif pair.record is not None:
            with suppress(OSError, StylizeError):  # it only keeps another manifest's clean from it
                self.state.claim(pair.record)
        if pair.failure is not None:
            self._failures.forget(pair.job.output)
        return outcome

    def of_picture(self, pair: PlannedPair) -> Outcome:
        """The same, with nothing noted."""
        pair = self._with_whole_record(pair)
        source = pair.adopted or (pair.record.outcome if pair.record else {})
        before = {name: value for name, value in source.items() if name in OF_PICTURE}
        return Outcome(**before | self._known(pair, "up_to_date"))

    def _with_whole_record(self, pair: PlannedPair) -> PlannedPair:
        if pair.record is None or not pair.record.is_brief:
            return pair
        return replace(pair, record=self.state.record(pair.job.output))

    def failure_of(self, output: str) -> Failure | None:
        """How a pair failed last, if it has not been painted since."""
        return self._failures.of(output)

    def failed(
        self,
        pair: PlannedPair,
        reason: str,
        reason_class: str,
        code: ExitCode = ExitCode.SOME_FAILED,
        attempts: int | None = None,
    ) -> None:
        """A pair failed. What was the pair's own fault, and not the machine's, is remembered for
        the runs to come."""
        known: dict[str, Any] = {}
        reason = with_addresses(reason)
        reason = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]} ..."
        if code is not ExitCode.ENVIRONMENT:
            failure = self._failures.note(
                Failure(
                    output=pair.job.output,
                    key=pair.key,
                    reason_class=reason_class,
                    reason=reason,
                    circumstances=circumstances(reason_class, self.manifest.run),
                    since=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                    manifest=self.state.manifest,
                )
            )
            known = {
                "failing_since": failure.since,
                "failed_runs": failure.runs,
                "acknowledged": failure.acknowledged,
            }
        known |= {} if attempts is None else {"attempts": attempts}
        self.add(self.outcome(pair, "failed", reason=reason, reason_class=reason_class, **known), code)

    def quarantined(self, pair: PlannedPair) -> None:
        """A pair that failed too often to be tried again. It is no news of this run; that it is
        there is said by a code of its own until somebody acknowledges it."""
        outcome = self.of_failure(pair, "quarantined")
        self.add(outcome, ExitCode.OK if outcome.acknowledged else ExitCode.QUARANTINED)

    def of_failure(self, pair: PlannedPair, status: Status) -> Outcome:
        """What is known of a pair that failed in earlier runs."""
        failure = pair.failure
        assert failure is not None  # that is why
        return self.outcome(
            pair,
            status,
            reason=failure.reason,
            reason_class=failure.reason_class,
            failing_since=failure.since,
            failed_runs=failure.runs,
            acknowledged=failure.acknowledged,
        )

    def outcome(self, pair: PlannedPair, status: Status, **details: Any) -> Outcome:
        """What is known of a pair that was not painted, with `status` and `details`."""
        return Outcome(**self._known(pair, status) | details)

    def _known(self, pair: PlannedPair, status: Status) -> dict[str, Any]:
        """What is known of a pair without its picture."""
        job = pair.job
        names = self.names(job)
        return {
            "output": job.output,
            "content": names.content,
            "style": list(names.style),
            "style_shares": [style.weight for style in job.styles],
            "style_at": as_table(job.style_at),
            "masks": dict(names.masks),
            "status": status,
            "weights": {"name": pair.weights.name, "sha256": pair.weights.sha256} if pair.weights else {},
            "seed": job.options.seed,
            "key": pair.key,
            "options": dict(names.options),
            "priority": job.priority,
            "meta": dict(job.meta),
            "attempts": self.tries(pair),
        }

    def names(self, job: Job) -> ShownNames:
        """A pair's files as reports and pictures name them."""
        options = job.options.as_dict()
        for name, folder in (("init", self.manifest.input), ("weights", self.manifest.file.parent)):
            if os.path.isabs(options[name]):
                options[name] = shown_name(Path(options[name]), folder)
        content, style = self.sources(job)
        return ShownNames(
            content=content,
            style=style,
            options=options,
            masks=shown_masks(job, self.manifest.input),
        )

    def sources(self, job: Job) -> tuple[str, tuple[str, ...]]:
        """Content and styles alone, in half the time."""
        content = "" if job.options.is_texture else shown_name(job.content, self.manifest.input)
        return content, tuple(shown_name(style.image, self.manifest.input) for style in job.styles)

    def warn(self, text: str) -> None:
        """Say something once now and once in the report."""
        self.warnings.append(text)
        self.observer.warned(text)

    def write_log(self, text: str) -> None:
        """Add to the run's log; a disk that takes no more loses it."""
        with suppress(OSError, StylizeError):
            line = f"{text}\n".encode(errors="backslashreplace")
            self.state.store.append(log_name(self.run_id), line)

    def _record(self, outcome: Outcome) -> None:
        """Keep the record; without it the next run finds the key in the picture itself."""
        try:
            self.state.keep(outcome)
        except BadOutput as error:  # somebody's folder in its place: no disk that takes nothing
            self.warn(f"no record of {outcome.output} was kept: {error}")
        except FileNotFoundError:  # somebody takes pictures away as they come, and may
            self.warn(f"no record of {outcome.output} was kept: it is gone already; the next run paints it again")
        except (OSError, StylizeError) as error:
            self.warn(f"no record of {outcome.output} was kept: {error}")
            self.codes.add(ExitCode.ENVIRONMENT)


def _is_as_old(store: Store, name: str, record: Record) -> bool:
    """Was a file last written when its record was, or before?"""
    return store.fingerprint(name).mtime_ns <= record.mtime_ns


def _not_the_same_again(pair: PlannedPair, outcome: Outcome) -> list[str]:
    """A note where a pair was painted anew in another setting than before: kernels add up in
    another order with other threads, on another processor, in another TensorFlow, and small
    differences grow from step to step."""
    before = pair.record.outcome if pair.record is not None and pair.record.key == outcome.key else {}
    known = {name: value for name, value in before.get("painted_with", {}).items() if name in outcome.painted_with}
    if before.get("precision") is not None:
        known["precision"] = before["precision"]
    now = outcome.painted_with | {"precision": outcome.precision}
    differences = differences_between(known, {name: now[name] for name in known})
    return [f"painted before with other {differences}: alike, not equal byte for byte"] if differences else []
