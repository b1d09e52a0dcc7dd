"""Pictures that go on from their other end, so that copies side by side show no seam."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

Wraps = tuple[bool, bool]
"""Whether a picture goes on at its top from its bottom and back, and at its left from its right."""

NO_WRAP: Wraps = (False, False)


def closed(features: tf.Tensor, wraps: Wraps) -> tf.Tensor:
    """Features (1, height, width, channels) with one more position on each side, (1, height + 2,
    width + 2, channels): those of the other end where they wrap, else zeros, as a 3 x 3 filter of
    Keras' has them. A side that wraps has at least two positions."""
    zeros = [[0, 0], *([0, 0] if wrapped else [1, 1] for wrapped in wraps), [0, 0]]
    return with_other_ends(features if all(wraps) else tf.pad(features, zeros), wraps)


def with_other_ends(features: tf.Tensor, wraps: Wraps) -> tf.Tensor:
    """Features (1, height, width, channels) with one more position on each side, taken from the
    other end, where the picture wraps."""
    for axis, wrapped in enumerate(wraps, start=1):
        features = _closed_along(features, axis) if wrapped else features
    return features


def _closed_along(features: tf.Tensor, axis: int) -> tf.Tensor:
    """Its gradient is the incoming one with the two added positions added to those that they are.
    TensorFlow's own for slices takes ten times as long."""

    def part(tensor: tf.Tensor, first: int, end: int | None) -> tf.Tensor:
        return tensor[:, first:end] if axis == 1 else tensor[:, :, first:end]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def found(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        def gradient(incoming: tf.Tensor) -> tf.Tensor:
            first = part(incoming, 1, 2) + part(incoming, -1, None)
            last = part(incoming, -2, -1) + part(incoming, 0, 1)
            return tf.concat([first, part(incoming, 2, -2), last], axis)

        return tf.concat([part(features, -1, None), features, part(features, 0, 1)], axis), gradient

    result: tf.Tensor = found(features)
    return result


def continued(image: tf.Tensor, around: tuple[int, int]) -> tf.Tensor:
    """A padded input (1, height, width, channels) with so many more pixels above and below, and
    left and right, which are those of the other end; as often as it takes."""
    for axis, more in enumerate(around, start=1):
        if not more:
            continue
        length = image.shape[axis]
        times = -(-more // length)
        copies = [1] * 4
        copies[axis] = 2 * times + 1
        begin = times * length - more
        whole = tf.tile(image, copies)
        end = begin + length + 2 * more
        image = whole[:, begin:end] if axis == 1 else whole[:, :, begin:end]
    return image
