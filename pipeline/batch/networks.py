"""Which network each pair is painted with. What `weights: auto` means is decided once a run, and
kept to from run to run: it must not depend on who starts the run, a shell or cron.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import WeightsError
from pipeline.job import Job
from pipeline.nst.weights import AUTOMATIC, NAMES, NetworkWeights, locate, passed_over
from pipeline.store.keys import former_key, pair_key
from pipeline.store.records import State


def faulty_weights(jobs: Iterable[Job]) -> list[str]:
    """What is wrong with the files that pairs name as their weights, in a sentence each. Which of
    the known ones are here is the machine's affair, and a run's."""
    names = dict.fromkeys(job.options.weights for job in jobs)
    faults = []
    for name in (name for name in names if name not in NAMES):
        try:
            locate(name)
        except WeightsError as error:
            faults.append(str(error))
    return faults


class Networks:
    """The networks of one plan, each looked up and hashed once. `warning` is what there is to say
    of `auto`, where anything is."""

    def __init__(self, state: State) -> None:
        self.warning: str | None = None
        self._state = state
        self._found: dict[str, NetworkWeights] = {}

    def of(self, job: Job) -> NetworkWeights:
        """What the pair is painted with if it is painted now. Raises WeightsError."""
        name = job.options.weights
        if name not in self._found:
            self._found[name] = self._automatic() if name == "auto" else locate(name)
        return self._found[name]

    def up_to_date_with(
        self, job: Job, settings: Mapping[str, Any], key: str, sha256: Callable[[Path], str]
    ) -> tuple[NetworkWeights, str] | None:
        """The network with which a picture of these settings is what the pair asks for, `key`
        being the pair's with today's network, and the key with it; None where there is none.

        A picture is not painted anew because `auto` would choose otherwise today.
        """
        if settings.get("key") == key:  # of most, so that no other is made
            return self.of(job), key
        now = self.of(job)
        if settings.get("key") == former_key(job, sha256, now.sha256):
            return now, key
        before = _painted_with(settings)
        if job.options.weights != "auto" or before is None:
            return None
        keys = pair_key(job, sha256, before.sha256), former_key(job, sha256, before.sha256)
        return (before, keys[0]) if settings.get("key") in keys else None

    def _automatic(self) -> NetworkWeights:
        """What the pictures here were painted with last, as long as it is to be had; else what
        `auto` means on this machine."""
        now, before = locate("auto"), self._last()
        if before is None or before == now.name:
            if trouble := passed_over() if now.name != AUTOMATIC[0] else None:
                self.warning = f"weights: auto is {now.name} here: {trouble}"
            return now
        try:
            kept = locate(before)
        except WeightsError as error:
            self.warning = (
                f"weights: auto is {now.name} here, and was {before} when pictures were painted last: {error}; "
                "those that are up to date stay"
            )
            return now
        self.warning = (
            f"weights: auto stays with {before}, which the pictures here were painted with; {now.name} is here as "
            f"well, and 'weights: {now.name}' paints all with that"
        )
        return kept

    def _last(self) -> str | None:
        """The network of the last picture that was painted with `auto`."""
        for outcome in reversed(self._state.recent()):
            options = outcome.get("options")
            if isinstance(options, Mapping) and options.get("weights") == "auto" and (used := _painted_with(outcome)):
                return used.name
        return None


def _painted_with(settings: Mapping[str, Any]) -> NetworkWeights | None:
    """The network that a record or a picture names, if `auto` may mean it; where its file is does
    not matter."""
    named = settings.get("weights")
    if not isinstance(named, Mapping) or named.get("name") not in AUTOMATIC or not isinstance(named.get("sha256"), str):
        return None
    return NetworkWeights(named["name"], None, named["sha256"])


def network_difference(before: Mapping[str, Any], now: NetworkWeights) -> str | None:
    """Why another network is a reason to paint anew, in words; None where it is the same one.
    `before` is a record's outcome."""
    named = before.get("weights")
    if not isinstance(named, Mapping) or named.get("sha256") in (None, now.sha256):
        return None
    if named.get("name") == now.name:
        return f"the network's file {now.name} is another now"
    return f"the network is {now.name} now, was {named.get('name')}"
