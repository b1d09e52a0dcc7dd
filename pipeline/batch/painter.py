"""One pair, from its command to a picture that stands under its final name. Knows no process,
signal or pipe: whoever drives it passes its messages on, and says when to leave.

    pictures     opened no larger than needed                                   pictures
    schedule     sizes, steps, precision, tiles                                 schedule
    checkpoint   gone on from, saved now and then                               batch/checkpoints
    painting     reading by reading                                             batch/backend
    picture      encoded with its metadata, written whole; thumbnails           images/, store/
"""

from __future__ import annotations

import hashlib
import socket
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.batch.backend import Backend
from pipeline.batch.checkpoints import SAVE_SECONDS, CheckpointManager, most_bytes
from pipeline.batch.clip_painter import paint_clip
from pipeline.batch.clip_source import first_picture
from pipeline.batch.files_of_job import Opening, open_job, output_settings
from pipeline.batch.messages import (
    Command,
    Done,
    Failed,
    Interrupted,
    Machine,
    PairMessage,
    Position,
    Read,
    Resumed,
    Saved,
)
from pipeline.batch.showing import Showing
from pipeline.batch.system.environment import recorded
from pipeline.batch.system.machine import instructions, peak_memory, processor, reset_peak_memory
from pipeline.clip_names import is_clip_name
from pipeline.errors import BadOutput, ExitCode, OutOfMemory, OutputError, StylizeError
from pipeline.images.encode import encode_picture, format_for, thumbnail
from pipeline.images.inspection import image_size
from pipeline.job import Job, Painted
from pipeline.nst.tiling import in_words
from pipeline.pictures import Pictures
from pipeline.program import version
from pipeline.schedule import Machine as ScheduleMachine
from pipeline.schedule import Schedule, Sized, finished_size
from pipeline.store import previous
from pipeline.store.disk import LocalStore
from pipeline.store.keys import pair_key
from pipeline.store.layout import (
    MOST_STYLES,
    RESULT_SIDE,
    SOURCE_SIDE,
    checkpoint_name,
    style_thumbnail,
    thumbnail_name,
)
from pipeline.stylization import Stylization
from pipeline.stylize import Painting, Progress

Tell = Callable[[Resumed | Saved], object]
Stopping = Callable[[], bool]


class Painter:
    """Paints pairs, one after the other. `saved` is where the checkpoint of the pair in hand
    stands, as far as it was told. `opening` is entered around the opening of each picture's file,
    given its path."""

    def __init__(
        self, backend: Backend, *, save_seconds: float = SAVE_SECONDS, opening: Opening = lambda _: nullcontext()
    ) -> None:
        self.saved: Position | None = None
        self._backend = backend
        self._environment = _environment(backend.machine)
        self._save_seconds = save_seconds
        self._opening = opening

    def paint(
        self, command: Command, *, tell: Tell = lambda _: None, stopping: Stopping = lambda: False
    ) -> Iterator[PairMessage]:
        """What there is to say of a pair: `Read` after each step, and at last `Done` or `Failed`;
        or `Interrupted`, where `stopping()` says after a step that it is time to leave.

        `tell` hears of the checkpoint, `Resumed` and `Saved`, also from the thread that writes it.
        """
        try:
            yield from self._paint(command, tell, stopping)
            return
        except StylizeError as error:
            failure = Failed.by(error)
        except self._backend.out_of_memory:
            failure = Failed.by(_too_large())
        except Exception as error:
            failure = _bug(error)
        yield failure

    def _paint(self, command: Command, tell: Tell, stopping: Stopping) -> Iterator[PairMessage]:
        self.saved = None
        job = command.job
        self._backend.load(command.weights, job.options)
        reset_peak_memory()
        if job.options.is_clip:
            yield from paint_clip(
                command, self._backend, self._environment, self._opening, self._remembering(tell), stopping
            )
            return
        first = first_picture(job, self._opening, command.facts) if is_clip_name(job.content.name) else None
        if first is None:
            with self._opening(job.content):
                _check_format(job)
        pictures = open_job(job, self._opening, first)
        machine = ScheduleMachine(precision=self._backend.precision, max_memory=command.max_memory)
        schedule = pictures.schedule(job.options, machine)
        # a texture's content is its first style, which comes after it
        sha256 = {path: opened.sha256 for path, opened in zip(job.inputs, pictures.all, strict=True)}
        key = pair_key(job, sha256.__getitem__, command.weights.sha256)
        environment = self._environment | {"tiles": in_words(schedule.tilings())}
        checkpoints = self._checkpoints(command, key, environment, schedule, tell)
        showing = Showing(LocalStore(command.folder, command.place), command)

        def paint(resume: Progress | None) -> Generator[Read, None, Stylization | None]:
            if resume is None:
                showing.begin()
            painting = self._backend.paint(job, pictures, schedule, resume)
            return self._read(painting, checkpoints, showing, stopping)

        result = yield from checkpoints.resume_or_start(paint)
        if result is None:
            yield Interrupted(self.saved)
            return
        painted = self._painted(command, result, key, environment, schedule)
        _write(command, pictures, result, painted)
        painted = replace(painted, peak_memory_bytes=peak_memory())
        yield Done(painted, notes=(*result.notes, *checkpoints.notes, *showing.notes))

    def _remembering(self, tell: Tell) -> Tell:
        def remember(message: Resumed | Saved) -> None:
            self.saved = message.position
            tell(message)

        return remember

    def _checkpoints(
        self, command: Command, key: str, environment: dict[str, Any], schedule: Schedule, tell: Tell
    ) -> CheckpointManager:
        return CheckpointManager(
            LocalStore(command.folder, command.place),
            checkpoint_name(command.job.output),
            key=key,
            environment={**environment, **command.versions},
            steps=command.job.options.most_steps,
            tell=self._remembering(tell),
            save_seconds=self._save_seconds,
            at_most=most_bytes(schedule.size, command.job.options.history, command.job.options.most_steps),
        )

    def _read(
        self, painting: Painting, checkpoints: CheckpointManager, showing: Showing, stopping: Stopping
    ) -> Generator[Read, None, Stylization | None]:
        """The painting's readings, with the checkpoint saved in between; None where it was left."""
        while True:
            try:
                reading, snapshot = next(painting)
            except StopIteration as end:
                result: Stylization = end.value
                return result
            except self._backend.out_of_memory as error:
                raise _too_large() from error
            yield Read(reading, coarse=not reading.final)
            showing.look(reading, snapshot)
            leaving = stopping()
            checkpoints.maybe_save(reading, snapshot, leaving=leaving)
            if leaving:
                return None

    def _painted(
        self,
        command: Command,
        result: Stylization,
        key: str,
        environment: dict[str, Any],
        schedule: Schedule,
    ) -> Painted:
        height, width = result.pixels.shape[:2]
        steps = len(result.trace)
        return Painted(
            size=[width, height],
            steps=steps,
            seconds=result.seconds,
            seconds_per_step=result.trace[-1].seconds / steps,
            setup_seconds=result.setup_seconds,
            precision=result.precision,
            threads=self._backend.machine.threads,
            painted_with=environment,
            tilings={name: tiling.as_json() for name, tiling in schedule.tilings().items()},
            weights={"name": command.weights.name, "sha256": command.weights.sha256},
            seed=command.job.options.seed,
            key=key,
            options=dict(command.names.options),
            losses={"first": dict(result.first), "last": dict(result.last)},
            layer_losses={end: dict(shares) for end, shares in result.layer_losses.items()},
            trace=[reading.as_row() for reading in result.trace],
            painted_size=None if schedule.size == (width, height) else list(schedule.size),
            node=socket.gethostname(),
        )


