"""A preconditioner for pictures: what is coarse may move far, what is fine only a little.

Features of a network answer most strongly to fine detail, so the loss is steep in high spatial
frequencies and flat in low ones. Dividing each frequency of a gradient by its height gives descent
about the same curvature everywhere. How steep it is for each colour and frequency is learnt on the
way, from the pairs of the descent itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.nst.optimizers import Preconditioner

# Measured at 256 px with the real network, total loss after 20/40/80 evaluations. Coffee in starry
# flow: without 8.0/1.94/1.38, exponent 0.25 2.1/1.54/1.31, exponent 0.5 2.0/1.46/1.28. Cat in
# stained glass: 5.5/3.48/2.82, 3.7/2.95/2.71, 3.6/2.98/2.71.
EXPONENT = 0.5

# Bands of frequency, evenly spaced in its logarithm, over which curvature is averaged.
BANDS = 20
_DECAY = 0.95  # of what earlier pairs said, per pair
_TRUSTED_AFTER = 10  # pairs; before that the power law alone
_TRUST = 0.5  # share of what was learnt in the logarithm of the gain, the rest is the power law

# Rows: brightness, red against green, yellow against blue; orthonormal, so that its transpose
# undoes it.
_OPPONENTS = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float32) / np.sqrt([[3], [2], [6]]).astype(np.float32)


class SpectralPreconditioner(Preconditioner):
    """P for pictures (height, width, 3): each frequency f of each opponent colour times a gain.

    The gain starts as |f|^(-2·exponent), |f| in cycles per picture and at least 1, so that the mean
    colour moves like the coarsest wave. Then, per band and colour, the secant curvature of the
    pairs seen, sqrt(Σ|ŝ|² / Σ|ŷ|²), is mixed in. The picture is taken as periodic, which changes
    the way and not the goal of a descent.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        exponent: float = EXPONENT,
        *,
        trust: float = _TRUST,
        decay: float = _DECAY,
        after: int = _TRUSTED_AFTER,
    ) -> None:
        self._exponent, self._trust, self._decay, self._after = exponent, trust, decay, after
        # Of pictures of the present shape. Where each frequency (height, width // 2 + 1) lies among
        # the bands' middles: 0 the first, BANDS - 1 the last. All else is made of it on the way: of
        # a large picture it is as large as a colour.
        self._place = tf.Variable(tf.zeros((0, 0)), shape=(None, None))
        # of the logarithm of the power law, per band
        self._slope = tf.Variable(0.0)
        # how many waves a column stands for
        self._waves = tf.Variable(tf.zeros(0), shape=(None,))
        self._shape: tuple[int, ...] = ()
        self.fit(shape)
        self.moved = tf.Variable(tf.zeros((3, BANDS)), name="moved")  # running Σ|ŝ|²
        self.turned = tf.Variable(tf.zeros((3, BANDS)), name="turned")  # running Σ|ŷ|²
        self.pairs = tf.Variable(0.0, name="pairs")
        self.learnt = tf.Variable(
            tf.zeros((3, BANDS)), name="learnt"
        )  # logarithm of the gain, relative to the power law
        self.variables: Mapping[str, tf.Variable] = {
            "moved": self.moved,
            "turned": self.turned,
            "pairs": self.pairs,
            "learnt": self.learnt,
        }

    def fit(self, shape: tuple[int, ...]) -> None:
        if tuple(shape) == self._shape:
            return
        self._shape = height, width, _ = tuple(shape)
        down = np.fft.fftfreq(height) * height
        right = np.fft.rfftfreq(width) * width
        length = np.maximum(np.hypot(down[:, np.newaxis], right[np.newaxis]), 1.0)
        span = max(math.log(length.max()), 1e-9)
        self._place.assign(np.asarray(np.log(length) / span * (BANDS - 1), np.float32))
        self._slope.assign(-2 * self._exponent * span / (BANDS - 1))
        # A real picture's spectrum stands for two waves but for the first and, of an even width,
        # the last column.
        twice = np.full(len(right), 2.0, np.float32)
        twice[0] = 1
        if width % 2 == 0:
            twice[-1] = 1
        self._waves.assign(twice)

    def __call__(self, picture: tf.Tensor) -> tf.Tensor:
        spectrum = self._spectrum(picture) * tf.cast(self._gains(), tf.complex64)
        back = tf.signal.irfft2d(spectrum, fft_length=tf.shape(picture)[:2])
        return _recoloured(tf.transpose(back, (1, 2, 0)), _OPPONENTS)

    def learn(self, s: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        turned = self._energy(y)
        for energy, pair in ((self.moved, self._energy(s)), (self.turned, turned)):
            energy.assign(self._decay * energy + self._by_band(pair))
        self.pairs.assign_add(1.0)
        gain = 0.5 * tf.math.log((self.moved + _TINY) / (self.turned + _TINY)) - self._law_by_band()
        gain -= tf.reduce_mean(gain)
        edged = tf.pad(gain, [[0, 0], [1, 1]], mode="SYMMETRIC")
        smooth = 0.25 * edged[:, :-2] + 0.5 * gain + 0.25 * edged[:, 2:]
        self.learnt.assign(tf.where(self.pairs >= self._after, self._trust * smooth, tf.zeros_like(smooth)))
        positions = tf.cast(tf.size(y) // y.shape[-1], tf.float32)
        return tf.reduce_sum(turned * self._gains()) / positions  # yᵀPy, by Parseval

    def _gains(self) -> tf.Tensor:
        """By what each frequency of each opponent colour is multiplied, (3, height, width // 2 +
        1)."""
        first = tf.minimum(tf.cast(self._place, tf.int32), BANDS - 2)
        part = self._place - tf.cast(first, tf.float32)
        below, above = (tf.gather(self.learnt, first + i, axis=1) for i in (0, 1))
        return tf.exp(self._slope * self._place + (1 - part) * below + part * above)

    def _band(self) -> tf.Tensor:
        """The band of each frequency, in one row."""
        return tf.reshape(tf.cast(tf.round(self._place), tf.int32), [-1])

    def _law_by_band(self) -> tf.Tensor:
        flat = tf.reshape(self._slope * self._place, [-1])
        return tf.math.unsorted_segment_mean(flat, self._band(), BANDS)

    def _spectrum(self, picture: tf.Tensor) -> tf.Tensor:
        """(3, height, width // 2 + 1), complex64, by opponent colour."""
        return tf.signal.rfft2d(tf.transpose(_recoloured(picture, _OPPONENTS.T), (2, 0, 1)))

    def _energy(self, picture: tf.Tensor) -> tf.Tensor:
        """Energy of each opponent colour at each frequency, (3, height, width // 2 + 1); that of
        the frequencies which a real picture's spectrum leaves out is with their twins."""
        spectrum = self._spectrum(picture)
        return (tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2) * self._waves

    def _by_band(self, energy: tf.Tensor) -> tf.Tensor:
        """Energies in each band, (3, BANDS)."""
        flat = tf.transpose(tf.reshape(energy, (3, -1)))
        return tf.transpose(tf.math.unsorted_segment_sum(flat, self._band(), BANDS))


def _recoloured(picture: tf.Tensor, colours: Any) -> tf.Tensor:
    """The colours of a picture (height, width, 3) times a matrix (3, 3). tf.tensordot takes 25
    operations for that where no shape is known while tracing."""
    return tf.reshape(tf.matmul(tf.reshape(picture, [-1, len(colours)]), colours), tf.shape(picture))


_TINY = 1e-30
