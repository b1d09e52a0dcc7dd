"""What a pair costs by its schedule: the shape of the curve, with constants of one machine.
`estimator` learns the factors.

One evaluation takes a little, and so many seconds for each pixel that the network sees, down to the
deepest layer asked for. Memory is nst/tiling's, which decides by it whether a picture is evaluated
in tiles; they cost a little time again.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.nst.network import FRAME, NETWORKS, VGG19
from pipeline.nst.tiling import Tiling, extra_work, needed_bytes
from pipeline.options import Options
from pipeline.schedule import Schedule, Size, Stage

# Measured on an x86-64 server with avx512_bf16 (AMD EPYC, two cores at 2.6 GHz) by `make bench
# ARGS="memory"`. Times are core-seconds: two cores take half of them.
_EVALUATION = 0.02
_EVALUATION_PER_PIXEL = {"float32": 15.4e-6, "bfloat16": 8.4e-6}
_TRACING = 3.0  # per size of a pyramid; another pair of the same shape would not pay it
_DECODING_PER_PIXEL = 1e-6  # and resizing, encoding, thumbnails
# A pass forward alone, as targets and the finished picture are measured: its share of an
# evaluation.
_FORWARD = 0.45

_DEFAULT_DEPTH = "block5_conv1"

# Of a process with TensorFlow, and of decoding by pixel of the file: measured at 30 million pixels,
# WebP with opacity takes 18, grey of 16 bits 15, AVIF, JPEG and PNG 7 to 12.
_PROGRAM_BYTES = 700_000_000
_DECODING_BYTES_PER_PIXEL = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """Core-seconds of one evaluation at full size, of all coarser ones together and of everything
    else; bytes of resident memory; `pixels` is what the network sees at full size, `tiling` the
    tiles in which it does."""

    pixels: int
    tiling: Tiling | None
    evaluation: float
    coarse: float
    other: float
    memory: float


def pair_cost(options: Options, schedule: Schedule) -> Cost:
    """The cost of painting a pair."""
    *coarse, full = schedule.stages
    pixels = seen_pixels(full.size, options.border)
    layers = [*options.content_layers, *options.style_layers]
    share = NETWORKS[options.network].work(layers) / _DEFAULT_WORK

    def evaluation(stage: Stage) -> float:
        """Core-seconds, in its tiles."""
        seen = seen_pixels(stage.size, options.border)
        longer = 1 + extra_work(stage.tiling, stage.size[0] * stage.size[1])
        return _pass(seen, stage.precision, share) * longer

    # Content and styles are measured in the descent's precision and, with the finished picture, in
    # float32.
    styles = sum(seen_pixels(size, options.border) for size in full.style_sizes)
    targets = 1 + styles / pixels
    forward = _FORWARD * _pass(pixels, "float32", share) * (1 + targets)
    if full.precision != "float32":
        forward += _FORWARD * _pass(pixels, full.precision, share) * targets
    return Cost(
        pixels=pixels,
        tiling=full.tiling,
        evaluation=evaluation(full),
        coarse=sum(stage.steps * evaluation(stage) for stage in coarse),
        other=_TRACING * len(schedule.stages) + _DECODING_PER_PIXEL * pixels + forward,
        memory=needed_bytes(
            options,
            full.size[0] * full.size[1],
            full.precision,
            full.tiling.split if full.tiling else 0,
        ),
    )


def decoding_memory(size: Size) -> int:
    """Bytes of a worker that decodes a file of this size."""
    return _PROGRAM_BYTES + _DECODING_BYTES_PER_PIXEL * size[0] * size[1]


def _pass(pixels: float, precision: str, share: float) -> float:
    """Core-seconds of an evaluation of so many pixels, without tiles."""
    return _EVALUATION + _EVALUATION_PER_PIXEL[precision] * pixels * share


def seen_pixels(size: Size, border: str) -> int:
    """How many pixels the network sees of a picture."""
    width, height = size
    return (width + 2 * FRAME) * (height + 2 * FRAME) if border == "mirror" else width * height


_DEFAULT_WORK = VGG19.work([_DEFAULT_DEPTH])
