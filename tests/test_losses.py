"""The equations of Gatys, Ecker & Bethge, with the paper as oracle: float64 NumPy loops that follow its sums literally."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline.nst import losses  # noqa: E402


def features(height=3, width=4, channels=5, seed=0):
    """Like activations after a ReLU: about half of them zero."""
    random = np.random.default_rng(seed)
    return np.maximum(random.normal(size=(height, width, channels)), 0).astype(np.float32)


def paper_content(F, P):
    """Eq. 1."""
    F, P = F.astype(np.float64), P.astype(np.float64)
    total = 0.0
    for y, x, i in np.ndindex(*F.shape):
        total += (F[y, x, i] - P[y, x, i]) ** 2
    return total / 2


def paper_gram(F):
    """Eq. 3."""
    F = F.reshape(-1, F.shape[-1]).astype(np.float64)
    positions, channels = F.shape
    G = np.zeros((channels, channels))
    for i in range(channels):
        for j in range(channels):
            for k in range(positions):
                G[i, j] += F[k, i] * F[k, j]
    return G


def paper_style(F, S):
    """Eq. 4, for a style image of the picture's own size."""
    positions, channels = F.shape[0] * F.shape[1], F.shape[-1]
    G, A = paper_gram(F), paper_gram(S)
    total = 0.0
    for i in range(channels):
        for j in range(channels):
            total += (G[i, j] - A[i, j]) ** 2
    return total / (4 * channels**2 * positions**2)


def per_position(F):
    return losses.gram_per_position(tf.constant(F))


def content_in_unit(unit, F, P):
    return losses.content_in_unit(unit, losses.squared_distance(F, P), tf.constant(P))


def style_in_unit(unit, F, target, pixels):
    F = tf.constant(F)
    return losses.style_in_unit(unit, losses.gram_matrix(F), losses.positions(F), target, pixels)


def test_content_distance_is_equation_1():
    F, P = features(seed=1), features(seed=2)
    assert float(losses.content_distance(F, P)) == pytest.approx(paper_content(F, P), rel=1e-6)


def test_gram_matrix_is_equation_3():
    F = features(seed=3)
    np.testing.assert_allclose(losses.gram_matrix(tf.constant(F)), paper_gram(F), rtol=1e-6)


def test_gram_matrix_of_ones_counts_positions():
    np.testing.assert_array_equal(losses.gram_matrix(tf.ones((3, 4, 2))), [[12, 12], [12, 12]])


def test_gram_matrix_of_a_known_picture():
    # Two positions with features (1, 2) and (3, 4): G = [[1+9, 2+12], [2+12, 4+16]].
    F = tf.constant([[[1.0, 2.0], [3.0, 4.0]]])
    np.testing.assert_array_equal(losses.gram_matrix(F), [[10, 14], [14, 20]])


def test_gram_matrix_ignores_where_features_stand():
    F = features(seed=4)
    shuffled = np.random.default_rng(0).permutation(F.reshape(-1, 5)).reshape(F.shape)
    np.testing.assert_allclose(losses.gram_matrix(tf.constant(F)), losses.gram_matrix(tf.constant(shuffled)), rtol=1e-6)


def test_gram_matrix_of_many_bfloat16_features_is_summed_in_pieces(monkeypatch):
    F = tf.cast(features(50, 40, 8), tf.bfloat16)
    whole = losses.gram_matrix(F)
    monkeypatch.setattr(losses, "_FLOATS_AT_ONCE", 8 * 300)  # 300 of 2,000 positions at a time
    assert whole.dtype == tf.float32
    np.testing.assert_allclose(losses.gram_matrix(F), whole, rtol=1e-5)
    np.testing.assert_allclose(whole, paper_gram(np.asarray(tf.cast(F, tf.float32))), rtol=1e-4)


def test_style_distance_is_equation_4():
    F, S = features(seed=5), features(seed=6)
    assert float(losses.style_distance(tf.constant(F), per_position(S))) == pytest.approx(paper_style(F, S), rel=1e-5)


def test_style_image_may_have_any_size():
    tile = features(4, 4, 5, seed=7)
    twice = np.concatenate([tile, tile])  # the same texture on twice the area
    assert float(losses.style_distance(tf.constant(tile), per_position(twice))) == pytest.approx(0, abs=1e-9)


def test_style_loss_is_the_weighted_sum_of_equation_5():
    distances = {"a": tf.constant(2.0), "b": tf.constant(5.0)}
    assert float(losses.weighted_sum(distances, {"a": 0.5, "b": 0.2})) == pytest.approx(0.5 * 2 + 0.2 * 5)


def test_no_layers_weigh_nothing():
    assert float(losses.weighted_sum({}, {})) == 0


