"""What a pair costs by its options: the shape of the curve, with constants of one machine. `estimate` learns the factors.

One evaluation takes a little, and so many seconds for each pixel that the network sees, down to the deepest layer asked for.
Memory is nst/tiling's, which decides by it whether a picture is evaluated in tiles; they cost a little time again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.nst.pyramid import coarse_steps, sides
from pipeline.nst.tiling import Tiling, extra_work, needed_bytes, tiling
from pipeline.options import CHANNELS_OF_BLOCK, CONVOLUTIONS_PER_BLOCK, FRAME, Options

# Measured on an x86-64 server with avx512_bf16 (AMD EPYC, two cores at 2.6 GHz) by `make bench ARGS="memory"`. Times are
# core-seconds: two cores take half of them.
_EVALUATION = 0.02
_EVALUATION_PER_PIXEL = {"float32": 15.4e-6, "bfloat16": 8.4e-6}
_TRACING = 3.0  # per size of a pyramid; another pair of the same shape would not pay it
_DECODING_PER_PIXEL = 1e-6  # and resizing, encoding, thumbnails
# A pass forward alone, as targets and the finished picture are measured: its share of an evaluation.
_FORWARD = 0.45

_DEFAULT_DEPTH = "block5_conv1"


@dataclass(frozen=True, slots=True)
class Cost:
    """Core-seconds of one evaluation at full size, of all coarser ones together and of everything else; bytes of resident
    memory; `pixels` is what the network sees at full size, `cut` the tiles in which it does."""

    pixels: int
    cut: Tiling | None
    evaluation: float
    coarse: float
    other: float
    memory: float


def pair_cost(
    options: Options, size: tuple[int, int], precision: str, styles: int = 1, max_memory: int | None = None
) -> Cost:
    """The cost of painting a picture of `size` (width, height) from so many style images, in `precision`, below `max_memory`
    bytes where that is given."""
    width, height = size
    share = convolution_work([*options.content_layers, *options.style_layers]) / _DEFAULT_WORK
    pixels = seen_pixels(width, height, options.border)

    def evaluation(pixels: float, precision: str) -> float:
        return _EVALUATION + _EVALUATION_PER_PIXEL[precision] * pixels * share

    def tiles(part: float) -> float:
        """By how much longer an evaluation takes in its tiles, of a picture of this part of the pixels."""
        size = round(part * width * height)
        return 1 + extra_work(tiling(options, size, precision, max_memory), size)

    # Style images are about as many pixels as the content, times their scale both ways. Content and styles are measured in the
    # descent's precision and, with the finished picture, in float32.
    targets = 1 + styles * options.style_scale**2
    forward = _FORWARD * evaluation(pixels, "float32") * (1 + targets)
    if precision != "float32":
        forward += _FORWARD * evaluation(pixels, precision) * targets
    smaller = sides(max(size), options.scales, min(size))[:-1]
    shares = [(side / max(size)) ** 2 for side in smaller]
    coarse = coarse_steps(options.steps) * sum(evaluation(part * pixels, precision) * tiles(part) for part in shares)
    cut = tiling(options, width * height, precision, max_memory)
    return Cost(
        pixels=pixels,
        cut=cut,
        evaluation=evaluation(pixels, precision) * tiles(1.0),
        coarse=coarse,
        other=_TRACING * (1 + len(smaller)) + _DECODING_PER_PIXEL * pixels + forward,
        memory=needed_bytes(options, width * height, precision, cut.split if cut else 0),
    )


def seen_pixels(width: int, height: int, border: str) -> int:
    """How many pixels the network sees of a picture."""
    return (width + 2 * FRAME) * (height + 2 * FRAME) if border == "mirror" else width * height


def convolution_work(layers: Iterable[str]) -> float:
    """Multiplications and additions for each pixel of a picture, in the convolutions up to the deepest of `layers`."""
    deepest = max((_place(layer) for layer in layers), default=(1, 1))
    work, before = 0.0, 3
    for block, (convolutions, channels) in enumerate(
        zip(CONVOLUTIONS_PER_BLOCK, CHANNELS_OF_BLOCK, strict=True), start=1
    ):
        for convolution in range(1, convolutions + 1):
            if (block, convolution) > deepest:
                return work
            work += 2.0 * 9 * before * channels / 4 ** (block - 1)
            before = channels
    return work


def _place(layer: str) -> tuple[int, int]:
    """Block and convolution: `block4_conv2` and `block4_conv2_linear` are (4, 2), `block3_pool` is after (3, 4)."""
    block = int(layer[len("block")])
    part = layer.split("_")[1]
    return block, int(part[len("conv") :]) if part.startswith("conv") else CONVOLUTIONS_PER_BLOCK[block - 1]


_DEFAULT_WORK = convolution_work([_DEFAULT_DEPTH])
