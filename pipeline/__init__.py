"""Neural style transfer in batches: each photograph painted in each style, by the optimisation of
Gatys, Ecker & Bethge.

`from pipeline import stylize` paints one picture; the command `stylize` (or `python -m pipeline`)
paints a manifest.
"""

from pipeline.stylize import Stylization, stylize

__all__ = ["Stylization", "stylize"]
