"""The studio at work: one loaded VGG19 and what is worth keeping between pairs.

Kept are traced steps by shape, and targets by picture: a night of a hundred photographs in four styles measures four styles
once and traces each shape once. Nothing kept here changes a result.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import itertools
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.descent import Descent, Evaluate, with_gradient
from pipeline.nst.extractor import Vgg19, names_up_to
from pipeline.nst.kernels import load_kernels
from pipeline.nst.objective import Distances, Objective, Targets
from pipeline.nst.objective import Weights as PairWeights
from pipeline.nst.optimizers import Adam, GradientDescent, Lbfgs, Optimizer
from pipeline.nst.precision import effective_precision
from pipeline.nst.preconditioner import SpectralGuess
from pipeline.nst.tiled import Tiles
from pipeline.nst.tiling import Tiling, history_length, tiling
from pipeline.nst.weights import Weights
from pipeline.options import Options

Pixels = NDArray[np.float32]
Kept = TypeVar("Kept")

# Traced evaluations are small (some MB of graph); every shape of a pyramid in both orientations finds room.
_EVALUATIONS_KEPT = 12
# A descent holds its L-BFGS history, 2 x 20 pictures (126 MB at 512 x 512). Bytes of those kept for their trace; one is always.
_DESCENTS_BYTES = 512 * 2**20
# Style targets are 2.3 MB each for the usual five layers; content targets at 512 x 512 are 8 MB, at 4096 x 4096
# 537 MB, in bfloat16 half.
_STYLES_KEPT = 64
_CONTENTS_BYTES = 256 * 2**20
_LOOKED_AT = 1024  # pixels, the side of the pieces in which a picture is searched for what is not finite
# Grey levels, root mean square: after ten evaluations at 256 px one pair of two stood at twice the loss with 1, neither with 4.
_FIRST_STEP = 4.0
_ADAM_RATE = 10.0  # grey levels: Johnson's neural-style (-learning_rate 1e1), on 0..255


class Workshop:
    """Objectives, targets and descents for options and pictures, each made once and kept while there is room."""

    def __init__(self, weights: Weights, max_memory: int | None = None) -> None:
        """Loads the network; raises WeightsError. A quarter of a second, once TensorFlow is imported. Where `max_memory` is
        given, in bytes, pictures that would need more are evaluated in tiles (`tile: auto`)."""
        self.weights = weights
        self.max_memory = max_memory
        self._network = Vgg19(load_kernels(weights))  # all others are its siblings
        _give_back_memory()
        self._evaluations = _Shelf[Evaluate](room=_EVALUATIONS_KEPT)
        self._measuring = _Shelf[Tiles | _Measures](room=_EVALUATIONS_KEPT)
        self._descents = _Shelf[Descent](room=_DESCENTS_BYTES, size=lambda descent: descent.nbytes)
        self._styles = _Shelf[Mapping[str, tf.Tensor]](room=_STYLES_KEPT)
        self._contents = _Shelf[Mapping[str, tf.Tensor]](room=_CONTENTS_BYTES, size=_nbytes)

    def objective(self, options: Options, precision: str) -> Objective:
        """The loss that a pair's options describe, without its targets."""
        return Objective(
            self._network_for(options, precision),
            tuple(options.content_layers),
            tuple(options.style_layers),
            options.losses,
            tv_kind=options.tv_kind,
            tv_unit=options.tv_unit,
        )

    def content_targets(
        self, options: Options, name: Hashable, photograph: Pixels, precision: str
    ) -> Mapping[str, tf.Tensor]:
        """Features of a photograph (height, width, 3); `name` tells its pixels apart, for keeping.

        A picture must be compared with targets of its own precision: bfloat16 makes Gram matrices smaller by a few
        thousandths, of the picture and of the style image alike. With targets in float32 a descent in bfloat16 ended, in
        float32, 7 % above where it ends with its own (coffee in starry flow, 320 px, 400 evaluations).
        """
        key = (name, self._measured(options, photograph, precision), tuple(sorted(options.content_layers)))
        measures = functools.partial(self._measures, options, photograph.shape, precision)
        return self._contents.get(key, lambda: measures().content_targets(photograph))

    def style_targets(
        self, options: Options, name: Hashable, painting: Pixels, precision: str
    ) -> Mapping[str, tf.Tensor]:
        """Gram matrices of a painting (height, width, 3); `name` and `precision` as for `content_targets`."""
        key = (name, self._measured(options, painting, precision), tuple(sorted(options.style_layers)))
        measures = functools.partial(self._measures, options, painting.shape, precision)
        return self._styles.get(key, lambda: measures().style_targets(painting))

    def loss(self, options: Options, picture: Pixels, targets: Targets, weights: PairWeights) -> Distances:
        """The loss of a picture (height, width, 3) in 0..255, in float32; so must be the targets."""
        return self._measures(options, picture.shape, "float32").loss(picture, targets, weights)

    def descent(self, options: Options, shape: tuple[int, ...]) -> Descent:
        """A traced descent for a picture of this shape (height, width, 3), in the arithmetic that the options ask for."""
        precision = effective_precision(options.precision)
        evaluated = (shape, self.tiling(options, shape, precision), self._kind(options, precision))
        evaluate = self._evaluations.get(
            evaluated,
            lambda: self._tiles(options, precision, shape) or with_gradient(self.objective(options, precision)),
        )
        moved = tuple(getattr(options, name) for name in _OPTIMIZERS)
        return self._descents.get((evaluated, moved), lambda: Descent(evaluate, _optimizer(options, shape)))

    def _measured(self, options: Options, picture: Pixels, precision: str) -> Hashable:
        """What a picture's targets depend on beside its pixels and their own layers: where it is cut, halos are as wide as the
        deepest of all layers needs."""
        cut = self.tiling(options, picture.shape, precision)
        deepest = names_up_to([*options.content_layers, *options.style_layers])[-1:] if cut else ()
        return (picture.shape, options.pooling, options.border, precision, cut, deepest)

    def _measures(self, options: Options, shape: tuple[int, ...], precision: str) -> Tiles | _Measures:
        """What measures a picture of this shape (height, width, 3), without gradients."""
        cut = self.tiling(options, shape, precision)
        kind = (self._kind(options, precision), cut and (cut, shape))
        return self._measuring.get(
            kind, lambda: self._tiles(options, precision, shape) or _Measures(self.objective(options, precision))
        )

    def _kind(self, options: Options, precision: str) -> Hashable:
        """Everything that decides what an objective computes."""
        objective = self.objective(options, precision)
        return (
            (precision, options.pooling, options.border, options.losses, options.tv_kind, options.tv_unit),
            (objective.content_layers, objective.style_layers),
        )

    def _network_for(self, options: Options, precision: str) -> Vgg19:
        return self._network.sibling(pooling=options.pooling, border=options.border, precision=precision)

    def tiling(self, options: Options, shape: tuple[int, ...], precision: str) -> Tiling | None:
        """The tiles in which a picture of this shape (height, width, 3) is evaluated or measured, in a precision as the option
        names it; None for none."""
        return tiling(options, shape[0] * shape[1], effective_precision(precision), self.max_memory)

    def _tiles(self, options: Options, precision: str, shape: tuple[int, ...]) -> Tiles | None:
        """The objective in tiles, or None where a picture of this shape (height, width, 3) is evaluated at once."""
        cut = self.tiling(options, shape, precision)
        if cut is None:
            return None
        return Tiles(self.objective(options, precision), self._network_for(options, precision), shape, cut)

    def first_not_finite(self, options: Options, image: tf.Tensor) -> str:
        """Where in the network the activations of an image (height, width, 3) stop being finite: a clause for a message."""
        if not np.isfinite(image.numpy()).all():
            return "the picture itself is not finite"
        precision = effective_precision(options.precision)
        network = self._network_for(options, precision)
        names = names_up_to([*options.content_layers, *options.style_layers])
        first = len(names)
        # The last piece of a side is a whole one too: a strip would be narrower than its mirrored frame.
        starts = (
            [*range(0, max(1, length - _LOOKED_AT), _LOOKED_AT), max(0, length - _LOOKED_AT)]
            for length in image.shape[:2]
        )
        for top, left in itertools.product(*starts):
            features = network.canvas(image[top : top + _LOOKED_AT, left : left + _LOOKED_AT])
            for place, name in enumerate(names[:first]):
                features = network.climb(features, [name], [name])[name]
                if not tf.reduce_all(tf.math.is_finite(features)):
                    first = place
                    break
        if first < len(names):
            return f"first at {names[first]}, in {precision}"
        return f"every layer is finite in {precision}, their distances are not"


