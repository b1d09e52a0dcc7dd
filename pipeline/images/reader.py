"""Pictures looked at from a distance: a process of its own decodes, and may be slow, eat memory or
die without taking anybody with it. Standard library only; no byte of a file comes in here, and
pixels only of a small picture that was asked for, which nobody decodes again.

The process is started with the first question and kept for the next ones; after trouble there is a
new one. Its limits are `budget`'s, in processor time, so that a busy machine refuses nothing that
an idle one reads; here only silence is timed, for a disk that hangs.
"""

from __future__ import annotations

import atexit
import base64
import functools
import hashlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, BinaryIO

from pipeline.clip_names import is_clip_name
from pipeline.clips.facts import ClipFacts, from_json
from pipeline.clips.listing import is_numbered, numbered_files
from pipeline.errors import BadImage, EnvironmentProblem, OutOfMemory, PairError
from pipeline.images.budget import CLOCK_RAN_OUT, HEADER_SECONDS, KEPT_SECONDS, signal_name, too_slow
from pipeline.images.colour_codes import RegionColour
from pipeline.images.facts import ImageFacts
from pipeline.images.memory_file import memory_file
from pipeline.printable import last_line, printable
from pipeline.python_path import PATHS, absolute_folders, python_command, why_not_started
from pipeline.urls import CREDENTIALS

READER_PROCESS = "pipeline.images.reader_process"  # the module that the process runs

_LOOK_SECONDS = 0.5  # how often a wish to stop is looked for
_END_SECONDS = 5.0  # for a process that has closed its pipes to end; it takes milliseconds
_START_SECONDS = 60.0  # for the process to be there, also on a disk that has just woken up
# Seconds of silence for each second of processor time: other processes, and reading the file.
_PATIENCE = 10.0
_MOST_BYTES = 2**23  # of an answer; a small picture of a million pixels is half of it

Answer = dict[str, Any]


class Reader:
    """Answers what a picture is, as `inspection` and `metadata` do, from another process.

    Raises as they do; BadImage also for a picture that takes too long, OutOfMemory for one that
    takes too much memory, EnvironmentProblem where no process can be started. `check_cancelled` is
    called before each picture and twice a second while one is decoded, and may raise to end that.
    `module` is what the process runs.
    """

    def __init__(self, check_cancelled: Callable[[], object] = lambda: None, *, module: str = READER_PROCESS) -> None:
        self.check_cancelled = check_cancelled
        self._module = module
        self._sizes: dict[str, tuple[Hashable, tuple[int, int]]] = {}
        self._clips: dict[tuple[str, str | None], tuple[Hashable, ClipFacts]] = {}

    def size(self, path: str | os.PathLike[str], home: str | None = None) -> tuple[int, int]:
        """(width, height) as the picture stands upright, from the header alone; asked once of a
        file that stays as it is. Of a clip that of its frames, which have to lie in `home`."""
        if is_clip_name(os.fspath(path)):
            return self.clip(path, home).size
        name, stamp = os.fspath(path), _stamp(path)
        if stamp is None or self._sizes.get(name, (None,))[0] != stamp:
            width, height = self._ask("size", path)["size"]
            self._sizes[name] = (stamp, (width, height))
        return self._sizes[name][1]

    def inspect(self, path: str | os.PathLike[str], home: str | None = None) -> ImageFacts:
        """What a picture is, after it was decoded completely. `home`, here and below, is the folder
        that the file has to lie in. Of a clip no more is decoded than it takes to count frames."""
        if is_clip_name(os.fspath(path)):
            clip = self.clip(path, home)
            return ImageFacts(*clip.size, clip.kind, clip.sha256, clip.notes)
        width, height, kind, sha256, notes, seen, is_black = self._ask("inspect", path, home)["facts"]
        return ImageFacts(width, height, kind, sha256, tuple(notes), seen, is_black)

    def metadata(self, path: str | os.PathLike[str], home: str | None = None) -> dict[str, Any]:
        """The settings stored in an output, which may say anything."""
        settings: dict[str, Any] = self._ask("metadata", path, home)["metadata"]
        return settings

    def colours(self, path: str | os.PathLike[str], home: str | None = None) -> list[RegionColour]:
        """The colours of a map of regions, each with its share."""
        found = self._ask("colours", path, home)["colours"]
        return [RegionColour((red, green, blue), share, thin) for (red, green, blue), share, thin in found]

    def small(
        self, path: str | os.PathLike[str], box: tuple[int, int], home: str | None = None
    ) -> tuple[tuple[int, int], bytes]:
        """(width, height) and RGB pixels of a picture, made to fit into `box` (width, height), of
        at most a million pixels."""
        width, height, pixels = self._ask("small", path, home, box=box)["small"]
        return (width, height), base64.b64decode(pixels)

    def clip(self, path: str | os.PathLike[str], home: str | None = None) -> ClipFacts:
        """What a clip is; asked once of one that stays as it is, with all its files. Raises
        EnvironmentProblem where the packages that read videos are not installed."""
        key, stamp = (os.fspath(path), home), _stamp_of_clip(path)
        if stamp is None or self._clips.get(key, (None,))[0] != stamp:
            self._clips[key] = (stamp, from_json(self._ask("clip", path, home)["clip"]))
        return self._clips[key][1]

    def _ask(self, ask: str, path: str | os.PathLike[str], home: str | None = None, **more: Any) -> Answer:
        self.check_cancelled()
        name, process = os.fspath(path), _process(self._module)
        folder = None if os.path.isabs(name) else _working_directory()
        process.send({"ask": ask, "path": name, "folder": folder, "home": home, **more})
        seconds, shown = HEADER_SECONDS, printable(name)
        while True:
            try:
                answer = process.hear(_PATIENCE * seconds, self.check_cancelled)
            except TimeoutError as error:
                raise BadImage(
                    f"{shown} was not decoded after {_PATIENCE * seconds:.0f} s; check the disk or network folder"
                ) from error
            except EOFError as error:
                code = process.wait()  # before all else: whoever asks next would ask one that is dying
                self.check_cancelled()  # a stop that every process was told of is no picture's doing
                raise _death(shown, seconds, code) from error
            if "seconds" not in answer:
                break
            seconds = answer["seconds"]
        if "memory" in answer:
            process.end()
            raise OutOfMemory(
                f"{shown} needs more than {answer['memory'] / 2**20:.0f} MiB to decode, or more than this machine has;"
                " save it again, or make it smaller first"
            )
        if "missing" in answer:
            raise EnvironmentProblem(answer["missing"])
        if "refused" in answer:
            raise BadImage(answer["refused"])
        return answer


