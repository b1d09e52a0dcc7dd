"""What tests of the objective share: images as an evaluator sees them, and targets made from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.nst.evaluator import Evaluator
from pipeline.nst.objective import objective_of
from pipeline.nst.terms.term import Sources, Style
from pipeline.options import Options


class Seen:
    """An image (height, width, 3) measured by one evaluator, and never kept."""

    def __init__(self, evaluator: Evaluator, pixels: Any) -> None:
        self._evaluator, self._pixels = evaluator, pixels

    def features(self, layers: Sequence[str]) -> Any:
        return self._evaluator.features(self._pixels, layers)

    def measured(self, probe: Any, maps: Any = None, kept_as: Any = None) -> Any:
        return self._evaluator.measured(self._pixels, probe, maps)

    @property
    def size(self) -> tuple[int, int]:
        return tuple(self._pixels.shape[:2])

    def opacity(self, cell: int) -> Any:
        return None


def targets_by(evaluator: Evaluator, options: Options, content: Any, *styles: Any, start: Any = None) -> Any:
    """The targets of a pair, by term; `styles` are images, or images with shares."""
    shared = [style if isinstance(style, tuple) else (style, 1.0) for style in styles]
    sources = Sources(
        Seen(evaluator, content),
        [Style(Seen(evaluator, style), share) for style, share in shared],
        start=Seen(evaluator, content if start is None else start),
        guide=Seen(evaluator, content),
        seed=0,
    )
    return objective_of(options).targets(sources)
