"""Into which tiles an evaluation is cut, and how much memory it takes then. Standard library only: the night asks it too."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.job import Options


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an evaluation is cut: tiles of `side` pixels (core, without halo) through the blocks up to the pool of block `split`,
    1 to 4, or, where `split` is 5, through the whole network."""

    side: int
    split: int

    def __str__(self) -> str:
        return f"{self.side} px, " + (f"to block{self.split}_pool" if self.split < 5 else "whole network")


# Halos of the first two blocks add 5 % to a tile of 1024 pixels and 10 % to one of 512, which only smaller pictures need.
_SIDE = 1024
_SMALL_SIDE, _SMALL = 512, 2_200_000  # pixels of the picture
_SPLITS = (0, 1, 2, 3, 5)  # 0: not at all; each takes less memory than the one before, and more time
# Without a limit: the largest picture, in pixels, for which each split is taken; the last for all larger ones. Untiled to
# 1448 x 1448, cut below the first pool to 2048 x 2048, below the second to 4096 x 4096.
_LARGEST = {0: 2_200_000, 1: 4_700_000, 2: 18_500_000, 3: 40_000_000}
# Of an evaluation, by pixel and split: peak resident bytes, measured in fresh processes at 1024 (untiled) and 2048 pixels.
_BYTES_PER_PIXEL = {
    "bfloat16": {0: 1_110, 1: 755, 2: 545, 3: 400, 5: 300},
    "float32": {0: 2_020, 1: 1_250, 2: 700, 3: 550, 5: 450},
}
# Share of an evaluation that is computed twice, in the halos and in the lower blocks' second pass forward.
EXTRA_WORK = {0: 0.0, 1: 0.05, 2: 0.13, 3: 0.25, 5: 0.35}
_ROOM = 0.9  # share of a limit that an estimate may fill


def tiling(options: Options, pixels: int, precision: str, max_memory: int | None) -> Tiling | None:
    """The tiles for a picture of so many pixels, by the option `tile`, and so that the process stays below `max_memory` bytes
    where that is given; None for none."""
    if options.tile == "off":
        return None
    allowed = [split for split in _SPLITS if split > 1 or options.tile == "auto"]
    if max_memory is None:
        split = next((split for split in allowed if pixels <= _LARGEST.get(split, pixels)), allowed[-1])
    else:
        fits = (split for split in allowed if needed_bytes(options, pixels, precision, split) <= _ROOM * max_memory)
        split = next(fits, allowed[-1])
    if not split:
        return None
    if not isinstance(options.tile, str):
        return Tiling(options.tile, split)
    return Tiling(_SIDE if pixels > _SMALL else _SMALL_SIDE, split)


def needed_bytes(options: Options, pixels: int, precision: str, split: int) -> int:
    """Peak resident bytes of the process that paints a picture of so many pixels, cut below the pool of block `split`."""
    pictures = _PICTURES + _OPTIMIZERS_PICTURES.get(options.optimizer, 2 * history_length(options.history, pixels))
    return _PROGRAM_BYTES + pixels * (_BYTES_PER_PIXEL[precision][split] + _PICTURE_BYTES * pictures)


# Memory of the process with TensorFlow, the network and the traced graphs, before any picture.
_PROGRAM_BYTES = 800_000_000
# Pairs of pictures that L-BFGS remembers: 20 (more brings nothing), fewer for large pictures, in bytes of float32 RGB.
_HISTORY = 20
_HISTORY_BYTES = 2**30
_SHORTEST_HISTORY = 4
_PICTURE_BYTES = 12  # a pixel in float32 RGB
# Pictures held beside L-BFGS' history: image, best, gradients, move, spectra, the content and what lies between.
_PICTURES = 14
_OPTIMIZERS_PICTURES = {"adam": 2, "gd": 0}


def history_length(history: int | str, pixels: int) -> int:
    """Pairs that L-BFGS remembers for a picture of so many pixels, by the option `history`."""
    if not isinstance(history, str):
        return history
    return max(_SHORTEST_HISTORY, min(_HISTORY, _HISTORY_BYTES // (2 * _PICTURE_BYTES * pixels)))