def test_content_gradient_is_equation_2():
    random = np.random.default_rng(8)
    before_relu = random.normal(size=(3, 4, 5)).astype(np.float32)
    P = features(seed=9)
    with tf.GradientTape() as tape:
        a = tf.constant(before_relu)
        tape.watch(a)
        loss = losses.content_distance(tf.nn.relu(a), P)
    F = np.maximum(before_relu, 0)
    np.testing.assert_allclose(tape.gradient(loss, a), np.where(before_relu > 0, F - P, 0), rtol=1e-5)


def test_style_gradient_is_equation_6():
    random = np.random.default_rng(10)
    before_relu = random.normal(size=(3, 4, 5)).astype(np.float32)
    S = features(seed=11)
    with tf.GradientTape() as tape:
        a = tf.constant(before_relu)
        tape.watch(a)
        loss = losses.style_distance(tf.nn.relu(a), per_position(S))
    F = np.maximum(before_relu, 0).astype(np.float64)
    M, N = 12, 5
    expected = (F.reshape(M, N) @ (paper_gram(F) - paper_gram(S))).reshape(F.shape) / (N**2 * M**2)
    np.testing.assert_allclose(tape.gradient(loss, a), np.where(before_relu > 0, expected, 0), rtol=1e-4, atol=1e-7)


def test_total_variation_of_a_checkerboard():
    # 3 x 3 board of 0 and 1, one channel: 6 neighbours below and 6 to the right, each one grey level apart.
    board = np.indices((3, 3)).sum(axis=0)[..., np.newaxis] % 2
    assert float(losses.total_variation(tf.constant(board, tf.float32))) == 12


def test_absolute_variation_is_tensorflows():
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (7, 5, 3)), tf.float32)
    expected = float(tf.image.total_variation(image))
    assert float(losses.total_variation(image, "absolute")) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("beta", [2.0, 2.5])
def test_variation_with_an_exponent_joins_both_directions(beta):
    # One pixel that has both neighbours, 3 below it and 4 to its right: (3² + 4²)^(β/2) = 5^β. The corner counts nowhere.
    image = tf.constant([[[0.0], [4.0]], [[3.0], [99.0]]])
    assert float(losses.total_variation(image, beta)) == pytest.approx(5**beta)


@pytest.mark.parametrize("kind", ["squares", "absolute", 2.5])
def test_flat_pictures_have_no_variation_and_no_gradient_of_it(kind):
    with tf.GradientTape() as tape:
        flat = tf.fill((5, 7, 3), 99.0)
        tape.watch(flat)
        variation = losses.variation_in_unit("means", flat, kind)
    assert float(variation) == 0
    np.testing.assert_array_equal(tape.gradient(variation, flat), np.zeros((5, 7, 3)))


@pytest.mark.parametrize(("kind", "power"), [("squares", 2), ("absolute", 1), (2.5, 2.5)])
def test_normalized_variation_of_every_kind_is_counted_in_whites(kind, power):
    image = tf.constant(np.random.default_rng(1).uniform(0, 255, (7, 5, 3)), tf.float32)
    expected = float(losses.total_variation(image, kind)) / 255**power / (7 * 5 * 3)
    assert float(losses.variation_in_unit("normalized", image, kind)) == pytest.approx(expected, rel=1e-5)


def test_roots_divide_by_the_root_of_the_count():
    F, P = features(seed=23), features(seed=24)
    expected = paper_content(F, P) / np.sqrt(3 * 4 * 5)
    assert float(content_in_unit("roots", F, P)) == pytest.approx(expected, rel=1e-5)
    assert float(style_in_unit("roots", tf.constant(F), per_position(P), 12)) == pytest.approx(
        paper_style(F, P), rel=1e-5
    )


def test_gram_matrices_per_pixel_are_divided_by_the_pictures_pixels():
    F, P = features(seed=25), features(seed=26)  # as of a layer of half the picture's height and width: 48 pixels
    expected = (((paper_gram(F) - paper_gram(P)) / 48) ** 2).sum()
    assert float(style_in_unit("per_pixel", tf.constant(F), per_position(P), 48)) == pytest.approx(expected, rel=1e-5)
    assert float(content_in_unit("per_pixel", F, P)) == pytest.approx(2 * paper_content(F, P), rel=1e-6)


def test_plain_sums_are_plain():
    F, P = features(seed=12), features(seed=13)
    assert float(content_in_unit("sums", F, P)) == pytest.approx(2 * paper_content(F, P), rel=1e-6)
    expected = ((paper_gram(F) - paper_gram(P)) ** 2).sum()
    assert float(style_in_unit("sums", tf.constant(F), per_position(P), 12)) == pytest.approx(expected, rel=1e-5)


