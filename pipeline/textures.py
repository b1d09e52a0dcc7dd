"""Pairs without a content: textures, which are the style alone, at a size of their own. Standard
library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.options import Options

TEXTURE = "texture"  # in the place of the content's name

# What a texture has instead of the usual values where nobody wrote others.
TEXTURE_DEFAULTS: Mapping[str, Any] = {"init": "noise"}

# What would be asked of a content, as it is without one.
_WITHOUT_CONTENT: Mapping[str, Any] = {
    "enlarge": False,
    "content_weight": 0.0,
    "preserve_color": "none",
    "strength": 1.0,
    "sharpen_to": None,
}
STARTS_OF_CONTENT = ("content", "blurred")  # of `init`
_MATCHED = {"before": "none", "both": "style"}  # of `match_color`, likewise


def as_texture(options: Options) -> Options:
    """The options of a texture as they count: what would be asked of a content is left out, and
    what would start from it starts from noise."""
    return replace(
        options,
        **_WITHOUT_CONTENT,
        init="noise" if options.init in STARTS_OF_CONTENT else options.init,
        match_color=_MATCHED.get(options.match_color, options.match_color),
    )
