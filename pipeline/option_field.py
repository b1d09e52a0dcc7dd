"""How one option is declared: its default, what it means, the rules it keeps, and the group it
belongs to. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from typing import Any

GROUPS: Mapping[str, tuple[str, ...]] = {
    "name": ("preset",),
    "sizes": ("size", "enlarge", "style_scale", "style_aspect", "scales"),
    "network": ("weights", "network", "normalize", "pooling", "border", "wrap", "precision", "tile"),
    "objective": (
        *("losses", "style_loss", "content_loss", "content_weight", "coarse_content"),
        *("style_weight", "tv_weight", "tv_kind", "tv_unit", "content_layers", "style_layers"),
        *("normalize_gradients", "empty_areas", "coherence"),
    ),
    "start": ("init", "noise_level", "noise_ratio", "seed"),
    "descent": (
        *("optimizer", "learning_rate", "learning_rate_decay", "beta_1", "beta_2"),
        *("preconditioner", "history", "clip", "average"),
    ),
    "length": ("steps", "max_steps", "patience"),
    "output": (
        *("preserve_color", "match_color", "match_strength", "strength"),
        *("sharpen_to", "depth", "dpi", "quality"),
    ),
    "clip": ("frames", "loop", "temporal_weight", "steps_per_frame"),
}
"""Every option stands in one group: what is kept between pairs is kept by groups and cannot forget
one."""
LENGTH = r"^[0-9]{1,6}(\.[0-9]{1,6})?\s?(mm|cm|in)$"
USUAL_DPI = 300  # what printers ask for, and what `dpi: auto` is where no picture says another
_INCHES = {"mm": 1 / 25.4, "cm": 1 / 2.54, "in": 1.0}  # the inch is 25.4 mm (international yard, 1959)


def option(default: Any, meaning: str, **rules: Any) -> Any:
    """A field of `Options`.

    Rules (all optional): `ge`, `gt`, `le`: bounds; `choices`: the words allowed; `words`: the words
    that are not paths, of an option that may be a path, and `suffixes`: how such a path must end
    (left out: as a picture does); `lengths`: it may be a length on paper too, which becomes pixels
    when options are settled; `examples`: for hover help in editors and the README; `neutral`:
    of an option that came later, the value that paints as before it came (`options.NEUTRAL`);
    `frames`: the words of an option that names frames of a clip;
    `since`: the version it came with, of an option that what is stored leaves out at its neutral
    value (`Options.as_dict`), so that a picture painted as before has the same bytes as before.
    """
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"meaning": meaning, **rules})
    return field(default=default, metadata={"meaning": meaning, **rules})


def new_option(default: Any, meaning: str, **rules: Any) -> Any:
    """An option that came with version 0.2."""
    return option(default, meaning, since="0.2", **rules)


@cache
def neutral_values(options: type[Any], rule: str) -> Mapping[str, Any]:
    """The neutral values of those fields of a class of options that have this rule, by name."""
    return {field.name: field.metadata["neutral"] for field in fields(options) if rule in field.metadata}


def pixels_of(length: str, dpi: int) -> int:
    """How many pixels a length is at so many dots per inch, rounded; `length` matches `LENGTH`."""
    unit = length[-2:]
    return round(float(length[:-2]) * _INCHES[unit] * dpi)


def is_length(value: object) -> bool:
    """Whether a value of an option is a length."""
    return isinstance(value, str) and re.match(LENGTH, value) is not None
