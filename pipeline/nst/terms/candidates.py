"""Which positions of pictures are looked at for nearest neighbours, and which of several sets
has the nearest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.network import reduction
from pipeline.nst.terms.term import Image, Indexed, Sources

Places = NDArray[np.int64]
"""Positions of a map (height, width), counted row by row."""


def shape_at(image: Image, layer: str) -> tuple[int, int]:
    """A layer's positions, down and across."""
    height, width = (length // reduction(layer) for length in image.size)
    return height, width


def numbered(places: Places, shape: Sequence[int]) -> Indexed:
    """What `Picked` is compared with: a map (height, width) of this shape."""
    numbers = np.full(shape, -1, np.int32)
    numbers.flat[places] = np.arange(len(places))
    return Indexed(tf.constant(numbers), tf.constant(len(places)))


def visible(places: Places, image: Image, of: str | int) -> Places:
    """Those of `places` (positions of a layer, or cells) that show at least half of what the
    clearest position shows: a style's invisible positions are no neighbours. Where none of them
    does, all positions that do. If only the strip that a layer cuts off can be seen, the positions
    nearest to it count as showing that."""
    opacity = image.opacity(of if isinstance(of, int) else reduction(of))
    if opacity is None:
        return places
    if not isinstance(of, int):  # a layer counts whole positions only
        height, width = shape_at(image, of)
        inside = opacity[:height, :width].copy()
        if opacity.any() and not inside.any():
            rows, columns = np.nonzero(opacity)
            inside[np.minimum(rows, height - 1), np.minimum(columns, width - 1)] = 1
        opacity = inside
    visible = (opacity >= 0.5 * opacity.max()).ravel()
    seen = places[visible[places]]
    return seen if len(seen) else np.flatnonzero(visible)


def shared(sets: Sequence[Places], sources: Sources, most: int) -> list[Places]:
    """Of each style's places as many as its share of `most` says, taken by chance; all of a single
    style that has no more."""
    whole = sum(style.share for style in sources.styles)
    random = np.random.default_rng(sources.style_seed)
    taken = []
    for places, style in zip(sets, sources.styles, strict=True):
        count = max(1, round(most * style.share / whole))
        if len(places) > count:
            places = places[np.sort(random.choice(len(places), count, replace=False))]
        taken.append(places)
    return taken


def told_apart(sets: Iterable[Places]) -> bytes:
    """What tells places of an image from others, by SHA-256."""
    found = hashlib.sha256()
    for places in sets:
        found.update(len(places).to_bytes(8, "little") + places.tobytes())
    return found.digest()


class Best:
    """The nearest of several sets by position: its number among the rows of all of them, and which
    set that is of; 0 where there is none."""

    def __init__(self, count: int) -> None:
        self.numbers = np.zeros(count, np.int64)
        self.sets = np.zeros(count, np.int32)
        self._products = np.full(count, -np.inf, np.float32)
        self._rows = self._count = 0

    def add(self, places: Places, rows: int, find: Callable[[], tuple[tf.Tensor, tf.Tensor]]) -> None:
        """Look for neighbours of `places` in the next set, of so many rows: `find` gives products
        and numbers."""
        if len(places):
            products, numbers = find()
            products = tf.cast(products, tf.float32).numpy()
            better = products > self._products[places]
            nearer = places[better]
            self._products[nearer] = products[better]
            self.numbers[nearer] = self._rows + numbers.numpy()[better]
            self.sets[nearer] = self._count
        self._rows, self._count = self._rows + rows, self._count + 1
