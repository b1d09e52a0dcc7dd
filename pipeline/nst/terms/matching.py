"""Nearest neighbours: for each vector of one set the most alike of another, by cosine."""

from __future__ import annotations

import tensorflow as tf

from pipeline.nst.terms.sums import NOTHING

# Of a product: rows and columns at a time, 128 MB of float32. The whole one has as many numbers as
# positions times positions: 68 GB at 2048 x 2048.
_ROWS, _COLUMNS = 2048, 16384
# Squared length of vectors less their mean, as a share of the mean's, up to which it is rounding
# and no direction. Of a plain picture lengths are up to 1e-5, as a mean of 4,096 equal numbers goes
# wrong by 9e-6.
_ROUNDING = 1e-8


def centred(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors (n, channels) less their mean, each of length 1, in float32; 0 where they are the
    mean but for rounding, which would be a direction as good as any."""
    vectors = tf.cast(vectors, tf.float32)
    mean = tf.reduce_mean(vectors, 0)
    apart = vectors - mean
    there = tf.reduce_sum(tf.square(apart), -1, keepdims=True) > _ROUNDING * tf.reduce_sum(tf.square(mean))
    return tf.where(there, directions(apart), 0.0)


def directions(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors (..., channels), each of length 1; those without a length stay 0."""
    return vectors * lengths_inverse(tf.reduce_sum(tf.square(vectors), -1, keepdims=True))


def lengths_inverse(squares: tf.Tensor) -> tf.Tensor:
    """One over the lengths of vectors, of which these are the squares. A vector without length
    counts as long as the shortest that has one."""
    return tf.math.rsqrt(tf.maximum(squares, NOTHING))


def nearest(vectors: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """For each of `vectors` (n, channels) the number of that one of `others` (m, channels) with
    which it has the largest product, int64 (n,); of equal ones the first. Both are of length 1 and
    one type.

    The products of all with all are never held: pieces of it, and the best so far.
    """
    return nearest_with_product(vectors, others)[1]


def nearest_with_product(vectors: tf.Tensor, others: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The same, after the product with it, (n,)."""
    found = [_nearest(vectors[row : row + _ROWS], others) for row in range(0, vectors.shape[0], _ROWS)]
    products, numbers = zip(*found, strict=True)
    return tf.concat(products, 0), tf.concat(numbers, 0)


@tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
def _best_of(vectors: tf.Tensor, others: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    products = tf.matmul(vectors, others, transpose_b=True)
    return tf.reduce_max(products, -1), tf.argmax(products, -1)


def _nearest(vectors: tf.Tensor, others: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    best, where = _best_of(vectors, others[:_COLUMNS])
    for first in range(_COLUMNS, others.shape[0], _COLUMNS):
        value, place = _best_of(vectors, others[first : first + _COLUMNS])
        where = tf.where(value > best, place + first, where)
        best = tf.maximum(value, best)
    return best, where
