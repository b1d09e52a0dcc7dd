"""The weighted sum of Eq. 7, with a toy network whose only layer is the picture itself."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline.nst import losses  # noqa: E402
from pipeline.nst.objective import Objective, Targets, Weights, blend  # noqa: E402
from pipeline.options import Options  # noqa: E402


def pixels_as_features(image, layers, measure=lambda layer, features: features):
    return {layer: measure(layer, image) for layer in layers}


def picture(seed):
    return tf.constant(np.random.default_rng(seed).uniform(0, 255, (6, 5, 3)), tf.float32)


def objective(unit="paper", **variation):
    return Objective(pixels_as_features, ["block1_conv1"], ["block2_conv1"], unit, **variation)


def weights(**options):
    layers = {"content_layers": {"block1_conv1": 1.0}, "style_layers": {"block2_conv1": 1.0}, "tv_weight": 0.0}
    return Weights.of(Options(**(layers | options)))


def test_a_picture_that_is_both_content_and_style_costs_nothing():
    both = picture(0)
    targets = Targets(objective().content_targets(both), objective().style_targets(both))
    assert [float(part) for part in objective()(both, targets, weights())] == [0, 0, 0, 0]


def test_parts_sum_to_the_total():
    targets = Targets(objective().content_targets(picture(1)), objective().style_targets(picture(2)))
    total, *parts = objective()(picture(3), targets, weights(tv_weight=0.5))
    assert min(map(float, parts)) > 0
    assert float(total) == pytest.approx(sum(map(float, parts)), rel=1e-6)


def test_weights_multiply_their_parts():
    targets = Targets(objective().content_targets(picture(1)), objective().style_targets(picture(2)))
    once = objective()(picture(3), targets, weights(content_weight=1, style_weight=1, tv_weight=1))
    more = objective()(picture(3), targets, weights(content_weight=2, style_weight=3, tv_weight=5))
    np.testing.assert_allclose(more[1:], [2 * once.content, 3 * once.style, 5 * once.tv], rtol=1e-6)


def test_total_variation_may_have_a_unit_and_a_kind_of_its_own():
    image = picture(3)
    targets = Targets(objective().content_targets(picture(1)), objective().style_targets(picture(2)))
    for options, expected in (
        ({"tv_unit": "means"}, losses.variation_in_unit("means", image)),
        ({"tv_kind": "absolute"}, losses.variation_in_unit("paper", image, "absolute")),
        ({"tv_kind": 2.5, "tv_unit": "normalized"}, losses.variation_in_unit("normalized", image, 2.5)),
    ):
        evaluation = objective(**options)(image, targets, weights(tv_weight=2))
        assert float(evaluation.tv) == pytest.approx(2 * float(expected), rel=1e-6)
        assert float(evaluation.style) == float(objective()(image, targets, weights()).style)


def test_grams_per_pixel_count_the_pictures_own_pixels():
    twice = tf.concat([picture(3)] * 2, axis=0)  # the same texture on twice the area
    targets = Targets({}, objective().style_targets(picture(2)))
    lone = Objective(pixels_as_features, [], ["block2_conv1"], "per_pixel")
    options = weights(content_layers={})
    assert float(lone(twice, targets, options).style) == pytest.approx(
        float(lone(picture(3), targets, options).style), rel=1e-5
    )


def test_layer_weights_multiply_their_layers():
    targets = Targets(objective().content_targets(picture(1)), objective().style_targets(picture(2)))
    once = objective()(picture(3), targets, weights())
    thrice = objective()(picture(3), targets, weights(style_layers={"block2_conv1": 3.0}))
    assert float(thrice.style) == pytest.approx(3 * float(once.style), rel=1e-6)
    assert float(thrice.content) == float(once.content)


def test_blended_styles_are_the_weighted_mean_of_their_gram_matrices():
    first, second = ({"layer": tf.constant([[value]])} for value in (10.0, 40.0))
    assert float(blend([first, second], [2, 1])["layer"][0, 0]) == pytest.approx(20)


def test_shares_need_not_sum_to_one():
    one, other = ({"layer": tf.constant([[value]])} for value in (1.0, 3.0))
    assert (
        float(blend([one, other], [50, 50])["layer"][0, 0])
        == float(blend([one, other], [0.5, 0.5])["layer"][0, 0])
        == 2
    )
