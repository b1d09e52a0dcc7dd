"""What computes for a painter: TensorFlow, or in tests something that needs milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipeline.batch.messages import Machine
from pipeline.job import Job
from pipeline.nst.precision import automatic_precision
from pipeline.nst.weights import NetworkWeights
from pipeline.options import Options
from pipeline.pictures import Pictures
from pipeline.program import version
from pipeline.schedule import Schedule
from pipeline.stylize import Painting, Progress, paint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.sequence import FrameIn, PaintingOfFrame


class FramePainter(Protocol):
    """Paints the frames of a shot, as `sequence.Sequence` does."""

    def wanted(self, number: int) -> list[int]:
        """The earlier frames that a frame is painted from."""

    def remember(self, frame: FrameIn, painted: NDArray[np.uint8]) -> None:
        """Take back a frame that was painted by an earlier run, as later ones follow it."""

    def paint(self, frame: FrameIn) -> PaintingOfFrame:
        """Paint a frame, and remember it."""


class Backend(Protocol):
    """Paints from opened pictures; files and messages are a painter's."""

    @property
    def machine(self) -> Machine:
        """Where it computes, and with which versions."""

    @property
    def out_of_memory(self) -> tuple[type[Exception], ...]:
        """What it raises when memory runs out."""

    @property
    def precision(self) -> str:
        """What `precision: auto` means here: `float32` or `bfloat16`."""

    def load(self, weights: NetworkWeights, options: Options) -> None:
        """Make the network ready that a pair wants, unless it is. Raises WeightsError."""

    def paint(self, job: Job, pictures: Pictures, schedule: Schedule, resume: Progress | None) -> Painting:
        """Paint with the network that was loaded last, from the start or from where `resume` says.
        Holds on to `resume` no longer than it must."""

    def is_cut(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> bool:
        """Does the photograph `here` belong to another shot of a clip than the one before it?"""

    def sequence(
        self, job: Job, pictures: Pictures, schedule: Schedule, *, frames: int, max_memory: int | None
    ) -> FramePainter:
        """What paints the frames of a shot with the network that was loaded last. `pictures` have
        one of them as their content; `frames` are those of the whole clip."""


class TensorFlowBackend:
    """A Backend that runs TensorFlow on so many threads, and keeps the network used last."""

    def __init__(self, threads: int) -> None:
        """Imports TensorFlow and sets it up, once per process. Takes seconds."""
        self.machine = _start_tensorflow(threads)
        import tensorflow as tf

        from pipeline.nst.engine import TransferEngine

        self.precision = automatic_precision()[0]
        self.out_of_memory: tuple[type[Exception], ...] = (MemoryError, tf.errors.ResourceExhaustedError)
        self._open = TransferEngine
        self._engine: TransferEngine | None = None

    def load(self, weights: NetworkWeights, options: Options) -> None:
        """See Backend."""
        if self._engine is None or not self._engine.serves(weights, options):
            self._engine = None  # before the next is loaded: both at once need not fit
            self._engine = self._open(weights, options)

    def paint(self, job: Job, pictures: Pictures, schedule: Schedule, resume: Progress | None) -> Painting:
        """See Backend."""
        assert self._engine is not None
        return paint(pictures, job.options, schedule, self._engine, resume=resume)

    def is_cut(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> bool:
        """See Backend."""
        from pipeline.clips.flow import is_cut

        return is_cut(here, there)

    def sequence(
        self, job: Job, pictures: Pictures, schedule: Schedule, *, frames: int, max_memory: int | None
    ) -> FramePainter:
        """See Backend."""
        from pipeline.sequence import Sequence

        assert self._engine is not None
        return Sequence(
            pictures,
            job.options,
            schedule,
            self._engine,
            frames=frames,
            loop=job.options.loop,
            max_memory=max_memory,
        )


def _start_tensorflow(threads: int) -> Machine:
    from pipeline.nst.importing import load_tensorflow_alone

    tf = load_tensorflow_alone()
    import numpy as np

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    # one pair, one graph: the threads serve its kernels
    tf.config.threading.set_inter_op_parallelism_threads(1)
    devices = tf.config.list_physical_devices("GPU")
    for device in devices:
        tf.config.experimental.set_memory_growth(device, True)
    if devices:  # on the CPU the kernels used here repeat bit for bit as they are
        tf.config.experimental.enable_op_determinism()
    return Machine(
        device=f"GPU {len(devices)} ({_model(devices[0])})" if devices else "CPU",
        threads=threads,
        auto_precision=", as ".join(automatic_precision()),
        versions={"tensorflow": tf.__version__, "keras": version("keras"), "numpy": np.__version__},
    )


def _model(gpu: Any) -> str:
    import tensorflow as tf

    return str(tf.config.experimental.get_device_details(gpu).get("device_name", "unknown"))
