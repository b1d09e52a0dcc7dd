"""Where the painting of a pair stood, on disk, so that a run that was killed loses a minute of work
and not a night's.

    OUTPUT/.pipeline/checkpoints/<pair id>.npz

One file per pair, written whole. It bears the pair's key and the environment that equal bytes
depend on beside it (threads, device, processor, TensorFlow). One of another key or environment is
of no use: going on from it would give another picture than painting without a break. Only a painter
reads and writes these files; the driver removes them (batch/results, clean).
"""

from __future__ import annotations

import json
import math
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import IO, Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.batch.messages import Position, Resumed, Saved
from pipeline.batch.system.machine import differences_between
from pipeline.errors import BadOutput, Diverged, OutputError, StylizeError
from pipeline.reading import Reading
from pipeline.store.archive import open_archive
from pipeline.store.shapes import MOST, fits
from pipeline.store.store import Store
from pipeline.stylize import Progress

SCHEMA = 2  # of the file; raised when its make-up changes
# Between two savings. A kill costs at most a minute: this, the step in hand, and the writing of
# what is not yet on the disk. A step that takes longer is saved each time.
SAVE_SECONDS = 50.0
# Steps as long as this are saved at the last one too: measuring the finished picture takes two or
# three more, and a stop waits for less than ten seconds.
_LONG_STEP = 2.0
Said = TypeVar("Said")
Result = TypeVar("Result")

# Of a checkpoint, in bytes, where nobody knows better; of a picture see `most_bytes`.
MOST_BYTES = 2**26
_LBFGS_PAIRS, _OTHER_PICTURES = 20, 16  # (nst/optimizers); the picture itself, the best, the start
_MOST_OF_A_READING = 2**14  # bytes of JSON; of all layers in a mixture and the content it has 8,700

_ABOUT = "about"  # the entry that describes the others
_ARRAY = "array."  # before the names of the descent's arrays


class Unusable(Exception):
    """A checkpoint that must not be gone on from. The message says why, for the pair's notes."""


def save(store: Store, name: str, progress: Progress, *, key: str, environment: Mapping[str, Any], side: int) -> None:
    """Write a checkpoint; `side` is the longer side in pixels of the picture at its stage. Raises
    as `Store.write_by` does."""
    about = {
        "schema": SCHEMA,
        "key": key,
        "environment": dict(environment),
        "side": side,
        "stage": progress.stage,
        "final": progress.final,
        "step": progress.step,
        "seconds": progress.seconds,
        "trace": [reading.as_row() for reading in progress.trace],
    }
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    entries = {_ABOUT: text} | {f"{_ARRAY}{name}": array for name, array in progress.arrays.items()}

    def write(file: IO[bytes]) -> None:
        np.savez(file, **entries)  # type: ignore[arg-type]  # the stubs take an entry for the flag allow_pickle

    store.write_by(name, write)


def most_bytes(size: tuple[int, int], history: int | str, steps: int) -> int:
    """As many bytes as the checkpoint of a picture (width, height) can have: pictures in float32,
    and a reading for each of `steps`. `history` is the option."""
    pairs = max(_LBFGS_PAIRS, history if isinstance(history, int) else 0)
    pictures = 2 * pairs + _OTHER_PICTURES
    return 2**20 + pictures * size[0] * size[1] * 3 * 4 + steps * _MOST_OF_A_READING


def load(
    store: Store, name: str, *, key: str, environment: Mapping[str, Any], at_most: int = MOST_BYTES
) -> tuple[Progress, int] | None:
    """Where the pair stood and the side of the picture then; None where there is no checkpoint.

    Raises Unusable where the file is damaged, belongs to another key or environment, or has more
    than `at_most` bytes: then it is not ours.
    """
    try:
        with store.open(name) as opened:
            contents = _arrays(opened, at_most)
        about = json.loads(contents.pop(_ABOUT).tobytes())
        if not isinstance(about, dict):
            raise Unusable("its checkpoint is damaged")
        if about.get("schema") != SCHEMA:  # whose other parts may be called otherwise
            raise Unusable("its checkpoint is another version's")
        if not all(fits(about.get(part), hint) for part, hint in _PARTS.items()):
            raise Unusable("its checkpoint is damaged")
        if not _can_be(about):
            raise Unusable("its checkpoint holds numbers that no painting has")
        progress = Progress(
            stage=about["stage"],
            final=bool(about.get("final", True)),
            step=about["step"],
            seconds=about["seconds"],
            trace=tuple(Reading.from_row(row) for row in about["trace"]),
            arrays={entry.removeprefix(_ARRAY): array for entry, array in contents.items()},
        )
        side = int(about["side"])
    except FileNotFoundError:
        return None
    except _DAMAGE as error:
        raise Unusable("its checkpoint is damaged") from error
    if about["key"] != key:
        raise Unusable("its checkpoint is of the pair as it was before")
    if differences := differences_between(about["environment"], environment):
        raise Unusable(f"its checkpoint of step {progress.step} was made with other {differences}")
    return progress, side


_DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, NotImplementedError),
    *(RecursionError, OverflowError, zipfile.BadZipFile, zlib.error),
)
_PARTS: Mapping[str, Any] = {  # of what an entry `about` says
    **{"schema": int, "key": str, "environment": dict[str, Any], "side": int},
    **{"stage": int, "step": int, "seconds": float, "trace": list[dict[str, float]]},
}


_LARGEST_LOSS = 3.5e38  # the largest float32