def _nbytes(tensors: Mapping[str, tf.Tensor]) -> int:
    return sum(int(np.prod(tensor.shape)) * int(tensor.dtype.size) for tensor in tensors.values())


def _give_back_memory() -> None:
    """Give the kernel back what was freed: reading weights leaves 75 MB of it behind."""
    gc.collect()
    with suppress(OSError, AttributeError):  # glibc's own, malloc_trim(3)
        ctypes.CDLL(None).malloc_trim(0)


class _Measures:
    """An objective without gradients, traced: a graph frees activations as it goes, where calls one by one keep all of them.
    Pictures are float32 arrays or tensors (height, width, 3)."""

    def __init__(self, objective: Objective) -> None:
        picture = [tf.TensorSpec([None, None, 3])]
        self.content_targets = tf.function(objective.content_targets, input_signature=picture, autograph=False)
        self.style_targets = tf.function(objective.style_targets, input_signature=picture, autograph=False)
        self.loss = tf.function(objective.__call__, autograph=False, reduce_retracing=True)


# The options that are written into an optimizer.
_OPTIMIZERS = (
    *("optimizer", "learning_rate", "learning_rate_decay", "beta_1", "beta_2"),
    *("preconditioner", "history", "clip"),
)


def _optimizer(options: Options, shape: tuple[int, ...]) -> Optimizer:
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
                shape, learning_rate=options.learning_rate, decay=options.learning_rate_decay, bounds=bounds
            )
        case _:
            guess = SpectralGuess(shape) if options.preconditioner == "auto" else None
            history = history_length(options.history, shape[0] * shape[1])
            return Lbfgs(shape, history=history, first_step=_FIRST_STEP, bounds=bounds, guess=guess)


class _Shelf(Generic[Kept]):
    """Keeps the things used last, up to `room` of them in all, each counted as `size` says; at least one."""

    def __init__(self, room: int, size: Callable[[Kept], int] = lambda thing: 1) -> None:
        self._room = room
        self._size = size
        self._things: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        if key not in self._things:
            self._clear()
            self._things[key] = make()
        self._things.move_to_end(key)
        return self._things[key]

    def _clear(self) -> None:
        """Make room for a thing as large as the largest here; before it is made, as both may not fit."""
        sizes = {key: self._size(thing) for key, thing in self._things.items()}
        while self._things and sum(sizes.values()) + max(sizes.values()) > self._room:
            key, _ = self._things.popitem(last=False)
            del sizes[key]
            gc.collect()  # a traced function is part of a cycle
