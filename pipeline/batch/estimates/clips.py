"""What a clip costs beside its first frame, which costs what a picture does; and how many frames it
has."""

from __future__ import annotations

from pipeline.batch.estimates.cost import Cost
from pipeline.clip_names import PREVIEW, count_kept
from pipeline.errors import PairError
from pipeline.images.reader import Reader
from pipeline.job import Job
from pipeline.options import Options

# Evaluations at full size of a frame that follows another, where `steps_per_frame` is `auto`; and
# what else it takes, counted in them: what is painted afresh at half the size, targets, flow,
# reading and keeping. Both together are 0.35 of a still's time (docs/method.md).
_STEPS, _BESIDE = 15, 10


def frames_of(job: Job, reader: Reader) -> int:
    """How many frames are painted: one of a picture; none where that cannot be known, as the clip
    cannot be read."""
    if not job.options.is_clip:
        return 1
    try:
        return count_kept(job.options.frames, reader.clip(job.content, job.home_of(job.content)).frames)
    except PairError:
        return 0


def clip_work(options: Options, cost: Cost, first: float, frames: int) -> float:
    """Core-seconds of a clip by the curve of `cost`, of which the first frame takes `first`, as all
    of a preview do."""
    if options.frames == PREVIEW:
        return first * frames
    steps = _STEPS if options.steps_per_frame == "auto" else int(options.steps_per_frame)
    return first + max(0, frames - 1) * (steps + _BESIDE) * cost.evaluation
