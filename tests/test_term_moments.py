"""Moments: the 2-Wasserstein distance of normal distributions, against SciPy's matrix roots."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline.nst.terms.moments import Moments, Normal, normal, square_root, squared_wasserstein  # noqa: E402
from pipeline.nst.terms.term import Style  # noqa: E402


class Seen:
    """An image whose features are given."""

    def __init__(self, features):
        self._features = tf.constant(features, tf.float32)

    def measured(self, term):
        return {layer: term.measure(layer, self._features, None) for layer in term.layers}


def features(seed, height=12, width=10, channels=6):
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(height * width, channels)) @ random.normal(size=(channels, channels))
    return np.maximum(mixed + random.uniform(0, 2, channels), 0).reshape(height, width, channels).astype(np.float32)


def moments(F):
    flat = F.reshape(-1, F.shape[-1]).astype(np.float64)
    return flat.mean(0), np.cov(flat.T, bias=True)


def expected(F, S):
    (mean, cov), (goal_mean, goal) = moments(F), moments(S)
    root = scipy.linalg.sqrtm(goal).real
    cross = scipy.linalg.sqrtm(root @ cov @ root).real
    return ((mean - goal_mean) ** 2).mean() + np.diag(cov + goal - 2 * cross).mean()


def term_distance(unit, F, *styles):
    term = Moments(("layer",), unit)
    pairs = [style if isinstance(style, tuple) else (style, 1.0) for style in styles]
    sources = type("Sources", (), {"styles": [Style(Seen(S), share) for S, share in pairs], "regions": ()})
    measured = {"layer": term.measure("layer", tf.constant(F), None)}
    return float(term.distance(measured, term.target(sources), {"layer": tf.constant(1.0)}))


def test_it_is_the_wasserstein_distance_of_normal_distributions():
    F, S = features(1), features(2)
    assert term_distance("means", F, S) == pytest.approx(expected(F, S), rel=5e-3)


def test_normalized_is_a_thousand_for_nothing():
    S = features(3)
    assert term_distance("normalized", np.zeros_like(S), S) == pytest.approx(1000, rel=1e-3)


def test_the_same_features_elsewhere_are_at_no_distance():
    S = features(4)
    shuffled = np.random.default_rng(0).permutation(S.reshape(-1, 6)).reshape(S.shape)
    assert term_distance("normalized", shuffled, S) < 0.5  # of a thousand


def test_a_normal_distribution_moved_by_one_is_at_the_squared_distance_one():
    mean, covariance = tf.zeros(3), tf.eye(3) * 2
    assert float(squared_wasserstein(Normal(mean + 1.0, covariance), Normal(mean, covariance))) == pytest.approx(
        1.0, abs=1e-4
    )


def test_a_root_multiplied_by_itself_is_the_matrix():
    matrix = np.cov(np.random.default_rng(5).normal(size=(5, 40))).astype(np.float32)
    root = square_root(tf.constant(matrix)).numpy()
    np.testing.assert_allclose(root @ root, matrix, rtol=1e-2, atol=1e-3)


def test_tiles_add_up():
    term, F = Moments(("layer",), "means"), features(6)
    parts = [term.measure("layer", tf.constant(part), None) for part in (F[:5], F[5:])]
    whole, added = normal(term.measure("layer", tf.constant(F), None)), normal(tf.nest.map_structure(tf.add, *parts))
    np.testing.assert_allclose(whole.mean, added.mean, rtol=1e-5)
    np.testing.assert_allclose(whole.covariance, added.covariance, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_the_slope():
    F, S = features(7), features(8)
    way = np.random.default_rng(9).normal(size=F.shape).astype(np.float32)
    term = Moments(("layer",), "means")
    target = term.target(type("Sources", (), {"styles": [Style(Seen(S), 1.0)], "regions": ()}))

    def at(moved):
        return term.distance({"layer": term.measure("layer", moved, None)}, target, {"layer": tf.constant(1.0)})

    with tf.GradientTape() as tape:
        image = tf.constant(F)
        tape.watch(image)
        loss = at(image)
    slope = float(tf.reduce_sum(tape.gradient(loss, image) * way))
    up, down = (float(at(tf.constant(F + sign * 0.01 * way))) for sign in (1, -1))
    assert (up - down) / 0.02 == pytest.approx(slope, rel=0.02)
    assert np.isfinite(float(at(tf.zeros_like(F))))


def everywhere(seed, height=40, width=50, channels=6):
    """Features of a plain picture: large, and the same at all positions."""
    mean = np.random.default_rng(seed).uniform(0, 300, channels).astype(np.float32)
    return np.broadcast_to(mean, (height, width, channels)).copy()


@pytest.mark.parametrize("picture", [everywhere(1), features(2)], ids=["plain picture", "picture"])
@pytest.mark.parametrize("style", [everywhere(3), everywhere(1), features(4)], ids=["plain", "the same", "style"])
def test_what_is_plain_has_its_distance_and_a_slope(picture, style):
    """Its covariance is what rounding leaves, also below 0, and has no root."""
    term = Moments(("layer",), "means")
    target = term.target(type("Sources", (), {"styles": [Style(Seen(style), 1.0)], "regions": ()}))
    with tf.GradientTape() as tape:
        image = tf.constant(picture)
        tape.watch(image)
        loss = term.distance({"layer": term.measure("layer", image, None)}, target, {"layer": tf.constant(1.0)})
    nothing = max((F.astype(np.float64) ** 2).mean() for F in (picture, style))
    assert float(loss) == pytest.approx(expected(picture, style), rel=5e-3, abs=1e-4 * nothing)
    assert np.isfinite(tape.gradient(loss, image)).all()


@pytest.mark.parametrize("rows", [40, 41], ids=["in pieces", "and a rest"])
def test_sums_of_many_equal_features_do_not_drift(rows):
    F = everywhere(5, height=rows * 256, width=64, channels=3)
    found = Moments(("layer",), "means").measure("layer", tf.constant(F), None)
    np.testing.assert_allclose(found.sums / found.positions, F[0, 0], rtol=2e-5)
    np.testing.assert_allclose(found.gram / found.positions, np.outer(F[0, 0], F[0, 0]), rtol=2e-5)


def test_a_blend_lies_between_its_styles():
    F, one, other = features(10), features(11), features(12)
    ends = term_distance("means", F, one), term_distance("means", F, other)
    assert min(ends) * 0.2 < term_distance("means", F, (one, 1.0), (other, 1.0)) < max(ends)
