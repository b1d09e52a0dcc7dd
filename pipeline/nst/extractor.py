"""Keras' VGG19 as a function from an image to named activations.

The only place that knows of batch axes, BGR and the mean pixel: images come in as everywhere, float32 RGB (height, width, 3)
in 0..255, activations go out as (height, width, channels) in the network's arithmetic, float32 or bfloat16.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from pipeline.nst.kernels import Kernels
from pipeline.options import FRAME, LAYERS, LINEAR

# Mean pixel of the training images in B, G, R order, subtracted before the first layer: keras.applications'
# preprocess_input, mode "caffe", from the network's authors.
MEAN_BGR = (103.939, 116.779, 123.68)

Measure = Callable[[str, tf.Tensor], Any]
"""What is to be known of a layer, given its name and its activations: a nest of tensors."""


def activations_themselves(layer: str, activations: tf.Tensor) -> tf.Tensor:
    """The measure that changes nothing."""
    return activations


class Vgg19:
    """VGG19 without its classifier, with fixed weights.

    `pooling` is `max` as trained or `avg` as Gatys et al. recommend (arXiv 1508.06576, Methods). `border` is what lies
    outside the picture: `mirror` continues it by its mirror image and cuts the frame from every activation, `zero` is Keras'
    own. Zeros are a frame in the mean colour around every picture, near which strokes fade and the descent leaves a rim.
    `precision` is `float32`, or `bfloat16` through Keras' mixed policy: inputs, products and outputs are, kernels and all that
    follows stay float32.
    """

    def __init__(
        self, kernels: Kernels, *, pooling: str = "max", border: str = "mirror", precision: str = "float32"
    ) -> None:
        model = keras.applications.VGG19(include_top=False, weights=None, input_shape=(None, None, 3))
        model.trainable = False
        for name, (kernel, bias) in kernels.items():
            by_rgb = kernel[:, :, ::-1] if kernel.shape[2] == len(MEAN_BGR) else kernel
            model.get_layer(name).set_weights([by_rgb, bias])
            model.get_layer(name).activation = keras.activations.linear  # `__call__` applies the ReLU
        self._layers = {layer.name: layer for layer in model.layers if layer.name in LAYERS}
        self._averages = {
            name: keras.layers.AveragePooling2D((2, 2), strides=(2, 2), name=f"{name}_avg")
            for name in self._layers
            if name.endswith("_pool")
        }
        self._mean = tf.constant(MEAN_BGR[::-1], tf.float32)
        self._set(pooling, border, precision)

    def _set(self, pooling: str, border: str, precision: str) -> None:
        self._pooling = self._averages if pooling == "avg" else {}
        self._policy = keras.DTypePolicy("mixed_bfloat16" if precision == "bfloat16" else "float32")
        self.border = border
        self.dtype = tf.as_dtype(precision)
        """Of its activations."""

    def sibling(self, *, pooling: str, border: str, precision: str) -> Vgg19:
        """A network of the same kernels, which both hold: 80 MB once."""
        twin = copy.copy(self)
        twin._set(pooling, border, precision)
        return twin

    def __call__(
        self, image: tf.Tensor, layers: Iterable[str], measure: Measure = activations_themselves
    ) -> Mapping[str, Any]:
        """What `measure` says of the activations (height, width, channels) of `layers` (Keras names, after their ReLU or, with
        `_linear`, before it), computed no further than the deepest of them."""
        height, width, _ = tf.unstack(tf.shape(image))

        def measure_inside(layer: str, features: tf.Tensor) -> Any:
            return measure(layer, self.inside(features, reduction(layer), height, width))

        return self.climb(self.canvas(image), names_up_to(layers), layers, measure_inside)

    @property
    def frame(self) -> int:
        """Pixels by which the canvas is larger than the picture, on each side."""
        return FRAME if self.border == "mirror" else 0

    def canvas(self, image: tf.Tensor) -> tf.Tensor:
        """What the first layer sees of an image (height, width, 3): (1, height + 2 frame, width + 2 frame, RGB), the mean
        subtracted. RGB, as the first kernel was turned instead."""
        around = [[self.frame] * 2, [self.frame] * 2, [0, 0]]
        return tf.pad(image - self._mean, around, mode="SYMMETRIC")[tf.newaxis]

    def climb(
        self,
        features: tf.Tensor,
        names: Iterable[str],
        layers: Iterable[str],
        measure: Measure = activations_themselves,
    ) -> dict[str, Any]:
        """From features (1, height, width, channels) on through the layers called `names`, in this order: what `measure` says
        of those among `layers`, whose activations it is given with batch axis and frame."""
        names, wanted = tuple(names), set(layers)
        measured: dict[str, Any] = {}

        def passed(features: tf.Tensor, name: str, *, goes_on: bool) -> tf.Tensor:
            if name in wanted and goes_on:
                features, measured[name] = _measured_on_the_way(features, functools.partial(measure, name))
            elif name in wanted:
                measured[name] = measure(name, features)
            return features

        for name in names:
            layer = self._pooling.get(name) or self._layers[name]
            layer.dtype_policy = self._policy  # a sibling of another precision may have called it last
            features = layer(features)
            features = passed(features, name + LINEAR, goes_on=name != names[-1] or name in wanted)
            if not name.endswith("_pool"):
                features = tf.nn.relu(features)
            features = passed(features, name, goes_on=name != names[-1])
        return measured

    def inside(self, features: tf.Tensor, factor: int, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """The part of a canvas' features (1, h, w, channels), `factor` times smaller than it, that belongs to a picture of
        (height, width): without the frame and without the batch axis."""
        if not self.frame:
            return tf.squeeze(features, 0)
        return cut(features, self.frame // factor, self.frame // factor, height // factor, width // factor)


def _measured_on_the_way(features: tf.Tensor, measure: Callable[[tf.Tensor], Any]) -> tuple[tf.Tensor, Any]:
    """Features, and what `measure` says of them. On the way back, the gradient by what was measured is taken only when the one
    by the features has come from above, and anew from them. TensorFlow would take those of all layers as soon as it could, long
    before they are of use, and hold them: at 512 x 512 px 64 MB in bfloat16, for the usual five style layers."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def passed(features: tf.Tensor) -> tuple[Any, Callable[..., tf.Tensor]]:
        def gradient(from_above: tf.Tensor, *by_measured: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies([from_above]):
                again = tf.identity(features)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                # A graph leaves out what nobody asks for: of this only the gradient's own work is done again.
                measured = tf.nest.flatten(measure(again))
            return from_above + tape.gradient(measured, again, output_gradients=by_measured)

        return (tf.identity(features), measure(features)), gradient

    result: tuple[tf.Tensor, Any] = passed(features)
    return result


def names_up_to(layers: Iterable[str]) -> tuple[str, ...]:
    """The network's layers, in its order, up to the deepest of `layers`; none for none."""
    depth = max((LAYERS.index(layer.removesuffix(LINEAR)) for layer in layers), default=-1)
    return LAYERS[: depth + 1]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def cut(
    features: tf.Tensor, top: tf.Tensor, left: tf.Tensor, height: tf.Tensor, width: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None, None, None, None]]]:
    """A (height, width) piece of (1, h, w, channels), without the batch axis. Its gradient is the incoming one in a frame of
    zeros, by a pad; TensorFlow's own for slices takes ten times as long, 5 % of an evaluation."""
    whole = tf.shape(features)

    def gradient(incoming: tf.Tensor) -> tuple[tf.Tensor, None, None, None, None]:
        around = [[0, 0], [top, whole[1] - top - height], [left, whole[2] - left - width], [0, 0]]
        return tf.pad(incoming[tf.newaxis], around), None, None, None, None

    return features[0, top : top + height, left : left + width], gradient


def reduction(layer: str) -> int:
    """By how much a layer's activations are smaller than the image: 1 for block1_conv2, 2 for block1_pool, 16 for block5."""
    block = int(layer[len("block")])
    return int(2 ** (block if layer.endswith("_pool") else block - 1))
