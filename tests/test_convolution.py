"""Convolutions forward as ones back: the same numbers, and the same gradients."""

from __future__ import annotations

import gc

import numpy as np
import pytest

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")

from pipeline import processor  # noqa: E402
from pipeline.nst import convolution, extractor, winograd  # noqa: E402
from pipeline.nst.convolution import convolved, prepared, slow_way  # noqa: E402
from pipeline.nst.extractor import Extractor  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.network import VGG19  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402

_LAYERS = ("block1_conv1", "block1_conv2", "block2_conv2", "block3_conv1")


@pytest.fixture(scope="module")
def vgg19():
    return Extractor(load_kernels(locate("random")), VGG19)


@pytest.mark.parametrize("slow", ["forward", "back"])
def test_each_way_of_a_convolution_is_the_other_through_the_turned_kernel(slow):
    rng = np.random.default_rng(0)
    layer = tf.keras.layers.Conv2D(5, 3, padding="same")
    layer.build((None, None, None, 4))
    layer.set_weights([rng.normal(size=(3, 3, 4, 5)), rng.normal(size=5)])
    features = tf.constant(rng.normal(size=(1, 6, 7, 4)), tf.float32)
    found = {}
    for name, way in (("usual", layer), ("turned", lambda x: convolved(x, layer, prepared(layer.kernel), slow=slow))):
        with tf.GradientTape() as tape:
            tape.watch(features)
            made = way(features)
            loss = tf.reduce_sum(tf.sin(made))
        found[name] = made.numpy(), tape.gradient(loss, features).numpy()
    for usual, by_turned in zip(*found.values(), strict=True):
        np.testing.assert_allclose(by_turned, usual, atol=1e-5)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 9), (16, 12), (33, 30)])
def test_winograds_way_makes_what_a_convolution_makes_forward_and_back(size, relu):
    rng = np.random.default_rng(3)
    features = tf.constant(rng.normal(size=(1, *size, 5)), tf.float32)
    above = tf.constant(rng.normal(size=(1, *size, 7)), tf.float32)
    bias = tf.constant(rng.normal(size=7), tf.float32)
    kernel = rng.normal(size=(3, 3, 5, 7)).astype(np.float32)
    filters = winograd.filters_of(kernel)
    with tf.GradientTape() as tape:
        tape.watch(features)
        expected = tf.nn.conv2d(features, kernel, 1, "SAME") + bias
        expected = tf.nn.relu(expected) if relu else expected
    slope = tape.gradient(expected, features, output_gradients=above).numpy()
    made = winograd.forward(features, filters, bias, relu=relu, in_strips=False)
    np.testing.assert_allclose(made, expected, atol=3e-5 * np.abs(expected).max())
    found = winograd.back(above, expected, filters, relu=relu, in_strips=False)
    np.testing.assert_allclose(found, slope, atol=3e-5 * np.abs(slope).max())


def test_winograds_way_is_the_same_in_strips(monkeypatch):
    rng = np.random.default_rng(4)
    features = tf.constant(rng.normal(size=(1, 22, 10, 3)), tf.float32)
    made = tf.constant(rng.normal(size=features.shape), tf.float32)
    filters = winograd.filters_of(rng.normal(size=(3, 3, 3, 2)).astype(np.float32))
    ways = (
        lambda in_strips: winograd.forward(features, filters, tf.ones(2), relu=True, in_strips=in_strips),
        lambda in_strips: winograd.back(
            features, made, tf.transpose(filters, [0, 2, 1]), relu=True, in_strips=in_strips
        ),
    )
    for way in ways:
        whole = way(False).numpy()
        for at_once, several in ((1, True), (9, True), (18, True), (36, True), (54, False)):  # 6 x 3 pieces
            monkeypatch.setattr(winograd, "_AT_ONCE", at_once)
            assert winograd.in_strips(features, 2) is several
            np.testing.assert_allclose(way(True), whole, atol=3e-5 * np.abs(whole).max())


def test_pictures_of_any_shape_are_made_whole():
    assert not winograd.in_strips(tf.TensorSpec([1, None, None, 512]), 512)
    assert winograd.in_strips(tf.TensorSpec([1, 2048, 2048, 128]), 128)


@pytest.mark.parametrize(("channels", "shape"), [(128, (36, 128, 128)), (64, (3, 3, 128, 64))])
def test_many_channels_go_winograds_way_and_few_do_not(channels, shape):
    layer = tf.keras.layers.Conv2D(128, 3, padding="same")
    layer.build((None, None, None, channels))
    assert prepared(layer.kernel).shape == shape
    features = tf.constant(np.random.default_rng(5).normal(size=(1, 14, 9, channels)), tf.float32)
    found = []
    for way in (layer, lambda features: convolved(features, layer, prepared(layer.kernel), slow="forward")):
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = tf.reduce_sum(way(features) ** 2)
        found.append(tape.gradient(loss, features).numpy())
    np.testing.assert_allclose(found[1], found[0], atol=5e-5 * np.abs(found[0]).max())


@pytest.mark.parametrize("wraps", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("border", "way"), [("mirror", "forward"), ("zero", "back")])
def test_the_network_is_the_same_every_way(vgg19, monkeypatch, wraps, border, way):
    image = tf.constant(np.random.default_rng(2).uniform(0, 255, (48, 32, 3)), tf.float32)
    found = []
    for slow in (None, way):
        monkeypatch.setattr(extractor, "slow_way", lambda slow=slow: slow)
        network = vgg19.with_options(pooling="max", border=border, precision="float32", wraps=wraps)

        @tf.function(autograph=False)
        def measured(image, network=network):
            with tf.GradientTape() as tape:
                tape.watch(image)
                features = network(image, _LAYERS)
                loss = tf.add_n([tf.reduce_mean(features[layer] ** 2) for layer in _LAYERS])
            return features, tape.gradient(loss, image)

        found.append(measured(image))
    (usual, gradient), (by_turned, same_gradient) = found
    for layer in _LAYERS:
        assert by_turned[layer].shape == usual[layer].shape
        np.testing.assert_allclose(by_turned[layer], usual[layer], rtol=1e-4, atol=1e-5 * np.abs(usual[layer]).max())
    np.testing.assert_allclose(same_gradient, gradient, atol=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize(
    ("flags", "onednn", "gpus", "slow"),
    [
        ({"avx2"}, True, [], "forward"),
        ({"avx2"}, False, [], "back"),
        ({"avx2"}, True, ["a GPU"], None),
        ({"avx2"}, False, ["a GPU"], None),
        ({"avx2", "avx512f"}, True, [], None),
        (set(), True, [], None),
    ],
)
def test_one_way_is_slow_on_short_vectors_another_with_onednn_than_without(monkeypatch, flags, onednn, gpus, slow):
    from tensorflow.python.util import _pywrap_util_port

    monkeypatch.setattr(processor, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(_pywrap_util_port, "IsMklEnabled", lambda: onednn)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    assert slow_way() == slow


def test_what_is_made_of_a_kernel_is_held_once_and_no_longer_than_it_is_used():
    kernel = np.random.default_rng(6).normal(size=(3, 3, 128, 128)).astype(np.float32)
    first, second = prepared(tf.constant(kernel)), prepared(tf.constant(kernel.copy()))
    assert first is second
    before = len(convolution._PREPARED)
    del first, second
    gc.collect()
    assert len(convolution._PREPARED) == before - 1
