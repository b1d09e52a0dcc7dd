"""Pairs that fail from run to run: one small file each, so that the same failure is not paid for
every night.

The file goes when the pair is painted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from pipeline.errors import BadOutput, OutputError, StylizeError
from pipeline.job import RunSettings
from pipeline.program import version
from pipeline.store.checksummed_json import read_checksummed_json, write_checksummed_json
from pipeline.store.layout import FAILURE_SUFFIX, RECORDS, failure_name
from pipeline.store.shapes import fitting
from pipeline.store.store import Store

# Runs: one is chance, two may be a bad week-end of the machine, the third will be like the fourth
QUARANTINE_AFTER = 3
# What a plan sees for itself each time, at no cost: when it is gone, nothing speaks against trying.
_SEEN_BY_PLAN = frozenset({BadOutput.reason_class})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a pair has failed, in `runs` runs without a break since `since` (ISO 8601 with offset).

    `circumstances` are the limits that such a failure depends on beside the pair, and the program's
    version; when they change, it counts from one again, as it does with another `key` or
    `reason_class`. `acknowledged`: somebody has said that he knows of it; then it is no news until
    it starts anew.
    """

    output: str
    key: str
    reason_class: str
    reason: str
    circumstances: str
    since: str
    runs: int = 1
    manifest: str = ""  # of the last of these runs (`records.manifest_name`)
    acknowledged: bool = False

    def is_like(self, other: Failure) -> bool:
        """Does the same pair fail in the same way under the same circumstances?"""
        return (self.key, self.reason_class, self.circumstances) == (
            other.key,
            other.reason_class,
            other.circumstances,
        )

    def quarantines(self, key: str, settings: RunSettings) -> bool:
        """Is it no use to try the pair with this key again? Whoever knows better says
        `--retry-failed`."""
        return (
            self.runs >= QUARANTINE_AFTER
            and self.key == key
            and self.circumstances == circumstances(self.reason_class, settings)
            and self.reason_class not in _SEEN_BY_PLAN
        )


def circumstances(reason_class: str, settings: RunSettings) -> str:
    """What a failure of this class depends on beside the pair: raising the limit that it met is
    worth a new try."""
    limit = {"timeout": settings.pair_timeout, "memory": settings.max_memory}.get(reason_class)
    return version("stylize-pipeline") + (f", limit {limit:g}" if limit is not None else "")


class Failures:
    """The failures of an output folder's pairs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, output: str) -> Failure | None:
        """How the pair failed last, or None; what cannot be read counts as none."""
        failure = read_failure(self._store, failure_name(output))
        return failure if failure is not None and failure.output == output else None

    def note(self, failure: Failure) -> Failure:
        """Keep a failure, counted on where it is like the last one; returns what is now known.

        That it cannot be written costs one more try some night, and no word.
        """
        if (last := self.of(failure.output)) is not None and last.is_like(failure):
            failure = replace(failure, since=last.since, runs=last.runs + 1, acknowledged=last.acknowledged)
        with suppress(OutputError, BadOutput):
            write_checksummed_json(self._store, failure_name(failure.output), asdict(failure))
        return failure

    def quarantined(self) -> list[Failure]:
        """All that were met often enough, by output. Whether one still holds its pair is the plan's
        to say."""
        found = []
        for entry in self._store.list(RECORDS):
            failure = read_failure(self._store, entry.name) if entry.name.endswith(FAILURE_SUFFIX) else None
            if failure and entry.name == failure_name(failure.output) and failure.runs >= QUARANTINE_AFTER:
                found.append(failure)
        return sorted(found, key=lambda failure: failure.output)

    def acknowledge(self, failure: Failure) -> None:
        """Note that somebody knows of it. Raises OutputError where that cannot be written."""
        write_checksummed_json(self._store, failure_name(failure.output), asdict(replace(failure, acknowledged=True)))

    def forget(self, output: str) -> None:
        """The pair is painted."""
        with suppress(OSError, StylizeError):
            self._store.delete(failure_name(output))


def read_failure(store: Store, name: str) -> Failure | None:
    """The failure in a file; None where there is none, or it was damaged, or is not as we write
    them."""
    fields = fitting(Failure, read_checksummed_json(store, name))
    try:
        return Failure(**fields) if fields is not None else None
    except TypeError:  # something is missing
        return None
