"""How much arithmetic a step is, and how many bytes it must move, counted by the network's shape."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pipeline.nst.network import FRAME, VGG19, is_pool, reduction
from pipeline.nst.tiling import history_length
from pipeline.options import Options

DEEPEST = "block5_conv1"  # of the layers that the default objective uses


def convolutions(deepest: str = DEEPEST) -> list[str]:
    """The network's convolutions up to the layer `deepest`."""
    return [name for name in VGG19.names_up_to([deepest]) if not is_pool(name)]


def convolution_work(height: int, width: int, deepest: str = DEEPEST) -> float:
    """Floating-point operations of one pass over `height` x `width` pixels, from the picture up to the layer `deepest`."""
    work = 0.0
    for layer in convolutions(deepest):
        positions = (height // reduction(layer)) * (width // reduction(layer))
        work += 2.0 * positions * math.prod(VGG19.kernel_shape(layer))
    return work


def gram_work(side: int, layers: Iterable[str]) -> float:
    """Floating-point operations of FᵀF at these layers of a square picture, and of F D, its gradient."""
    return sum(4.0 * (side // reduction(layer)) ** 2 * VGG19.channels(layer) ** 2 for layer in layers)


def activation_bytes(side: int, number: int) -> float:
    """Bytes of all that is read and written between the convolutions of an evaluation of a square picture with its frame, in
    numbers of so many bytes: bias and ReLU read and write, ReLU's way back reads two and writes one. A pool reads its input and
    writes a quarter of it; on the way back it reads both and a gradient as large as its result, and writes one as large as its
    input."""
    numbers = {layer: ((side + 2 * FRAME) // reduction(layer)) ** 2 * VGG19.channels(layer) for layer in convolutions()}
    pooled = [count for layer, count in numbers.items() if _before_pool(layer)]
    return number * (5.0 * sum(numbers.values()) + 3.0 * 1.25 * sum(pooled))


def lbfgs_bytes(side: int, number: int) -> float:
    """Bytes of the pairs that L-BFGS remembers of a square picture, two pictures each in numbers of so many bytes; it reads all
    of them twice."""
    return 2 * 2.0 * history_length(Options(), side * side) * 3 * side**2 * number


def _before_pool(layer: str) -> bool:
    names = VGG19.names_up_to([DEEPEST])
    place = names.index(layer) + 1
    return place < len(names) and is_pool(names[place])