READER = Reader()
"""One that nothing cancels."""


class _Process:
    """The process at the other end, started when it is needed. One question at a time."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: BinaryIO | None = None
        self._rest = b""
        self._asked_at = 0.0

    def send(self, question: Answer) -> None:
        line = json.dumps(question).encode() + b"\n"
        now = time.monotonic()
        if self._process is None or now - self._asked_at > KEPT_SECONDS or not self._sent(line):
            self.end()
            self._start()
            self._sent(line)
        self._asked_at = now

    def hear(self, seconds: float, check_cancelled: Callable[[], object]) -> Answer:
        """The next answer. Raises TimeoutError when there was none for so long, EOFError when the
        process has ended, and what `check_cancelled` raises; the process is ended by all three."""
        try:
            return self._hear(seconds, check_cancelled)
        except EOFError:
            raise
        except BaseException:  # also Ctrl-C: an answer that comes too late must not be the next one's
            self.end()
            raise

    def wait(self) -> int:
        """How a process ended that says no more, as subprocess says it. One that hangs in ending is
        killed."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_SECONDS)
        self._process.kill()
        return self._process.wait()

    def end(self) -> None:
        """No process any more."""
        process, self._process, self._rest = self._process, None, b""
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, self._errors):
            assert pipe is not None
            with suppress(OSError):  # what was not sent to the dead
                pipe.close()

    def _sent(self, line: bytes) -> bool:
        assert self._process is not None
        assert self._process.stdin is not None
        if self._process.poll() is not None:  # ended after a while of nothing to do
            return False
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def _hear(self, seconds: float, check_cancelled: Callable[[], object]) -> Answer:
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(_LOOK_SECONDS):
                    check_cancelled()
                    if time.monotonic() > until:
                        raise TimeoutError
                    continue
                data = os.read(pipe, 2**16)
                self._rest += data
                if not data or len(self._rest) > _MOST_BYTES:
                    raise EOFError
        line, _, self._rest = self._rest.partition(b"\n")
        answer: Answer = json.loads(line)
        return answer

    def _start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(CREDENTIALS)} | {
            **{name: absolute_folders(os.environ[name]) for name in PATHS if name in os.environ},
            "PYTHONSAFEPATH": "1",
            "MALLOC_ARENA_MAX": "2",  # glibc would set memory aside for each thread of a decoder
        }
        try:
            self._errors = memory_file()
            self._process = subprocess.Popen(
                python_command(self._module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                start_new_session=True,  # a terminal's Ctrl-C reaches the driver alone
            )
        except OSError as error:
            raise EnvironmentProblem(
                f"the process that reads pictures cannot be started: {why_not_started(error)}"
            ) from error
        atexit.register(self.end)
        try:
            self.hear(_START_SECONDS, lambda: None)
        except (EOFError, TimeoutError) as error:
            said = self._last_words()
            self.end()
            raise EnvironmentProblem(
                f"the process that reads pictures cannot start: {said}; run stylize doctor"
            ) from error

    def _last_words(self) -> str:
        if self._errors is None or self._errors.closed:
            return "it says nothing"
        return last_line(self._errors)


def _stamp(path: str | os.PathLike[str]) -> Hashable:
    """What changes with a file; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _stamp_of_clip(path: str | os.PathLike[str]) -> Hashable:
    """The same of a clip: of numbered frames, of all files."""
    if not is_numbered(path):
        return _stamp(path)
    digest = hashlib.sha256()  # in the place of megabytes, of a hundred thousand files
    try:
        for _, file in numbered_files(path):
            if (stamp := _stamp(file)) is None:
                return None
            digest.update(repr((file, stamp)).encode("utf-8", "surrogateescape"))
    except BadImage:
        return None
    return digest.digest()


@functools.cache
def _process(module: str) -> _Process:
    """The one process of this program that runs a module."""
    return _Process(module)


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _death(shown: str, seconds: float, code: int) -> PairError:
    if code == -CLOCK_RAN_OUT:
        return BadImage(too_slow(shown, seconds))
    if code == -signal.SIGKILL:
        return OutOfMemory(
            f"{shown} was not decoded: the process that did it was killed (signal 9), most likely because memory ran"
            " out; make the picture smaller first"
        )
    end = signal_name(-code) if code < 0 else f"code {code}"
    return BadImage(f"{shown} makes its decoder crash ({end}); save it again with another program")
