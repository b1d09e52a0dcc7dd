"""How an image moves, given a gradient: L-BFGS, Adam and plain gradient descent.

An optimizer owns the variable it moves and everything it remembers, as named arrays that can be
saved and put back (`state`, `restore`), so that its walk can be cut and go on exactly where it
stood. Its `update` and `backtrack` are graph code: they are called inside the caller's tf.function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from pipeline.nst.curvature_pairs import CurvaturePairs, dot
from pipeline.nst.variables import State, nbytes_of, picture_variable, put_back, state_of


class Optimizer(Protocol):
    """What the walk needs of a descent."""

    image: tf.Variable
    """The picture; the only thing that moves."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory of all that it holds."""

    def update(self, gradient: tf.Tensor) -> None:
        """Move `image` by one step, given the gradient at its present value (same shape,
        float32)."""

    def backtrack(self, image: tf.Tensor) -> None:
        """Go back to `image`, without what was remembered of the way, and take half as long a step
        from now on."""

    def turn(self, *, elsewhere: bool) -> None:
        """Go on from where `image` stands under another objective: gradients before and after are
        of two. `elsewhere` says that the new one looks at other places of the picture."""

    def restart(self, image: tf.Tensor) -> None:
        """Forget everything and start from `image`."""

    def state(self) -> State:
        """All that `restore` needs, as arrays; they stay as they are when the walk goes on."""

    def restore(self, state: State) -> None:
        """Continue exactly where `state` was taken."""


