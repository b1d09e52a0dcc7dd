"""What a run would do, pair by pair, and why: decided from records, hashes and file names alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from pipeline.batch.difference import difference
from pipeline.batch.fit import (
    find_clashes,
    why_frames_cannot_be,
    why_mask_frames_do_not_fit,
    why_masks_do_not_fit,
    why_too_large,
    why_too_long,
    why_too_small,
)
from pipeline.batch.found import Found
from pipeline.batch.networks import Networks
from pipeline.batch.selection import Selection
from pipeline.clips.facts import ClipFacts
from pipeline.clips.listing import is_numbered, numbered_files, sha256_of_all
from pipeline.errors import BadImage, BadOutput, ObjectTrouble, OutOfMemory, OutOfTime
from pipeline.images.reader import READER, Reader
from pipeline.job import Job, Manifest, RunSettings
from pipeline.nst.weights import NetworkWeights
from pipeline.objects.fetching import Fetched
from pipeline.printable import printable
from pipeline.schedule import Size
from pipeline.store.failures import Failure, Failures
from pipeline.store.keys import outdated_keys, pair_key
from pipeline.store.output_files import fingerprint_of
from pipeline.store.records import Record, State, painted_fields
from pipeline.store.store import Store
from pipeline.urls import url_of, with_addresses

Known = TypeVar("Known")

Action = Literal["paint", "keep", "fail", "quarantined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPair:
    """One pair of a plan.

    `paint`: it will be painted; `keep`: its picture is right as it is; `fail`: it cannot be started
    (`reason` says why). `quarantined`: it failed too often to be tried again. `record` is what is
    known of an earlier picture, which `stood` as that says; for a picture that is right but has no
    record, `adopted` holds the settings found in the picture itself. `failure` is how the pair
    failed last, if it has not been painted since.
    """

    job: Job
    action: Action
    reason: str
    key: str = ""
    weights: NetworkWeights | None = None
    record: Record | None = None
    adopted: dict[str, Any] | None = None
    failure: Failure | None = None
    reason_class: str = ""
    stood: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The pairs of a run, most important first: by priority, then as in the manifest; but of those
    that paint and are as important as each other, first the ones without a picture, then those
    whose picture is the oldest. `warnings` are worth saying once in a run."""

    pairs: tuple[PlannedPair, ...]
    warnings: tuple[str, ...] = ()
    left: int = 0  # pairs that are to be painted, and that the limit leaves for a later run

    def count(self, action: Action) -> int:
        """How many pairs have this action."""
        return sum(pair.action == action for pair in self.pairs)


def make_plan(
    manifest: Manifest,
    state: State,
    selection: Selection = Selection(),
    reader: Reader = READER,
) -> Plan:
    """Compare what the manifest wants with what stands in the output folder. Nothing is written.

    `reader` looks at pictures that no record vouches for. Its `check_cancelled` is called before
    each pair and while files are read, and may raise to end the planning; where it raises
    OutOfTime, the pairs that are left are planned to be painted, as no run will come to them.
    Pictures that are elsewhere are fetched first. Raises WeightsError when a network that a pair
    asks for is not on this machine, EnvironmentProblem where a store of objects does not answer.
    """
    wanted = [job for job in manifest.pairs if selection.takes(job.output)]
    # stable: the manifest's order among equals
    ordered = sorted(wanted, key=lambda job: -job.priority)
    networks = Networks(state)
    fetched = Fetched((path for job in wanted for path in job.inputs), reader.check_cancelled)

    def hash_of(path: Path, home: str | None) -> str:
        fetched.check(path)
        if not is_numbered(url_of(path) or path):
            return state.hashes.sha256(path, reader.check_cancelled, home)
        files = (Path(each) for _number, each in numbered_files(path))
        return sha256_of_all(state.hashes.sha256(each, reader.check_cancelled, home) for each in files)

    sha256 = functools.cache(hash_of)  # a picture of a matrix stands in hundreds of pairs
    size = functools.cache(functools.partial(_size, reader))
    failures = Failures(state.store)
    clashes = find_clashes(manifest.pairs, state.store)
    pairs: list[PlannedPair] = []
    alike: dict[str, Any] = {}
    for number, job in enumerate(ordered):
        if job.refusal:
            pairs.append(refused(job))
            continue
        try:
            reader.check_cancelled()
            pair = _planned(job, state, networks, sha256, reader, selection.force, clashes.get(job.output))
            pair = _fitting(pair, size, reader, manifest.run.max_memory)
        except OutOfTime as late:
            pairs += [PlannedPair(job=left, action="paint", reason=str(late)) for left in ordered[number:]]
            break
        # of the process that looks, or of the store: whatever stands there is not judged
        except (OutOfMemory, ObjectTrouble) as error:
            pair = PlannedPair(job=job, action="fail", reason=str(error), reason_class=error.reason_class)
        if len(pairs) >= _MOST_WHOLE and pair.record is not None:
            pair = replace(pair, record=pair.record.brief(alike))
        pairs.append(_held(pair, failures, manifest.run, retry=selection.retry_failed))
    taken = _limited(_longest_wanted_first(pairs, state.store), selection.limit)
    choosing = any(pair.action == "paint" and pair.job.options.weights == "auto" for pair in taken)
    return Plan(
        pairs=tuple(taken),
        warnings=(networks.warning,) if choosing and networks.warning else (),
        left=len(pairs) - len(taken),
    )


