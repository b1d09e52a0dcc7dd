"""The terms that an objective can be made of, one file each: equation, shapes, source.

What a term is: `term`. Terms: `content` and `self_similarity`; `gram`, `moments`, `histogram`,
`transport`, and `neighbours`, with `neighbours_by_layer` in the last pass and `coherence`;
`variation`; `temporal`. `part` makes one of several a part of one loss.

What several of them need: `sums` over positions and layers, `guides` for regions, `hypercolumns`
and `sampling` for what all layers say of a place, `candidates` and `matching` for nearest
neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.nst.terms import content, gram, histogram, moments, neighbours, transport, variation
from pipeline.nst.terms.part import part_of
from pipeline.nst.terms.term import Weighted
from pipeline.options import Options

_OF_STYLE: Mapping[str, Callable[[Options], Weighted]] = {
    "gram": gram.from_options,
    "moments": moments.from_options,
    "histogram": histogram.from_options,
    "transport": transport.from_options,
    "neighbours": neighbours.from_options,
}


def _style(options: Options) -> list[Weighted]:
    """The style terms that a pair asks for: one named `style`, or parts of it."""
    if isinstance(options.style_loss, str):
        return [_OF_STYLE[options.style_loss](options)]
    return [part_of(name, _OF_STYLE[name](options), share) for name, share in options.style_losses.items()]


TERMS: tuple[Callable[[Options], Weighted | list[Weighted] | None], ...] = (
    content.from_options,
    _style,
    variation.from_options,
)
"""What makes the terms of a pair from its options, in the order in which losses are told: a list
where several are one loss (`part`), None where a pair does not want the term."""
