"""What this machine does at its best: convolutions by each of its ways, and numbers moved between memory and processor."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.engine import tf
from pipeline.nst import winograd
from pipeline.nst.convolution import slow_way
from pipeline.nst.precision import automatic_precision
from pipeline.nst.tiling import MANY_CHANNELS

# Where it would be emulated, nobody paints in bfloat16.
PRECISIONS = ("float32", "bfloat16") if automatic_precision()[0] == "bfloat16" else ("float32",)
_LARGE = 2**24  # numbers, that no cache holds
_SUMS = 3  # in one call
BYTES_SUMMED = 3 * 4 * _LARGE * _SUMS
"""By one call of what `large_sums` gives: two numbers read and one written."""


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def noise(precision: str, *shape: int) -> tf.Tensor:
    return tf.cast(tf.random.stateless_normal(shape, seed=(0, 0)), precision)


def large_sums() -> Callable[[], object]:
    """Adds tensors that no cache holds, a + b for several a."""
    other = noise("float32", _LARGE)
    inputs = [other + number for number in range(_SUMS)]

    @tf.function
    def run(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        return [(each + other)[0] for each in inputs]

    return lambda: [float(result) for result in run(inputs)]


def winograds_ways(kernel: tf.Tensor) -> dict[str, Callable[[tf.Tensor], tf.Tensor]]:
    """`forward` and `back` through a kernel (3, 3, inputs, outputs), where a step takes that way; else nothing."""
    inputs, outputs = kernel.shape[2:]
    if kernel.dtype != tf.float32 or slow_way() is None or min(inputs, outputs) < MANY_CHANNELS:
        return {}
    filters, bare = winograd.filters_of(kernel), {"relu": False, "in_strips": False}
    return {
        "forward": lambda features: winograd.forward(features, filters, tf.zeros(outputs), **bare),
        "back": lambda above: winograd.back(above, above, filters, **bare),
    }
