"""How much arithmetic an evaluation is, counted by the network's shape."""

from __future__ import annotations

import math

from pipeline.nst.kernels import kernel_shape
from pipeline.options import CONVOLUTIONS_PER_BLOCK

DEEPEST = "block5_conv1"  # of the layers that the default objective uses


def convolution_work(height: int, width: int, deepest: str = DEEPEST) -> float:
    """Floating-point operations of one pass over `height` x `width` pixels, from the picture up to the layer `deepest`."""
    work = 0.0
    for block, convolutions in enumerate(CONVOLUTIONS_PER_BLOCK, start=1):
        positions = (height // 2 ** (block - 1)) * (width // 2 ** (block - 1))
        for convolution in range(1, convolutions + 1):
            layer = f"block{block}_conv{convolution}"
            work += 2.0 * positions * math.prod(kernel_shape(layer))
            if layer == deepest:
                return work
    raise AssertionError(deepest)
