"""Our side of the benchmarks: TensorFlow as a run's worker sets it up, and a descent that can be looked at on its way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.processor import onednn_switch

THREADS = len(os.sched_getaffinity(0))
# Before the first import of TensorFlow; as batch/engines/local sets them for a worker.
os.environ |= {
    "TF_NUM_INTRAOP_THREADS": str(THREADS),
    "OMP_NUM_THREADS": str(THREADS),
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
} | onednn_switch()

import keras  # noqa: F401 - for `rivals`, which must not import it first
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.engine import Setting, TransferEngine
from pipeline.nst.objective import objective_of, weights_of
from pipeline.nst.precision import automatic_precision
from pipeline.nst.terms.term import Sources, Style, Target
from pipeline.nst.tiling import history_length, tiling
from pipeline.options import Options

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)


class Descent:
    """A pair's descent under `options`, evaluation by evaluation, and the float32 loss of any picture on its objective.

    `photograph` and `style_image` are uint8 (height, width, 3) of the sizes at which they enter the network; the descent
    starts from the photograph. `evaluations` yields the losses that the descent itself sees, in its own precision.
    """

    def __init__(
        self, engine: TransferEngine, options: Options, photograph: NDArray[np.uint8], style_image: NDArray[np.uint8]
    ) -> None:
        self._photograph = photograph.astype(np.float32)
        exact = _setting(options, "float32", photograph.shape)
        precision = automatic_precision()[0] if options.precision == "auto" else options.precision
        setting = _setting(options, precision, photograph.shape)
        self._targets = _targets(engine, setting, photograph, style_image)
        self._exact = _targets(engine, exact, photograph, style_image)
        self._weights = weights_of(options)
        self._measurer = engine.measurer(exact, photograph.shape)
        history = history_length(options, photograph.shape[0] * photograph.shape[1])
        self._descent = engine.descent(setting, photograph.shape, history)
        self._descent.prepare(self._targets, self._weights)

    def evaluations(self, most: int) -> Iterator[float]:
        """The total losses of up to `most` evaluations."""
        self._descent.start(tf.constant(self._photograph))
        for _step, losses in self._descent.run(most, self._targets, self._weights):
            yield losses["total"]

    def evaluate(self) -> float:
        """Loss and gradient where the descent stands, without a move; the loss."""
        picture = self._descent.optimizer.image.read_value()
        losses, gradient = self._descent.evaluate(picture, self._targets, self._weights)
        float(gradient[0, 0, 0])  # a call returns before its work is done
        return float(losses["total"])

    @property
    def best(self) -> NDArray[np.float32]:
        """The picture of lowest loss so far, (height, width, 3) in 0..255, before it is rounded."""
        return np.asarray(self._descent.best.numpy(), np.float32)

    def loss(self, picture: NDArray[Any]) -> float:
        """The total of any picture of this size, evaluated in float32, bounds or none."""
        pixels = np.asarray(picture, np.float32)
        return float(self._measurer.losses(pixels, self._exact, self._weights)["total"])


def _setting(options: Options, precision: str, shape: tuple[int, ...]) -> Setting:
    height, width, _ = shape
    return Setting(options, precision, tiling(options, height * width, precision, None))


def _targets(
    engine: TransferEngine, setting: Setting, photograph: NDArray[np.uint8], style_image: NDArray[np.uint8]
) -> dict[str, Target]:
    """What the picture is compared with, in the precision of the setting; nothing is kept for others."""
    content, style = (engine.image(setting, pixels.astype(np.float32), None) for pixels in (photograph, style_image))
    sources = Sources(content, [Style(style, 1.0)], start=content, guide=content, seed=0)
    return objective_of(setting.options).targets(sources)


def peak_memory() -> int:
    """Peak resident memory of this process since it started, in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
