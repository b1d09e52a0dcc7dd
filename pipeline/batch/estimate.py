"""How long a pair will take and how much memory it will need, before it is started.

Time and memory grow with the number of pixels: one evaluation costs so many seconds a pixel, and the network's activations
so many bytes. The seconds are learnt from the pairs this output folder already has; the bytes are the network's.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import BadImage
from pipeline.images.facts import image_size
from pipeline.images.sizes import fit_longer_side
from pipeline.job import Job

# Where nothing has been painted yet: measured on two cores of an x86-64 server, float32 (8.1 s at 1024 x 1024).
_SECONDS_PER_PIXEL = 7.7e-6
# Peak resident memory, float32, measured on the same machine: 1.39 GB at 512 x 512 and 3.5 GB at 1024 x 1024.
_BYTES = 690_000_000
_BYTES_PER_PIXEL = 2_680
_SETUP_SECONDS = 2.0  # per pair: decoding, targets, tracing of a new shape
START_SECONDS = 6.0  # per run: importing TensorFlow, loading the network
_RECENT = 20  # pairs; more would remember a machine that has changed


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a pair will probably take: wall-clock seconds and bytes of resident memory."""

    seconds: float
    memory: int


class Estimator:
    """Estimates from earlier outcomes (rows as in report.json) of this machine; corrected by what is seen on the way."""

    def __init__(self, outcomes: Iterable[Mapping[str, Any]] = ()) -> None:
        self._rates: list[float] = []
        self._sizes: dict[Path, tuple[int, int] | None] = {}
        for outcome in outcomes:
            self.learn(outcome)

    def learn(self, outcome: Mapping[str, Any]) -> None:
        """Take in how long a finished pair took per evaluation and pixel."""
        if outcome.get("size") and outcome.get("seconds_per_step"):
            width, height = outcome["size"]
            self._rates.append(outcome["seconds_per_step"] / (width * height))

    def estimate(self, job: Job) -> Estimate | None:
        """None where the content cannot be opened, so that nothing can be known."""
        if job.content not in self._sizes:
            self._sizes[job.content] = _size(job.content)
        if (found := self._sizes[job.content]) is None:
            return None
        width, height = found
        longest = max(width, height)
        size = job.options.size
        width, height = fit_longer_side(width, height, longest if isinstance(size, str) else min(longest, size))
        pixels = width * height
        rate = statistics.median(self._rates[-_RECENT:]) if self._rates else _SECONDS_PER_PIXEL
        return Estimate(
            seconds=_SETUP_SECONDS + job.options.steps * rate * pixels,
            memory=_BYTES + _BYTES_PER_PIXEL * pixels,
        )


def _size(path: Path) -> tuple[int, int] | None:
    """(width, height) from the header; None where there is none to read."""
    try:
        return image_size(path)
    except BadImage:
        return None
