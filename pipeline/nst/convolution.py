"""VGG's convolutions as the processor at hand computes them fastest, where it has no instructions
for bfloat16 or long vectors.

On processors without AVX-512, oneDNN has a fast convolution for the way back and none for the way
forward: TensorFlow hands it kernels whose layout only its slow product of matrices takes. A
convolution forward is the way back through the kernel that is turned by half a turn, with inputs
and outputs exchanged: y = x * K = back(x, K'), K'[a, b, o, i] = K[2 - a, 2 - b, i, o]. Both ways
then run at the rate of large matrix products. Measured on an AMD EPYC with AVX2, two cores,
TensorFlow 2.21, 256 x 256 positions of 128 channels: 29 GFLOP/s forward and 147 back; by its own
code (oneDNN off, its default there) 144 forward and 54 back. Of many channels, a large part of the
multiplications is then left out (`winograd`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.nst.winograd import PIECE, winograd
from pipeline.processor import processor_flags


def forward_by_back() -> bool:
    """Is a convolution forward, in float32, faster as one back through the turned kernel? Asks
    TensorFlow for GPUs and for oneDNN."""
    flags = processor_flags()
    if "avx2" not in flags or "avx512f" in flags or tf.config.list_physical_devices("GPU"):
        return False
    with suppress(ImportError, AttributeError):
        from tensorflow.python.util import _pywrap_util_port

        return bool(_pywrap_util_port.IsMklEnabled())
    return False


def turned(kernel: Any) -> Any:
    """K' of a kernel (3, 3, inputs, outputs), as a constant (3, 3, outputs, inputs)."""
    return tf.constant(np.ascontiguousarray(np.asarray(kernel)[::-1, ::-1].swapaxes(2, 3)))


# From how many inputs and outputs, and from how many pieces of 4 x 4 positions on Winograd's way is
# the faster one: with 64 of them what goes before and after the products takes longer than they
# save, and of few pieces making its filters does. By trial on the same machine, of the 3 x 3 layers
# of VGG19 at 64 to 512 px.
_CHANNELS, _PIECES = 128, 64


def convolved(features: Any, layer: Any, turned_kernel: Any) -> Any:
    """What a Keras layer of 3 x 3 filters with zero padding makes of features (1, height, width,
    channels), both float32: (1, height, width, filters)."""
    kernel, bias = tf.convert_to_tensor(layer.kernel), tf.convert_to_tensor(layer.bias)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def forward(features: tf.Tensor) -> tuple[tf.Tensor, Any]:
        made = _through(features, kernel, turned_kernel)
        return made, lambda incoming: _through(incoming, turned_kernel, kernel)

    return tf.nn.bias_add(forward(features), bias)


def _through(features: Any, kernel: Any, turned_kernel: Any) -> Any:
    """Features (1, height, width, inputs) through filters (3, 3, inputs, outputs): (1, height,
    width, outputs)."""
    if min(kernel.shape[2:]) < _CHANNELS:
        return _back(features, turned_kernel)
    height, width = tf.unstack(tf.shape(features)[1:3])
    made = tf.cond(
        height * width >= _PIECES * PIECE**2,
        lambda: winograd(features, kernel),
        lambda: _back(features, turned_kernel),
    )
    made.set_shape([1, features.shape[1], features.shape[2], kernel.shape[3]])
    return made


def _back(features: Any, kernel: Any) -> Any:
    """From features (1, height, width, outputs) back through a kernel (3, 3, inputs, outputs):
    (1, height, width, inputs)."""
    sizes = tf.concat([tf.shape(features)[:3], kernel.shape[2:3]], 0)
    back = tf.raw_ops.Conv2DBackpropInput(
        input_sizes=sizes, filter=kernel, out_backprop=features, strides=[1, 1, 1, 1], padding="SAME"
    )
    back.set_shape([1, features.shape[1], features.shape[2], kernel.shape[2]])
    return back