def test_paper_units_are_the_papers_equations():
    F, P = features(seed=14), features(seed=15)
    assert float(content_in_unit("paper", F, P)) == pytest.approx(paper_content(F, P), rel=1e-6)
    assert float(style_in_unit("paper", tf.constant(F), per_position(P), 12)) == pytest.approx(
        paper_style(F, P), rel=1e-5
    )


def test_means_are_means():
    F, P = features(seed=21), features(seed=22)
    assert float(content_in_unit("means", F, P)) == pytest.approx(((F - P) ** 2).mean(), rel=1e-5)
    expected = (((paper_gram(F) - paper_gram(P)) / 12) ** 2).mean()  # 3 x 4 positions
    assert float(style_in_unit("means", tf.constant(F), per_position(P), 12)) == pytest.approx(expected, rel=1e-5)
    ramp = tf.constant(np.arange(6, dtype=np.float32).reshape(1, 6, 1) * np.ones((2, 6, 3), np.float32))
    assert float(losses.variation_in_unit("means", ramp)) == 1  # every step to the right is 1, every step down is 0


def test_normalized_distances_of_nothing_are_one_and_a_thousand():
    P, nothing = features(seed=16), np.zeros((3, 4, 5), np.float32)
    assert float(content_in_unit("normalized", nothing, P)) == pytest.approx(1, rel=1e-5)
    assert float(style_in_unit("normalized", tf.constant(nothing), per_position(P), 12)) == pytest.approx(
        1000, rel=1e-5
    )


@pytest.mark.parametrize("factor", [0.1, 100.0])
def test_normalized_distances_do_not_depend_on_how_large_a_layers_activations_are(factor):
    F, P = features(seed=17), features(seed=18)
    for distance, target, scaled, pixels in (
        (content_in_unit, P, P * factor, []),
        (style_in_unit, per_position(P), per_position(P * factor), [12]),
    ):
        plain = float(distance("normalized", tf.constant(F), target, *pixels))
        assert float(distance("normalized", tf.constant(F * factor), scaled, *pixels)) == pytest.approx(plain, rel=1e-2)


def test_normalized_distances_do_not_depend_on_size():
    F, P = features(seed=19), features(seed=20)
    wide = [np.concatenate([f, f], axis=1) for f in (F, P)]
    assert float(content_in_unit("normalized", *wide)) == pytest.approx(
        float(content_in_unit("normalized", F, P)), rel=1e-5
    )
    assert float(style_in_unit("normalized", tf.constant(wide[0]), per_position(P), 12)) == pytest.approx(
        float(style_in_unit("normalized", tf.constant(F), per_position(P), 12)), rel=1e-5
    )


def test_normalized_variation_of_single_pixel_stripes_is_one():
    # Black and white columns: every right neighbour differs by 255 in all three channels, and there is nearly one a pixel.
    stripes = np.zeros((10, 1000, 3), np.float32)
    stripes[:, ::2] = 255
    assert float(losses.variation_in_unit("normalized", tf.constant(stripes))) == pytest.approx(1, rel=2e-3)


def test_black_targets_do_not_divide_by_zero():
    nothing = tf.zeros((3, 4, 5))
    assert float(content_in_unit("normalized", nothing, nothing)) == 0
    assert float(style_in_unit("normalized", nothing, losses.gram_per_position(nothing), 12)) == 0


@pytest.mark.parametrize("at_once", [1, 50, 10**6])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_squared_distance_and_its_gradient_do_not_depend_on_pieces(monkeypatch, at_once, dtype):
    monkeypatch.setattr(losses, "_FLOATS_AT_ONCE", at_once)
    generator = np.random.default_rng(7)
    a, b = (tf.cast(generator.normal(size=(7, 5, 3)), dtype) for _ in range(2))

    @tf.function
    def in_a_graph(a, b):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            distance = 3.0 * losses.squared_distance(a, b)
        return distance, *tape.gradient(distance, [a, b])

    distance, by_a, by_b = in_a_graph(a, b)
    plain_a, plain_b = (tf.cast(each, tf.float32).numpy().astype(np.float64) for each in (a, b))
    assert float(distance) == pytest.approx(3.0 * np.sum((plain_a - plain_b) ** 2), rel=1e-5)
    assert float(losses.sum_of_squares(a)) == pytest.approx(np.sum(plain_a**2), rel=1e-5)
    assert by_a.dtype == by_b.dtype == dtype
    rounding = 2**-8 if dtype == tf.bfloat16 else 1e-6
    np.testing.assert_allclose(tf.cast(by_a, tf.float32), 6 * (plain_a - plain_b), rtol=rounding, atol=1e-6)
    np.testing.assert_allclose(tf.cast(by_b, tf.float32), 6 * (plain_b - plain_a), rtol=rounding, atol=1e-6)
