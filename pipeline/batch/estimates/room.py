"""How much a pair will take on the disk."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import BadImage
from pipeline.job import Job
from pipeline.schedule import Size, Sized, finished_size

# Bytes a pixel: the demo's PNGs have 2.4 and its JPEG of quality 95 has 0.8; rounded up, as other
# pictures are busier.
_LOSSLESS, _LOSSY = 3.0, 1.5
_LOSSY_SUFFIXES = frozenset({".jpg", ".jpeg", ".webp", ".avif"})
# The same of a clip, of which frames are kept as PNGs beside it: H.264 and VP9 of painted frames.
_VIDEO = 0.4
_VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".webm"})
# Record, three thumbnails and rows of the reports: the demo's four pairs have 610 KB of them.
_BESIDE = 150_000


def job_bytes(job: Job, size: Size, frames: int) -> float:
    """About how much a pair will take on the disk, given (width, height) of its content and how
    many frames it has; nothing where it cannot be painted."""
    try:
        width, height = finished_size(job.options, Sized(job.content_name, size))
    except BadImage:
        return 0.0
    suffix = Path(job.output).suffix.lower()
    if job.options.is_clip:
        of_clip = {**dict.fromkeys(_VIDEO_SUFFIXES, _VIDEO), **dict.fromkeys(_LOSSY_SUFFIXES - {".webp"}, _LOSSY)}
        a_pixel = _LOSSLESS + of_clip.get(suffix, _LOSSLESS)
    else:
        a_pixel = _LOSSY if suffix in _LOSSY_SUFFIXES else _LOSSLESS * job.options.depth / 8
    return _BESIDE + a_pixel * width * height * frames
