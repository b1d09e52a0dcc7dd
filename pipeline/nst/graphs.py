"""Parts of what is traced as graphs of their own, which a larger one calls.

To write down an operation and to lay it out takes TensorFlow a millisecond of the processor, and a
network does the same at a dozen layers: that is written down once, and at each layer called. The
operations are those of one large graph, but TensorFlow rearranges sums where it sees all of them,
so that losses may differ by a rounding error: by 1e-7 at the third step of neighbours at 64 px.
Where more was seen to change nothing stands in a graph of its own: large pictures and tiles, whose
shapes TensorFlow knows, and mixtures (by `gram` and `neighbours`, 48 x 42 px, gradients would
differ by 4e-6 of the largest, and with its `arithmetic_optimization` off by none).
"""

from __future__ import annotations

import functools
import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import tensorflow as tf

# An evaluation of neighbours calls some thirty.
_KEPT = 512
# Of one evaluator. A pair needs three of it; where each frame of a clip asks for others, the memory
# of a night does not grow with them.
_KEPT_OF_ONE = 16


class Traces:
    """What is traced, by what decides it: those used last."""

    def __init__(self) -> None:
        self._traced: OrderedDict[Hashable, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._traced)

    def get(self, key: Hashable, trace: Callable[[], Any]) -> Any:
        """What is kept under the key, or what `trace` makes."""
        if key not in self._traced:
            self._traced[key] = trace()
            if len(self._traced) > _KEPT_OF_ONE:
                self._traced.popitem(last=False)
                gc.collect()  # a traced function is part of a cycle
        self._traced.move_to_end(key)
        return self._traced[key]


class Call(NamedTuple):
    """What is to be made of features: `function(features, *arguments)`, of nests of tensors.
    Functions of an equal `key` do the same; one without is written down wherever it is called.
    Those `of_pieces` may be given a `Piece` in the place of features (height, width, channels)."""

    key: Hashable | None
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    of_pieces: bool = False

    @property
    def has_graph(self) -> bool:
        """Is there something to be called, and a graph that could?"""
        return self.key is not None and not tf.executing_eagerly()

    def in_full(self, features: tf.Tensor) -> Any:
        """The function of these features, written down here."""
        return self.function(features, *self.arguments)

    def of(self, features: tf.Tensor) -> Any:
        """The same, by a graph where there may be one."""
        if not self.has_graph:
            return self.in_full(features)
        return in_graph(self.key, self.function, features, *self.arguments)

    def at_any_size(self, features: tf.Tensor) -> Any:
        """The same, outside of any graph, by the one that an evaluation of pictures of any shape
        calls. There must be a key."""
        of_features = tf.TensorSpec([1, None, None, features.shape[-1]], features.dtype)

        def kind(argument: tf.Tensor) -> tf.TensorSpec:
            is_map = len(argument.shape) > 1
            return of_any_shape(argument) if is_map else _of_this_shape(argument)

        kinds = (of_features, *tf.nest.map_structure(kind, self.arguments))
        return _traced(_Graph(self.key, repr(kinds), self.function, kinds))(features, *self.arguments)

    def with_gradient(self, features: tf.Tensor) -> Any:
        """The same, with a gradient by the features alone, which is another graph. It computes the
        function once more: nothing is held for it but features and arguments."""
        if not self.has_graph:
            return self.of(features)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def made(features: tf.Tensor) -> tuple[Any, Callable[..., tf.Tensor]]:
            return self.of(tf.stop_gradient(features)), lambda *above: self.slope(features, above)

        return made(features)

    def slope(self, features: tf.Tensor, above: tuple[tf.Tensor, ...], beside: tf.Tensor | None = None) -> tf.Tensor:
        """The gradient by the features, of the gradients `above` by the function's results, as
        `tf.nest.flatten` has them; with `beside` added to it, which comes first."""
        given = () if beside is None else (beside,)
        if not self.has_graph:
            return _slope(self.function, features, given, above, *self.arguments)
        slope = functools.partial(_slope, self.function)
        return in_graph(("slope", self.key), slope, features, given, above, *self.arguments)


def in_graph(key: Hashable, function: Callable[..., Any], *arguments: Any, any_shape: bool = False) -> Any:
    """What `function` makes of nests of tensors: by a graph that was made for the first call with
    an equal `key`, which must decide what the function does, and arguments of these shapes and
    types, or with `any_shape` of these ranks and types."""
    kinds = tf.nest.map_structure(of_any_shape if any_shape else _of_this_shape, arguments)
    return _traced(_Graph(key, repr(kinds), function, kinds))(*arguments)


def of_any_shape(tensor: tf.Tensor) -> tf.TensorSpec:
    """Tensors of this type with as many axes: one trace serves those of all shapes."""
    return tf.TensorSpec([None] * len(tensor.shape), tensor.dtype)


def _of_this_shape(tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)


@dataclass(frozen=True)
class _Graph:
    """What decides a graph: what it computes, by a key, and of what. The rest follows from it."""

    key: Hashable
    kinds: str
    function: Callable[..., Any] = field(compare=False)
    signature: tuple[Any, ...] = field(compare=False)


@functools.lru_cache(_KEPT)
def _traced(graph: _Graph) -> Any:
    return tf.function(
        lambda *arguments: graph.function(*arguments),
        input_signature=graph.signature,
        autograph=False,
        # else the operations take the place of the call when the large graph is laid out
        experimental_attributes={"_noinline": True},
    ).get_concrete_function()


def _slope(
    function: Callable[..., Any],
    features: tf.Tensor,
    beside: tuple[tf.Tensor, ...],
    above: tuple[tf.Tensor, ...],
    *arguments: Any,
) -> tf.Tensor:
    with tf.control_dependencies(beside):
        again = tf.identity(features)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(again)
        # A graph leaves out what nobody asks for: only the gradient's own work is done again.
        results = tf.nest.flatten(function(again, *arguments))
    gradient = tape.gradient(results, again, output_gradients=list(above))
    return functools.reduce(tf.add, (*beside, gradient))
