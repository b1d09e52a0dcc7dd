"""How much a pair is, beside a single picture: its frames, what they cost beside the first, which
costs what a picture does, and its bytes on the disk."""

from __future__ import annotations

from pathlib import Path

from pipeline.batch.estimates.cost import Cost
from pipeline.clip_names import PREVIEW, count_kept
from pipeline.errors import BadImage, PairError
from pipeline.idle_options import WITH_QUALITY
from pipeline.images.reader import Reader
from pipeline.job import Job
from pipeline.options import Options
from pipeline.schedule import Size, Sized, finished_size

# Bytes a pixel: the demo's PNGs have 2.4 and its JPEG of quality 95 has 0.8; rounded up, as other
# pictures are busier.
_LOSSLESS, _LOSSY = 3.0, 1.5
# The same of a clip, of which frames are kept as PNGs beside it: H.264 and VP9 of painted frames.
_VIDEO = 0.4
_VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".webm"})
# Record, three thumbnails and rows of the reports: the demo's four pairs have 610 KB of them.
_OTHER_FILES = 150_000
# Evaluations at full size of a frame that follows another, where `steps_per_frame` is `auto`; and
# what else it takes, counted in them: what is painted afresh at half the size, targets, flow,
# reading and keeping. Both together are 0.35 of a still's time (docs/method.md).
_STEPS, _BESIDE = 15, 10


def job_bytes(job: Job, size: Size, frames: int) -> float:
    """About how much a pair will take on the disk, given (width, height) of its content and how
    many frames it has; nothing where it cannot be painted."""
    try:
        width, height = finished_size(job.options, Sized(job.content_name, size))
    except BadImage:
        return 0.0
    suffix = Path(job.output).suffix.lower()
    if job.options.is_clip:
        of_clip = {**dict.fromkeys(_VIDEO_SUFFIXES, _VIDEO), **dict.fromkeys(WITH_QUALITY - {".webp"}, _LOSSY)}
        a_pixel = _LOSSLESS + of_clip.get(suffix, _LOSSLESS)
    else:
        a_pixel = _LOSSY if suffix in WITH_QUALITY else _LOSSLESS * job.options.depth / 8
    return _OTHER_FILES + a_pixel * width * height * frames


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
