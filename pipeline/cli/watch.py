"""The verb watch: a run as a page on this machine, while it goes on or after it."""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path

import click

from pipeline.cli.show import of_output, output_folder
from pipeline.errors import ExitCode, UsageError
from pipeline.printable import printable, printable_lines

_LOOK_SECONDS = 0.2  # between two looks for a signal


@click.command(short_help="Show a run as a page in the browser, while it goes on.")
@of_output
@click.option(
    "--port",
    type=click.IntRange(min=1, max=65535),
    envvar="STYLIZE_PORT",
    help="The port on 127.0.0.1.  [default: a free one]",
)
def watch(manifest: Path | None, output: Path | None, port: int | None) -> int:
    """Show the run that goes on, or the last one, as a page in the browser, until Ctrl-C.

    Only who has the printed address can see it, and only from this machine. The page looks, and
    changes nothing.
    """
    from pipeline.batch.system.signals import stop_on_signals
    from pipeline.watch.server import ADDRESS, Server
    from pipeline.watch.site import Pages

    folder = output_folder(manifest, output)
    with stop_on_signals() as stop:
        site = Pages(folder)
        site.version()  # a report of 40,000 pairs takes a moment to read
        try:
            server = Server(site, port or 0, _Troubled())
        except OSError as error:
            raise UsageError(f"cannot serve at {ADDRESS}:{port}: {error.strerror}; choose another --port") from error
        with server:
            click.echo(f"watching {printable(folder)}; Ctrl-C ends it, and no run with it")
            click.echo(server.url)
            waiting = threading.Event()
            while stop.by is None:
                waiting.wait(_LOOK_SECONDS)
        return ExitCode(128 + stop.by)


class _Troubled:
    """Prints the first of several tracebacks that are alike."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, trouble: Exception) -> None:
        text = "".join(traceback.format_exception(trouble))
        if text not in self._said:
            self._said.add(text)
            print(printable_lines(text), end="", file=sys.stderr)