class Preconditioner:
    """What is known of the inverse Hessian beforehand: a linear, symmetric, positive operator P;
    here the identity."""

    variables: Mapping[str, tf.Variable] = {}
    """What it has learnt, all zero at the start."""

    def fit(self, shape: tuple[int, ...]) -> None:
        """Be for pictures of this shape from now on."""

    def __call__(self, picture: tf.Tensor) -> tf.Tensor:
        """P times a picture, the same shape."""
        return picture

    def learn(self, s: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Take in a pair s, y of the descent; yᵀPy, with what it taught. Graph code."""
        return dot(y, self(y))


class _Remembering:
    """An optimizer whose memory is its named tf.Variables, all zero at the start but the image and
    the step scale. It can be started again with a picture of another size."""

    image: tf.Variable
    step_scale: tf.Variable

    def _variables(self) -> Mapping[str, tf.Variable]:
        return {held.name.split(":")[0]: held for held in vars(self).values() if isinstance(held, tf.Variable)}

    @property
    def nbytes(self) -> int:
        return sum(nbytes_of(held) for held in self._variables().values())

    def backtrack(self, image: tf.Tensor) -> None:
        self.image.assign(image)
        self.step_scale.assign(0.5 * self.step_scale)

    def turn(self, *, elsewhere: bool) -> None:
        pass

    def restart(self, image: tf.Tensor) -> None:
        for variable in self._variables().values():
            is_picture = not variable.shape.is_fully_defined()
            variable.assign(tf.zeros_like(image if is_picture else variable, variable.dtype))
        self.step_scale.assign(1.0)
        self.image.assign(image)

    def state(self) -> State:
        return state_of(self._variables())

    def restore(self, state: State) -> None:
        put_back(self._variables(), state)


class Lbfgs(_Remembering):
    """Limited-memory BFGS without line search (Nocedal & Wright, Numerical Optimization, 2nd ed.,
    algorithm 7.5).

    Each evaluation is followed by a step of length one along -H∇, as in Gatys' and Johnson's use of
    it; only the first one, which knows no curvature yet, is scaled so that it moves the entries by
    `first_step` (root mean square, in grey levels for a picture). Entries are kept in `bounds`.
    Pairs (s, y) of too little curvature are not remembered, so that H stays positive.

    `preconditioner` is what is known of the inverse Hessian beforehand, P. The recursion starts
    from H = γP, with γ by the newest pair. `kept_in` is the type of the numbers of the pairs.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        history: int = 20,
        first_step: float = 1.0,
        bounds: tuple[float, float] | None = (0.0, 255.0),
        preconditioner: Preconditioner | None = None,
        kept_in: tf.DType = tf.float32,
    ) -> None:
        self.first_step = first_step
        self.bounds = bounds
        self.preconditioner = preconditioner or Preconditioner()
        self.image = picture_variable(shape, "image")
        self.gradient = picture_variable(shape, "gradient")  # of the evaluation before
        self.last_s = picture_variable(shape, "last_s")  # s = x' - x of the last step
        self.pairs = CurvaturePairs(shape, history, kept_in)
        self.unit = tf.Variable(0.0, name="unit")  # of gradients: the first one's largest entry
        self.gamma = tf.Variable(0.0, name="gamma")  # γ; 0 where nothing is remembered yet
        self.step_scale = tf.Variable(1.0, name="step_scale")  # 1, 1/2, 1/4 ... of the first steps

    def _variables(self) -> Mapping[str, tf.Variable]:
        return {**super()._variables(), **self.pairs.variables, **self.preconditioner.variables}

    def restart(self, image: tf.Tensor) -> None:
        self.preconditioner.fit(tuple(image.shape))
        super().restart(image)

    def restore(self, state: State) -> None:
        self.preconditioner.fit(state["image"].shape)
        super().restore(state)

    def turn(self, *, elsewhere: bool) -> None:
        if elsewhere:
            # Curvature at the old places says nothing of the new ones. With it `transport` climbed
            # from a loss of 1.2 to 10 at 512 px (a portrait in van Gogh's Auvers, bfloat16); at 192
            # px, where most places are looked at, it ends 2.5 % lower. A content that is sampled
            # beside Gram matrices turns little: 1.12 with it, 1.37 without.
            self._forget()
        # No s, so no y: the difference of two objectives' gradients is no curvature. With it, the
        # last pass of `neighbours` climbs from a loss of 11.6 to 15, without it falls to 8.2 (koala
        # and the Great Wave, 128 px). Older pairs stay: what is near in one is near in the other.
        self.last_s.assign(tf.zeros_like(self.last_s))

    def backtrack(self, image: tf.Tensor) -> None:
        super().backtrack(image)
        self._forget()

    def _forget(self) -> None:
        self.pairs.forget()
        for forgotten in (self.last_s, self.gamma):
            forgotten.assign(tf.zeros_like(forgotten))

    def update(self, gradient: tf.Tensor) -> None:
        # The recursion does not care in which unit the loss is; float32 does, as it squares
        # gradients and cannot hold 1e39.
        largest = tf.maximum(tf.reduce_max(tf.abs(gradient)), _TINY)
        self.unit.assign(tf.where(self.unit == 0.0, largest, self.unit))
        gradient /= self.unit
        self._remember(gradient)
        scale = tf.where(self.gamma > 0, self.gamma, 1.0)
        direction = -self.pairs.inverse_hessian_times(gradient, lambda q: scale * self.preconditioner(q))
        first_length = self.step_scale * self.first_step / tf.maximum(_root_mean_square(direction), _TINY)
        length = tf.where(self.gamma > 0, 1.0, first_length)
        target = self.image + length * direction
        if self.bounds is not None:
            target = tf.clip_by_value(target, *self.bounds)
        self.last_s.assign(target - self.image)
        self.gradient.assign(gradient)
        self.image.assign(target)

    def _remember(self, gradient: tf.Tensor) -> None:
        turned = gradient - self.gradient
        s, y = self.pairs.as_kept(self.last_s), self.pairs.as_kept(turned)
        curvature = dot(s, y)

        def keep() -> tf.Tensor:
            self.pairs.remember(s, y, curvature)
            # Eq. 7.20, sᵀy / yᵀy, for H = γP instead of γI: sᵀy / yᵀPy. P learns of the pair as it
            # was: rounding adds alike to all frequencies, also to those in which there is little.
            return self.gamma.assign(curvature / self.preconditioner.learn(self.last_s, turned))

        # Positive by a margin that rounding cannot make up (Nocedal & Wright, section 7.2: skip
        # where sᵀy is not positive). Before the first step nothing has moved, and nothing is kept.
        enough = curvature > _MIN_CURVATURE * tf.norm(self.last_s) * tf.norm(turned)
        tf.cond(enough, keep, lambda: self.gamma.read_value())


