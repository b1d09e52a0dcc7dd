"""Into which tiles an evaluation is cut, and how much memory it takes then. Standard library only:
estimates ask it too."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.memory_limit import memory_limit
from pipeline.nst.network import NETWORKS, VGG19, Network, is_pool, radius, reduction
from pipeline.nst.positions import MOST, MOST_ON_GRID, QUARTER, matched_layers
from pipeline.options import Options
from pipeline.processor import lacks_long_vectors


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
# For nearest neighbours block 4 is brought to a quarter of the picture's resolution, across tiles.
WHOLE_ABOVE = 3
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


def tiling(options: Options, pixels: int, precision: str, max_memory: int | None, beside: int = 0) -> Tiling | None:
    """The tiles for a picture of so many pixels, by the option `tile`, and so that the process,
    with what it holds `beside`, stays below `max_memory` bytes where that is given, and below the
    machine's memory; None for none."""
    weighs = options.content_weight > 0 or options.style_weight > 0
    if options.tile == "off" or (options.normalize_gradients == "l1" and weighs):  # its sum is of the whole picture
        return None
    whole = WHOLE_ABOVE if _matched(options) else _SPLITS[-1]
    allowed = [split for split in _SPLITS if split <= whole and (split > 1 or options.tile == "auto")]
    if max_memory is None:
        allowed = [split for split in allowed if pixels <= _LARGEST.get(split, pixels)] or allowed[-1:]
    limit = _ROOM * min(machine_memory(), max_memory or machine_memory()) - beside
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
    pictures = _PICTURES + _OPTIMIZERS_PICTURES.get(
        options.optimizer, 2 * history_length(options, pixels) * _NUMBER_BYTES[precision] / 4
    )
    # Those of other content layers in float32, as the finished picture is compared with.
    network = NETWORKS[options.network]
    features = sum(_features(network, layer) for layer in options.content_layers) - _features(VGG19, _DEFAULT_CONTENT)
    evaluation = pixels * (_BYTES_PER_PIXEL[precision][split] + 4 * max(0.0, features))
    if _matched(options):
        evaluation += pixels * _MATCHED_IN_TILES.get(split, 0) * _NUMBER_BYTES[precision] / 2
        evaluation = _matching_bytes(options, pixels, precision, split, evaluation)
    prepared = _prepared_bytes(options) if precision == "float32" and lacks_long_vectors() else 0
    return PROGRAM_BYTES + prepared + round(evaluation + pixels * _PICTURE_BYTES * pictures)


# From how many inputs and outputs on Winograd's way is the faster one: with 64 of them what goes
# before and after the products takes longer than they save. By trial of the 3 x 3 layers of VGG19
# at 64 to 512 px, on the machine of `nst/convolution`.
MANY_CHANNELS = 128


def _prepared_bytes(options: Options) -> int:
    """Bytes of what is made of the network's kernels and kept beside them (`nst/convolution`)."""
    network = NETWORKS[options.network]
    of_style = matched_layers(network) if _matched(options) else tuple(options.style_layers)
    layers = (*options.content_layers, *of_style)
    kernels = (network.kernel_shape(layer)[2:] for layer in network.names_up_to(layers) if not is_pool(layer))
    return sum(4 * (36 if min(shape) >= MANY_CHANNELS else 9) * math.prod(shape) for shape in kernels)


def _matched(options: Options) -> bool:
    """Is the picture compared with its nearest neighbours?"""
    return "neighbours" in options.style_losses


