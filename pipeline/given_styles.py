"""Styles, regions, frames and weights, as a caller in Python gives them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Sized
from numbers import Real
from typing import TYPE_CHECKING, Any

from pipeline.clip_names import ALL, AUTO
from pipeline.errors import OptionError
from pipeline.options import Options

if TYPE_CHECKING:
    from typing import TypeAlias

    from pipeline.pictures import Source

    Style: TypeAlias = Source | tuple[Source, float] | Mapping[str, Any]
    Styles: TypeAlias = Style | Sequence[Style]


def shares_of(style: Styles) -> tuple[list[tuple[Source, float]], list[tuple[Any, Any]]]:
    """One style or several as pairs of source and share, and their masks, on the content and their
    own. Raises OptionError."""
    with_share = isinstance(style, tuple) and len(style) == 2 and isinstance(style[1], Real)
    entries = style if isinstance(style, list | tuple) and not with_share else [style]
    if not entries:
        raise OptionError("style must be a picture or a list of at least one. Received: []")
    pairs, masks = [], []
    for entry in entries:
        pair, own = _one_style(entry)
        share = pair[1] if len(pair) == 2 else None
        if not 0 < (number := number_given(share)) < math.inf:
            shown = repr(share) if isinstance(share, str | Real | None) else type(share).__name__
            raise OptionError(f"a style with a share must be (picture, number above 0). Received the share: {shown}")
        pairs.append((pair[0], number))
        masks.append(own)
    return pairs, masks


def frames_of(frames: Any) -> Iterator[Any]:
    """The frames of a clip. A path is refused, as its letters would be taken for frames. Raises
    OptionError."""
    try:
        if not isinstance(frames, str | bytes):
            return iter(frames)
    except TypeError:
        pass
    raise OptionError(
        "frames must be pictures one after the other, as a list of them; a file that is a clip is painted by"
        f" 'stylize paint'. Received: {type(frames).__name__}"
    )


def count_of(frames: Any, options: Options) -> int:
    """How many frames there are, 0 where nobody needs to know. Raises OptionError where that cannot
    be known of a loop, and for `frames` that are to be left out."""
    if options.frames not in (AUTO, ALL):
        raise OptionError(
            f"all frames that are given are painted; give those that are wanted alone, and take the option 'frames' away."
            f" Received: {options.frames}"
        )
    if options.loop and not isinstance(frames, Sized):
        raise OptionError(
            f"a 'loop' is painted by its end, which must be known; give the frames as a list. Received: {type(frames).__name__}"
        )
    return len(frames) if isinstance(frames, Sized) else 0


def _one_style(entry: Any) -> tuple[Any, tuple[Any, Any]]:
    """A style with its share, and its masks."""
    if not isinstance(entry, Mapping):
        return entry if isinstance(entry, tuple) else (entry, 1.0), (None, None)
    if "image" not in entry or not entry.keys() <= {"image", "weight", "mask"}:
        raise OptionError(f"a style is {{'image': ..., 'weight': ..., 'mask': ...}}. Received: {_keys(entry)}")
    mask = entry.get("mask")
    both = mask if isinstance(mask, Mapping) else {"content": mask}
    if not both.keys() <= {"content", "style"}:
        raise OptionError(f"a mask is a picture, or {{'content': ..., 'style': ...}}. Received: {_keys(both)}")
    return (entry["image"], entry.get("weight", 1.0)), (both.get("content"), both.get("style"))


def number_given(value: Any) -> float:
    """A share or a weight as a float, NumPy's too; NaN for what is no number."""
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf


def _keys(given: Any) -> str:
    """What a message says was got in the place of a table: its names, or what it is."""
    return ", ".join(map(str, given)) or "{}" if isinstance(given, Mapping) else type(given).__name__


def maps_of(regions: Mapping[str, Any] | None, count: int) -> tuple[Any, list[Any]] | None:
    """Region maps of the content and of so many styles. Raises OptionError."""
    if regions is None:
        return None
    if not isinstance(regions, Mapping) or regions.keys() != {"content", "style"}:
        raise OptionError(f"regions are {{'content': ..., 'style': ...}}. Received: {_keys(regions)}")
    styles = list(regions["style"]) if isinstance(regions["style"], list | tuple) else [regions["style"]]
    if len(styles) != count:
        raise OptionError(f"regions must have one map for each of the {count} styles. Received: {len(styles)}")
    return regions["content"], styles
