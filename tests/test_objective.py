"""The weighted sum of Eq. 7, with a toy network whose only layer is the picture itself."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.studio

tf = pytest.importorskip("tensorflow")

from pipeline.job import Options  # noqa: E402
from pipeline.studio.objective import Objective, Targets, Weights, blend  # noqa: E402


def pixels_as_features(image, layers):
    return dict.fromkeys(layers, image)


def picture(seed):
    return tf.constant(np.random.default_rng(seed).uniform(0, 255, (6, 5, 3)), tf.float32)


def objective(unit="paper"):
    return Objective(pixels_as_features, ["block1_conv1"], ["block2_conv1"], unit)


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
