"""Histograms of features against ranks found by sorting, in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline.nst.terms import histogram as module  # noqa: E402
from pipeline.nst.terms.histogram import Histogram  # noqa: E402
from pipeline.nst.terms.term import Style  # noqa: E402


class Seen:
    """An image whose features are given, with how much its positions count."""

    def __init__(self, features, opacity=None):
        self._features = tf.constant(features, tf.float32)
        self._opacity = None if opacity is None else tf.constant(opacity, tf.float32)

    def measured(self, term):
        return {layer: term.measure(layer, self._features, self._opacity) for layer in term.layers}


def features(seed, height=30, width=40, channels=5, scale=300.0):
    """As after a ReLU: half of them nothing, the others of channels that differ in size."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(height, width, channels)) + random.uniform(-0.5, 1, channels)
    return (np.maximum(mixed, 0) * random.uniform(0.05, 1, channels) * scale).astype(np.float32)


def target_of(term, *styles):
    pairs = [style if isinstance(style, tuple) else (style, 1.0) for style in styles]
    images = [Style(style if isinstance(style, Seen) else Seen(style), share) for style, share in pairs]
    return term.target(type("Sources", (), {"styles": images, "regions": ()}))


def distance(unit, F, *styles):
    term = Histogram(("layer",), unit)
    measured = {"layer": term.measure("layer", tf.constant(F), None)}
    return float(term.distance(measured, target_of(term, *styles), {"layer": tf.constant(1.0)}))


def by_sorting(F, S):
    """Σ (F - R(F))² for sets of one size: both in their order. Equal values get the mean of their ranks' values."""
    F, S = (np.asarray(each, np.float64).reshape(-1, each.shape[-1]) for each in (F, S))
    total = 0.0
    for channel in range(F.shape[1]):
        values, counts = np.unique(F[:, channel], return_counts=True)
        ends = np.cumsum(counts)
        style = np.concatenate([[0], np.cumsum(np.sort(S[:, channel]))])
        wanted = (style[ends] - style[ends - counts]) / counts
        total += (counts * (values - wanted) ** 2).sum()
    return total


def test_it_is_the_squared_distance_from_values_of_the_same_rank():
    F, S = features(1), features(2)
    assert distance("means", F, S) == pytest.approx(by_sorting(F, S) / F.size, rel=0.01)
    in_thousandths = 1000 * by_sorting(F, S) / (S.astype(np.float64) ** 2).sum()
    assert distance("normalized", F, S) == pytest.approx(in_thousandths, rel=0.01)


def test_values_below_nothing_are_ranked_too():
    F, S = features(3) - 40, features(4) - 90
    assert distance("means", F, S) == pytest.approx(by_sorting(F, S) / F.size, rel=0.01)


def test_the_same_values_elsewhere_are_at_no_distance():
    S = features(5)
    shuffled = np.random.default_rng(0).permutation(S.reshape(-1, 5)).reshape(S.shape)
    assert distance("normalized", shuffled, S) < 0.1  # of a thousand


def test_a_style_may_have_any_size():
    S = features(6)
    doubled = np.concatenate([S, S], 1)
    assert distance("normalized", features(7), doubled) == pytest.approx(
        distance("normalized", features(7), S), rel=1e-4
    )


def test_of_a_blend_each_style_gives_values_by_its_share():
    """Three parts of 100 and one of 400: three quarters of the ranks are 100."""
    low, high = (np.full((4, 5, 1), value, np.float32) for value in (100.0, 400.0))
    F = np.repeat(np.float32([[1.0, 2.0, 3.0, 4.0]]), 5, 0)[..., np.newaxis]
    term = Histogram(("layer",), "means")
    counts = term.measure("layer", tf.constant(F), None).counts
    counts = term.measure("layer", tf.constant(F), None).counts
    wanted = module.remapped(counts, target_of(term, (low, 3.0), (high, 1.0)).statistics["layer"])
    bins = np.flatnonzero(counts[0])
    np.testing.assert_allclose(wanted.numpy()[0, bins], [100, 100, 100, 400], rtol=1e-5)


def test_what_cannot_be_seen_of_a_style_does_not_count():
    S, opacity = features(8), np.ones((30, 40))
    opacity[:, 15:] = 0
    F, seen = features(9), S[:, :15]
    assert distance("normalized", F, Seen(S, opacity)) == pytest.approx(distance("normalized", F, seen), rel=1e-4)


def test_tiles_add_up():
    term, F = Histogram(("layer",), "means"), features(10)
    parts = [term.measure("layer", tf.constant(part), None) for part in (F[:11], F[11:])]
    for whole, one, other in zip(term.measure("layer", tf.constant(F), None), *parts, strict=True):
        np.testing.assert_allclose(whole, one + other, rtol=1e-4, atol=1e-2)


def test_pieces_add_up(monkeypatch):
    F = features(11)
    once = distance("normalized", F, features(12))
    monkeypatch.setattr(module, "_AT_ONCE", 2 * F[..., 0].size)  # two channels of five
    assert distance("normalized", F, features(12)) == pytest.approx(once, rel=1e-6)


def test_the_gradient_is_that_of_fixed_ranks():
    """2 (F - R(F)), with R found by sorting."""
    F, S = features(13), features(14)
    term = Histogram(("layer",), "means")
    target = target_of(term, S)
    with tf.GradientTape() as tape:
        image = tf.constant(F)
        tape.watch(image)
        loss = term.distance({"layer": term.measure("layer", image, None)}, target, {"layer": tf.constant(1.0)})
    gradient = tape.gradient(loss, image).numpy() * F.size
    for channel in range(F.shape[-1]):
        here, style = F[..., channel].ravel(), np.sort(S[..., channel].ravel())
        moved = here > 0
        ranks = np.argsort(np.argsort(here, kind="stable"), kind="stable")
        expected = 2 * (here - style[ranks])
        apart = np.abs(gradient[..., channel].ravel() - expected)[moved]
        assert apart.max() < 0.1 * np.abs(style).max()  # of one place; bins are 3 % wide
        assert np.sqrt((apart**2).mean()) < 0.02 * np.sqrt((expected[moved] ** 2).mean()) + 0.01 * style.max()


def test_in_bfloat16_it_is_off_by_less_than_a_hundredth():
    F, S = features(15), features(16)
    term = Histogram(("layer",), "normalized")

    def at(kind):
        target = target_of(term, S)
        measured = {"layer": term.measure("layer", tf.cast(F, kind), None)}
        return float(term.distance(measured, target, {"layer": tf.constant(1.0)}))

    assert at(tf.bfloat16) == pytest.approx(at(tf.float32), rel=0.01)


def test_a_picture_of_nothing_has_a_finite_distance():
    assert np.isfinite(distance("normalized", np.zeros((4, 4, 5), np.float32), features(17)))
    assert np.isfinite(distance("normalized", features(17), np.zeros((4, 4, 5), np.float32)))
