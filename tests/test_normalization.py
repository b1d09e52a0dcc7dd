"""Kernels whose channels have a mean activation of 1, and the images that the means are of."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("usual_convolutions")]

tf = pytest.importorskip("tensorflow")

from pipeline.nst import normalization  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.network import VGG19  # noqa: E402
from pipeline.nst.normalization import channel_means, images, load, normalized  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402


@pytest.fixture(scope="module")
def kernels():
    return load_kernels(locate("imagenet-8bit"))


@pytest.fixture(scope="module")
def means(kernels):
    return channel_means(kernels, VGG19, images())


def test_every_channel_has_a_mean_of_one_unless_nothing_wakes_it(kernels, means):
    again = channel_means(normalized(kernels, means), VGG19, images())
    assert tuple(again) == VGG19.convolutions
    for layer, found in again.items():
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found == 0, means[layer] == 0, err_msg=layer)
        # Float32 rounds by the size of a layer's activations: what hardly ever wakes, by a mean of
        # 0.0005 where the median is 8, is brought to 1 within a thousandth.
        awake = means[layer] > 0
        share = means[layer][awake] / np.median(means[layer][awake])
        assert np.all(abs(found[awake] - 1) <= 1e-4 * np.maximum(1, 1 / share)), layer
        np.testing.assert_allclose(found[awake][share > 1e-3], 1, atol=1e-3, err_msg=layer)


def test_the_images_wake_almost_every_channel(means):
    asleep = {layer: int((found == 0).sum()) for layer, found in means.items()}
    assert sum(number for layer, number in asleep.items() if layer != "block5_conv4") < 10
    assert asleep["block5_conv4"] < 0.2 * 512  # the last layer knows things that nothing made here looks like


@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_activations_of_any_picture_are_the_same_but_for_a_factor_of_each_channel(kernels, means, pooling):
    picture = tf.constant(np.random.default_rng(0).uniform(0, 255, (70, 53, 3)), tf.float32)
    layers = ["block1_conv1", "block2_pool", "block3_conv2_linear", "block5_conv1"]
    before = Extractor(kernels, pooling=pooling)(picture, layers)
    after = Extractor(normalized(kernels, means), pooling=pooling)(picture, layers)
    for layer in layers:
        mean = means[{"block2_pool": "block2_conv2"}.get(layer, layer.removesuffix("_linear"))]
        awake = np.flatnonzero(mean)
        ours, theirs = (np.array(activations)[..., awake] for activations in (after[layer], before[layer]))
        largest = theirs.max(axis=(0, 1)) / mean[awake]
        assert np.all(abs(ours - theirs / mean[awake]) <= 1e-4 * largest.max())


def test_kernels_are_rescaled_by_hand():
    """Two layers of two channels: means 4 and 2, then 5 and none, whose channel is scaled as the other."""
    kernels = {
        "block1_conv1": (np.ones((3, 3, 3, 2), np.float32), np.array([8, 8], np.float32)),
        "block1_conv2": (np.ones((3, 3, 2, 2), np.float32), np.array([10, -10], np.float32)),
    }
    means = {"block1_conv1": np.array([4, 2], np.float32), "block1_conv2": np.array([5, 0], np.float32)}
    scaled = normalized(kernels, means)
    kernel, bias = scaled["block1_conv1"]
    np.testing.assert_array_equal(kernel[1, 1], [[1 / 4, 1 / 2]] * 3)
    np.testing.assert_array_equal(bias, [2, 4])
    kernel, bias = scaled["block1_conv2"]
    np.testing.assert_allclose(kernel[1, 1], [[4 / 5, 4 / 5], [2 / 5, 2 / 5]])
    np.testing.assert_array_equal(bias, [2, -2])
    assert all(array.dtype == np.float32 for arrays in scaled.values() for array in arrays)


def test_a_layer_that_sleeps_as_a_whole_is_left_as_it_is():
    kernels = {"block1_conv1": (np.ones((3, 3, 3, 2), np.float32), np.zeros(2, np.float32))}
    scaled = normalized(kernels, {"block1_conv1": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(scaled["block1_conv1"][0], kernels["block1_conv1"][0])


def test_the_images_are_pictures_and_the_same_every_time():
    first, second = images(), images()
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert first.min() >= 0
    assert first.max() <= 255
    assert all(image.std() > 30 for image in first)
    assert len({image.tobytes() for image in first}) == len(first)


def test_means_are_taken_once_in_a_process_and_only_where_they_are_asked_for(kernels, monkeypatch):
    taken = []

    def count(*arguments):
        taken.append(arguments)
        return channel_means(*arguments)

    monkeypatch.setattr(normalization, "channel_means", count)
    monkeypatch.setattr(normalization, "_MEANS", {})
    weights = locate("imagenet-8bit")
    plain = load(weights, VGG19, "none")
    assert not taken
    np.testing.assert_array_equal(plain["block1_conv1"][0], kernels["block1_conv1"][0])
    first, second = (load(weights, VGG19, "channels") for _ in range(2))
    assert len(taken) == 1
    for layer in VGG19.convolutions:
        np.testing.assert_array_equal(first[layer][0], second[layer][0])
    assert not np.array_equal(first["block1_conv1"][0], plain["block1_conv1"][0])
