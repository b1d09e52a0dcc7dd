"""The standard streams as a night needs them: always open, and no reason to fail."""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
from typing import Any, TextIO

import click

from pipeline.errors import EnvironmentProblem

_PARTS = 10_000  # of JSON that are printed at once: a word or a number each


class OutputUnwritable(EnvironmentProblem):
    """Standard output takes no more: a full disk, mostly."""


def secure_streams() -> None:
    """Open the standard descriptors that are closed, on /dev/null, and give Python streams whose
    trouble ends no run.

    To be called first of all: a file or a pipe that is opened before gets the number of a closed
    one, and what is printed goes into it. What cannot be said on stderr is dropped. Data that
    stdout does not take raises once: BrokenPipeError where nobody reads any more (`| head`), else
    OutputUnwritable.
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

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


class _Data(io.FileIO):
    """Results: the first failure is told, and what comes after it is dropped, so that the end of
    the process does not tell it again."""

    _is_broken = False

    def write(self, data: Any, /) -> int:
        if self._is_broken:
            return memoryview(data).nbytes
        try:
            return super().write(data) or 0
        except OSError as error:
            self._is_broken = True
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputUnwritable(
                f"cannot write to standard output: {error.strerror}; send it to where there is room"
            ) from error


def _secured(stream: TextIO | None, raw: io.FileIO) -> TextIO:
    """A text stream over `raw` in the encoding of the one that was there. A letter that it lacks is
    written out. A stream that is not the process' own, as a test's, stays."""
    if stream is not None and not _is_own(stream, raw.fileno()):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=stream is not None and bool(stream.line_buffering),
    )


def _is_own(stream: TextIO, descriptor: int) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == descriptor
    except OSError:  # one that has no descriptor
        return False
