"""Into which tiles an evaluation is cut, and how much memory it takes then. Standard library only:
estimates ask it too."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.memory_limit import memory_limit
from pipeline.nst.network import NETWORKS, VGG19, Network, radius, reduction
from pipeline.options import Options


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an evaluation is cut: tiles of `side` pixels (core, without halo) through the blocks up
    to the pool of block `split`, 1 to 4, or, where `split` is 5, through the whole network."""

    side: int
    split: int

    def as_json(self) -> dict[str, int]:
        """Plain values, for records."""
        return {"side": self.side, "split": self.split}

    def __str__(self) -> str:
        return f"{self.side} px, " + (f"to block{self.split}_pool" if self.split < 5 else "whole network")


def in_words(cuts: Mapping[str, Tiling]) -> str:
    """The tiles of a pair, by what is cut into them, as `painted_with` says them."""
    return "; ".join(f"{what}: {cut}" for what, cut in cuts.items()) or "none"


# Halos of the first two blocks add 5 % to a tile of 1024 pixels and 10 % to one of 512, which only
# smaller pictures need.
_SIDE = 1024
_SMALL_SIDE, _SMALL = 512, 2_200_000  # pixels of the picture
# 0: not at all; each takes less memory than the one before, and more time
_SPLITS = (0, 1, 2, 3, 5)
# Without a limit: the largest picture, in pixels, for which each split is taken; the last for all
# larger ones. Untiled to 1448 x 1448, cut below the first pool to 2048 x 2048, below the second to
# 4300 x 4300, below the third to 6300 x 6300.
_LARGEST = {0: 2_200_000, 1: 4_700_000, 2: 18_500_000, 3: 40_000_000}
# Of an evaluation, by pixel and split: peak resident bytes, measured in fresh processes at 512 and
# 1024 (untiled), 2048 and 4096 pixels, in float32 and tiles at 1536. Of splits 3 and 5 not
# measured: set below, as there is less to hold.
_BYTES_PER_PIXEL = {
    "bfloat16": {0: 960, 1: 640, 2: 290, 3: 255, 5: 210},
    "float32": {0: 1_670, 1: 1_060, 2: 690, 3: 560, 5: 465},
}


def _halo(deepest: str) -> int:
    """Pixels of halo around a tile of the blocks up to `deepest`: what these see, in whole
    positions of it."""
    unit = reduction(deepest)
    return -(-radius(VGG19.names_up_to([deepest])) // unit) * unit


# By split, of VGG19, which sees further than VGG16: halo, and the share of an evaluation's
# multiplications that the blocks below the split do, where relu5_1 is the deepest layer, as it
# usually is.
_DEEPEST = {1: "block1_pool", 2: "block2_pool", 3: "block3_pool", 4: "block4_pool", 5: "block5_conv1"}
HALOS = {split: _halo(deepest) for split, deepest in _DEEPEST.items()}
_LOWER_SHARE = {split: VGG19.work([deepest]) / VGG19.work([_DEEPEST[5]]) for split, deepest in _DEEPEST.items()}
_ROOM = 0.9  # share of a limit that an estimate may fill


def tiling(options: Options, pixels: int, precision: str, max_memory: int | None) -> Tiling | None:
    """The tiles for a picture of so many pixels, by the option `tile`, and so that the process
    stays below `max_memory` bytes where that is given, and below the machine's memory; None for
    none."""
    if options.tile == "off" or options.untiled:
        return None
    allowed = [split for split in _SPLITS if split > 1 or options.tile == "auto"]
    if max_memory is None:
        allowed = [split for split in allowed if pixels <= _LARGEST.get(split, pixels)]
    limit = _ROOM * min(machine_memory(), max_memory or machine_memory())
    fits = (split for split in allowed if needed_bytes(options, pixels, precision, split) <= limit)
    split = next(fits, allowed[-1])
    if not split:
        return None
    side = _SIDE if pixels > _SMALL else _SMALL_SIDE
    if not isinstance(options.tile, str):  # below a limit, tiles that are too large would be none
        side = options.tile if max_memory is None else min(options.tile, _SIDE)
    return Tiling(side, split)


def extra_work(cut: Tiling | None, pixels: int) -> float:
    """Share of an evaluation of so many pixels that is computed once more because of its tiles:
    halos, and the lower blocks' second pass forward."""
    if cut is None:
        return 0.0
    side = math.sqrt(pixels)
    tile = side / math.ceil(side / cut.side)
    halo = ((min(side, tile + 2 * HALOS[cut.split])) / tile) ** 2 - 1
    # Forward and backward are half of an evaluation each; in tiles the lower blocks go forward
    # twice.
    return _LOWER_SHARE[cut.split] * (0.5 + 1.5 * halo)


def needed_bytes(options: Options, pixels: int, precision: str, split: int) -> int:
    """Peak resident bytes of the process that paints a picture of so many pixels, cut below the
    pool of block `split`."""
    pictures = _PICTURES + _OPTIMIZERS_PICTURES.get(options.optimizer, 2 * history_length(options.history, pixels))
    # Those of other content layers in float32, as the finished picture is compared with.
    network = NETWORKS[options.network]
    features = sum(_features(network, layer) for layer in options.content_layers) - _features(VGG19, _DEFAULT_CONTENT)
    by_pixel = _BYTES_PER_PIXEL[precision][split] + _PICTURE_BYTES * pictures + 4 * max(0.0, features)
    return _PROGRAM_BYTES + round(pixels * by_pixel)


_DEFAULT_CONTENT = "block4_conv2"  # what the bytes above were measured with


def _features(network: Network, layer: str) -> float:
    """Numbers by pixel of the picture that a photograph's features at a content layer are."""
    return network.channels(layer) / reduction(layer) ** 2


@functools.cache
def machine_memory() -> int:
    """Bytes of memory that this process may have: the machine's, or what its control groups allow
    where that is less."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(pages, memory_limit() or pages)


# Memory of the process with TensorFlow, the network and the traced graphs, before any picture.
_PROGRAM_BYTES = 700_000_000
# Pairs of pictures that L-BFGS remembers: 20 (more brings nothing), fewer for large pictures, in
# bytes of float32 RGB.
_HISTORY = 20
_HISTORY_BYTES = 2**30
_SHORTEST_HISTORY = 4
_PICTURE_BYTES = 12  # a pixel in float32 RGB
# Pictures held beside L-BFGS' history: image, best, gradients, move, spectra, content and style as
# opened and as fitted, and what the coarser sizes left in TensorFlow's pool. By `make bench
# ARGS=memory` 512 to 4096 px are foreseen within 11 %.
_PICTURES = 26
_OPTIMIZERS_PICTURES = {"adam": 2, "gd": 0}


def history_length(history: int | str, pixels: int) -> int:
    """Pairs that L-BFGS remembers for a picture of so many pixels, by the option `history`."""
    if not isinstance(history, str):
        return history
    return max(_SHORTEST_HISTORY, min(_HISTORY, _HISTORY_BYTES // (2 * _PICTURE_BYTES * pixels)))
