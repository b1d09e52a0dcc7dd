"""Whether a pair's pictures are large enough for what is asked of them: said before the first
second of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.errors import BadImage
from pipeline.images.facts import ImageFacts
from pipeline.job import Job
from pipeline.pictures import cannot_be_seen
from pipeline.schedule import Machine, Size, Sized, schedule


def why_too_small(job: Job, size: Callable[[Path], Size]) -> str | None:
    """What a run would say of a pair whose pictures, made as large as its options ask, are too
    narrow for the network; None where all is well, or where a size is not known, as `size` raises
    BadImage then."""
    try:
        content = Sized(job.content.name, size(job.content))
        styles = [Sized(style.image.name, size(style.image)) for style in job.styles]
    except BadImage:
        return None  # whoever opens it will say why
    try:
        schedule(job.options, content, styles, Machine(precision="float32"))
    except BadImage as error:
        return str(error)
    return None


def why_not(job: Job, opened: Mapping[Path, ImageFacts]) -> str | None:
    """What a run would say of a pair of these pictures, the ones that were opened; None where all
    is well."""
    for style in job.styles:
        if style.image in opened and not opened[style.image].can_be_seen:
            return cannot_be_seen(style.image.name)

    def size(path: Path) -> Size:
        if path not in opened:
            raise BadImage(f"{path} was not opened")
        return opened[path].width, opened[path].height

    return why_too_small(job, size)
