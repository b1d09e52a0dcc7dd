"""How much arithmetic an evaluation is, counted by the network's shape."""

from __future__ import annotations

import math

from pipeline.nst.network import VGG19, is_pool, reduction

DEEPEST = "block5_conv1"  # of the layers that the default objective uses


def convolution_work(height: int, width: int, deepest: str = DEEPEST) -> float:
    """Floating-point operations of one pass over `height` x `width` pixels, from the picture up to the layer `deepest`."""
    work = 0.0
    for layer in VGG19.names_up_to([deepest]):
        if not is_pool(layer):
            positions = (height // reduction(layer)) * (width // reduction(layer))
            work += 2.0 * positions * math.prod(VGG19.kernel_shape(layer))
    return work
