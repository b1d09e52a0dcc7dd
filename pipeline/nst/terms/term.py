"""What a term of an objective is: one distance between a picture and what it is compared with.

To add a term, write one file beside this one: a frozen dataclass that keeps `Term`, and a function
from `Options` to a `Weighted` term; then name that function in `terms.TERMS`. Evaluation whole and
in tiles, the trace, the report and report.json need no further line.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

PICTURE = "picture"
"""Stands among a term's layers for the picture itself: float32 (height, width, 3), 0..255. It is
measured whole, also where the network is evaluated in tiles."""

Measured = Mapping[str, Any]
"""What a term knows of an image, by layer: nests of tensors, as its `measure` gives them."""


class Indexed(NamedTuple):
    """A map that looks up a table: of `map` (height, width, ...) a piece is given to `measure`, as
    of every map, and with it the whole `table`, any nest of tensors."""

    map: tf.Tensor
    table: Any


class Target(NamedTuple):
    """What a picture is compared with. No gradient flows through it.

    `maps` hold something per position, by layer: (height, width, ...), cut along with tiles, or
    `Indexed`, or a tuple of maps. Positions are the layer's own, or `Combine.cell` says how long
    they are.
    `statistics` are true of the whole: any nest of tensors.
    """

    maps: Mapping[str, Any]
    statistics: Any


class Image(Protocol):
    """An image as the network sees it, at one size."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    def opacity(self, cell: int) -> NDArray[np.float32] | None:
        """How much can be seen of each `cell` x `cell` pixels, 0..1, the last ones cut off by the
        border; None where all is opaque."""

    def features(self, layers: Sequence[str]) -> Mapping[str, tf.Tensor]:
        """Its features (height, width, channels) at network layers."""

    def measured(self, probe: Probe, maps: Mapping[str, Any] | None = None, kept_as: Hashable = None) -> Measured:
        """What the probe's `measure` says of it, compared with `maps`, by layer; without them,
        where it has transparency, of what can be seen of it. `kept_as` tells maps apart: what was
        said is then kept, as it is without maps."""


class Style(NamedTuple):
    """A style image and its share in the blend; shares need not sum to 1."""

    image: Image
    share: float


class Region(NamedTuple):
    """A part of the picture with styles of its own. `mask` is how much each pixel belongs to it,
    float32 (height, width), 0..1, None for all; of its styles only what belongs to the region can
    be seen. `strength` multiplies its distance: 1, where all styles weigh the same."""

    mask: NDArray[np.float32] | None
    styles: Sequence[Style]
    strength: float = 1.0


class Earlier(NamedTuple):
    """Earlier frames of a clip, as painted, carried to this one: pixels float32 (height, width, 3),
    0..255, and how reliable they are, float32 (height, width), 0..1."""

    pixels: NDArray[np.float32]
    reliable: NDArray[np.float32]


class Plain(NamedTuple):
    """Where a photograph is plain: `levels` float32 (height, width), 0..1; `photograph` is it by
    itself."""

    photograph: Image
    levels: NDArray[np.float32]


class Sources(NamedTuple):
    """What targets are made from when a descent begins, or a round of it. `start` is the picture as
    it stands then, `guide` the photograph with a quarter of it: what is to be painted. `seed` is
    another one in each round, `style_seed` the same in all. `styles` are those of the whole
    picture; with `regions` each of these has its own, and `styles` are all of them. `kept` is how
    much of the content is kept at each pixel, float32 (height, width), 0..1, None for all of it.
    `earlier` is there for a clip's frames that follow others, `plain` where strokes are to grow in
    plain areas."""

    content: Image
    styles: Sequence[Style]
    start: Image
    guide: Image
    seed: int
    regions: Sequence[Region] = ()
    kept: NDArray[np.float32] | None = None
    earlier: Earlier | None = None
    plain: Plain | None = None
    style_seed: int = 0