def _can_be(about: Mapping[str, Any]) -> bool:
    """Are such numbers possible? Whoever drives the painting divides, multiplies and reports times,
    for all pairs of the night."""
    rows = about["trace"]
    counts = [about["seconds"], about["side"], *(row.get(name, -1) for row in rows for name in _ROW)]
    return all(0 <= count <= MOST for count in counts) and all(
        abs(value) <= _LARGEST_LOSS for row in rows for value in row.values()
    )


_ROW = ("step", "seconds", "side")


def _arrays(file: BinaryIO, at_most: int) -> dict[str, NDArray[Any]]:
    """The arrays in an open file. CRC-32s are checked in reading."""
    arrays = {}
    with open_archive(file, at_most) as archive:
        for info in archive.infolist():
            with archive.open(info) as entry:
                _check_size(entry, info.file_size)
            with archive.open(info) as entry:
                arrays[info.filename.removesuffix(".npy")] = np.lib.format.read_array(entry, allow_pickle=False)
                entry.read()  # to its end, where the sum stands
    return arrays


def _check_size(entry: IO[bytes], size: int) -> None:
    """Raises ValueError where an array says that it is larger than what is there: it would be made
    as large as it says."""
    if np.lib.format.read_magic(entry) != (1, 0):
        raise ValueError("not as we write it")
    shape, _fortran, dtype = np.lib.format.read_array_header_1_0(entry)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > size:
        raise ValueError("not as we write it")


class CheckpointManager:
    """The checkpoint of one pair while it is painted: gone on from, then saved now and then.

    A thread of its own writes; the descent waits only for the copy of its arrays. `tell` hears of
    each checkpoint that was found or saved, also from that thread. `steps` are the pair's at full
    size; `save_seconds` lie between two savings; what has more than `at_most` bytes is not ours.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        key: str,
        environment: Mapping[str, Any],
        steps: int,
        tell: Callable[[Resumed | Saved], object],
        save_seconds: float = SAVE_SECONDS,
        at_most: int = MOST_BYTES,
    ) -> None:
        self._store, self._name = store, name
        self._key, self._environment, self._tell = key, environment, tell
        self._steps, self._save_seconds = steps, save_seconds
        self._at_most = at_most
        self._last_save = time.monotonic()
        self._writing: threading.Thread | None = None
        self._trouble = False  # nothing can be saved: the pair is painted all the same
        self._read = False  # a reading has come
        self.notes: list[str] = []
        """What is worth knowing of the pair's checkpoints."""

    def resume_or_start(
        self, paint: Callable[[Progress | None], Generator[Said, None, Result]]
    ) -> Generator[Said, None, Result]:
        """What `paint` yields and returns, given the checkpoint's progress where there is one of
        use.

        A checkpoint is dropped where it may be to blame for a failure, so that the next try starts
        anew.
        """
        try:
            return (yield from self._resume_or_start(paint))
        except Exception as error:
            if isinstance(error, Diverged) or not isinstance(error, (StylizeError, MemoryError)):
                self._finish()
                self._delete()
            raise
        finally:
            self._finish()

    def maybe_save(self, reading: Reading, snapshot: Callable[[], Progress], *, leaving: bool) -> None:
        """After each step: save where the last time is long enough ago; when `leaving`, be sure
        that it is on the disk."""
        self._read = True
        busy = self._writing is not None and self._writing.is_alive()
        last = reading.step == self._steps and reading.final
        long_end = last and reading.seconds >= _LONG_STEP * reading.step
        due = leaving or (not self._trouble and (long_end or time.monotonic() - self._last_save >= self._save_seconds))
        if due and not busy:  # one that is being written is young enough
            self._last_save = time.monotonic()
            self._writing = threading.Thread(target=self._write, args=(snapshot(), reading.side))
            self._writing.start()
        if leaving:
            self._finish()

    def position(self, progress: Progress, side: int) -> Position:
        """Where a pair stands; `side` is the longer one of its stage, in pixels."""
        if progress.final:
            return Position(progress.step, f"step {progress.step} of {self._steps}")
        return Position(0, f"step {progress.step} at {side} px")

    def _resume_or_start(
        self, paint: Callable[[Progress | None], Generator[Said, None, Result]]
    ) -> Generator[Said, None, Result]:
        found = self._found()
        resuming = found is not None
        painting = paint(found)
        # gigabytes, for large pictures; the painting lets go of them once it has them in place
        del found
        try:
            return (yield from painting)
        except StylizeError:
            raise
        except Exception:
            if not resuming or self._read:
                raise
        self._drop("its checkpoint could not be gone on from")
        return (yield from paint(None))

    def _found(self) -> Progress | None:
        try:
            found = load(self._store, self._name, key=self._key, environment=self._environment, at_most=self._at_most)
        except Unusable as unusable:
            self._drop(str(unusable))
            return None
        if found is None:
            return None
        progress, side = found
        position = self.position(progress, side)
        self.notes = [f"resumed at {position.words}"]
        self._tell(Resumed(position))
        return progress

    def _drop(self, why: str) -> None:
        self.notes = [f"{why}; painted from the start"]
        self._delete()

    def _delete(self) -> None:
        with suppress(OSError, StylizeError):  # a folder, say, that somebody put in its place
            self._store.delete(self._name)

    def _write(self, progress: Progress, side: int) -> None:
        try:
            save(self._store, self._name, progress, key=self._key, environment=self._environment, side=side)
        except (OutputError, BadOutput) as error:
            self._trouble = True
            self.notes.append(f"no checkpoint could be saved: {error}")
            return
        self._tell(Saved(self.position(progress, side)))

    def _finish(self) -> None:
        if self._writing is not None:
            self._writing.join()
