"""VGG's convolutions as the processor at hand computes them fastest, where it has no instructions
for bfloat16 or long vectors.

On processors without AVX-512, TensorFlow has a fast convolution for one way and none for the other:
with oneDNN for the way back, as it hands the way forward kernels whose layout only oneDNN's slow
product of matrices takes; by its own code (oneDNN off, its default there, and so where somebody
else imported it) for the way forward. But each way is the other one through the kernel that is
turned by half a turn, with inputs and outputs exchanged: y = x * K = back(x, K'), K'[a, b, o, i] =
K[2 - a, 2 - b, i, o]. Both ways then run at the rate of large matrix products. Measured on an AMD
EPYC with AVX2, two cores, TensorFlow 2.21, 256 x 256 positions of 128 channels: with oneDNN 29
GFLOP/s forward and 147 back, without 144 forward and 54 back. Of many channels, a large part of the
multiplications is then left out (`winograd`).
"""

from __future__ import annotations

import functools
import hashlib
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from pipeline.nst import winograd
from pipeline.nst.graphs import in_graph
from pipeline.nst.tiling import MANY_CHANNELS
from pipeline.processor import lacks_long_vectors

Way = Literal["forward", "back"]


def slow_way() -> Way | None:
    """Which of a convolution's two ways, forward or back, TensorFlow computes slowly here in
    float32, so that it is computed as the other one; None for neither. Asks TensorFlow for GPUs and
    for oneDNN."""
    if not lacks_long_vectors() or tf.config.list_physical_devices("GPU"):
        return None
    with suppress(ImportError, AttributeError):
        from tensorflow.python.util import _pywrap_util_port

        return "forward" if _pywrap_util_port.IsMklEnabled() else "back"
    return None


# By the bytes of kernels, as long as anybody holds them: 0.3 GB of a network, once in a process.
_PREPARED: weakref.WeakValueDictionary[bytes, Any] = weakref.WeakValueDictionary()


def prepared(kernel: Any) -> Any:
    """What `convolved` takes beside a kernel (3, 3, inputs, outputs), made once and kept: filters
    as `winograd` takes them, or K', (3, 3, outputs, inputs)."""
    values = np.asarray(kernel)
    name = hashlib.sha256(repr(values.shape).encode() + values.tobytes()).digest()
    made = _PREPARED.get(name)
    if made is None:
        made = _PREPARED[name] = _made_of(kernel)
    return made


def _made_of(kernel: Any) -> Any:
    if _goes_winograds_way(kernel.shape):
        return winograd.filters_of(tf.convert_to_tensor(kernel))
    return tf.constant(np.ascontiguousarray(np.asarray(kernel)[::-1, ::-1].swapaxes(2, 3)))


def _goes_winograds_way(shape: Sequence[int]) -> bool:
    return min(shape[2:]) >= MANY_CHANNELS


def convolved(features: Any, layer: Any, prepared_kernel: Any, *, slow: Way, relu: bool = False) -> Any:
    """What a Keras layer of 3 x 3 filters with zero padding makes of features (1, height, width,
    channels), both float32: (1, height, width, filters). With `relu` what is below 0 becomes 0.
    `slow` is the way that is to be computed as the other."""
    kernel, bias = tf.convert_to_tensor(layer.kernel), tf.convert_to_tensor(layer.bias)
    inputs, outputs = kernel.shape[2:]
    forward: Callable[..., Any] = _forward
    back: Callable[..., Any] = _back
    how: dict[str, Any] = {"slow": slow}
    there, again = (prepared_kernel, kernel) if slow == "forward" else (kernel, prepared_kernel)
    if _goes_winograds_way(kernel.shape):
        forward, back, how = winograd.forward, winograd.back, {"in_strips": winograd.in_strips(features, outputs)}
        there = again = prepared_kernel

    def called(step: Callable[..., Any], channels: int, *arguments: Any) -> Any:
        made = functools.partial(step, relu=relu, **how)
        result = in_graph((step, relu, *how.values()), made, *arguments, any_shape=True)
        result.set_shape([1, *features.shape[1:3], channels])
        return result

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def made(features: tf.Tensor) -> tuple[tf.Tensor, Any]:
        # A tape that saw what is inside would have the gradients of what is called traced too.
        result = called(forward, outputs, tf.stop_gradient(features), there, bias)
        return result, lambda above: called(back, inputs, above, result, again)

    return made(features)


def _forward(features: Any, kernel: Any, bias: Any, *, relu: bool, slow: Way) -> Any:
    """As `winograd.forward`, through the kernel that `_product` takes."""
    made = tf.nn.bias_add(_product(features, kernel, slow), bias)
    return tf.nn.relu(made) if relu else made


def _back(above: Any, made: Any, kernel: Any, *, relu: bool, slow: Way) -> Any:
    """As `winograd.back`, through the kernel that `_product` takes."""
    return _product(tf.raw_ops.ReluGrad(gradients=above, features=made) if relu else above, kernel, slow)


def _product(features: Any, kernel: Any, slow: Way) -> Any:
    """Features through a kernel, by the way that is not slow: back from (1, height, width, outputs)
    through (3, 3, inputs, outputs), or forward from (1, height, width, inputs)."""
    if slow == "back":
        return tf.nn.conv2d(features, kernel, 1, "SAME")
    sizes = tf.concat([tf.shape(features)[:3], tf.shape(kernel)[2:3]], 0)
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=sizes, filter=kernel, out_backprop=features, strides=[1, 1, 1, 1], padding="SAME"
    )