def _check_format(job: Job) -> None:
    """Raises PairError where the output's format cannot hold the result: before hours of painting,
    and before pictures of gigabytes are opened. Raises BadImage as opening the content does."""
    size = finished_size(job.options, Sized(job.content_name, image_size(job.content, job.home_of(job.content))))
    format_for(Path(job.output).suffix, max(size))


def _environment(machine: Machine) -> dict[str, Any]:
    """What equal bytes depend on beside the pair: kernels add up in another order with other
    threads, on another processor and in another TensorFlow; Pillow decodes and NumPy resizes. What
    `precision: auto` means follows from these. Switches of libraries are no part of it: a worker
    has none (batch/system/environment)."""
    return {
        "threads": machine.threads,
        "device": machine.device,
        "processor": processor(),
        "instructions": instructions(),
        "tensorflow": machine.versions.get("tensorflow"),
        "numpy": machine.versions.get("numpy"),
        "pillow": version("pillow"),
        "preloaded": recorded(),
    }


def _write(command: Command, pictures: Pictures, result: Stylization, painted: Painted) -> None:
    """The picture under its final name, and its thumbnails."""
    job = command.job
    data = encode_picture(
        result.pixels if result.deep is None else result.deep,
        result.alpha,
        Path(job.output).suffix,
        job.options.quality,
        output_settings(command, pictures.hashes(), painted),
        depth=job.options.depth,
        dpi=result.dpi,
    )
    store = LocalStore(command.folder, command.place)
    if command.keep_previous is not None:
        previous.keep(store, job.output, hashlib.sha256(data).hexdigest(), command.keep_previous)
    store.write(job.output, data)
    # the picture stands; the record, which comes next, will meet the same trouble
    with suppress(OutputError, BadOutput):
        _write_thumbnails(command, pictures, result)


def _write_thumbnails(command: Command, pictures: Pictures, result: Stylization) -> None:
    store, output = LocalStore(command.folder, command.place), command.job.output
    small = thumbnail(result.pixels, result.alpha, RESULT_SIDE)
    store.write(thumbnail_name(output, "result"), small)
    sources = {} if command.job.options.is_texture else {"content": pictures.content}
    sources |= {style_thumbnail(number): style for number, (style, _share) in enumerate(pictures.styles[:MOST_STYLES])}
    for which, source in sources.items():
        store.write(thumbnail_name(output, which), thumbnail(source.pixels, source.alpha, SOURCE_SIDE))


def _too_large() -> OutOfMemory:
    return OutOfMemory("the pair needs more memory than there is; use a smaller size")


def _bug(error: Exception) -> Failed:
    return Failed(
        reason=f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
        reason_class="bug",
        exit_code=ExitCode.BUG,
        traceback=traceback.format_exc(),
    )
