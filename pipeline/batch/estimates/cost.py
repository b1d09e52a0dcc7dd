"""What a pair costs by its schedule: the shape of the curve, with constants of one machine.
`estimator` learns the factors.

One evaluation takes a little, and so many seconds for each pixel that the network sees, down to the
deepest layer asked for. Memory is nst/tiling's, which decides by it whether a picture is evaluated
in tiles; they cost a little time again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.nst.network import FRAME, NETWORKS, VGG19
from pipeline.nst.positions import (
    cells,
    column_layers,
    matched_layers,
    products_by_layer,
    products_of_columns,
    products_of_self_similarity,
    products_of_transport,
)
from pipeline.nst.tiling import PROGRAM_BYTES, Tiling, extra_work, needed_bytes
from pipeline.options import Options
from pipeline.schedule import Schedule, Size, Stage, sharpening_bytes

# Measured on an x86-64 server with avx512_bf16 (AMD EPYC, two cores at 2.6 GHz) by `make bench
# ARGS="memory"`. Times are core-seconds: two cores take half of them.
_EVALUATION = 0.02
_EVALUATION_PER_PIXEL = {"float32": 15.4e-6, "bfloat16": 8.4e-6}
_TRACING = 3.0  # per size of a pyramid; another pair of the same shape would not pay it
_DECODING_PER_PIXEL = 1e-6  # and resizing, encoding, thumbnails
# Of a result that is sharpened: opened, made and written as PNG, measured at 24 million pixels.
_SHARPENING_PER_PIXEL = 5e-7
# A pass forward alone, as targets and the finished picture are measured: its share of an
# evaluation.
_FORWARD = 0.45

# Of pairs that are matched with their nearest neighbours: tracing, as many layers are measured in
# several ways; what looking up neighbours adds to an evaluation, and in the last pass; core-seconds
# by hypercolumn that is matched, beside the products. Measured in processor time at 256 px in
# float32, beside Gram matrices in the same process; that of tracing was fitted so that whole
# paintings of 128 and 256 px, of 4 and 2 steps, come out within 2 %.
_TRACING_MATCHED = 5.0
_LOOKED_UP, _LOOKED_UP_BY_LAYER = 0.07, 0.25
_COLUMN = 2.5e-4

_DEFAULT_DEPTH = "block5_conv1"

# Of decoding by pixel of the file, beside the process: measured at 30 million pixels, WebP with
# opacity takes 18, grey of 16 bits 15, AVIF, JPEG and PNG 7 to 12.
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
    pixels = seen_pixels(full.size, options)
    matched = "neighbours" in options.style_losses
    share = NETWORKS[options.network].work(_layers(options)) / _DEFAULT_WORK

    def evaluation(stage: Stage) -> float:
        """Core-seconds, in its tiles; with its part of what is matched every few of them."""
        seen = seen_pixels(stage.size, options)
        longer = 1 + extra_work(stage.tiling, stage.size[0] * stage.size[1])
        if matched:
            longer += _LOOKED_UP_BY_LAYER if stage.last_pass else _LOOKED_UP
        again = _matching(options, stage, share) / stage.targets_every if matched and stage.targets_every else 0.0
        return _pass(seen, stage.precision, share) * longer + again + _sampling(options, stage, share)

    # Content and styles are measured in the descent's precision and, with the finished picture, in
    # float32.
    styles = sum(seen_pixels(size, options) for size in full.style_sizes)
    targets = 1 + styles / pixels
    forward = _FORWARD * _pass(pixels, "float32", share) * (1 + targets)
    if full.precision != "float32":
        forward += _FORWARD * _pass(pixels, full.precision, share) * targets
    sharpened = math.prod(schedule.finished) if schedule.finished != schedule.size else 0
    return Cost(
        pixels=pixels,
        tiling=full.tiling,
        evaluation=evaluation(full),
        coarse=sum(
            stage.steps * evaluation(stage) + (_matching(options, stage, share) if matched else 0.0) for stage in coarse
        ),
        other=(_TRACING_MATCHED if matched else _TRACING) * len(schedule.stages)
        + _DECODING_PER_PIXEL * pixels
        + _SHARPENING_PER_PIXEL * sharpened
        + forward,
        memory=needed_bytes(
            options,
            full.size[0] * full.size[1],
            full.precision,
            full.tiling.split if full.tiling else 0,
        )
        + (sharpening_bytes(options, schedule.finished) if sharpened else 0),
    )


def _layers(options: Options) -> list[str]:
    """The network's layers that a pair's terms look at."""
    network = NETWORKS[options.network]
    own = {"neighbours": matched_layers(network), "transport": column_layers(network)}
    similar = options.content_loss == "self_similarity"
    content = column_layers(network) if similar else tuple(options.content_layers)
    return [*content, *(layer for loss in options.style_losses for layer in own.get(loss, tuple(options.style_layers)))]


def _matching(options: Options, stage: Stage, share: float) -> float:
    """Core-seconds in which nearest neighbours are found once: the picture and the styles are
    measured, and compared with each other; where areas are stroked the photograph too. For the last
    pass styles are measured once for all."""
    pictures = 2 if options.areas == "stroked" and not stage.last_pass else 1
    styles = () if stage.last_pass else stage.style_sizes
    seen = sum(seen_pixels(size, options) for size in (*[stage.size] * pictures, *styles))
    count = products_by_layer if stage.last_pass else products_of_columns
    products = count(NETWORKS[options.network], stage.size, stage.style_sizes)
    product = _EVALUATION_PER_PIXEL[stage.precision] / (2 * _DEFAULT_WORK)
    columns = 0 if stage.last_pass else pictures * math.prod(cells(stage.size))
    return _FORWARD * _pass(seen, stage.precision, share) + product * products + _COLUMN * columns


def _sampling(options: Options, stage: Stage, share: float) -> float:
    """Core-seconds of an evaluation in which sampled places are compared, and its part of measuring
    content and styles at new ones."""
    if not options.samples:
        return 0.0
    network = NETWORKS[options.network]
    products = products_of_transport(network) if "transport" in options.style_losses else 0.0
    if options.content_loss == "self_similarity":
        products += products_of_self_similarity(network)
    measured = sum(seen_pixels(size, options) for size in (stage.size, *stage.style_sizes))
    # forward and back, an evaluation is twice the network's work
    product = _EVALUATION_PER_PIXEL["float32"] / (2 * _DEFAULT_WORK)
    return product * products + _FORWARD * _pass(measured, stage.precision, share) / stage.targets_every


def decoding_memory(size: Size) -> int:
    """Bytes of a worker that decodes a file of this size."""
    return PROGRAM_BYTES + _DECODING_BYTES_PER_PIXEL * size[0] * size[1]


def _pass(pixels: float, precision: str, share: float) -> float:
    """Core-seconds of an evaluation of so many pixels, without tiles."""
    return _EVALUATION + _EVALUATION_PER_PIXEL[precision] * pixels * share


def seen_pixels(size: Size, options: Options) -> int:
    """How many pixels the network sees of a picture."""
    width, height = size
    down, across = (FRAME if options.border == "mirror" and not wrapped else 0 for wrapped in options.wraps)
    return (width + 2 * across) * (height + 2 * down)


_DEFAULT_WORK = VGG19.work([_DEFAULT_DEPTH])
