"""The network as a function from an image to named features, layer by layer as Keras' own.

The only place that knows of batch axes, the order of colours and the mean pixel. Images come in as
everywhere, float32 RGB (height, width, 3) in 0..255; features go out as (height, width, channels)
in the network's arithmetic, float32 or bfloat16.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.nst.convolution import convolved, prepared, slow_way
from pipeline.nst.graphs import Call
from pipeline.nst.kernels import Array, Kernels
from pipeline.nst.network import FRAME, LINEAR, VGG19, Network, is_pool, reduction
from pipeline.nst.pieces import Piece, cut
from pipeline.nst.wrapping import NO_WRAP, Wraps, closed

Measure = Callable[[str], Call]
"""What is to be known of a layer, given its name: a function of its features, to a nest of
tensors."""


def features_themselves(layer: str) -> Call:
    """The measure that changes nothing."""
    return Call("features themselves", tf.identity)


class Extractor:
    """A network without its classifier, with fixed kernels.

    `pooling` is `max` as trained, `avg` as Gatys et al. recommend (arXiv 1508.06576, Methods), or
    `l2`, the root of the sum of squares.
    `border` is what lies outside the picture: `mirror` continues it by its mirror image and cuts
    that frame from every layer's features, `zero` is Keras' own. Zeros are a frame in the mean
    colour around every picture; near it strokes fade and the descent leaves a rim. Along `wraps`,
    down and across, a picture goes on from its other end instead, in every layer. `precision` is
    `float32`, or `bfloat16` as by Keras' mixed policy: inputs, products and outputs are bfloat16,
    kernels and all that follows stay float32.
    """

    def __init__(
        self,
        kernels: Kernels,
        network: Network = VGG19,
        *,
        pooling: str = "max",
        border: str = "mirror",
        precision: str = "float32",
        wraps: Wraps = NO_WRAP,
    ) -> None:
        self.network = network
        self._prepared: dict[str, tf.Tensor] = {}  # kernels, for `convolved`
        self._in_type: dict[Any, tuple[tf.Variable, tf.Variable]] = {}  # kernels and biases, by layer and type
        self._framed: dict[Any, Any] = {}  # what is traced, by all that decides it
        self._layers = {name: _layer(name, *kernels[name]) for name in network.convolutions}
        assert network.order == "BGR"  # of both networks there are; kernel and mean are turned
        self._mean = tf.constant(network.mean[::-1], tf.float32)
        self._set(pooling, border, precision, wraps)

    def _set(self, pooling: str, border: str, precision: str, wraps: Wraps) -> None:
        self._pooling, self._pooled = pooling, _POOLING[pooling]
        self._slow_way = slow_way() if precision == "float32" else None
        self.border, self.wraps = border, wraps
        self.dtype = tf.as_dtype(precision)
        """Of its features."""

    def with_options(self, *, pooling: str, border: str, precision: str, wraps: Wraps = NO_WRAP) -> Extractor:
        """The same network, other options. Both hold the same kernels: 80 MB once."""
        twin = copy.copy(self)
        twin._set(pooling, border, precision, wraps)
        return twin

    def without_wraps(self) -> Extractor:
        """The same network for pictures that do not wrap: for tiles, whose halos hold what lies
        across the edge."""
        twin = copy.copy(self)
        twin.wraps = NO_WRAP
        return twin

    def __call__(
        self, image: tf.Tensor, layers: Iterable[str], measure: Measure = features_themselves
    ) -> Mapping[str, Any]:
        """What `measure` says of the features (height, width, channels) of `layers`, computed no
        further than the deepest of them. Names are Keras', after their ReLU or, with `_linear`,
        before it."""
        layers = tuple(layers)
        known = tuple(image.shape[:2])
        size = tf.shape(image)[:2] if None in known else known

        def measure_cropped(layer: str) -> Call:
            return self.cropped(measure(layer), reduction(layer), size)

        names = self.network.names_up_to(layers)
        return self.forward(self.padded_input(image), names, layers, measure_cropped)

    def framed(self, image: tf.Tensor, layers: Sequence[str]) -> dict[str, tf.Tensor]:
        """Features (1, height, width, channels) of layers with their frames, traced once for
        pictures of all shapes."""
        key = (tuple(layers), self._pooling, self.border, self.wraps, self.dtype)
        if key not in self._framed:
            names = self.network.names_up_to(layers)
            self._framed[key] = tf.function(
                lambda image: self.forward(self.padded_input(image), names, layers, lambda _: Call(None, tf.identity)),
                input_signature=[tf.TensorSpec([None, None, 3])],
                autograph=False,
            )
        found: dict[str, tf.Tensor] = self._framed[key](image)
        return found

    @property
    def frames(self) -> tuple[int, int]:
        """Pixels by which the padded input is larger than the picture, above and below, and left
        and right."""
        down, across = (FRAME if self.border == "mirror" and not wraps else 0 for wraps in self.wraps)
        return down, across

    def padded_input(self, image: tf.Tensor) -> tf.Tensor:
        """What the first layer sees of an image (height, width, 3), the mean subtracted: (1, height
        + 2 frames, width + 2 frames, RGB). RGB, as the first kernel was turned instead."""
        around = [*([frame, frame] for frame in self.frames), [0, 0]]
        return tf.pad(image - self._mean, around, mode="SYMMETRIC")[tf.newaxis]

    def forward(
        self,
        features: tf.Tensor,
        names: Iterable[str],
        layers: Iterable[str],
        measure: Measure = features_themselves,
    ) -> dict[str, Any]:
        """From features (1, height, width, channels) on through the layers called `names`, in this
        order: what `measure` says of those among `layers`, whose features it is given with batch
        axis and frame."""
        names, wanted = tuple(names), set(layers)
        measured: dict[str, Any] = {}

        def passed(features: tf.Tensor, name: str, *, goes_on: bool) -> tf.Tensor:
            if name in wanted and goes_on:
                features, measured[name] = _measured_on_the_way(features, measure(name))
            elif name in wanted:
                measured[name] = measure(name).with_gradient(features)
            return features

        relu_left = False
        for name, following in itertools.zip_longest(names, names[1:], fillvalue=""):
            if is_pool(name):
                features = self._pooled(features)
                features, relu_left = (tf.nn.relu(features) if relu_left else features), False
            elif (linear := name + LINEAR) in wanted:
                features = self._convolved(features, self._layers[name], relu=False)
                features = passed(features, linear, goes_on=name != names[-1] or name in wanted)
                features = tf.nn.relu(features)
            else:
                # A maximum and a ReLU commute, and so do their gradients, to the last bit: where
                # nobody looks in between, the ReLU has a quarter of the numbers.
                relu_left = self._pooling == "max" and name not in wanted and is_pool(following)
                features = self._convolved(features, self._layers[name], relu=not relu_left)
            features = passed(features, name, goes_on=name != names[-1])
        return measured

    def _convolved(self, features: tf.Tensor, layer: _Layer, *, relu: bool) -> tf.Tensor:
        """What a layer's filters make of features, with a ReLU or without. Where the picture wraps,
        filters at one end see the other."""
        if self._slow_way is None or layer.kernel.shape[2] == len(self.network.order):
            padding, seen = ("VALID", closed(features, self.wraps)) if any(self.wraps) else ("SAME", features)
            kernel, bias = self._kernel_and_bias(layer)
            made = tf.nn.bias_add(tf.nn.conv2d(tf.cast(seen, self.dtype), kernel, 1, padding), bias)
            return tf.nn.relu(made) if relu else made
        if layer.name not in self._prepared:
            with tf.init_scope():
                self._prepared[layer.name] = prepared(layer.kernel)
        if not any(self.wraps):
            return convolved(features, layer, self._prepared[layer.name], slow=self._slow_way, relu=relu)
        # the border, whose filters saw zeros, is cut off
        height, width = tf.unstack(tf.shape(features)[1:3])
        seen = closed(features, self.wraps)
        wide = convolved(seen, layer, self._prepared[layer.name], slow=self._slow_way, relu=relu)
        return cut(wide, tf.constant(1), tf.constant(1), height, width)[tf.newaxis]

    def _kernel_and_bias(self, layer: _Layer) -> tuple[tf.Variable, tf.Variable]:
        """A layer's, in the network's arithmetic: turned to it once, not in every evaluation."""
        if layer.kernel.dtype == self.dtype:
            return layer.kernel, layer.bias
        key = layer.name, self.dtype
        if key not in self._in_type:
            with tf.init_scope():
                kernel, bias = (
                    tf.Variable(tf.cast(each, self.dtype), trainable=False) for each in (layer.kernel, layer.bias)
                )
            self._in_type[key] = kernel, bias
        return self._in_type[key]

    def cropped(self, measure: Call, factor: int, size: Any) -> Call:
        """A measure of the part of a padded input's features (1, h, w, channels), `factor` times
        smaller than it, that belongs to a picture of `size`, height and width: without frame and
        batch axis. Only one of a size that is a tensor (2,) has a graph: parts of large features
        are measured one after the other."""
        function = functools.partial(
            _cropped, measure=measure.function, frames=self.frames, factor=factor, as_piece=measure.of_pieces
        )
        has_graph = measure.key is not None and not isinstance(size, tuple)
        return Call((measure.key, self.frames, factor) if has_graph else None, function, (size, *measure.arguments))


def _cropped(
    features: tf.Tensor,
    size: Any,
    *arguments: Any,
    measure: Callable[..., Any],
    frames: tuple[int, int],
    factor: int,
    as_piece: bool,
) -> Any:
    if not any(frames):
        return measure(tf.squeeze(features, 0), *arguments)
    height, width = size if isinstance(size, tuple) else tf.unstack(size)
    top, left = (frame // factor for frame in frames)
    piece = Piece(features, top, left, height // factor, width // factor)
    return measure(piece if as_piece else piece.whole, *arguments)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A convolution: its kernel (3, 3, channels in, channels out) and bias (channels out,), both
    float32. Variables, as what is traced is handed those and would copy small constants."""

    name: str
    kernel: tf.Variable
    bias: tf.Variable


