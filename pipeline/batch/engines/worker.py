"""The process that paints: takes pairs from a pipe until it is closed.

Started by engines/local (python_path.python_command), with the numbers of two inherited pipes that
bear one line of batch/messages after the other. What a pair is made of is batch/painter's. This
process may die at any moment; what it has not said is not lost but painted again.
"""

from __future__ import annotations

import ctypes
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from types import FrameType
from typing import IO

from pipeline.batch.backend import Backend, TensorFlowBackend
from pipeline.batch.checkpoints import SAVE_SECONDS
from pipeline.batch.messages import Command, Interrupted, Message, Opening, Ready, decode_command, encode
from pipeline.batch.painter import Painter
from pipeline.batch.system.pausing import wait_while_stopped
from pipeline.clip_names import is_clip_name
from pipeline.errors import BadImage
from pipeline.images.budget import HEADER_SECONDS, clip_seconds, decoding_seconds, die_before_the_driver, processor_time
from pipeline.images.inspection import image_size

_ENDED_BY_SIGTERM = 128 + signal.SIGTERM
_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h
# To open a picture is to decode it, and to make it smaller in floats: 0.26 us a pixel where
# decoding took 0.16 (as measured in images/budget).
_OPENED_FOR_DECODED = 2.0


def main(
    arguments: list[str],
    start: Callable[[int], Backend] = TensorFlowBackend,
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Serve pairs until the driver closes the command pipe or dies. `start` makes what computes,
    given a number of threads; `save_seconds` lie between two checkpoints."""
    commands, messages = (int(argument) for argument in arguments)
    die_before_the_driver()
    _give_up_privileges()
    worker = _Worker(os.fdopen(messages, "wb"))
    inbox: queue.Queue[Command] = queue.Queue()
    threading.Thread(target=_listen, args=(os.fdopen(commands, "rb"), inbox), daemon=True).start()
    backend = start(int(os.environ["STYLIZE_WORKER_THREADS"]))
    worker.say(Ready(backend.machine))
    painter = Painter(backend, save_seconds=save_seconds, opening=worker.opening)
    signal.signal(signal.SIGTERM, worker.stop)
    while not worker.stopping:
        worker.serve(painter, inbox.get())
    os._exit(_ENDED_BY_SIGTERM)


def _give_up_privileges() -> None:
    """Neither this process nor what it might start gains rights from here on, by no set-uid
    program; and if it dies, it leaves no image of its memory, which holds people's pictures, in
    whatever folder it is. What else it might give up, network and files, is left to systemd
    (docs/architecture.md)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _listen(commands: IO[bytes], inbox: queue.Queue[Command]) -> None:
    """Pass commands on; when the pipe closes, the driver is gone or done with us, and so are we, at
    once."""
    for line in commands:
        inbox.put(decode_command(line))
    os._exit(0)


class _Phase(Enum):
    """What SIGTERM finds this process at, and what becomes of it."""

    IDLE = "ends at once"
    SETUP = "the pair is left; it has nothing to save yet"
    WORK = "the descent saves and leaves the pair after the present step; an almost finished picture is finished"


class _Interrupted(BaseException):
    """SIGTERM came. No Exception, so that nobody on the way takes it for trouble of his own."""


class _Worker:
    """Drives a painter, and says what it says. `stopping`: SIGTERM came, and this process ends."""

    def __init__(self, messages: IO[bytes]) -> None:
        self.stopping = False
        self._phase = _Phase.IDLE
        self._messages = messages
        self._homes: Mapping[str, str] = {}  # of the pair's inputs
        self._clip = ""  # its content, where that is a clip
        self._driver = os.getppid()
        # checkpoints are written, and told of, by a thread of their own
        self._one_at_a_time = threading.Lock()

    def say(self, message: Message) -> None:
        """Send a message; without a driver to hear it, the process ends."""
        try:
            with self._one_at_a_time:
                self._messages.write(encode(message))
                self._messages.flush()
        except BrokenPipeError:
            os._exit(0)

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """SIGTERM: the handler runs between two steps of the descent, or after the call into
        TensorFlow that goes on."""
        self.stopping = True
        if self._phase is _Phase.IDLE:
            os._exit(0)
        if self._phase is _Phase.SETUP:
            raise _Interrupted

    @contextmanager
    def opening(self, path: str | os.PathLike[str]) -> Iterator[None]:
        """The clock of a picture that is opened. The driver hears of it; the kernel keeps it."""
        seconds = self._seconds_for(path)
        self.say(Opening(os.fspath(path), seconds))
        with processor_time(seconds):
            yield

    def _seconds_for(self, path: str | os.PathLike[str]) -> float:
        """Of a clip they are those in which it is found what it is: frames before the one that is
        wanted may have to be decoded."""
        if os.fspath(path) == self._clip:
            return clip_seconds(os.stat(path).st_size if os.path.isfile(path) else 0)
        pixels = 0
        self.say(Opening(os.fspath(path), HEADER_SECONDS))
        with suppress(BadImage), processor_time(HEADER_SECONDS):  # opening it will say the same
            width, height = image_size(path, self._homes.get(os.fspath(path)))
            pixels = width * height
        return _OPENED_FOR_DECODED * decoding_seconds(pixels)

    def serve(self, painter: Painter, command: Command) -> None:
        """Paint one pair, and say how it goes, to its last message."""
        try:
            self._phase, self._homes = _Phase.SETUP, command.job.homes
            job = command.job
            self._clip = str(job.content) if job.options.is_clip or is_clip_name(job.content.name) else ""
            for message in painter.paint(command, tell=self.say, stopping=lambda: self.stopping):
                self._phase = _Phase.WORK
                self.say(message)
                wait_while_stopped(self._driver)
        except _Interrupted:
            self._phase = _Phase.WORK  # of saying so
            self.say(Interrupted(painter.saved))
        self._phase = _Phase.IDLE


if __name__ == "__main__":
    main(sys.argv[1:])