# Pairs of a plan whose records are kept whole, with the readings of their traces: 70 KB of memory
# each. Those of more are read again, pair by pair, where they are wanted, in 1.4 ms each.
_MOST_WHOLE = 500


def _fitting(
    pair: PlannedPair, size: Callable[..., Size | BadImage], reader: Reader, max_memory: int | None
) -> PlannedPair:
    """The pair; one that fails where the headers of its pictures show that they cannot be read, or
    would be too narrow, or too large for memory."""

    def known(path: Path) -> Size:
        found = size(path, pair.job.home_of(path))
        if isinstance(found, BadImage):
            raise found
        return found

    if pair.action != "paint":
        return pair
    try:
        for path in pair.job.inputs:
            _at_its_place(pair.job, path, known)
        clip = functools.partial(_clip, reader, pair.job)
        reason = why_too_small(pair.job, known) or why_too_long(pair.job, known)
        reason = reason or why_masks_do_not_fit(pair.job, known) or why_frames_cannot_be(pair.job, clip)
        if reason := reason or why_mask_frames_do_not_fit(pair.job, clip):
            raise BadImage(reason)
    except BadImage as error:
        return replace(pair, action="fail", reason=str(error), reason_class=BadImage.reason_class)
    if reason := why_too_large(pair.job, known, max_memory):
        return replace(pair, action="fail", reason=reason, reason_class=OutOfMemory.reason_class)
    return pair


def _size(reader: Reader, path: Path, home: str | None) -> Size | BadImage:
    """A picture's size, or why it has none, which a cache may keep."""
    try:
        return reader.size(path, home)
    except BadImage as error:
        return error


def _clip(reader: Reader, job: Job, path: Path) -> ClipFacts:
    return reader.clip(path, job.home_of(path))


def refused(job: Job) -> PlannedPair:
    """A pair that cannot be started, as the manifest alone shows."""
    return PlannedPair(job=job, action="fail", reason=job.refusal, reason_class=BadOutput.reason_class)


