"""Whoever wants to hear how a run goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pipeline.batch.estimates.estimator import Estimate
from pipeline.batch.plan import Plan
from pipeline.errors import StylizeError
from pipeline.job import Job, Outcome
from pipeline.reading import Reading


class Observer(Protocol):
    """A terminal, a log, nobody."""

    def waiting(self, holder: str) -> None: ...

    def planned(self, plan: Plan, ahead: Estimate | None) -> None: ...

    def started(self, job: Job, steps: int, estimate: Estimate | None) -> None: ...

    def corrected(self, ahead: Estimate) -> None: ...

    def resumed(self, job: Job, position: str, steps: int) -> None: ...

    def reading(self, job: Job, reading: Reading, coarse: bool) -> None: ...

    def finished(self, outcome: Outcome) -> None: ...

    def warned(self, text: str) -> None: ...

    def standing(self, text: str) -> None:
        """A warning that holds night after night, until somebody changes the manifest or the
        machine: it is in the log and the report too."""

    def unwritten(self, report: str) -> None: ...

    def ended(self, report: Mapping[str, Any], output: str) -> None: ...

    def refused(self, error: StylizeError) -> None: ...
