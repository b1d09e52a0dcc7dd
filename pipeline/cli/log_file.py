"""`log_file` and `events_file` of a run: what it says, whatever is said on the terminal, in files
of its own."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from pipeline.cli.console import JsonLines, Lines
from pipeline.errors import OutputError
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.batch.observer import Observer
    from pipeline.errors import StylizeError
    from pipeline.job import RunSettings

# Bytes of what stands there: every picture has a zero among them, or is a JPEG.
_LOOKED_AT, _JPEG = 1024, b"\xff\xd8"


def with_files(console: Observer, run: RunSettings, output: Path) -> Observer:
    """The console, which from now on is also heard by the files that these settings name."""
    heard = with_log_file(console, run.log_file, output)
    return with_log_file(heard, run.events_file, output, as_events=True)


def with_log_file(console: Observer, path: str | None, output: Path, *, as_events: bool = False) -> Observer:
    """The console, which from now on is also heard by a file, in lines or `as_events`; where that
    cannot be written, the console says so, and the run goes on without. `output` is the run's
    folder, below which no link is followed."""
    if path is None:
        return console
    try:
        stream = io.TextIOWrapper(
            _opened(Path(path), output), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
    except (OSError, OutputError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        name = "events_file" if as_events else "log_file"
        console.warned(f"{name} {printable(path)} cannot be written: {why}; the run goes on without")
        return console
    both: Any = _Both(console, JsonLines(stream) if as_events else _Heard(stream=stream))
    observer: Observer = both
    return observer


def _opened(path: Path, output: Path) -> BinaryIO:
    """The file, to be added to. Raises OSError and OutputError."""
    if path.is_relative_to(output):
        from pipeline.store.disk import LocalStore

        store, name = LocalStore(output), path.relative_to(output).as_posix()
        if store.exists(name):
            with store.open(name) as file:
                _check_text(file.read(_LOOKED_AT))
        return store.open_to_append(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        with path.open("rb") as file:
            _check_text(file.read(_LOOKED_AT))
    # a pipe that nobody reads would hold up the run
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o640), "ab")


def _check_text(begin: bytes) -> None:
    """Raise OutputError for what is no log, as a picture that has the name by mistake: lines would
    be added to it."""
    if b"\0" in begin or begin.startswith(_JPEG):
        raise OutputError("what stands there is no text; name another file")


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

        self._say(exit_line(report, output, page=self._page))

    def unwritten(self, report: str) -> None:
        self._page = False
        self._say(report)

    def refused(self, error: StylizeError) -> None:
        self._say(f"refused: {printable(str(error))}")