def _matching_bytes(options: Options, pixels: int, precision: str, split: int, evaluation: float) -> float:
    """Bytes that nearest neighbours need at most: while the picture is evaluated, with the style's
    table; while neighbours are found (the photograph's too, where areas are stroked); or while they
    are found layer by layer. The style is taken to be as large as the picture. Its grid is kept."""
    network = NETWORKS[options.network]
    number, layers = _NUMBER_BYTES[precision], matched_layers(network)
    rows = min(MOST, pixels / QUARTER**2)
    table = rows * sum(network.channels(layer) for layer in layers) * number
    parts = sum(network.channels(layer) / max(QUARTER, reduction(layer)) ** 2 for layer in layers) * number * pixels
    pieces = _PIECES * min(_PIECE_BYTES, pixels / QUARTER**2 * max(network.channels(layer) for layer in layers) * 4)
    grid = sum(min(MOST_ON_GRID, pixels / reduction(layer) ** 2) * network.channels(layer) for layer in layers) * number
    copies = (_PARTS_IN_TILES if split else 1) + (options.empty_areas == "stroked")
    finding = _TABLES * table + copies * parts + _PRODUCTS * rows * number
    return _MORE_PROGRAM_BYTES + grid + max(evaluation + table + pieces, finding, _GRIDS * grid)


_NUMBER_BYTES = {"float32": 4, "bfloat16": 2}
# Of neighbours in tiles, by split: bytes a pixel in bfloat16 beside those of Gram matrices, for
# what the blocks above the tiles measure on the way back. Fitted to peaks of fresh processes: 2.78,
# 2.49 and 2.20 GiB at 1024 px (splits 1, 2, 3), 7.2 at 2048 px (1), 19.1 or more at 4096 px (2).
_MATCHED_IN_TILES = {1: 450, 2: 550, 3: 330, 5: 330}


# While neighbours are found: as many copies of the style's table as `terms/neighbours` holds at
# once, those of the picture's parts, of which a layer's in tiles and whole are there together, and
# products of 2048 positions with all of the table, half of them once more. Layer by layer: grids of
# picture and style, centred or not, and those of the round before. While the picture is evaluated:
# pieces of `terms/hypercolumns`, forward and back. What more is traced was fitted: peaks of fresh
# processes in float32, untiled, come out at 128 px 14 % too high, at 256 and 512 px 3 and 5 %
# too low (at 512 px of one stopped in its last pass); in bfloat16, untiled, they are counted and
# not measured.
_TABLES, _PARTS_IN_TILES, _PRODUCTS, _GRIDS = 3, 1.4, 1.5 * 2048, 5
_PIECES, _PIECE_BYTES = 5, 2**25
_MORE_PROGRAM_BYTES = 330_000_000

_DEFAULT_CONTENT = "block4_conv2"  # what the bytes above were measured with


def _features(network: Network, layer: str) -> float:
    """How many numbers for each pixel the photograph's features at a content layer are."""
    return network.channels(layer) / reduction(layer) ** 2


@functools.cache
def machine_memory() -> int:
    """Bytes of memory that this process may have: the machine's, or what its control groups allow
    where that is less."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(pages, memory_limit() or pages)


# Memory of the process with TensorFlow, the network and the traced graphs, before any picture.
PROGRAM_BYTES = 700_000_000
# Pairs of pictures that L-BFGS remembers: 20 (more brings nothing), fewer for large pictures, in
# bytes of float32 RGB. In bfloat16 (`nst/curvature_pairs`) as many, in half the bytes: what is
# painted there is short of memory, not of pairs.
_HISTORY = 20
# Where neighbours are taken anew every few evaluations, old pairs tell of another objective: of
# four pairs at 224 and 256 px, losses with 10 are 0.3 to 1.5 % lower than with 20.
_HISTORY_MATCHED = 10
_HISTORY_BYTES = 2**30
_SHORTEST_HISTORY = 4
_PICTURE_BYTES = 12  # a pixel in float32 RGB
# Pictures held beside L-BFGS' history: image, best, gradients, move, spectra, content and style as
# opened and as fitted, and what the coarser sizes left in TensorFlow's pool. By `make bench
# ARGS=memory` 512 to 4096 px are foreseen within 11 %.
_PICTURES = 26
_OPTIMIZERS_PICTURES = {"adam": 2, "gd": 0}


def history_length(options: Options, pixels: int) -> int:
    """Pairs that L-BFGS remembers for a picture of so many pixels."""
    if not isinstance(options.history, str):
        return options.history
    usual = _HISTORY_MATCHED if _matched(options) else _HISTORY
    return max(_SHORTEST_HISTORY, min(usual, _HISTORY_BYTES // (2 * _PICTURE_BYTES * pixels)))
