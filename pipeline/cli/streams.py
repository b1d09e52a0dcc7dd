"""The standard streams as a night needs them: always open, and no reason to fail."""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import select
import sys
from typing import Any, TextIO

import click

from pipeline.errors import EnvironmentProblem

_ROOM_SECONDS = 1.0  # chosen: stops and deadlines are heard within two
_PARTS = 10_000  # of JSON that are printed at once: a word or a number each


class OutputUnwritable(EnvironmentProblem):
    """Standard output takes no more: a full disk, mostly."""


def secure_streams() -> None:
    """Open the standard descriptors that are closed, on /dev/null, and give Python streams whose
    trouble ends no run.

    To be called first of all: a file or a pipe that is opened before gets the number of a closed
    one, and what is printed goes into it. What cannot be said on stderr is dropped, as is what
    nobody takes from a full pipe: a run that waited there would hear no stop and no deadline. Data
    that stdout does not take raises once: BrokenPipeError where nobody reads any more (`| head`),
    else OutputUnwritable.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _secured(sys.stdout, _Data(1, "w", closefd=False))
    sys.stderr = _secured(sys.stderr, _Talk(2, "w", closefd=False))


def print_json(value: Any) -> None:
    """Data for programs, on stdout: ASCII, in which nothing acts on a terminal. Part by part, as
    the report of a hundred thousand pairs is a gigabyte of text."""
    parts = json.JSONEncoder(indent=2, default=dict).iterencode(value)
    while text := "".join(itertools.islice(parts, _PARTS)):
        click.echo(text.replace("\x7f", "\\u007f"), nl=False)
    click.echo()


class _Talk(io.FileIO):
    """Messages: what cannot be written is lost, and the next may be heard again."""

    _patience = _ROOM_SECONDS

    def write(self, data: Any, /) -> int:
        """A part of it where there is room: a pipe takes so many bytes without waiting."""
        block = memoryview(data).cast("B")
        try:
            if _has_room(self._door, self._patience):
                written = os.write(self._door, block[: select.PIPE_BUF])
                self._patience = _ROOM_SECONDS
                return written
        except BlockingIOError:
            pass
        except OSError:
            return block.nbytes
        self._patience = 0.0  # a reader that has gone to sleep is not waited for at each line
        return block.nbytes

    @functools.cached_property
    def _door(self) -> int:
        """Where to write: a terminal is opened anew, as it may have room for half a line, and only
        who was told not to wait is not kept by it. To tell so here would tell the shell too."""
        try:
            terminal = os.ttyname(self.fileno())
            return os.open(terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # no terminal, or somebody else's
            return self.fileno()


class _Data(io.FileIO):
    """Results: the first failure is told, and what comes after it is dropped, so that the end of
    the process does not tell it again."""

    _is_broken = False

    def write(self, data: Any, /) -> int:
        if self._is_broken:
            return memoryview(data).nbytes
        try:
            while (written := super().write(data)) is None:  # somebody has told the pipe not to wait
                _has_room(self.fileno(), None)
            return written
        except OSError as error:
            self._is_broken = True
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputUnwritable(
                f"cannot write to standard output: {error.strerror}; send it to where there is room"
            ) from error


def _has_room(descriptor: int, seconds: float | None) -> bool:
    """Can something be written without waiting, after at most so many seconds? Also where it would
    fail at once."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def _secured(stream: TextIO | None, raw: io.FileIO) -> TextIO:
    """A text stream over `raw` in the encoding of the one that was there. A letter that it lacks is
    written out. A stream that is not the process' own, as a test's, stays."""
    if stream is not None and not _is_own(stream, raw.fileno()):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=isinstance(stream, io.TextIOWrapper) and _waits_for_lines_at_most(stream),
    )


def _waits_for_lines_at_most(stream: io.TextIOWrapper) -> bool:
    """Also one of `python -u` or PYTHONUNBUFFERED, as containers have it, which waits for none."""
    return bool(stream.line_buffering or stream.write_through)


def _is_own(stream: TextIO, descriptor: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == descriptor
    except OSError:  # one that has no descriptor
        return False
