"""Hypercolumns: what the layers of blocks 1 to 4 say of a place, in one vector.

As Kolkin et al. (arXiv 2203.13215, section 3.2) have them: at a quarter of the picture's
resolution, each layer divided by its number of channels. A layer's `part` of them is a quarter of
the picture's resolution as well, of block 4 an eighth; only where they are used, in pieces, are
parts brought to one shape: block 4 bilinearly, the others by their last row and column once more,
where the picture ends in the middle of a position. Where it wraps, which it does at whole positions
only, block 4 goes on from its other end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from pipeline.nst.network import reduction
from pipeline.nst.pieces import Piece, located
from pipeline.nst.positions import QUARTER
from pipeline.nst.terms.term import Add, Combine
from pipeline.nst.wrapping import NO_WRAP, Wraps, with_other_ends

# Numbers of float32 at a time where all of a map are known: 32 MB, of several that are held at once
# beside the features of all layers.
_AT_ONCE = 2**23


def part(layer: str, features: tf.Tensor) -> tf.Tensor:
    """A layer's part, of its features (height, width, channels); a last strip of fewer positions
    than go into one is continued by its mirror image."""
    factor = max(1, QUARTER // reduction(layer))
    if factor > 1:
        height, width = tf.unstack(tf.shape(features)[:2])
        whole = tf.pad(features, [[0, -height % factor], [0, -width % factor], [0, 0]], "SYMMETRIC")
        features = tf.nn.avg_pool2d(whole[tf.newaxis], factor, factor, "VALID")[0]
    return features / features.shape[-1]


def _of_shape(layer: str, own: tf.Tensor, shape: tf.Tensor, wraps: Wraps = NO_WRAP) -> tf.Tensor:
    """A layer's part in float32, brought to the height and width of `shape`."""
    own = tf.cast(own, tf.float32)
    if reduction(layer) > QUARTER and any(wraps):
        more = reduction(layer) // QUARTER * tf.cast(wraps, tf.int32)
        wide = tf.image.resize(with_other_ends(own[tf.newaxis], wraps)[0], shape[:2] + 2 * more)
        return wide[more[0] : more[0] + shape[0], more[1] : more[1] + shape[1]]
    if reduction(layer) > QUARTER:
        return tf.image.resize(own, shape[:2])
    below, beside = tf.unstack(shape[:2] - tf.shape(own)[:2])
    return tf.pad(own, [[0, below], [0, beside], [0, 0]], "SYMMETRIC")


def at(layer: str, own: tf.Tensor, where: tf.Tensor, shape: tf.Tensor, wraps: Wraps = NO_WRAP) -> tf.Tensor:
    """The same at some positions (n, 2), row and column: (n, channels), float32."""
    last = tf.shape(own)[:2] - 1
    if reduction(layer) <= QUARTER:
        return tf.cast(tf.gather_nd(own, tf.minimum(where, last)), tf.float32)
    # as tf.image.resize has it: centres of positions lie on each other
    scale = tf.cast(last + 1, tf.float32) / tf.cast(shape[:2], tf.float32)
    place = (tf.cast(where, tf.float32) + 0.5) * scale - 0.5
    low = tf.floor(place)
    down, right = tf.unstack(tf.expand_dims(place - low, -1), axis=1)
    ends = (tf.cast(end, tf.int32) for end in (low, tf.math.ceil(place)))
    (top, left), (bottom, beside) = (
        tf.unstack(tf.where(wraps, end % (last + 1), tf.clip_by_value(end, 0, last)), axis=1) for end in ends
    )

    def corner(row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.gather_nd(own, tf.stack([row, column], -1)), tf.float32)

    above = corner(top, left) + right * (corner(top, beside) - corner(top, left))
    below = corner(bottom, left) + right * (corner(bottom, beside) - corner(bottom, left))
    return above + down * (below - above)


def alike(
    layer: str, own: tf.Tensor, numbers: tf.Tensor, table: tf.Tensor, wraps: Wraps = NO_WRAP
) -> tuple[tf.Tensor, tf.Tensor]:
    """Of a layer's part at each position p of a map `numbers` (height, width), int32, the product
    Σ_c F_pc T_n(p)c with that row of `table` (rows, channels) and the square Σ_c F_pc²: float32
    (height, width) each.

    A few channels at a time are in float32, also on the way back: at a quarter of the
    resolution all of a layer of block 4 are 128 bytes for each pixel of the picture.
    """
    shape, count = tf.shape(numbers), tf.TensorShape(numbers.shape).num_elements()
    length = own.shape[-1] if count is None else max(1, _AT_ONCE // count)
    pieces = [slice(first, first + length) for first in range(0, own.shape[-1], length)]

    def matched(piece: slice) -> tf.Tensor:
        return tf.cast(tf.gather(table[:, piece], numbers), tf.float32)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def found(own: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., tf.Tensor]]:
        def gradient(by_product: tf.Tensor, by_squares: tf.Tensor) -> tf.Tensor:
            by_own: list[tf.Tensor] = []
            for piece in pieces:
                with tf.control_dependencies(by_own[-1:]):
                    here = tf.identity(own[..., piece])
                with tf.GradientTape(watch_accessed_variables=False) as tape:
                    tape.watch(here)
                    column = _of_shape(layer, here, shape, wraps)
                by_column = by_product[..., tf.newaxis] * matched(piece) + 2.0 * by_squares[..., tf.newaxis] * column
                by_own.append(tape.gradient(column, here, output_gradients=by_column))
            return tf.concat(by_own, -1)

        product, squares = tf.zeros(shape), tf.zeros(shape)
        for piece in pieces:
            with tf.control_dependencies([product, squares]):
                column = _of_shape(layer, tf.identity(own[..., piece]), shape, wraps)
            product += tf.reduce_sum(column * matched(piece), -1)
            squares += tf.reduce_sum(tf.square(column), -1)
        return (product, squares), gradient

    result: tuple[tf.Tensor, tf.Tensor] = found(own)
    return result


def columns_at(parts: Mapping[str, tf.Tensor], where: tf.Tensor, shape: tf.Tensor, wraps: Wraps = NO_WRAP) -> tf.Tensor:
    """Hypercolumns (n, channels), float32, at positions (n, 2) of a map of this shape."""
    return tf.concat([at(layer, own, where, shape, wraps) for layer, own in parts.items()], -1)


@dataclass(frozen=True)
class Picked:
    """Features at chosen positions of layers, or of hypercolumns: (n, channels) by layer.

    It is compared with a map of the numbers 0 to n - 1 where these are, -1 elsewhere, and n.
    """

    layers: tuple[str, ...]
    cell: int | None = None
    name: ClassVar[str] = "picked"
    alike_by_reduction: ClassVar[bool] = True

    @property
    def combine(self) -> Combine:
        """Sums: each is picked in one tile, and is nothing in the others."""
        return Add(self.cell)

    @property
    def looks_up(self) -> bool:
        """Cells are means of features, of all there are."""
        return self.cell is None

    def measure(self, layer: str, features: tf.Tensor | Piece, target: Any) -> tf.Tensor:
        """In the features' type."""
        numbers, count = target
        where = tf.cast(tf.where(numbers >= 0), tf.int32)
        if self.cell:
            found = tf.cast(at(layer, part(layer, features), where, tf.shape(numbers)), features.dtype)
        else:
            found = tf.gather_nd(*located(features, where))
        rows = tf.gather_nd(numbers, where)[:, tf.newaxis]
        return tf.scatter_nd(rows, found, tf.stack([count, features.shape[-1]]))