class Adam(_Remembering):
    """Kingma & Ba, arXiv 1412.6980, algorithm 1, with entries kept in `bounds`. `learning_rate` is
    in the variable's unit: grey levels for a picture; it shrinks to `decay` times itself in 100
    steps, by the same factor in each."""

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        learning_rate: float,
        beta_1: float = 0.9,  # these three: the paper's own
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        decay: float = 1.0,
        bounds: tuple[float, float] | None = (0.0, 255.0),
    ) -> None:
        self.learning_rate = learning_rate
        self.decay = decay
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.bounds = bounds
        self.image = picture_variable(shape, "image")
        self.mean = picture_variable(shape, "mean")
        self.square = picture_variable(shape, "square")
        self.evaluations = tf.Variable(0, name="evaluations")
        self.step_scale = tf.Variable(1.0, name="step_scale")  # 1, 1/2, 1/4 ... of the first steps

    def update(self, gradient: tf.Tensor) -> None:
        self.evaluations.assign_add(1)
        count = tf.cast(self.evaluations, tf.float32)
        self.mean.assign(self.beta_1 * self.mean + (1 - self.beta_1) * gradient)
        self.square.assign(self.beta_2 * self.square + (1 - self.beta_2) * gradient**2)
        mean = self.mean / (1 - self.beta_1**count)
        square = self.square / (1 - self.beta_2**count)
        rate = self.step_scale * self.learning_rate * _decayed(self.decay, count - 1)
        target = self.image - rate * mean / (tf.sqrt(square) + self.epsilon)
        self.image.assign(target if self.bounds is None else tf.clip_by_value(target, *self.bounds))


class GradientDescent(_Remembering):
    """X ← X − α∇, with entries kept in `bounds`.

    α is `learning_rate`; where that is None, it is fixed by the first gradient so that the first
    step moves no entry by more than `first_step` (grey levels for a picture): sums of squares
    change their size with the picture's, and so must α. It shrinks to `decay` times itself in 100
    steps, by the same factor in each, as Keras' ExponentialDecay.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        learning_rate: float | None = None,
        first_step: float = 10.0,
        decay: float = 1.0,
        bounds: tuple[float, float] | None = (0.0, 255.0),
    ) -> None:
        self.learning_rate = learning_rate
        self.decay = decay
        self.first_step = first_step
        self.bounds = bounds
        self.image = picture_variable(shape, "image")
        # α at the start; 0 until the first gradient is known
        self.rate = tf.Variable(0.0, name="rate")
        self.steps = tf.Variable(0, name="steps")
        self.step_scale = tf.Variable(1.0, name="step_scale")  # 1, 1/2, 1/4 ... of the first steps

    def update(self, gradient: tf.Tensor) -> None:
        if self.learning_rate is not None:
            self.rate.assign(self.learning_rate)
        else:
            by_first_gradient = self.first_step / tf.maximum(tf.reduce_max(tf.abs(gradient)), _TINY)
            self.rate.assign(tf.where(self.rate == 0.0, by_first_gradient, self.rate))
        rate = self.step_scale * self.rate * _decayed(self.decay, tf.cast(self.steps, tf.float32))
        self.steps.assign_add(1)
        target = self.image - rate * gradient
        self.image.assign(target if self.bounds is None else tf.clip_by_value(target, *self.bounds))


def _decayed(decay: float, steps: tf.Tensor) -> tf.Tensor:
    """What is left of a rate after `steps`, float32."""
    return tf.constant(decay) ** (steps / 100.0)


_TINY = 1e-30  # keeps 0 / 0 from happening; far below any gradient in float32 that matters
_MIN_CURVATURE = 1e-6  # cosine between s and y; float32's rounding of a dot product over a picture


def _root_mean_square(a: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_mean(a**2))
