"""Tensors that change on the way: made for pictures of any size, counted, taken and put back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

State = Mapping[str, NDArray[np.generic]]

# NumPy has no bfloat16: in a state its numbers are uint16 of the same bits, by a name that says so.
_BFLOAT16 = ".bfloat16"


def picture_variable(shape: tuple[int, ...], name: str, dtype: tf.DType = tf.float32) -> tf.Variable:
    """Zeros of this shape (height, width, channels), where pictures of other heights and widths can
    be put later: what is traced with it serves all sizes."""
    any_size = tf.TensorShape([*[None] * (len(shape) - 1), shape[-1]])
    return tf.Variable(tf.zeros(shape, dtype), name=name, shape=any_size)


def nbytes_of(variable: tf.Variable) -> int:
    """Bytes of memory of what it holds now."""
    held = variable.read_value()
    return int(np.prod(held.shape)) * int(held.dtype.size)


def snapshot(variable: tf.Variable) -> NDArray[np.generic]:
    """A variable's present value, uint16 with the bits of bfloat16. Nothing is copied: TensorFlow
    gives the variable another buffer when it changes, for as long as somebody holds this one. An
    optimizer's state is forty pictures, and large ones do not fit twice."""
    value = variable.read_value()
    return np.asarray(memoryview(tf.bitcast(value, tf.uint16) if value.dtype == tf.bfloat16 else value))


def state_of(variables: Mapping[str, tf.Variable]) -> State:
    """Snapshots of all, by names that say how the numbers are kept."""
    return {_kept_as(name, variable): snapshot(variable) for name, variable in variables.items()}


def put_back(variables: Mapping[str, tf.Variable], state: State) -> None:
    """Give all the values that `state_of` found. Raises KeyError where one is missing or was kept
    in other numbers, and ValueError or one of TensorFlow's errors where it is of another shape."""
    for name, variable in variables.items():
        array = state[_kept_as(name, variable)]
        variable.assign(tf.bitcast(array, tf.bfloat16) if variable.dtype == tf.bfloat16 else array)


def _kept_as(name: str, variable: tf.Variable) -> str:
    return name + _BFLOAT16 if variable.dtype == tf.bfloat16 else name
