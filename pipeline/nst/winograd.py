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

from collections.abc import Callable
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
# Fewer at a time, that the cache holds, are no faster: with 2**15 to 2**18 the layers of VGG19 at
# 512 px take 0.85 to 1.5 times the processor's time (AMD EPYC, 32 MB, other work beside).
_AT_ONCE = 2**19


class _Way(NamedTuple):
    """Bᵀ ⊗ Bᵀ (36, 36) and Aᵀ ⊗ Aᵀ (16, 36), for numbers that are written row by row; `turned`
    where filters are taken from their outputs to their inputs."""

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]
    turned: bool


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
        _Way(_both_sides(inputs), _both_sides(outputs), turned=False),
        _Way(_both_sides(back[0]), _both_sides(back[1]), turned=True),
    )


_OF_FILTERS, _FORWARD, _BACK = _matrices()


def filters_of(kernel: Any) -> Any:
    """G g Gᵀ of each filter of a kernel (3, 3, inputs, outputs): (36, inputs, outputs), float32."""
    inputs, outputs = kernel.shape[2:]
    made = tf.matmul(_OF_FILTERS, tf.reshape(kernel, [_TAPS**2, inputs * outputs]))
    return tf.reshape(made, [_SEEN**2, inputs, outputs])


def forward(features: Any, filters: Any, bias: Any, *, relu: bool, in_strips: bool) -> Any:
    """Features (1, height, width, inputs) through filters of a kernel (36, inputs, outputs), with
    zeros around, plus a bias (outputs,), and then a ReLU or none: (1, height, width, outputs). All
    float32."""

    def finished(result: Any) -> Any:
        result = tf.nn.bias_add(result, bias)
        return tf.nn.relu(result) if relu else result

    return _through(lambda rows: features[0, rows], features, filters, _FORWARD, finished, in_strips)


def back(above: Any, made: Any, filters: Any, *, relu: bool, in_strips: bool) -> Any:
    """From the gradient (1, height, width, outputs) by what was `made` forward, back through the
    same filters: (1, height, width, inputs)."""

    def seen(rows: slice) -> Any:
        return tf.raw_ops.ReluGrad(gradients=above[0, rows], features=made[0, rows]) if relu else above[0, rows]

    return _through(seen, above, filters, _BACK, lambda result: result, in_strips)


def in_strips(features: Any, channels: int) -> bool:
    """Is the result of so many channels to be made strip by strip? Not where no shape is known
    while tracing: such pictures and tiles are not large."""
    _, height, width, inputs = features.shape
    if height is None or width is None:
        return False
    return bool(-(-height // PIECE) * -(-width // PIECE) * max(inputs, channels) > _AT_ONCE)


def _through(
    seen: Callable[[slice], Any],
    features: Any,
    filters: Any,
    way: _Way,
    finished: Callable[[Any], Any],
    in_strips: bool,
) -> Any:
    """What is `finished` of the result, from rows of the features as they are `seen`. How many a
    strip has is told when it runs: one graph serves all shapes and layers."""
    _, height, width, inputs = tf.unstack(tf.shape(features))
    channels = tf.shape(filters)[1 if way.turned else 2]
    down, across = -(-height // PIECE), -(-width // PIECE)  # pieces

    def strip(first: Any, end: Any) -> Any:
        top, below = first * PIECE - 1, end * PIECE + 1
        inside, last = tf.maximum(top, 0), tf.minimum(below, height)
        around = [[inside - top, below - last], [1, across * PIECE + 1 - width], [0, 0]]
        padded = tf.pad(seen(slice(inside, last)), around)
        return finished(_pieces_of(padded, filters, way, end - first, across, inputs, channels)[:, :width])

    if not in_strips:
        return strip(0, down)[tf.newaxis, :height]
    rows = tf.maximum(1, _AT_ONCE // (across * tf.maximum(inputs, channels)))
    count = -(-down // rows)

    def another(number: Any, made: tf.TensorArray) -> tuple[Any, tf.TensorArray]:
        return number + 1, made.write(number, strip(number * rows, tf.minimum((number + 1) * rows, down)))

    made = tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=[None, None, None])
    _, made = tf.while_loop(lambda number, _: number < count, another, [0, made], parallel_iterations=1)
    return made.concat()[tf.newaxis, :height]


def _pieces_of(seen: Any, filters: Any, way: _Way, down: Any, across: Any, inputs: Any, channels: Any) -> Any:
    """From what `down` x `across` pieces see, (4 down + 2, 4 across + 2, inputs), their result, (4
    down, 4 across, channels)."""
    pieces = tf.gather(tf.reshape(seen, [-1, inputs]), _places(down, across))
    known = tf.matmul(way.inputs, tf.reshape(pieces, [_SEEN**2, -1]))
    products = tf.matmul(tf.reshape(known, [_SEEN**2, down * across, inputs]), filters, transpose_b=way.turned)
    whole = tf.matmul(way.outputs, tf.reshape(products, [_SEEN**2, -1]))
    whole = tf.transpose(tf.reshape(whole, [PIECE, PIECE, down, across, channels]), [2, 0, 3, 1, 4])
    return tf.reshape(whole, [down * PIECE, across * PIECE, channels])


def _places(rows: Any, across: Any) -> Any:
    """Where in padded inputs, counted row by row, the 6 x 6 of each piece are: (36 · pieces,),
    place by place."""
    length = across * PIECE + _SEEN - PIECE
    place = tf.range(_SEEN)[:, tf.newaxis] * length + tf.range(_SEEN)
    piece = PIECE * (tf.range(rows)[:, tf.newaxis] * length + tf.range(across))
    return tf.reshape(tf.reshape(place, [-1, 1]) + tf.reshape(piece, [1, -1]), [-1])
