"""Which options belong together. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping

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
