"""How long a pair will take and how much memory it will need, before it is started.

Time and memory grow with the number of pixels that the network sees: one evaluation costs so many seconds a pixel, and the
activations so many bytes. The seconds are learnt from the pairs this output folder already has; the bytes are the network's.
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
from pipeline.studio.precision import fast_flags

# Where nothing has been painted yet: measured on two cores of an x86-64 server with avx512_bf16, 8.1 s and 4.4 s an
# evaluation at 1024 x 1024.
_SECONDS_PER_PIXEL = {"float32": 7.7e-6, "bfloat16": 4.2e-6}
# Peak resident memory on the same machine: float32 1.39 GB at 512 x 512 and 3.5 GB at 1024 x 1024, bfloat16 1.08 and 2.2 GB.
_BYTES = 690_000_000
_BYTES_PER_PIXEL = {"float32": 2_680, "bfloat16": 1_440}
_FRAME = 16  # pixels of mirrored border on each side (studio/vgg)
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
        self._rates: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        self._sizes: dict[Path, tuple[int, int] | None] = {}
        self._fast = "bfloat16" if fast_flags() else "float32"
        for outcome in outcomes:
            self.learn(outcome)

    def learn(self, outcome: Mapping[str, Any]) -> None:
        """Take in how long a finished pair took per evaluation and pixel."""
        if outcome.get("size") and outcome.get("seconds_per_step") and outcome.get("precision") in self._rates:
            width, height = outcome["size"]
            pixels = _seen_pixels(width, height, outcome.get("options", {}).get("border", "mirror"))
            self._rates[outcome["precision"]].append(outcome["seconds_per_step"] / pixels)

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
        pixels = _seen_pixels(width, height, job.options.border)
        precision = job.options.precision
        if precision == "auto":
            precision = self._fast
        known = self._rates[precision][-_RECENT:]
        rate = statistics.median(known) if known else _SECONDS_PER_PIXEL[precision]
        return Estimate(
            seconds=_SETUP_SECONDS + job.options.steps * rate * pixels,
            memory=_BYTES + _BYTES_PER_PIXEL[precision] * pixels,
        )


def _seen_pixels(width: int, height: int, border: str) -> int:
    return (width + 2 * _FRAME) * (height + 2 * _FRAME) if border == "mirror" else width * height


def _size(path: Path) -> tuple[int, int] | None:
    """(width, height) from the header; None where there is none to read."""
    try:
        return image_size(path)
    except BadImage:
        return None
