"""Gram matrices: Eq. 3, 4 and 6 of the paper, units, blends of styles."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline.nst.terms import gram as module  # noqa: E402
from pipeline.nst.terms.gram import Gram, GramSum, gram_matrix  # noqa: E402
from pipeline.nst.terms.sums import positions  # noqa: E402
from pipeline.nst.terms.term import PICTURE, Style  # noqa: E402
from tests import paper  # noqa: E402


class Seen:
    """A style image whose features are given."""

    def __init__(self, features):
        self._features = tf.constant(features)

    def measured(self, term):
        return {layer: term.measure(layer, self._features, None) for layer in term.style_layers}


def sources(*styles):
    """Styles with shares; one without."""
    pairs = [style if isinstance(style, tuple) else (style, 1.0) for style in styles]
    return type("Sources", (), {"styles": [Style(Seen(features), share) for features, share in pairs], "regions": ()})


def style_in_unit(unit, F, *styles, pixels=12):
    """The term's own way: target, measure, distance. The layer is a third of the picture where `pixels` are 36."""
    term, F = Gram(("layer",), unit), tf.constant(F)
    measured = {"layer": term.measure("layer", F, None)}
    if PICTURE in term.layers:
        measured[PICTURE] = term.measure(PICTURE, tf.zeros((1, pixels, 3)), None)
    return term.distance(measured, term.target(sources(*styles)), {"layer": tf.constant(1.0)})


def test_style_distance_is_equation_4():
    F, S = paper.features(seed=5), paper.features(seed=6)
    assert float(style_in_unit("paper", F, S)) == pytest.approx(paper.style_distance(F, S), rel=1e-5)


def test_a_style_image_may_have_any_size():
    tile = paper.features(4, 4, 5, seed=7)
    twice = np.concatenate([tile, tile])  # the same texture on twice the area
    assert float(style_in_unit("paper", tile, twice)) == pytest.approx(0, abs=1e-9)


def test_a_gram_matrix_is_equation_3():
    F = paper.features(seed=3)
    np.testing.assert_allclose(gram_matrix(tf.constant(F)), paper.gram_matrix(F), rtol=1e-6)


def test_gram_matrix_of_ones_counts_positions():
    np.testing.assert_array_equal(gram_matrix(tf.ones((3, 4, 2))), [[12, 12], [12, 12]])


def test_gram_matrix_of_a_known_picture():
    # Two positions with features (1, 2) and (3, 4): G = [[1+9, 2+12], [2+12, 4+16]].
    F = tf.constant([[[1.0, 2.0], [3.0, 4.0]]])
    np.testing.assert_array_equal(gram_matrix(F), [[10, 14], [14, 20]])


def test_gram_matrix_ignores_where_features_stand():
    F = paper.features(seed=4)
    shuffled = np.random.default_rng(0).permutation(F.reshape(-1, 5)).reshape(F.shape)
    np.testing.assert_allclose(gram_matrix(tf.constant(F)), gram_matrix(tf.constant(shuffled)), rtol=1e-6)


def test_gram_matrix_of_many_bfloat16_features_is_summed_in_pieces(monkeypatch):
    F = tf.cast(paper.features(50, 40, 8), tf.bfloat16)
    whole = gram_matrix(F)
    monkeypatch.setattr(module, "FLOATS_AT_ONCE", 8 * 300)  # 300 of 2,000 positions at a time
    assert whole.dtype == tf.float32
    np.testing.assert_allclose(gram_matrix(F), whole, rtol=1e-5)
    np.testing.assert_allclose(whole, paper.gram_matrix(np.asarray(tf.cast(F, tf.float32))), rtol=1e-4)


def test_style_gradient_is_equation_6():
    random = np.random.default_rng(10)
    before_relu = random.normal(size=(3, 4, 5)).astype(np.float32)
    S = paper.features(seed=11)
    with tf.GradientTape() as tape:
        a = tf.constant(before_relu)
        tape.watch(a)
        loss = style_in_unit("paper", tf.nn.relu(a), S)
    F = np.maximum(before_relu, 0).astype(np.float64)
    M, N = 12, 5
    expected = (F.reshape(M, N) @ (paper.gram_matrix(F) - paper.gram_matrix(S))).reshape(F.shape) / (N**2 * M**2)
    np.testing.assert_allclose(tape.gradient(loss, a), np.where(before_relu > 0, expected, 0), rtol=1e-4, atol=1e-7)