def _layer(name: str, kernel: Array, bias: Array) -> _Layer:
    by_rgb = kernel[:, :, ::-1] if kernel.shape[2] == len("BGR") else kernel
    return _Layer(name, tf.Variable(by_rgb, trainable=False), tf.Variable(bias, trainable=False))


def _root_of_squares(features: tf.Tensor) -> tf.Tensor:
    """Pooling between mean and maximum: 0.78 √Σx² of 2 x 2 features.

    0.78 is crowsonkb/style-transfer-pytorch's (style_transfer.py, `pooling_scales`, at e7e2c71): so
    that features are as large as the network is used to.
    """
    sums = 4.0 * tf.nn.avg_pool2d(features**2, 2, 2, "VALID")
    return _L2_SCALE * tf.sqrt(tf.maximum(sums, _NOTHING))  # at 0 a root has no gradient


_L2_SCALE = 0.78
_NOTHING = 1e-12
_POOLING = {
    "max": lambda features: tf.nn.max_pool2d(features, 2, 2, "VALID"),
    "avg": lambda features: tf.nn.avg_pool2d(features, 2, 2, "VALID"),
    "l2": _root_of_squares,
}


def _measured_on_the_way(features: tf.Tensor, measure: Call) -> tuple[tf.Tensor, Any]:
    """Features, and what `measure` says of them.

    On the way back, the gradient by what was measured is taken only when the one by the features
    has come from above, and anew from them. TensorFlow would take those of all layers as soon as it
    could, long before they are of use, and hold them: at 512 x 512 px 64 MB in bfloat16, for the
    usual five style layers.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def passed(features: tf.Tensor) -> tuple[Any, Callable[..., tf.Tensor]]:
        def gradient(from_above: tf.Tensor, *by_measured: tf.Tensor) -> tf.Tensor:
            return measure.slope(features, by_measured, beside=from_above)

        # no tape need look at what is inside
        return (tf.identity(features), measure.of(tf.stop_gradient(features))), gradient

    result: tuple[tf.Tensor, Any] = passed(features)
    return result
