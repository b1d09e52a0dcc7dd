"""Content: Eq. 1 and 2 of the paper, its units, and the sums that it is made of."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline.nst.terms import sums  # noqa: E402
from pipeline.nst.terms.content import Content  # noqa: E402
from pipeline.nst.terms.sums import squared_distance, sum_of_squares, weighted_sum  # noqa: E402
from tests import paper  # noqa: E402


class Seen:
    """An image whose features are given."""

    def __init__(self, features):
        self._features = tf.constant(features)

    def features(self, layers):
        return dict.fromkeys(layers, self._features)


def content_in_unit(unit, F, P, weight=1.0):
    """The term's own way: target, measure, distance."""
    term = Content(("layer",), unit)
    target = term.target(type("Sources", (), {"content": Seen(P), "kept": None}))
    measured = {"layer": term.measure("layer", tf.constant(F), target.maps["layer"])}
    return term.distance(measured, target, {"layer": tf.constant(weight)})


def test_content_distance_is_equation_1():
    F, P = paper.features(seed=1), paper.features(seed=2)
    assert float(content_in_unit("paper", F, P)) == pytest.approx(paper.content_distance(F, P), rel=1e-6)


def test_layers_add_up_by_their_weights():
    F, P = paper.features(seed=1), paper.features(seed=2)
    assert float(content_in_unit("paper", F, P, 3.0)) == pytest.approx(
        3 * float(content_in_unit("paper", F, P)), rel=1e-6
    )


def test_style_loss_is_the_weighted_sum_of_equation_5():
    distances = {"a": tf.constant(2.0), "b": tf.constant(5.0)}
    assert float(weighted_sum(distances, {"a": 0.5, "b": 0.2})) == pytest.approx(0.5 * 2 + 0.2 * 5)


def test_no_layers_weigh_nothing():
    assert float(weighted_sum({}, {})) == 0


def test_content_gradient_is_equation_2():
    random = np.random.default_rng(8)
    before_relu = random.normal(size=(3, 4, 5)).astype(np.float32)
    P = paper.features(seed=9)
    with tf.GradientTape() as tape:
        a = tf.constant(before_relu)
        tape.watch(a)
        loss = 0.5 * squared_distance(tf.nn.relu(a), tf.constant(P))
    F = np.maximum(before_relu, 0)
    np.testing.assert_allclose(tape.gradient(loss, a), np.where(before_relu > 0, F - P, 0), rtol=1e-5)


def test_roots_divide_by_the_root_of_the_count():
    F, P = paper.features(seed=23), paper.features(seed=24)
    expected = paper.content_distance(F, P) / np.sqrt(3 * 4 * 5)
    assert float(content_in_unit("roots", F, P)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("unit", ["sums", "per_pixel"])
def test_plain_sums_are_plain(unit):
    F, P = paper.features(seed=12), paper.features(seed=13)
    assert float(content_in_unit(unit, F, P)) == pytest.approx(2 * paper.content_distance(F, P), rel=1e-6)


def test_means_are_means():
    F, P = paper.features(seed=21), paper.features(seed=22)
    assert float(content_in_unit("means", F, P)) == pytest.approx(((F - P) ** 2).mean(), rel=1e-5)


def test_the_normalized_distance_of_nothing_is_one():
    P, nothing = paper.features(seed=16), np.zeros((3, 4, 5), np.float32)
    assert float(content_in_unit("normalized", nothing, P)) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("factor", [0.1, 100.0])
def test_normalized_distances_do_not_depend_on_how_large_a_layers_features_are(factor):
    F, P = paper.features(seed=17), paper.features(seed=18)
    plain = float(content_in_unit("normalized", F, P))
    assert float(content_in_unit("normalized", F * factor, P * factor)) == pytest.approx(plain, rel=1e-5)


def test_normalized_distances_do_not_depend_on_size():
    F, P = paper.features(seed=19), paper.features(seed=20)
    wide = [np.concatenate([f, f], axis=1) for f in (F, P)]
    assert float(content_in_unit("normalized", *wide)) == pytest.approx(
        float(content_in_unit("normalized", F, P)), rel=1e-5
    )


def test_a_black_photograph_does_not_divide_by_zero():
    nothing = np.zeros((3, 4, 5), np.float32)
    assert float(content_in_unit("normalized", nothing, nothing)) == 0


def test_an_unknown_unit_is_an_error_and_no_other_unit():
    with pytest.raises(KeyError, match="furlongs"):
        content_in_unit("furlongs", paper.features(), paper.features())


@pytest.mark.parametrize("at_once", [1, 50, 10**6])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_squared_distance_and_its_gradient_do_not_depend_on_pieces(monkeypatch, at_once, dtype):
    monkeypatch.setattr(sums, "FLOATS_AT_ONCE", at_once)
    generator = np.random.default_rng(7)
    a, b = (tf.cast(generator.normal(size=(7, 5, 3)), dtype) for _ in range(2))

    @tf.function(autograph=False)
    def in_a_graph(a, b):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            distance = 3.0 * squared_distance(a, b)
        return distance, *tape.gradient(distance, [a, b])

    distance, by_a, by_b = in_a_graph(a, b)
    plain_a, plain_b = (tf.cast(each, tf.float32).numpy().astype(np.float64) for each in (a, b))
    assert float(distance) == pytest.approx(3.0 * np.sum((plain_a - plain_b) ** 2), rel=1e-5)
    assert float(sum_of_squares(a)) == pytest.approx(np.sum(plain_a**2), rel=1e-5)
    assert by_a.dtype == by_b.dtype == dtype
    rounding = 2**-8 if dtype == tf.bfloat16 else 1e-6
    np.testing.assert_allclose(tf.cast(by_a, tf.float32), 6 * (plain_a - plain_b), rtol=rounding, atol=1e-6)
    np.testing.assert_allclose(tf.cast(by_b, tf.float32), 6 * (plain_b - plain_a), rtol=rounding, atol=1e-6)
