"""The process that paints: loads the network once, then takes pairs from a pipe until it is closed.

Started by the supervisor as `python -m pipeline.batch.engines.worker COMMANDS MESSAGES`, two inherited pipes with one JSON
object a line. It alone has a key to both wings: it opens images, paints, and writes pictures and thumbnails. It may die at any
moment; what it has not said is not lost but painted again.

Commands:  {"weights": {...}, "job": {...}, "folder": OUTPUT, "names": {"content": ..., "style": [...]},
           "max_memory": BYTES or null}
Messages:  {"type": "ready", facts of the machine}, then per pair {"type": "reading", ...}, {"type": "resumed", "position"},
           {"type": "saved", "steps", "position"}, and at last {"type": "done", fields of the outcome},
           {"type": "failed", "reason", "class", "retry", "exit_code", "traceback"} or
           {"type": "interrupted", "steps", "position"}: SIGTERM came, the pair stands in its checkpoint, the process ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import IO, Any

from pipeline.batch.checkpoints import CheckpointManager
from pipeline.batch.system.machine import peak_memory, processor, reset_peak_memory
from pipeline.errors import EnvironmentProblem, ExitCode, OutOfMemory, OutputError, PairError, StylizeError
from pipeline.job import Job
from pipeline.nst.precision import automatic_precision
from pipeline.nst.weights import NetworkWeights
from pipeline.store.disk import write_whole
from pipeline.store.records import State, pair_key
from pipeline.stylize import Progress, Stylization

# For the kernel's OOM killer, -1000 to 1000: when memory runs out, it takes this process and not the driver.
_OOM_SCORE = "800"
_ENDED_BY_SIGTERM = 128 + signal.SIGTERM
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str]) -> None:
    """Serve pairs until the supervisor closes the command pipe or dies."""
    commands, messages = (int(argument) for argument in arguments)
    _die_with_the_driver()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    out = os.fdopen(messages, "w", encoding="utf-8")
    inbox: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(os.fdopen(commands, encoding="utf-8"), inbox), daemon=True).start()
    facts = _start_tensorflow()
    _say(out, {"type": "ready", **facts})
    painter = _Painter(out, facts)
    signal.signal(signal.SIGTERM, painter.stop)
    while not painter.stopping:
        _say(out, painter.answer(inbox.get()))
        painter.phase = _Phase.IDLE
    os._exit(_ENDED_BY_SIGTERM)


def _die_with_the_driver() -> None:
    """Have the kernel end this process when the supervisor is killed: one that is stopped, or deep in a library, would not
    notice its closed pipe. Where the kernel cannot (it is Linux' own), `_listen` must do."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _listen(commands: IO[str], inbox: queue.Queue[dict[str, Any]]) -> None:
    """Pass commands on; when the pipe closes, the supervisor is gone or done with us, and so are we, at once."""
    for line in commands:
        inbox.put(json.loads(line))
    os._exit(0)


_one_at_a_time = threading.Lock()  # checkpoints are written, and told of, by a thread of their own


def _say(out: IO[str], message: Mapping[str, Any]) -> None:
    try:
        with _one_at_a_time:
            out.write(json.dumps(message) + "\n")
            out.flush()
    except BrokenPipeError:
        os._exit(0)


def _start_tensorflow() -> dict[str, Any]:
    """Import and set up TensorFlow; the facts of the machine for the report."""
    threads = int(os.environ["STYLIZE_WORKER_THREADS"])
    import keras
    import numpy as np
    import tensorflow as tf

    keras.config.set_image_data_format(
        "channels_last"
    )  # VGG19's weights are; the user's own Keras may be set otherwise
    keras.config.set_floatx("float32")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)  # one pair, one graph: the threads serve its kernels
    devices = tf.config.list_physical_devices("GPU")
    for device in devices:
        tf.config.experimental.set_memory_growth(device, True)
    if devices:  # on the CPU the kernels used here repeat bit for bit as they are
        tf.config.experimental.enable_op_determinism()
    return {
        "device": f"GPU {len(devices)}" if devices else "CPU",
        "threads": threads,
        "auto_precision": ", as ".join(automatic_precision()),
        "versions": {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__},
    }


_TOO_LITTLE_MEMORY = OutOfMemory("the pair needs more memory than there is; use a smaller size")


class _Phase(Enum):
    """What SIGTERM finds this process at, and what becomes of it."""

    IDLE = "ends at once"
    SETUP = "the pair is left; it has nothing to save yet"
    WORK = "the descent saves and leaves the pair after the present step; an almost finished picture is finished"


class _Interrupted(BaseException):
    """SIGTERM came. No Exception, so that nobody on the way takes it for trouble of his own."""


