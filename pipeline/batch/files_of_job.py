"""The files of a job: opened, and as its output tells of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.batch.messages import Command
from pipeline.job import Job, Painted
from pipeline.pictures import Pictures, open_pictures
from pipeline.regions import MaskSources
from pipeline.style_at import as_table

if TYPE_CHECKING:
    from pipeline.images.picture import Picture

Opening = Callable[[Any], AbstractContextManager[None]]
"""Entered around the opening of each picture's file, given its path."""


def open_job(job: Job, opening: Opening, content: Picture | None = None) -> Pictures:
    """The pictures of a job, or with another `content`, as a frame. Raises as `open_pictures`
    does."""

    def of_file(source: Any) -> AbstractContextManager[None]:
        return opening(source) if isinstance(source, str | Path) else nullcontext()

    return open_pictures(
        job.content if content is None else content,
        [(style.image, style.weight) for style in job.styles],
        job.options,
        of_file,
        lambda path: job.homes.get(str(path)),
        masks_of(job),
    )


def masks_of(job: Job, opened: Mapping[Path, Any] = {}) -> MaskSources:
    """The files of a job's masks, or, of those that are open, what came of them."""

    def of(mask: Path | None) -> Any:
        return mask if mask is None else opened.get(mask, mask)

    maps = None if job.region_map is None else (of(job.region_map), [of(style.region_map) for style in job.styles])
    return MaskSources([(of(style.mask), of(style.own_mask)) for style in job.styles], of(job.content_mask), maps)


def output_settings(command: Command, sha256: Mapping[str, Any], painted: Painted) -> dict[str, Any]:
    """What an output says of itself; `sha256` are its files' (`Pictures.hashes`). Times and memory
    are not in it: equal pairs are equal files."""
    job, names = command.job, command.names
    shown = dict(names.masks)
    masks = shown.pop("mask", {})
    styles = [{"image": name, "weight": style.weight} for name, style in zip(names.style, job.styles, strict=True)]
    return {
        "key": painted.key,
        "output": job.output,
        "content": names.content,
        "style": [style | ({"mask": masks[str(n)]} if str(n) in masks else {}) for n, style in enumerate(styles)],
        **({"style_at": as_table(job.style_at)} if job.style_at else {}),
        **shown,
        "options": painted.options,
        "weights": painted.weights,
        "sha256": dict(sha256),
        "size": painted.size,
        **({"painted_size": painted.painted_size} if painted.painted_size else {}),
        "steps": painted.steps,
        **({"clip": painted.clip} if painted.clip else {}),
        "losses": painted.losses,
        "meta": dict(job.meta),
        "painted_with": painted.painted_with,
        **command.versions,
    }
