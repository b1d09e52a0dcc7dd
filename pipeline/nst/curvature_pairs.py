"""What L-BFGS remembers: pairs s = x' - x and y = ∇' - ∇ of its last steps, and the inverse Hessian
that they stand for (Nocedal & Wright, Numerical Optimization, 2nd ed., algorithm 7.4).

In bfloat16 they take half the memory; all arithmetic is in float32 as ever. ρ = 1 / s·y is taken of
the pair as it is kept. A pair makes of H

    (I - ρ s yᵀ) H (I - ρ y sᵀ) + ρ s sᵀ        Eq. 7.16

which is positive with any ρ above 0: where its form is 0 at some x, both terms are, so sᵀx = 0, and
xᵀHx = 0. But I - ρ y sᵀ takes y to (1 - ρ s·y) y, and that is to be 0. With the ρ of the pair
before it was rounded it is not, and where rounding turns a small s·y into one below 0, H grows by
each such pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import tensorflow as tf

from pipeline.nst.graphs import in_graph
from pipeline.nst.variables import picture_variable


class CurvaturePairs:
    """The newest pairs of pictures of `shape` (height, width, channels), in float32 or bfloat16.

    They are rows of variables, oldest first, and not one large one: moving every pair one place
    down hands over buffers without copying them, while writing one slot of a large variable would
    copy all of it at each reading. Methods are graph code.
    """

    def __init__(self, shape: tuple[int, ...], count: int, dtype: tf.DType = tf.float32) -> None:
        self._s, self._y = (
            [picture_variable(shape, f"{name}_{i}", dtype) for i in range(count)] for name in ("s", "y")
        )
        # s·y; 0 where nothing is remembered yet
        self._curvatures = tf.Variable(tf.zeros(count), name="curvatures")
        self._dtype = dtype

    def __len__(self) -> int:
        """How many pairs find room."""
        return len(self._s)

    @property
    def variables(self) -> Mapping[str, tf.Variable]:
        """All that is remembered, by name, zero where nothing is."""
        held = (*self._s, *self._y, self._curvatures)
        return {variable.name.split(":")[0]: variable for variable in held}

    def forget(self) -> None:
        """Remember nothing; the pictures stay where they are."""
        self._curvatures.assign(tf.zeros_like(self._curvatures))

    def as_kept(self, picture: tf.Tensor) -> tf.Tensor:
        """An s or y, float32, as it is when it is remembered."""
        return tf.cast(picture, self._dtype)

    def remember(self, s: tf.Tensor, y: tf.Tensor, curvature: tf.Tensor) -> None:
        """Take in a pair `as_kept` and its s·y, and forget the oldest."""
        for row, newest in ((self._s, s), (self._y, y)):
            for older, newer in itertools.pairwise(row):
                older.assign(newer, read_value=False)
            row[-1].assign(newest, read_value=False)
        self._curvatures.assign(tf.concat([self._curvatures[1:], [curvature]], axis=0))

    def inverse_hessian_times(self, gradient: tf.Tensor, first: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Algorithm 7.4: H∇ from the remembered pairs, newest first and back again, and `first`
        between, what H is without them. An empty place has curvature 0 and leaves everything as it
        is."""
        q, alphas = gradient, []
        rows = ([variable.read_value() for variable in row] for row in (self._s, self._y))
        pairs = list(zip(*rows, tf.unstack(self._curvatures), strict=True))
        for pair in reversed(pairs):
            alpha, q = in_graph(_there, _there, q, *pair, any_shape=True)
            alphas.append(alpha)
        q.set_shape(gradient.shape)
        q = first(q)
        for pair, alpha in zip(pairs, reversed(alphas), strict=True):
            q = in_graph(_back, _back, q, *pair, alpha, any_shape=True)
        q.set_shape(gradient.shape)
        return q


def dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Σ ab in float32, of float32 and bfloat16."""
    return tf.reduce_sum(_float32(a) * _float32(b))


def _there(q: tf.Tensor, s: tf.Tensor, y: tf.Tensor, curvature: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The first loop of algorithm 7.4 at one pair: α and q."""
    alpha = tf.math.divide_no_nan(dot(s, q), curvature)
    return alpha, q - alpha * _float32(y)


def _back(q: tf.Tensor, s: tf.Tensor, y: tf.Tensor, curvature: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """The second loop at one pair: q."""
    return q + (alpha - tf.math.divide_no_nan(dot(y, q), curvature)) * _float32(s)


def _float32(picture: tf.Tensor) -> tf.Tensor:
    return tf.cast(picture, tf.float32)  # nothing where it is