class Combine(Protocol):
    """How measures of tiles become the picture's."""

    @property
    def cell(self) -> int | None:
        """Pixels along a position of measures and maps, 2, 4 or 8, where that is the same for all
        layers: tiles then hold whole ones, but for the last, which the border cuts off. None for
        each layer's own positions."""

    def join(self, grid: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
        """The whole, of the tiles' tensors by row and column."""

    def split(self, whole: tf.Tensor, grid: Sequence[Sequence[tf.Tensor]]) -> list[list[tf.Tensor]]:
        """The gradients by the tiles' tensors, of the gradient by the whole."""


class Probe(Protocol):
    """What is to be known of an image. Frozen and hashable: evaluations are kept by them.

    One whose `measure` is the same at all layers of one reduction says so: `alike_by_reduction =
    True`. Those layers then share what is traced of it. One that reads a few positions only says
    `looks_up = True`: its `measure` may be given a `pieces.Piece`.
    """

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str:
        """A term's as trace, bar, report and report.json call its loss."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The network's layers that it looks at, and `PICTURE` where it looks at the picture."""

    @property
    def combine(self) -> Combine:
        """How its measures of tiles become the picture's: `ADD`, `CONCATENATE`, or one of these for
        cells."""

    def measure(self, layer: str, features: tf.Tensor, target: Any) -> Any:
        """What must be known of a piece of a layer: a nest of tensors. `features` are (height,
        width, channels), `target` is the same piece of the target's map, where it has one; of an
        `Indexed` map, with its table. Of a style with transparency it is how much each position
        counts, (height, width), 0..1: what is measured of it should be weighted so."""


class Term(Probe, Protocol):
    """One distance.

    One whose statistics are of any number of something, as places of a region that moves, has
    `kinds`, of statistics: the `TensorSpec` of each of their tensors. Then one trace serves them.
    """

    @property
    def needs_start(self) -> bool:
        """Does its target depend on `Sources.start`? Checkpoints then keep that picture."""

    def target(self, sources: Sources) -> Target:
        """What the picture is compared with, made when a size begins."""

    def distance(self, measured: Measured, target: Target, weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """A float32 scalar in the term's unit, from all layers' measures. `weights` are those of
        its layers."""


def kinds_of(term: Term, statistics: Any) -> Any:
    """What a term's statistics are in a trace: its `kinds`, or tensors of these shapes."""
    exact = functools.partial(tf.nest.map_structure, tf.TensorSpec.from_tensor)
    return getattr(term, "kinds", exact)(statistics)


class Weighted(NamedTuple):
    """A term, its weight in the objective, and the weights of its layers. `last_pass` stands for
    it, under its name, in the last pass of those schedules that have one; None for itself."""

    term: Term
    weight: float
    layers: Mapping[str, float]
    last_pass: Term | None = None


@dataclass(frozen=True)
class Add:
    """Sums over positions: those of tiles add up to the picture's."""

    cell: int | None = None

    def join(self, grid: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
        """As `Combine.join`."""
        first, *others = (piece for row in grid for piece in row)
        for other in others:
            first = first + other
        return first

    def split(self, whole: tf.Tensor, grid: Sequence[Sequence[tf.Tensor]]) -> list[list[tf.Tensor]]:
        """As `Combine.split`."""
        return [[whole for _piece in row] for row in grid]


@dataclass(frozen=True)
class Concatenate:
    """Maps (height, width, ...): those of tiles, side by side, are the picture's."""

    cell: int | None = None

    def join(self, grid: Sequence[Sequence[tf.Tensor]]) -> tf.Tensor:
        """As `Combine.join`."""
        return tf.concat([tf.concat(list(row), axis=1) for row in grid], axis=0)

    def split(self, whole: tf.Tensor, grid: Sequence[Sequence[tf.Tensor]]) -> list[list[tf.Tensor]]:
        """As `Combine.split`."""
        rows = tf.split(whole, [row[0].shape[0] for row in grid], axis=0)
        return [tf.split(part, [piece.shape[1] for piece in row], axis=1) for part, row in zip(rows, grid, strict=True)]


ADD: Combine = Add()
CONCATENATE: Combine = Concatenate()
