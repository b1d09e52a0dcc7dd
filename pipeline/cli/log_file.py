"""`log_file` of a manifest: what a run says, whatever is said on the terminal, in a file of its
own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pipeline.cli.console import Lines
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.batch.observer import Observer
    from pipeline.errors import StylizeError


def with_log_file(console: Observer, path: str | None) -> Observer:
    """The console, which from now on is also heard by a file; where that cannot be written, the
    console says so, and the run goes on without."""
    if path is None:
        return console
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # a pipe that nobody reads would hold up the run
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)
        stream = os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace", buffering=1)
    except OSError as error:
        console.warned(f"log_file {printable(path)} cannot be written: {error.strerror}; the run goes on without")
        return console
    both: Any = _Both(console, _Heard(stream=stream))
    observer: Observer = both
    return observer


class _Both:
    """Says everything to the console, and then to the file: what the file does not take is lost
    there."""

    def __init__(self, console: Observer, file: Observer) -> None:
        self._console, self._file = console, file

    def __getattr__(self, event: str) -> Callable[..., None]:
        def say(*about: Any) -> None:
            getattr(self._console, event)(*about)
            try:
                getattr(self._file, event)(*about)
            except OSError:  # a disk that is full
                return

        return say


class _Heard(Lines):
    """Lines with their time, into a file also where a run was refused or its report was not
    written."""

    def __init__(self, *, stream: TextIO) -> None:
        super().__init__(stream=stream)

    def ended(self, report: Mapping[str, Any], output: str) -> None:
        from pipeline.cli.console import exit_line

        self._say(exit_line(report, output))

    def unwritten(self, report: str) -> None:
        self._say(report)

    def refused(self, error: StylizeError) -> None:
        self._say(f"refused: {printable(str(error))}")
