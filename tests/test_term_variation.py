"""Total variation: kinds and units, by hand and by TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline.nst.terms.term import PICTURE  # noqa: E402
from pipeline.nst.terms.variation import Variation  # noqa: E402


def variation(image, kind="squares", unit="sums"):
    term = Variation(kind, unit)
    return term.distance({PICTURE: term.measure(PICTURE, tf.cast(image, tf.float32), None)}, term.target(None), {})


def test_total_variation_of_a_checkerboard():
    # 3 x 3 board of 0 and 1, one channel: 6 neighbours below and 6 to the right, each one grey level apart.
    board = np.indices((3, 3)).sum(axis=0)[..., np.newaxis] % 2
    assert float(variation(board)) == 12


def test_absolute_variation_is_tensorflows():
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (7, 5, 3)), tf.float32)
    assert float(variation(image, "absolute")) == pytest.approx(float(tf.image.total_variation(image)), rel=1e-6)


@pytest.mark.parametrize("beta", [2.0, 2.5])
def test_variation_with_an_exponent_joins_both_directions(beta):
    # One pixel that has both neighbours, 3 below it and 4 to its right: (3² + 4²)^(β/2) = 5^β. The corner counts nowhere.
    image = tf.constant([[[0.0], [4.0]], [[3.0], [99.0]]])
    assert float(variation(image, beta)) == pytest.approx(5**beta)


@pytest.mark.parametrize("kind", ["squares", "absolute", 2.5])
def test_flat_pictures_have_no_variation_and_no_gradient_of_it(kind):
    with tf.GradientTape() as tape:
        flat = tf.fill((5, 7, 3), 99.0)
        tape.watch(flat)
        found = variation(flat, kind, "means")
    assert float(found) == 0
    np.testing.assert_array_equal(tape.gradient(found, flat), np.zeros((5, 7, 3)))


@pytest.mark.parametrize(("kind", "power"), [("squares", 2), ("absolute", 1), (2.5, 2.5)])
def test_normalized_variation_of_every_kind_is_counted_in_whites(kind, power):
    image = tf.constant(np.random.default_rng(1).uniform(0, 255, (7, 5, 3)), tf.float32)
    expected = float(variation(image, kind)) / 255**power / (7 * 5 * 3)
    assert float(variation(image, kind, "normalized")) == pytest.approx(expected, rel=1e-5)


def test_means_are_means():
    ramp = tf.constant(np.arange(6, dtype=np.float32).reshape(1, 6, 1) * np.ones((2, 6, 3), np.float32))
    assert float(variation(ramp, unit="means")) == 1  # every step to the right is 1, every step down is 0


def test_normalized_variation_of_single_pixel_stripes_is_one():
    # Black and white columns: every right neighbour differs by 255 in all three channels, and there is nearly one a pixel.
    stripes = np.zeros((10, 1000, 3), np.float32)
    stripes[:, ::2] = 255
    assert float(variation(stripes, unit="normalized")) == pytest.approx(1, rel=2e-3)


def test_an_unknown_unit_is_an_error_and_no_other_unit():
    with pytest.raises(ValueError, match="furlongs"):
        variation(tf.zeros((2, 2, 3)), unit="furlongs")