def _planned(
    job: Job,
    state: State,
    networks: Networks,
    sha256: Callable[..., str],
    reader: Reader,
    force: bool,
    clash: str | None,
) -> PlannedPair:
    weights = networks.of(job)
    record = state.record(job.output)
    planned = functools.partial(PlannedPair, job=job, record=record)
    digest = functools.partial(_at_its_place, job, look=lambda path: sha256(path, home=job.home_of(path)))
    try:
        key = pair_key(job, digest, weights.sha256)
    except (BadImage, ObjectTrouble) as error:
        return planned(action="fail", reason=str(error), reason_class=error.reason_class, weights=weights)

    kept = record if record is not None and state.stands(record, job.output) else None
    picture = Found(state.store, job, reader, kept.files if kept else ())
    adopted = None
    action: Action = "paint"
    if in_the_way := picture.in_the_way():
        action, reason = "fail", f"{in_the_way}; {_MOVE}"
    elif clash is not None:
        action, reason = "fail", clash
    elif not picture.exists():
        reason = "not painted yet" if record is None else "its picture is gone"
    elif force:
        reason = "forced"
    elif used := kept and networks.up_to_date_with(job, {**kept.outcome, "key": kept.key}, key, digest):
        action, reason, (weights, key) = "keep", "up to date", used
    elif strange := picture.strange():
        action, reason = "fail", f"{strange}; {_MOVE_IT}"
    elif kept:
        reason = difference(job, kept, weights, lambda: outdated_keys(job, digest, weights.sha256))
    elif is_numbered(job.output):
        reason = "its frames were changed, or some are gone"
    elif (
        (whole := picture.decodes())
        and (found := picture.settings())
        and (used := networks.up_to_date_with(job, found, key, digest))
    ):
        # and still is not what was recorded: a JPEG decodes whatever its middle holds
        if _speaks_of(record, found):
            action, reason = "fail", f"{printable(picture.path)} was changed since it was painted; {_MOVE_IT}"
        elif (adopted := painted_fields(found)) is not None:
            action, reason, (weights, key) = "keep", "up to date", used
        else:
            reason = "its picture holds settings that were not written here"
    elif picture.settings() or (record is not None and not whole):
        reason = "its picture was changed" if whole else "its picture is damaged"
    else:  # nothing says that it is ours, and it may be somebody's work
        since = "was not made here" if record is None else "was changed since it was painted"
        action, reason = "fail", f"{printable(picture.path)} {since}; {_MOVE_IT}"
    reason_class = BadOutput.reason_class if action == "fail" else ""
    planned = functools.partial(planned, stood=kept is not None)
    return planned(action=action, reason=reason, reason_class=reason_class, key=key, weights=weights, adopted=adopted)


def _at_its_place(job: Job, path: Path, look: Callable[[Path], Known]) -> Known:
    """What is asked of an input, as its hash; what is wrong with a file that the manifest names is
    told with the place there."""
    try:
        return look(path)
    except (BadImage, ObjectTrouble) as error:
        place, why = job.places.get(str(path)), with_addresses(str(error))
        raise type(error)(f"{place}: {why}" if place else why) from error


_MOVE = "move what stands there, or change the output"
_MOVE_IT = "move it, change the output, or use --force"


def _held(pair: PlannedPair, failures: Failures, settings: RunSettings, *, retry: bool) -> PlannedPair:
    """The pair with what is known of the pair's failures; in quarantine where they say that trying
    again is no use."""
    failure = None if pair.job.refusal else failures.of(pair.job.output)
    if failure is None:
        return pair
    if pair.action == "keep" or retry or not failure.quarantines(pair.key, settings):
        return replace(pair, failure=failure)
    since = f"failed in {failure.runs} runs since {failure.since[:10]}"
    reason = f"{since} ({failure.reason}); --retry-failed tries it again"
    return replace(pair, action="quarantined", reason=reason, reason_class=failure.reason_class, failure=failure)


def _longest_wanted_first(pairs: Sequence[PlannedPair], store: Store) -> list[PlannedPair]:
    """The pairs, in order of priority as they come, with those that paint in the order of `Plan` at
    the places that they have.

    So that a night that is too short every night gets round to all its pairs.
    """

    def painted_ns(pair: PlannedPair) -> int:
        try:
            return fingerprint_of(store, pair.record.files if pair.record else [pair.job.output]).mtime_ns
        except OSError:  # not painted yet, or lost
            return 0

    painting = sorted(
        (pair for pair in pairs if pair.action == "paint"), key=lambda pair: (-pair.job.priority, painted_ns(pair))
    )
    due = iter(painting)
    return [next(due) if pair.action == "paint" else pair for pair in pairs]


def _speaks_of(record: Record | None, settings: Mapping[str, Any] | None) -> bool:
    """Is it this very painting that the record is of? A later one, whose record a crash prevented,
    has other losses or names, or has the same bytes."""
    if record is None or settings is None:
        return False
    return all(record.outcome.get(name) == settings.get(name) for name in ("key", "losses", "content", "meta"))


def _limited(pairs: Sequence[PlannedPair], limit: int | None) -> list[PlannedPair]:
    """All pairs, but only the first `limit` of those that paint."""
    if limit is None:
        return list(pairs)
    kept, painted = [], 0
    for pair in pairs:
        if pair.action == "paint":
            painted += 1
        if pair.action != "paint" or painted <= limit:
            kept.append(pair)
    return kept
