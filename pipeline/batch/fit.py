"""Why a pair cannot be painted: pictures that are too small for what is asked of them, or too large
for memory, and outputs that are one file. Said before the first second of work."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.clip_names import is_clip_name
from pipeline.clips.facts import ClipFacts, why_not_painted
from pipeline.clips.listing import is_numbered, mask_frames
from pipeline.errors import BadImage
from pipeline.images.colour_codes import RegionColour, notes_of_maps
from pipeline.images.facts import ImageFacts
from pipeline.images.sizes import too_long_for, wrong_shape
from pipeline.job import Job
from pipeline.manifest.pairs.naming import identity
from pipeline.nst.tiling import WHOLE_ABOVE, machine_memory, needed_bytes
from pipeline.pictures import cannot_be_seen
from pipeline.printable import printable
from pipeline.regions import nothing_painted, painted_nowhere, shows_nothing
from pipeline.schedule import (
    Machine,
    Size,
    Sized,
    finished_size,
    notes_of_size,
    painted_size,
    schedule,
    sharpening_bytes,
)
from pipeline.store.store import Store

Identity = tuple[int, int]
_TWICE = "their folders are the same"
_CHANGE = "change the output"


def why_too_small(job: Job, size: Callable[[Path], Size]) -> str | None:
    """What a run would say of a pair whose pictures, made as large as its options ask, are too
    narrow for the network; None where all is well, or where a size is not known, as `size` raises
    BadImage then."""
    try:
        content = Sized(job.content_name, size(job.content))
        styles = [Sized(style.image.name, size(style.image)) for style in job.styles]
    except BadImage:
        return None  # whoever opens it will say why
    try:
        schedule(job.options, content, styles, Machine(precision="float32"))
    except BadImage as error:
        return str(error)
    return None


def why_too_long(job: Job, size: Callable[[Path], Size]) -> str | None:
    """What a run would say of a pair whose result has more pixels than its output's format can
    hold; None where it has not, and of a clip, whose encoder says so."""
    if job.options.is_clip:
        return None
    try:
        finished = finished_size(job.options, Sized(job.content_name, size(job.content)))
    except BadImage:
        return None  # whoever opens it will say why
    reason = too_long_for(Path(job.output).suffix, max(finished))
    return f"output {printable(job.output)}: {reason}" if reason else None


def why_masks_do_not_fit(job: Job, size: Callable[[Path], Size]) -> str | None:
    """What a run would say of a pair of whose masks one has another shape than its picture, with
    its place in the manifest; None where all fit, or where a size is not known."""
    for mask, style in _masks(job):
        try:
            name, shape = _content_shape(job, size) if style is None else (style.name, size(style))
            fault = wrong_shape(mask.name, size(mask), name, shape)
        except BadImage:
            continue  # whoever opens it will say why
        if fault:
            return f"{job.places.get(str(mask), '')}: {fault}".removeprefix(": ")
    return None


def why_frames_cannot_be(job: Job, clip: Callable[[Path], ClipFacts]) -> str | None:
    """What a run would say of a clip that is damaged, or has none of the frames that are asked for,
    with its place in the manifest; None where all is well, or where it cannot be read at all.
    `clip` raises BadImage."""
    if not is_clip_name(job.content.name) and not job.options.is_clip:
        return None
    try:
        fault = why_not_painted(clip(job.content), job.options.frames, job.content.name)
    except BadImage:
        return None  # whoever opens it will say why
    return f"{job.places.get(str(job.content), '')}: {fault}".removeprefix(": ") if fault else None


def why_mask_frames_do_not_fit(job: Job, clip: Callable[[Path], ClipFacts]) -> str | None:
    """What a run would say of a clip that has not a good mask for each frame, with its place in the
    manifest; None where it has, or where the clip itself cannot be read. `clip` raises BadImage."""
    if not job.options.is_clip:
        return None
    for mask in dict.fromkeys(mask for mask in job.masks if is_numbered(mask)):
        try:
            facts = clip(job.content)
        except BadImage:
            return None  # whoever opens it will say why
        place = job.places.get(str(mask), "")
        try:
            mask_frames(mask, job.content, facts.frames, damaged=bool(facts.damage))
            fault = clip(mask).damage
        except BadImage as error:
            fault = str(error)
        if fault:
            return f"{place}: {fault}".removeprefix(": ")
    return None


def _content_shape(job: Job, size: Callable[[Path], Size]) -> tuple[str, Size]:
    """The name and size that masks on the content are held against: a texture has its own."""
    if job.options.is_texture:
        return job.content_name, painted_size(job.options, Sized(job.content_name, (1, 1)))
    return job.content_name, size(job.content)


def _masks(job: Job) -> Iterator[tuple[Path, Path | None]]:
    """Masks and region maps, each with the style that it is of, or None for the content."""
    of_content = (job.content_mask, job.region_map, *(style.mask for style in job.styles))
    yield from ((mask, None) for mask in of_content if mask)
    for style in job.styles:
        yield from ((mask, style.image) for mask in (style.own_mask, style.region_map) if mask)


# Share of an estimate of memory that a pair takes at least: those of small pictures are up to 14 %
# too high (`nst/tiling`), and what may fit is not refused.
_CERTAIN = 0.85


def why_too_large(job: Job, size: Callable[[Path], Size], max_memory: int | None) -> str | None:
    """What is to be said of a pair whose style's distance cannot be cut into tiles as far as others
    can, where no tiles make it fit into memory: `max_memory` bytes, or the machine's; None where it
    fits."""
    whole = job.options.normalize_gradients == "l1"
    if not whole and ("neighbours" not in job.options.style_losses or job.options.tile == "off"):
        return None
    try:
        content = Sized(job.content_name, size(job.content))
        width, height = painted_size(job.options, content)
        finished = finished_size(job.options, content)
    except BadImage:
        return None
    # what `auto` means is known to the worker alone: the one that takes less
    precision = "bfloat16" if job.options.precision == "auto" else job.options.precision
    limit = min(machine_memory(), max_memory or machine_memory())
    needed = needed_bytes(job.options, width * height, precision, 0 if whole else WHOLE_ABOVE)
    needed += sharpening_bytes(job.options, finished) if finished != (width, height) else 0
    if _CERTAIN * needed <= limit:
        return None
    return (
        f"content {content.name} at {width}x{height} pixels needs about {needed / 2**30:.1f} GiB of memory with "
        f"{_WHOLE if whole else 'style_loss: neighbours, also in tiles'}, and may have {limit / 2**30:.1f} GiB; lower size, "
        f"{'raise max_memory, ' if max_memory else ''}or choose another "
        f"{'normalize_gradients' if whole else 'style_loss'}"
    )


_WHOLE = "normalize_gradients: l1, which has no tiles"


def why_not(job: Job, opened: Mapping[Path, ImageFacts], max_memory: int | None = None) -> str | None:
    """What a run would say of a pair of these pictures, the ones that were opened; None where all
    is well. `max_memory` as of `why_too_large`."""
    for style in job.styles:
        if style.image in opened and not opened[style.image].can_be_seen:
            return cannot_be_seen(style.image.name)
        if style.own_mask is not None and _is_black(style.own_mask, opened):
            return shows_nothing(style.own_mask.name, style.image.name)

    def size(path: Path) -> Size:
        if path not in opened:
            raise BadImage(f"{path} was not opened")
        return opened[path].width, opened[path].height

    reason = why_too_small(job, size) or why_too_long(job, size)
    reason = reason or why_masks_do_not_fit(job, size) or _why_nowhere(job, opened)
    return reason or why_too_large(job, size, max_memory)


def _why_nowhere(job: Job, opened: Mapping[Path, ImageFacts]) -> str | None:
    """What a run would say of a pair whose styles are all painted nowhere."""
    black = [style.mask.name for style in job.styles if style.mask and _is_black(style.mask, opened)]
    return nothing_painted(black) if len(black) == len(job.styles) else None


def _is_black(mask: Path, opened: Mapping[Path, ImageFacts]) -> bool:
    return mask in opened and opened[mask].is_black


def worth_knowing(
    job: Job, opened: Mapping[Path, ImageFacts], colours: Mapping[Path, Sequence[RegionColour]]
) -> list[str]:
    """What a run would note of a pair whose content has not the size that is asked for, of one with
    a style that is painted nowhere, and of one whose maps do not agree; `colours` are those of
    maps."""
    facts = opened.get(job.content)
    other = notes_of_size(job.options, Sized(job.content_name, (facts.width, facts.height))) if facts else []
    black = [
        painted_nowhere(style.mask.name, style.image.name)
        for style in job.styles
        if style.mask is not None and _is_black(style.mask, opened)
    ]
    maps = [job.region_map, *(style.region_map for style in job.styles)]
    known = [(path.name, colours[path]) for path in maps if path is not None and path in colours]
    apart = notes_of_maps(known[0][1], known[1:]) if job.region_map and len(known) == len(maps) else []
    return [*other, *black, *apart]


def find_clashes(jobs: Iterable[Job], store: Store) -> Mapping[str, str]:
    """Why an output cannot be painted, by its name, where it is one file with another pair's. Of
    two such outputs, the later is at fault. Whether it is a picture that is read, the manifest
    says."""
    folder_of = functools.cache(store.identity)
    taken: dict[tuple[Identity | str, str], str] = {}
    clashes = {}
    for job in jobs:
        output = job.output
        folder, name = posixpath.split(output)
        place = (folder_of(folder) if folder else None) or folder, identity(name)
        if (first := taken.setdefault(place, output)) != output:
            clashes[output] = f"{printable(output)} is one file with {printable(first)}: {_TWICE}; {_CHANGE}"
    return clashes