def test_roots_are_the_papers():
    F, S = paper.features(seed=23), paper.features(seed=24)
    assert float(style_in_unit("roots", F, S)) == pytest.approx(paper.style_distance(F, S), rel=1e-5)


def test_gram_matrices_per_pixel_are_divided_by_the_pictures_pixels():
    F, S = paper.features(seed=25), paper.features(seed=26)  # of a layer of half the picture's sides: 48 pixels
    expected = (((paper.gram_matrix(F) - paper.gram_matrix(S)) / 48) ** 2).sum()
    assert float(style_in_unit("per_pixel", F, S, pixels=48)) == pytest.approx(expected, rel=1e-5)


def test_plain_sums_are_plain():
    F, S = paper.features(seed=12), paper.features(seed=13)
    expected = ((paper.gram_matrix(F) - paper.gram_matrix(S)) ** 2).sum()
    assert float(style_in_unit("sums", F, S)) == pytest.approx(expected, rel=1e-5)


def test_means_are_means():
    F, S = paper.features(seed=21), paper.features(seed=22)
    expected = (((paper.gram_matrix(F) - paper.gram_matrix(S)) / 12) ** 2).mean()  # 3 x 4 positions
    assert float(style_in_unit("means", F, S)) == pytest.approx(expected, rel=1e-5)


def test_the_normalized_distance_of_nothing_is_a_thousand():
    S, nothing = paper.features(seed=16), np.zeros((3, 4, 5), np.float32)
    assert float(style_in_unit("normalized", nothing, S)) == pytest.approx(1000, rel=1e-5)


@pytest.mark.parametrize("factor", [0.1, 100.0])
def test_normalized_distances_do_not_depend_on_how_large_a_layers_features_are(factor):
    F, S = paper.features(seed=17), paper.features(seed=18)
    plain = float(style_in_unit("normalized", F, S))
    assert float(style_in_unit("normalized", F * factor, S * factor)) == pytest.approx(plain, rel=1e-2)


def test_normalized_distances_do_not_depend_on_size():
    F, S = paper.features(seed=19), paper.features(seed=20)
    wide = np.concatenate([F, F], axis=1)
    plain = float(style_in_unit("normalized", F, S))
    assert float(style_in_unit("normalized", wide, S)) == pytest.approx(plain, rel=1e-5)


def test_a_black_style_does_not_divide_by_zero():
    nothing = np.zeros((3, 4, 5), np.float32)
    assert float(style_in_unit("normalized", nothing, nothing)) == 0


def test_blended_styles_are_the_weighted_mean_of_their_gram_matrices():
    first, second = (np.full((1, 1, 1), value, np.float32) for value in (10.0, 20.0))  # G = 100 and 400
    target = Gram(("layer",), "paper").target(sources((first, 2), (second, 1)))
    assert float(target.statistics["layer"][0, 0]) == pytest.approx(200)


def test_shares_need_not_sum_to_one():
    one, other = paper.features(seed=1), paper.features(seed=2)
    term = Gram(("layer",), "paper")
    percent, halves = (term.target(sources((one, share), (other, share))) for share in (50, 0.5))
    np.testing.assert_array_equal(percent.statistics["layer"], halves.statistics["layer"])


def test_a_measure_holds_the_sum_and_its_positions():
    measured = Gram(("layer",), "paper").measure("layer", tf.ones((3, 4, 2)), None)
    assert isinstance(measured, GramSum)
    assert float(measured.positions) == float(positions(tf.ones((3, 4, 2)))) == 12


def test_a_position_counts_for_its_weight():
    F = paper.features(seed=27)  # (3, 4, 5)
    weights = np.random.default_rng(28).uniform(0, 1, F.shape[:2]).astype(np.float32)
    measured = Gram(("layer",), "paper").measure("layer", tf.constant(F), tf.constant(weights))
    np.testing.assert_allclose(measured.gram, np.einsum("ijc,ijd,ij->cd", F, F, weights), rtol=1e-5)
    assert float(measured.positions) == pytest.approx(weights.sum(), rel=1e-6)


def test_positions_of_no_weight_are_as_if_they_were_not_there():
    F = paper.features(seed=29)
    weights = np.array([[1.0] * 4, [0.0] * 4, [1.0] * 4], np.float32)
    measured = Gram(("layer",), "paper").measure("layer", tf.constant(F), tf.constant(weights))
    np.testing.assert_allclose(measured.gram, gram_matrix(tf.constant(F[::2])), rtol=1e-5)
    assert float(measured.positions) == 8
