"""Two well-known Keras programs' ways of descending, re-implemented on our objective with their own optimizer and rate.

TensorFlow's tutorial "Neural style transfer" (tensorflow/docs, site/en/tutorials/generative/style_transfer.ipynb): Adam with
learning_rate 0.02, beta_1 0.99, epsilon 1e-1 on a picture in 0..1 that is clipped after each step. The Keras example
(keras-io, neural_style_transfer.py): SGD whose rate of 100 falls by 0.96 every 100 steps, on a picture less its mean pixel.
Both: float32, a functional Keras model of VGG19, tf.GradientTape in a tf.function, targets measured once (the example
measures them at every step: that is not held against it).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine import keras, tf
from pipeline.nst.kernels import load_kernels
from pipeline.nst.network import VGG19
from pipeline.nst.weights import NetworkWeights

Loss = Callable[[tf.Tensor], tf.Tensor]


class Network:
    """VGG19 as these programs use it: a Keras model with the wanted layers as its outputs, zero padding, BGR less the mean."""

    def __init__(self, weights: NetworkWeights, layers: list[str]) -> None:
        model = keras.applications.VGG19(include_top=False, weights=None, input_shape=(None, None, 3))
        for name, (kernel, bias) in load_kernels(weights).items():
            model.get_layer(name).set_weights([kernel, bias])
        model.trainable = False
        self._layers = layers
        self._model = keras.Model(model.inputs, [model.get_layer(name).output for name in layers])

    def __call__(self, picture: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Activations (1, height, width, channels) of a picture (1, height, width, RGB) in 0..255."""
        return dict(zip(self._layers, self._model(picture[..., ::-1] - VGG19.mean), strict=True))


def gram(features: tf.Tensor) -> tf.Tensor:
    """Inner products per position, (1, channels, channels), as in the tutorial."""
    shape = tf.shape(features)
    return tf.linalg.einsum("bijc,bijd->bcd", features, features) / tf.cast(shape[1] * shape[2], tf.float32)


def means_objective(
    network: Network,
    photograph: NDArray[np.uint8],
    style_image: NDArray[np.uint8],
    content: Mapping[str, float],
    style: Mapping[str, float],
) -> Loss:
    """Our objective in the unit `means`, written as these programs would: weights times means of squared differences."""
    features = network(_batch(photograph))
    kept = {layer: features[layer] for layer in content}
    features = network(_batch(style_image))
    wanted = {layer: gram(features[layer]) for layer in style}

    def loss(picture: tf.Tensor) -> tf.Tensor:
        found = network(picture)
        return tf.add_n(
            [weight * tf.reduce_mean((found[layer] - kept[layer]) ** 2) for layer, weight in content.items()]
            + [weight * tf.reduce_mean((gram(found[layer]) - wanted[layer]) ** 2) for layer, weight in style.items()]
        )

    return loss


class Tutorial:
    """The TensorFlow tutorial's loop."""

    name = "TensorFlow tutorial: Adam, 0.02 of 1"

    def __init__(self, loss: Loss, photograph: NDArray[np.uint8]) -> None:
        self.image = tf.Variable(_batch(photograph) / 255.0)
        optimizer = keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)
        optimizer.build([self.image])

        @tf.function
        def train_step() -> tf.Tensor:
            with tf.GradientTape() as tape:
                total = loss(self.image * 255.0)
            optimizer.apply_gradients([(tape.gradient(total, self.image), self.image)])
            self.image.assign(tf.clip_by_value(self.image, 0.0, 1.0))
            return total

        self._step = train_step
        self._step.get_concrete_function()

    def walk(self, steps: int) -> tuple[list[float], list[float]]:
        """So many steps: their losses, each before its move, and their seconds."""
        return _timed(self._step, steps)


class Example:
    """The Keras example's loop. `rate` is what its 100 becomes on this objective (see `matching_rate`)."""

    name = "Keras example: SGD, rate falling by 0.96 every 100 steps"

    def __init__(self, loss: Loss, photograph: NDArray[np.uint8], rate: float) -> None:
        self.image = tf.Variable(_batch(photograph))
        optimizer = keras.optimizers.SGD(
            keras.optimizers.schedules.ExponentialDecay(initial_learning_rate=rate, decay_steps=100, decay_rate=0.96)
        )
        optimizer.build([self.image])

        @tf.function
        def compute_loss_and_grads() -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                total = loss(self.image)
            return total, tape.gradient(total, self.image)

        def step() -> tf.Tensor:
            total, gradient = compute_loss_and_grads()
            optimizer.apply_gradients([(gradient, self.image)])
            return total

        self._step = step
        compute_loss_and_grads.get_concrete_function()

    def walk(self, steps: int) -> tuple[list[float], list[float]]:
        """So many steps: their losses, each before its move, and their seconds."""
        return _timed(self._step, steps)


EXAMPLE_RATE = 100.0
EXAMPLE_CONTENT = "block5_conv2"


def matching_rate(network: Network, ours: Loss, photograph: NDArray[np.uint8], style_image: NDArray[np.uint8]) -> float:
    """The rate on our objective whose first step is as long as the example's own first step on its own objective.

    Its objective, from its code: 2.5e-8 sums of squared differences at block5_conv2 and 1e-6 / 5 sums of squared differences
    of unnormalised Gram matrices over 4 · 9 · (rows · columns)², the style image stretched to the content's size. Its total
    variation is left out: it is 1e-6 of a smooth picture's.
    """
    height, width, _ = photograph.shape
    stretched = tf.image.resize(_batch(style_image), (height, width))
    style_layers = [layer for layer in network._layers if layer != EXAMPLE_CONTENT and layer.endswith("conv1")]
    kept = network(_batch(photograph))[EXAMPLE_CONTENT]
    found = network(stretched)
    positions = {layer: float(found[layer].shape[1] * found[layer].shape[2]) for layer in style_layers}
    wanted = {layer: gram(found[layer]) for layer in style_layers}

    @tf.function
    def its_loss(picture: tf.Tensor) -> tf.Tensor:
        features = network(picture)
        total = 2.5e-8 * tf.reduce_sum((features[EXAMPLE_CONTENT] - kept) ** 2)
        for layer in style_layers:
            difference = (gram(features[layer]) - wanted[layer]) * positions[layer]
            total += 1e-6 / 5 * tf.reduce_sum(difference**2) / (4.0 * 9 * float(height * width) ** 2)
        return total

    return EXAMPLE_RATE * _slope(its_loss, photograph) / _slope(ours, photograph)


def _slope(loss: Loss, photograph: NDArray[np.uint8]) -> float:
    """The length of the gradient at the photograph."""
    picture = _batch(photograph)
    with tf.GradientTape() as tape:
        tape.watch(picture)
        total = loss(picture)
    return float(tf.norm(tape.gradient(total, picture)))


def _timed(step: Callable[[], tf.Tensor], steps: int) -> tuple[list[float], list[float]]:
    losses, seconds = [], []
    for _ in range(steps):
        began = time.perf_counter()
        losses.append(float(step()))  # float() waits for the device
        seconds.append(time.perf_counter() - began)
    return losses, seconds


def _batch(pixels: NDArray[np.uint8]) -> tf.Tensor:
    return tf.constant(pixels[np.newaxis], tf.float32)
