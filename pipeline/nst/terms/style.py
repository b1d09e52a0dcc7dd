"""The style's distance, as the option `style_loss` names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.nst.terms import gram, moments, neighbours
from pipeline.nst.terms.term import Weighted
from pipeline.options import Options

STYLE_LOSSES: Mapping[str, Callable[[Options], Weighted]] = {
    "gram": gram.from_options,
    "moments": moments.from_options,
    "neighbours": neighbours.from_options,
}


def from_options(options: Options) -> Weighted:
    """The style term that a pair asks for."""
    return STYLE_LOSSES[options.style_loss](options)
