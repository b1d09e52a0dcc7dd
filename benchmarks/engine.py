"""Our side of the benchmarks: TensorFlow as a run's worker sets it up, and a descent that can be looked at on its way."""

from __future__ import annotations

import functools
import os
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

THREADS = len(os.sched_getaffinity(0))
# Before the first import of TensorFlow; as batch/engines/local sets them for a worker.
os.environ |= {
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "OMP_NUM_THREADS": str(THREADS),
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}

import keras  # noqa: F401 - for `rivals`, which must not import it first
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.engine import Workshop
from pipeline.nst.objective import Targets, Weights
from pipeline.nst.precision import effective_precision
from pipeline.options import Options

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)


class Descent:
    """A pair's descent under `options`, evaluation by evaluation, and the float32 loss of any picture on its objective.

    `photograph` and `painting` are uint8 (height, width, 3) of the sizes at which they enter the network; the descent starts
    from the photograph. `trace` yields the losses that the descent itself sees, in its own precision.
    """

    def __init__(
        self, workshop: Workshop, options: Options, photograph: NDArray[np.uint8], painting: NDArray[np.uint8]
    ) -> None:
        self._photograph = photograph.astype(np.float32)
        names = (("content", photograph.tobytes()), ("style", painting.tobytes()))
        measured = functools.partial(
            _targets, workshop, options, names, (self._photograph, painting.astype(np.float32))
        )
        self.targets, self._exact = measured(effective_precision(options.precision)), measured("float32")
        self.weights = Weights.of(options)
        self._workshop, self._options = workshop, options
        self._descent = workshop.descent(options, photograph.shape)
        self._descent.prepare(self.targets, self.weights)

    def evaluations(self, most: int) -> Iterator[float]:
        """The total losses of up to `most` evaluations."""
        self._descent.start(tf.constant(self._photograph))
        for _step, evaluation in self._descent.run(most, self.targets, self.weights):
            yield evaluation[0]

    def evaluate(self) -> float:
        """Loss and gradient where the descent stands, without a move; the loss."""
        distances, gradient = self._descent.evaluate(
            self._descent.optimizer.image.read_value(), self.targets, self.weights
        )
        float(gradient[0, 0, 0])  # a call returns before its work is done
        return float(distances.total)

    @property
    def best(self) -> NDArray[np.float32]:
        """The picture of lowest loss so far, (height, width, 3) in 0..255, before it is rounded."""
        return np.asarray(self._descent.best.numpy(), np.float32)

    def loss(self, picture: NDArray[Any]) -> float:
        """The total of any picture of this size, evaluated in float32, bounds or none."""
        pixels = np.asarray(picture, np.float32)
        return float(self._workshop.loss(self._options, pixels, self._exact, self.weights).total)


def _targets(
    workshop: Workshop,
    options: Options,
    names: tuple[Hashable, Hashable],
    pictures: tuple[NDArray[np.float32], NDArray[np.float32]],
    precision: str,
) -> Targets:
    return Targets(
        workshop.content_targets(options, names[0], pictures[0], precision),
        workshop.style_targets(options, names[1], pictures[1], precision),
    )


def peak_memory() -> int:
    """Peak resident memory of this process since it started, in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
