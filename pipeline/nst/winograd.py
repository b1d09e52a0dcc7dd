"""3 x 3 convolutions by a quarter of the multiplications: Lavin & Gray, "Fast Algorithms for
Convolutional Neural Networks" (arXiv 1509.09308), F(4 x 4, 3 x 3), from Winograd.

A piece of 4 x 4 outputs is made from d, the 6 x 6 inputs that it sees, and a filter g of 3 x 3:

    Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A        summed over inputs before Aᵀ and A

36 products in the place of 144. All pieces together are three products of matrices, between numbers
gathered and put back. In float32 the result is off by 6e-6 of its own root mean square, where
oneDNN's usual convolution is by 1e-6.

The matrices come from polynomials that are known by their values at six points (Toom and Cook). The
paper's points are 0, ±1, ±2 and infinity. Ours, 0, ±1, 2, 1/2 and infinity, are also those of the
filter turned by half a turn, whose values are the same in another order, times powers of the
points: what is made of a kernel once serves the way back too.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

PIECE = 4
"""Positions of a piece of the result, down and across."""
_TAPS = 3
_SEEN = PIECE + _TAPS - 1
_POINTS = np.array([0.0, 1.0, -1.0, 2.0, 0.5])  # and infinity, the last
_INVERSES = np.array([5, 1, 2, 4, 3, 0])  # which point is one over each
# Pieces times channels that are made at a time, where their number is known while tracing: 36
# numbers for each are held three times, 230 MB.
_AT_ONCE = 2**19


class _Way(NamedTuple):
    """Bᵀ ⊗ Bᵀ (36, 36) and Aᵀ ⊗ Aᵀ (16, 36), for numbers that are written row by row."""

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]


def _both_sides(matrix: NDArray[Any]) -> NDArray[np.float32]:
    return np.kron(matrix, matrix).astype(np.float32)


def _matrices() -> tuple[NDArray[np.float32], _Way, _Way]:
    """G ⊗ G (36, 9), the way forward, and the way back through what G makes of a kernel."""
    others = [np.delete(_POINTS, place) for place in range(len(_POINTS))]
    lengths = np.array([np.prod(point - other) for point, other in zip(_POINTS, others, strict=True)])
    # coefficients of polynomials, the lowest power first
    inputs = np.array([[*np.poly(other)[::-1], 0.0] for other in others] + [np.poly(_POINTS)[::-1]])
    filters = np.vstack([np.vander(_POINTS, _TAPS, increasing=True) / lengths[:, np.newaxis], [0, 0, 1]])
    outputs = np.hstack([np.vander(_POINTS, PIECE, increasing=True).T, [[0], [0], [0], [1]]])
    # A turned filter has, at each point x but 0 and infinity, x² times the value at 1 / x.
    finite = _POINTS[1:] ** 2 * lengths[_INVERSES[1:-1]] / lengths[1:]
    times = np.array([1 / lengths[0], *finite, lengths[0]])
    back = (times[:, np.newaxis] * inputs)[_INVERSES], outputs[:, _INVERSES]
    return (
        _both_sides(filters),
        _Way(_both_sides(inputs), _both_sides(outputs)),
        _Way(_both_sides(back[0]), _both_sides(back[1])),
    )


_OF_FILTERS, _FORWARD, _BACK = _matrices()


def filters_of(kernel: Any) -> Any:
    """G g Gᵀ of each filter of a kernel (3, 3, inputs, outputs): (36, inputs, outputs), float32."""
    inputs, outputs = kernel.shape[2:]
    made = tf.matmul(_OF_FILTERS, tf.reshape(kernel, [_TAPS**2, inputs * outputs]))
    return tf.reshape(made, [_SEEN**2, inputs, outputs])


def forward(features: Any, filters: Any) -> Any:
    """Features (1, height, width, inputs) through filters of a kernel (36, inputs, outputs), with
    zeros around: (1, height, width, outputs). All float32."""
    return _through(features, filters, back=False)


def back(features: Any, filters: Any) -> Any:
    """From features (1, height, width, outputs) back through the same filters: (1, height, width,
    inputs)."""
    return _through(features, filters, back=True)


def _through(features: Any, filters: Any, *, back: bool) -> Any:
    channels = filters.shape[1] if back else filters.shape[2]
    result = _traced(tuple(_strips(features, channels)), back)(features, filters)
    result.set_shape([1, features.shape[1], features.shape[2], channels])
    return result


@functools.lru_cache(maxsize=64)  # one of pictures of any shape, and one for each size of the larger ones
def _traced(strips: tuple[tuple[int, int | None], ...], back: bool) -> Any:
    """What makes a result strip by strip, of any channels, as a graph of its own: a network has
    thirteen such convolutions and an evaluation goes both ways through each, and to write down the
    hundred operations of one takes TensorFlow 0.1 s of the processor. A graph that calls it has
    them in the place of the call when it runs: the result is the same to the last bit."""
    kinds = [tf.TensorSpec([1, None, None, None]), tf.TensorSpec([_SEEN**2, None, None])]
    return tf.function(functools.partial(_in_strips, strips, back), input_signature=kinds, autograph=False)


def _in_strips(strips: Sequence[tuple[int, int | None]], back: bool, features: Any, filters: Any) -> Any:
    way = _BACK if back else _FORWARD
    _, height, width, inputs = tf.unstack(tf.shape(features))
    channels = tf.shape(filters)[1 if back else 2]
    down, across = -(-height // PIECE), -(-width // PIECE)  # pieces
    around = [[1, down * PIECE - height + 1], [1, across * PIECE - width + 1], [0, 0]]
    padded = tf.pad(features[0], around)
    made: list[Any] = []
    for first, end in strips:
        rows = down if end is None else end - first
        with tf.control_dependencies(made[-1:]):
            seen = padded[first * PIECE : None if end is None else end * PIECE + _SEEN - PIECE]
        pieces = tf.gather(tf.reshape(seen, [-1, inputs]), _places(rows, across))
        known = tf.matmul(way.inputs, tf.reshape(pieces, [_SEEN**2, -1]))
        known = tf.reshape(known, [_SEEN**2, rows * across, inputs])
        products = tf.matmul(known, filters, transpose_b=back)
        whole = tf.reshape(
            tf.matmul(way.outputs, tf.reshape(products, [_SEEN**2, -1])), [PIECE, PIECE, rows, across, channels]
        )
        whole = tf.transpose(whole, [2, 0, 3, 1, 4])
        made.append(tf.reshape(whole, [rows * PIECE, across * PIECE, channels]))
    return (made[0] if len(made) == 1 else tf.concat(made, 0))[tf.newaxis, :height, :width]


def _strips(features: Any, channels: int) -> list[tuple[int, int | None]]:
    """Rows of pieces, from and to, that are made at a time; all where their number is not known
    while tracing."""
    _, height, width, inputs = features.shape
    if height is None or width is None:
        return [(0, None)]
    down, across = -(-height // PIECE), -(-width // PIECE)
    rows = max(1, _AT_ONCE // (across * max(inputs, channels)))
    ends = [*range(0, down, rows), down]
    return list(itertools.pairwise(ends))


def _places(rows: Any, across: Any) -> Any:
    """Where in padded inputs, counted row by row, the 6 x 6 of each piece are: (36 · pieces,),
    place by place."""
    length = across * PIECE + _SEEN - PIECE
    place = tf.range(_SEEN)[:, tf.newaxis] * length + tf.range(_SEEN)
    piece = PIECE * (tf.range(rows)[:, tf.newaxis] * length + tf.range(across))
    return tf.reshape(tf.reshape(place, [-1, 1]) + tf.reshape(piece, [1, -1]), [-1])