class _Painter:
    """Answers commands. Holds the workshop of the weights used last. `facts` are those of `_start_tensorflow`."""

    def __init__(self, out: IO[str], facts: Mapping[str, Any]) -> None:
        from pipeline.nst.engine import TransferEngine as Workshop

        self.stopping = False
        self.phase = _Phase.IDLE
        self._saved: dict[str, Any] = {}  # what is told of the pair's checkpoint
        self._environment = _environment(facts)
        self._out = out
        self._make_workshop = Workshop
        self._workshop: Workshop | None = None

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """SIGTERM: the handler runs between two steps of the descent, or after the call into TensorFlow that goes on."""
        self.stopping = True
        if self.phase is _Phase.IDLE:
            os._exit(0)
        if self.phase is _Phase.SETUP:
            raise _Interrupted

    def answer(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """The final message of one pair. Nothing but a bug in this line can raise."""
        self._saved = {"steps": 0, "position": None}
        try:
            self.phase = _Phase.SETUP
            answer = self._answer(command)
        except _Interrupted:
            answer = {"type": "interrupted", **self._saved}
        self.phase = _Phase.WORK  # of saying so
        return answer

    def _answer(self, command: Mapping[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        try:
            return self._paint(command)
        except StylizeError as error:
            return _failed(error)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            return _failed(_TOO_LITTLE_MEMORY)
        except Exception as error:
            return _bug(error)

    def _paint(self, command: Mapping[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        from pipeline.images.encode import encode_picture, format_for, thumbnail
        from pipeline.nst.tiling import in_words
        from pipeline.nst.precision import effective_precision
        from pipeline.pictures import open_pictures
        from pipeline.schedule import Machine
        from pipeline.stylize import paint

        weights = NetworkWeights.from_json(command["weights"])
        job = Job.from_json(command["job"])
        folder = Path(command["folder"])
        if self._workshop is None or self._workshop.weights != weights:
            self._workshop = None  # before the next is loaded: both at once need not fit
            self._workshop = self._make_workshop(weights)
        reset_peak_memory()

        pictures = open_pictures(job.content, [(style.image, style.weight) for style in job.styles], job.options)
        schedule = pictures.schedule(
            job.options,
            Machine(precision=effective_precision("auto"), max_memory=command["max_memory"]),
        )
        content, styles = pictures.content, pictures.styles
        longer_side = max(schedule.size)
        format_for(Path(job.output).suffix, longer_side)  # refused now and not after hours
        hashes = {path: picture.sha256 for path, picture in zip(job.inputs, pictures.all, strict=True)}
        key = pair_key(job, hashes.__getitem__, weights.sha256)

        environment = self._environment | {"tiles": in_words(schedule.tilings())}
        state = State(folder)
        checkpoints = CheckpointManager(
            state.checkpoint_path(job.output),
            key=key,
            environment=environment | command["made_by"],
            steps=job.options.steps,
            longer_side=longer_side,
            tell=self._tell,
        )

        workshop = self._workshop

        def painted(resume: Progress | None) -> Stylization:
            try:
                painting = paint(pictures, job.options, schedule, workshop, resume=resume)
                while True:
                    try:
                        reading, snapshot = next(painting)
                    except StopIteration as end:
                        result: Stylization = end.value
                        return result
                    self.phase = _Phase.WORK
                    _say(self._out, {"type": "reading", "coarse": reading.side < longer_side, **reading.as_row()})
                    checkpoints.maybe_save(reading, snapshot, leaving=self.stopping)
                    if self.stopping:
                        raise _Interrupted
            except (MemoryError, tf.errors.ResourceExhaustedError) as error:
                raise _TOO_LITTLE_MEMORY from error

        result = checkpoints.resume_or_start(painted)

        height, width = result.pixels.shape[:2]
        losses = {"first": dict(result.first), "last": dict(result.last)}
        settings = {
            "key": key,
            "output": job.output,
            "content": command["names"]["content"],
            "style": [
                {"image": name, "weight": style.weight}
                for name, style in zip(command["names"]["style"], job.styles, strict=True)
            ],
            "options": job.options.as_dict() | command["names"]["options"],
            "weights": {"name": weights.name, "sha256": weights.sha256},
            "sha256": {"content": content.sha256, "style": [style.sha256 for style, _share in styles]},
            "size": [width, height],
            "steps": len(result.trace),
            "losses": losses,
            "meta": dict(job.meta),
            "painted_with": environment,
            **command["made_by"],
        }
        data = encode_picture(
            result.pixels.astype("float32") if result.deep is None else result.deep,
            result.alpha,
            Path(job.output).suffix,
            job.options.quality,
            settings,
            depth=job.options.depth,
        )
        write_whole(folder / job.output, data)

        painting = styles[0][0].pixels
        with suppress(OutputError):  # the picture stands; the record, which comes next, will meet the same trouble
            for which, pixels in (("content", content.pixels), ("style", painting), ("result", result.pixels)):
                write_whole(state.thumbnail_path(job.output, which), thumbnail(pixels.astype("float32")))
        descent_seconds = result.trace[-1].seconds
        return {
            "type": "done",
            "key": key,
            "size": [width, height],
            "steps": len(result.trace),
            "seconds": result.seconds,
            "seconds_per_step": descent_seconds / len(result.trace),
            "setup_seconds": result.setup_seconds,
            "peak_memory_bytes": peak_memory(),
            "precision": result.precision,
            "threads": self._environment["threads"],
            "painted_with": environment,
            "losses": losses,
            "trace": [reading.as_row() for reading in result.trace],
            "notes": [*result.notes, *checkpoints.notes],
        }

    def _tell(self, message: Mapping[str, Any]) -> None:
        """Pass on what is told of the pair's checkpoint, and keep it for the last message."""
        self._saved = {name: value for name, value in message.items() if name != "type"}
        _say(self._out, message)


def _environment(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What equal bytes depend on beside the pair: kernels add up in another order with other threads, on another processor
    and in another TensorFlow. What `precision: auto` means follows from these."""
    return {
        "threads": facts["threads"],
        "device": facts["device"],
        "processor": processor(),
        "tensorflow": facts["versions"].get("tensorflow"),
    }


def _failed(error: StylizeError) -> dict[str, Any]:
    return {
        "type": "failed",
        "reason": str(error),
        "class": error.reason_class if isinstance(error, (PairError, EnvironmentProblem)) else "environment",
        "retry": isinstance(error, PairError) and error.retry,
        "exit_code": int(error.exit_code),
        "traceback": None,
    }


def _bug(error: Exception) -> dict[str, Any]:
    return {
        "type": "failed",
        "reason": f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
        "class": "bug",
        "retry": False,
        "exit_code": int(ExitCode.BUG),
        "traceback": traceback.format_exc(),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
