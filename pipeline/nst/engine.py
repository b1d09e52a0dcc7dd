"""A loaded network at work, and what is worth keeping between pairs.

Kept are evaluators, descents with their traced steps, and what was measured of images: a night of a
hundred photographs in four styles measures four styles once, and what is traced serves pictures of
all shapes up to 512 x 512 pixels. Nothing kept here changes a result: a key holds everything that a
result depends on, by groups of options and by terms, never by a list of fields. What has a state, a
descent, is lent to one painting at a time.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.descent import Descent
from pipeline.nst.evaluator import MOST_OF_ANY_SHAPE, Evaluator, WholeEvaluator
from pipeline.nst.extractor import Extractor
from pipeline.nst.network import NETWORKS
from pipeline.nst.normalization import load
from pipeline.nst.objective import Objective, objective_of
from pipeline.nst.optimizers import Adam, GradientDescent, Lbfgs, Optimizer
from pipeline.nst.preconditioner import SpectralPreconditioner
from pipeline.nst.terms.guides import at_layer, means_of_cells
from pipeline.nst.terms.term import PICTURE, Measured, Probe
from pipeline.nst.tiled import TiledEvaluator
from pipeline.nst.tiling import Tiling
from pipeline.nst.weights import NetworkWeights
from pipeline.options import Options

Pixels = NDArray[np.float32]
Kept = TypeVar("Kept")

# What is traced for an objective or, of large pictures, a shape holds 28 MB (14 shapes around 130 x
# 120 px), beside the buffers below; every shape of a pyramid in both orientations finds room.
_SHAPES_KEPT = 12
# A descent holds its L-BFGS history, 2 x 20 pictures (126 MB at 512 x 512, in bfloat16 63), of the
# picture painted last: the next one puts its own there. Bytes of those kept for their trace; one is
# always.
_DESCENTS_BYTES = 512 * 2**20
# What is measured of a style is 2.3 MB for the usual five layers, 40 MB for neighbours layer by
# layer: of these one, for all rounds of a pair and the next pair in that style. Content features at
# 512 x 512 are 8 MB, at 4096 x 4096 537 MB. In bfloat16 all of it is half.
_MEASURES_BYTES = 64 * 2**20
_FEATURES_BYTES = 256 * 2**20
# pixels, the side of the pieces in which a picture is searched for what is not finite
_LOOKED_AT = 1024


@dataclass(frozen=True, slots=True)
class Setting:
    """How an image is evaluated: the options, the precision (`float32` or `bfloat16`), the tiles,
    None for none, and whether it is in the last pass."""

    options: Options
    precision: str
    tiling: Tiling | None
    last_pass: bool = False

    @property
    def objective(self) -> Objective:
        """What the options ask for."""
        return objective_of(self.options, last_pass=self.last_pass)


class TransferEngine:
    """Evaluators, descents and measures for options and images, each made once and kept while there
    is room. Whoever works with it holds its `lock`, as caches and layers are shared."""

    def __init__(self, weights: NetworkWeights, options: Options) -> None:
        """Loads the network that the options name; raises WeightsError. A quarter of a second, once
        TensorFlow is imported; with `normalize: channels` a second or two more, once."""
        self.lock = threading.RLock()
        self._serves = (weights, options.network, options.normalize)
        network = NETWORKS[options.network]
        self._extractor = Extractor(load(weights, network, options.normalize), network)
        give_back_memory()
        self._evaluators = LruCache[Evaluator](room=_SHAPES_KEPT)
        self._measurers = LruCache[Evaluator](room=_SHAPES_KEPT)
        self._descents = LruCache[Descent](_DESCENTS_BYTES, lambda descent: descent.nbytes, most=_SHAPES_KEPT)
        self._measures = LruCache[Measured](room=_MEASURES_BYTES, size=_nbytes)
        self._features = LruCache[Mapping[str, tf.Tensor]](room=_FEATURES_BYTES, size=_nbytes)

    def serves(self, weights: NetworkWeights, options: Options) -> bool:
        """Is its network the one that a pair wants?"""
        return self._serves == (weights, options.network, options.normalize)

    def image(self, setting: Setting, pixels: Pixels, name: Hashable, alpha: Pixels | None = None) -> SeenImage:
        """An image (height, width, 3) as the network sees it; `name` tells its pixels apart, for
        keeping; None keeps nothing. With opacity `alpha` (height, width), 0..1, only what can be
        seen is measured.

        A picture must be compared with targets of its own precision: bfloat16 makes Gram matrices
        smaller by a few thousandths, of the picture and of the style image alike. With targets in
        float32 a descent in bfloat16 ended, in float32, 7 % above where it ends with its own
        (coffee in starry flow, 320 px, 400 evaluations).
        """
        return SeenImage(self, setting, pixels, name, alpha)

    @contextmanager
    def lent_descent(self, setting: Setting, shape: tuple[int, ...], history: int) -> Iterator[Descent]:
        """A descent as below, which is kept for the next painting afterwards."""
        descent = self.descent(setting, shape, history)
        try:
            yield descent
        finally:
            self._descents.give_back(_walk(setting, history), descent)

    def descent(self, setting: Setting, shape: tuple[int, ...], history: int) -> Descent:
        """A descent on pictures of this shape (height, width, 3), for nobody else, which stands
        nowhere yet: two paintings that are made in turns have one each. `history` is how many pairs
        L-BFGS remembers."""
        evaluator = self.evaluator(setting, shape)

        def make() -> Descent:
            return Descent(evaluator, _optimizer(setting, shape, history), setting.options.average)

        descent = self._descents.take(_walk(setting, history), make)
        descent.evaluate = evaluator
        return descent

    def evaluator(self, setting: Setting, shape: tuple[int, ...]) -> Evaluator:
        """What evaluates pictures of this shape (height, width, 3) with their gradients. One that
        needs no tiles and is not large serves those of all shapes."""
        of_any = setting.tiling is None and shape[0] * shape[1] <= MOST_OF_ANY_SHAPE
        key = self._evaluation(setting, None if of_any else shape)
        return self._evaluators.get(key, lambda: self._make_evaluator(setting, None if of_any else shape))

    def measurer(self, setting: Setting, shape: tuple[int, ...]) -> Evaluator:
        """What measures images of this shape without gradients: untiled, one for all shapes."""
        known = shape if setting.tiling else None
        return self._measurers.get(self._evaluation(setting, known), lambda: self._make_evaluator(setting, known))

    def first_not_finite(self, setting: Setting, image: tf.Tensor) -> str:
        """Where in the network the features of an image (height, width, 3) stop being finite: a
        clause for a message."""
        if not np.isfinite(image.numpy()).all():
            return "the picture itself is not finite"
        extractor = self._extractor_for(setting)
        names = extractor.network.names_up_to(setting.objective.layers)
        first = len(names)
        # The last piece of a side is a whole one too: a strip would be narrower than its mirrored
        # frame.
        starts = (
            [*range(0, max(1, length - _LOOKED_AT), _LOOKED_AT), max(0, length - _LOOKED_AT)]
            for length in image.shape[:2]
        )
        for top, left in itertools.product(*starts):
            piece = image[top : top + _LOOKED_AT, left : left + _LOOKED_AT]
            features = extractor.padded_input(piece)
            for place, name in enumerate(names[:first]):
                features = extractor.forward(features, [name], [name])[name]
                if not tf.reduce_all(tf.math.is_finite(features)):
                    first = place
                    break
        if first < len(names):
            return f"first at {names[first]}, in {setting.precision}"
        return f"every layer is finite in {setting.precision}, their distances are not"

    def _evaluation(self, setting: Setting, shape: tuple[int, ...] | None) -> Hashable:
        """All that decides what an evaluation computes."""
        network = setting.options.group("network")
        objective = setting.objective
        return (shape, network, setting.precision, setting.tiling, objective.terms, objective.normalized)

    def _make_evaluator(self, setting: Setting, shape: tuple[int, ...] | None) -> Evaluator:
        objective, extractor = setting.objective, self._extractor_for(setting)
        if setting.tiling is None or shape is None:
            return WholeEvaluator(objective, extractor, shape)
        return TiledEvaluator(objective, extractor, shape, setting.tiling)

    def _extractor_for(self, setting: Setting) -> Extractor:
        options = setting.options
        return self._extractor.with_options(
            pooling=options.pooling, border=options.border, precision=setting.precision, wraps=options.wraps
        )

    def _seen(self, setting: Setting, shape: tuple[int, ...]) -> Hashable:
        """What measures of an image depend on beside its pixels and what is measured. In tiles,
        halos are as wide as the deepest layer needs."""
        layers = setting.objective.layers if setting.tiling else ()
        deepest = self._extractor.network.names_up_to(layers)[-1:]
        network = setting.options.group("network")
        return (shape, network, setting.precision, setting.tiling, deepest)


@dataclass(frozen=True, slots=True, eq=False)
class SeenImage:
    """An image at one size, as `terms.term.Image` says."""

    engine: TransferEngine
    setting: Setting
    pixels: Pixels
    name: Hashable
    alpha: Pixels | None = None

    def features(self, layers: Sequence[str]) -> Mapping[str, tf.Tensor]:
        """As `Image.features`."""
        make = functools.partial(self._measurer.features, self.pixels, tuple(layers))
        return self._kept(self.engine._features, tuple(layers), make)

    @property
    def size(self) -> tuple[int, int]:
        """As `Image.size`."""
        height, width, _colours = self.pixels.shape
        return height, width

    def opacity(self, cell: int) -> Pixels | None:
        """As `Image.opacity`."""
        return None if self.alpha is None else means_of_cells(self.alpha, cell)

    def measured(self, probe: Probe, maps: Mapping[str, Any] | None = None, kept_as: Hashable = None) -> Measured:
        """As `Image.measured`."""
        make = functools.partial(self._measurer.measured, self.pixels, probe, maps or self._weights(probe))
        return make() if maps and kept_as is None else self._kept(self.engine._measures, (probe, kept_as), make)

    def _weights(self, probe: Probe) -> Mapping[str, tf.Tensor]:
        """How much each position of the probe's layers counts (height, width): the mean opacity of
        the pixels of its cell. Nothing where all is opaque.

        A position also sees pixels around its cell: to 78 px away at relu5_1. To count only those
        that see nothing invisible would leave nothing of a small cut-out. There, colours of the
        picture's own go on (`images/alpha`), so what is seen beyond the edge is no other ground.
        """
        if self.alpha is None:
            return {}
        return {layer: self._weight(layer, probe.combine.cell) for layer in probe.layers if layer != PICTURE}

    def _weight(self, layer: str, cell: int | None) -> tf.Tensor:
        """Of a layer, which counts whole positions only, or of cells."""
        assert self.alpha is not None  # or there are no weights
        opacity = means_of_cells(self.alpha, cell) if cell else at_layer(self.alpha, layer, self.size)
        # a sum of nothing is no measure
        return tf.constant(opacity if opacity.any() else np.ones_like(opacity))

    def _kept(self, cache: LruCache[Kept], what: Hashable, make: Callable[[], Kept]) -> Kept:
        if self.name is None:  # seen once
            return make()
        seen = self.engine._seen(self.setting, self.pixels.shape)
        return cache.get((self.name, seen, what), make)

    @property
    def _measurer(self) -> Evaluator:
        return self.engine.measurer(self.setting, self.pixels.shape)


# Grey levels, root mean square: after ten evaluations at 256 px one pair of two stood at twice the
# loss with 1, neither with 4.
_FIRST_STEP = 4.0
_ADAM_RATE = 10.0  # grey levels: Johnson's neural-style (-learning_rate 1e1), on 0..255


def _optimizer(setting: Setting, shape: tuple[int, ...], history: int) -> Optimizer:
    """What moves a picture of this shape (height, width, 3), as the options of the group `descent`
    and the precision say."""
    options = setting.options
    bounds = (0.0, 255.0) if options.clip == "always" else None
    match options.optimizer:
        case "adam":
            return Adam(
                shape,
                learning_rate=options.learning_rate or _ADAM_RATE,
                beta_1=options.beta_1,
                beta_2=options.beta_2,
                decay=options.learning_rate_decay,
                bounds=bounds,
            )
        case "gd":
            return GradientDescent(
                shape,
                learning_rate=options.learning_rate,
                decay=options.learning_rate_decay,
                bounds=bounds,
            )
        case "lbfgs":
            spectral = options.preconditioner == "auto"
            return Lbfgs(
                shape,
                history=history,
                first_step=_FIRST_STEP,
                bounds=bounds,
                preconditioner=SpectralPreconditioner(shape) if spectral else None,
                kept_in=tf.as_dtype(setting.precision),
            )
    raise ValueError(f"optimizer: {options.optimizer}")


def _walk(setting: Setting, history: int) -> Hashable:
    """All that decides how a picture moves."""
    return (setting.options.group("descent"), setting.precision, history)


def _nbytes(tensors: Any) -> int:
    return sum(int(np.prod(tensor.shape)) * int(tensor.dtype.size) for tensor in tf.nest.flatten(tensors))


def give_back_memory() -> None:
    """Give the kernel back what was freed: reading weights leaves 75 MB of it behind."""
    gc.collect()  # a traced function is part of a cycle
    with suppress(OSError, AttributeError):  # glibc's own, malloc_trim(3)
        ctypes.CDLL(None).malloc_trim(0)


class LruCache(Generic[Kept]):
    """Keeps the things used last, up to `room` of them in all, each counted as `size` says, and no
    more than `most`; at least one."""

    def __init__(self, room: int, size: Callable[[Any], int] = lambda thing: 1, most: int | None = None) -> None:
        self._room, self._size = room, size
        self._most = room if most is None else most
        self._things: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What is kept under the key, or what `make` makes."""
        thing = self.take(key, make)
        self.give_back(key, thing)
        return thing

    def take(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """The same, for the caller alone, until it is given back."""
        if key in self._things:
            return self._things.pop(key)
        self._make_room()
        return make()

    def give_back(self, key: Hashable, thing: Kept) -> None:
        """Keep it again, as the last used."""
        self._things[key] = thing
        self._things.move_to_end(key)

    def _make_room(self) -> None:
        """Drop things until one as large as the largest would fit: beforehand, as both may not."""
        sizes = {key: self._size(thing) for key, thing in self._things.items()}
        while sizes and (sum(sizes.values()) + max(sizes.values()) > self._room or len(sizes) >= self._most):
            key, _ = self._things.popitem(last=False)
            del sizes[key]
            give_back_memory()
