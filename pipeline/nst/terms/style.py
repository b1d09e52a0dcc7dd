"""The style's distance, as the option `style_loss` names it, or its mixture of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.nst.terms import gram, histogram, moments, neighbours, transport
from pipeline.nst.terms.part import part_of
from pipeline.nst.terms.term import Weighted
from pipeline.options import Options

STYLE_LOSSES: Mapping[str, Callable[[Options], Weighted]] = {
    "gram": gram.from_options,
    "moments": moments.from_options,
    "histogram": histogram.from_options,
    "transport": transport.from_options,
    "neighbours": neighbours.from_options,
}


def from_options(options: Options) -> list[Weighted]:
    """The style terms that a pair asks for: one named `style`, or parts of it."""
    if isinstance(options.style_loss, str):
        return [STYLE_LOSSES[options.style_loss](options)]
    return [part_of(name, STYLE_LOSSES[name](options), share) for name, share in options.style_losses.items()]
