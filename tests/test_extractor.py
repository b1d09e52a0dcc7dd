"""The network against Keras' own, and what it must not compute."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("usual_convolutions")]

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from pipeline.nst import extractor  # noqa: E402
from pipeline.nst.extractor import Extractor, _root_of_squares  # noqa: E402
from pipeline.nst.graphs import Call  # noqa: E402
from pipeline.nst.kernels import load_kernels  # noqa: E402
from pipeline.nst.network import FRAME, VGG19, reduction  # noqa: E402
from pipeline.nst.weights import locate  # noqa: E402


@pytest.fixture(scope="module")
def kernels():
    return load_kernels(locate("imagenet-8bit"))


@pytest.fixture(scope="module")
def picture():
    return tf.constant(np.random.default_rng(0).uniform(0, 255, (70, 53, 3)), tf.float32)


@pytest.fixture(scope="module")
def keras_model(kernels):
    model = keras.applications.VGG19(include_top=False, weights=None)
    for name, weights in kernels.items():
        model.get_layer(name).set_weights(weights)
    return model


def keras_activations(model, picture, layers):
    """As a Keras user would: preprocess_input and a model with several outputs. A copy, as it changes arrays in place."""
    batch = keras.applications.vgg19.preprocess_input(np.array(picture)[np.newaxis].copy())
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in layers])(batch)
    return {name: output[0] for name, output in zip(layers, outputs, strict=True)}


def test_every_layer_is_keras_own_with_the_zero_border(kernels, keras_model, picture):
    ours = Extractor(kernels, border="zero")(picture, VGG19.layers)
    theirs = keras_activations(keras_model, picture, VGG19.layers)
    for name in VGG19.layers:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=1e-2, err_msg=name)


def test_linear_layers_are_the_convolution_before_its_relu(kernels, picture):
    layers = [f"{layer}{suffix}" for layer in ("block1_conv1", "block3_conv2") for suffix in ("", "_linear")]
    activations = Extractor(kernels, border="zero")(picture, layers)
    assert set(activations) == set(layers)
    kernel, bias = kernels["block1_conv1"]
    by_hand = tf.nn.conv2d((picture[..., ::-1] - VGG19.mean)[tf.newaxis], kernel, 1, "SAME")[0] + bias
    np.testing.assert_allclose(activations["block1_conv1_linear"], by_hand, rtol=1e-4, atol=1e-2)
    for layer in ("block1_conv1", "block3_conv2"):
        linear = activations[f"{layer}_linear"]
        assert float(tf.reduce_min(linear)) < 0
        np.testing.assert_array_equal(activations[layer], tf.nn.relu(linear))


@pytest.mark.parametrize(
    ("graph", "key"), [(True, "mean square"), (True, None), (False, None)], ids=["called", "traced", "eager"]
)
def test_the_gradient_by_what_is_measured_on_the_way_is_keras_own(kernels, keras_model, picture, graph, key):
    layers = ["block1_conv1", "block1_pool", "block3_conv2", "block3_conv3", "block5_conv1"]
    network = Extractor(kernels, border="zero")

    def by_ours(picture):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            squares = network(picture, layers, lambda _: Call(key, lambda activations: tf.reduce_mean(activations**2)))
            total = tf.add_n(list(squares.values()))
        return total, tape.gradient(total, picture)

    with tf.GradientTape() as tape:
        tape.watch(picture)
        outputs = keras.Model(keras_model.input, [keras_model.get_layer(name).output for name in layers])(
            (picture[..., ::-1] - VGG19.mean)[tf.newaxis]
        )
        theirs = tf.add_n([tf.reduce_mean(output**2) for output in outputs])
    gradient = tape.gradient(theirs, picture)

    of_any_shape = [tf.TensorSpec([None, None, 3])]  # else nothing is called
    total, ours = (tf.function(by_ours, of_any_shape, autograph=False) if graph else by_ours)(picture)
    assert float(total) == pytest.approx(float(theirs), rel=1e-5)
    assert float(tf.norm(ours - gradient) / tf.norm(gradient)) < 1e-5


def test_mirror_border_is_the_inside_of_a_mirrored_picture(kernels, keras_model, picture):
    layers = ["block1_conv1", "block2_pool", "block5_conv1"]
    ours = Extractor(kernels, border="mirror")(picture, layers)
    mirrored = np.pad(np.array(picture), [(FRAME, FRAME), (FRAME, FRAME), (0, 0)], mode="symmetric")
    theirs = keras_activations(keras_model, mirrored, layers)
    for name, (height, width) in zip(layers, [(70, 53), (17, 13), (4, 3)], strict=True):
        frame = FRAME // reduction(name)
        inside = theirs[name][frame : frame + height, frame : frame + width]
        assert ours[name].shape[:2] == (height, width)
        np.testing.assert_allclose(ours[name], inside, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_a_relu_waits_for_a_pool_that_takes_the_largest_and_for_no_other(kernels, picture, monkeypatch, pooling):
    shapes = []
    monkeypatch.setattr(
        tf.nn, "relu", lambda features, relu=tf.nn.relu: shapes.append(features.shape[1:]) or relu(features)
    )
    Extractor(kernels, border="zero", pooling=pooling)(picture, ["block1_conv1", "block2_conv1"])
    second = (35, 26, 64) if pooling == "max" else (70, 53, 64)
    assert shapes == [(70, 53, 64), second, (35, 26, 128)]


@pytest.mark.parametrize("slow", [None, "forward", "back"])
def test_a_pool_before_its_relu_makes_the_same_to_the_bit_also_where_windows_are_even(
    kernels, picture, monkeypatch, slow
):
    """Somebody who looks at what is before the pools has the ReLU before them. Where the picture is flat, all four numbers of
    a window are equal."""
    monkeypatch.setattr(extractor, "slow_way", lambda: slow)
    half_flat = tf.concat([picture[:36], tf.fill((36, 53, 3), 90.0)], 0)
    looked_at, before_pools = "block3_conv1", ["block1_conv2", "block2_conv2"]

    def measured(network, layers):
        with tf.GradientTape() as tape:
            tape.watch(half_flat)
            features = network(half_flat, layers)[looked_at]
            loss = tf.reduce_sum(tf.sin(features))
        return features, tape.gradient(loss, half_flat)

    network = Extractor(kernels)
    features, gradient = measured(network, [looked_at])
    expected, same = measured(network, [*before_pools, looked_at])
    np.testing.assert_array_equal(features, expected)
    np.testing.assert_array_equal(gradient, same)


def test_average_pooling_averages(kernels, picture):
    activations = Extractor(kernels, pooling="avg", border="zero")(picture, ["block1_conv2", "block1_pool"])
    before = np.array(activations["block1_conv2"])
    np.testing.assert_allclose(
        activations["block1_pool"][3, 4], before[6:8, 8:10].mean(axis=(0, 1)), rtol=1e-4, atol=1e-3
    )


def test_l2_pooling_is_the_root_of_the_sum_of_squares_and_has_a_gradient_where_nothing_is(kernels, picture):
    activations = Extractor(kernels, pooling="l2", border="zero")(picture, ["block1_conv2", "block1_pool"])
    before = np.array(activations["block1_conv2"])
    np.testing.assert_allclose(
        activations["block1_pool"][3, 4],
        0.78 * np.sqrt((before[6:8, 8:10] ** 2).sum(axis=(0, 1))),
        rtol=1e-4,
        atol=1e-3,
    )
    nothing = tf.zeros((1, 4, 4, 2))
    with tf.GradientTape() as tape:
        tape.watch(nothing)
        pooled = tf.reduce_sum(_root_of_squares(nothing))
    np.testing.assert_array_equal(tape.gradient(pooled, nothing), np.zeros((1, 4, 4, 2)))


def test_other_options_share_the_kernels_and_keep_their_own_arithmetic(kernels, picture):
    layers = ["block2_conv1", "block3_pool"]
    exact = Extractor(kernels, border="zero")
    before = exact(picture, layers)
    coarse = exact.with_options(pooling="avg", border="mirror", precision="bfloat16")
    assert coarse(picture, layers)["block3_pool"].dtype == tf.bfloat16
    after = exact(picture, layers)  # the other one was called in between
    apart = Extractor(kernels, pooling="avg", border="mirror", precision="bfloat16")(picture, layers)
    for layer in layers:
        assert after[layer].dtype == tf.float32
        np.testing.assert_array_equal(before[layer], after[layer])
        np.testing.assert_array_equal(
            tf.cast(apart[layer], tf.float32), tf.cast(coarse(picture, layers)[layer], tf.float32)
        )
    assert coarse._layers["block1_conv1"].kernel is exact._layers["block1_conv1"].kernel


def test_nothing_is_computed_beyond_the_deepest_layer(kernels):
    network = Extractor(kernels)
    graph = (
        tf.function(lambda x: network(x, ["block2_conv1"]), autograph=False)
        .get_concrete_function(tf.TensorSpec((64, 64, 3)))
        .graph
    )
    convolutions = [operation for operation in graph.get_operations() if operation.type == "Conv2D"]
    assert len(convolutions) == 3


def test_the_picture_is_not_changed(kernels, picture):
    before = np.array(picture)
    Extractor(kernels)(picture, ["block1_conv1"])
    np.testing.assert_array_equal(picture, before)


def test_activations_are_not_negative(kernels, picture):
    assert min(float(tf.reduce_min(a)) for a in Extractor(kernels)(picture, VGG19.layers).values()) >= 0
