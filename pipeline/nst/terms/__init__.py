"""The terms that an objective can be made of, one file each: equation, shapes, source."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.nst.terms import content, style, variation
from pipeline.nst.terms.term import Weighted
from pipeline.options import Options

TERMS: tuple[Callable[[Options], Weighted | list[Weighted] | None], ...] = (
    content.from_options,
    style.from_options,
    variation.from_options,
)
"""What makes the terms of a pair from its options, in the order in which losses are told: a list
where several are one loss (`part`), None where a pair does not want the term."""
