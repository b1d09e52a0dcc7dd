"""The verb that makes masks to begin with: masks. NumPy runs in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import click

from pipeline.cli.arguments import EXIT_CODES
from pipeline.cli.measure import look_at
from pipeline.errors import EnvironmentProblem, ExitCode, UsageError
from pipeline.printable import last_line, printable

_PROCESS = "pipeline.images.starting_masks"
_MOST_COLOURS = 8  # `starting_masks.MOST_COLOURS`, by test: this process loads no NumPy


@click.command(epilog=EXIT_CODES)
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to; left out: masks/ beside PHOTO."
)
@click.option(
    "--colours", type=click.IntRange(2, _MOST_COLOURS), default=4, show_default=True, help="How many masks by colour."
)
@click.option("-f", "--force", is_flag=True, help="Replace masks that are there, edited ones too.")
def masks(pictures: tuple[Path, ...], output: Path | None, colours: int, force: bool) -> int:
    """Make masks of PHOTO to begin with, as PNG to edit.

    By brightness (dark, middle, light), by colour (colour1, the largest, and on; regions, all of
    them in one map), and of the sky where one is found. White is where a style is to be painted;
    docs/masks.md says how a manifest names them.
    """
    for picture in pictures:
        look_at(picture)
    for picture in pictures:
        folder = picture.parent / "masks" if output is None else output
        found = _made(
            {"picture": os.path.abspath(picture), "folder": os.path.abspath(folder), "colours": colours, "force": force}
        )
        for name in found["written"]:
            click.echo(printable(os.path.join(folder, name)))
        for name in found["kept"]:
            click.echo(f"kept: {printable(os.path.join(folder, name))}; --force replaces it", err=True)
        for note in found["notes"]:
            click.echo(f"note: {printable(note)}", err=True)
    return ExitCode.OK


def _made(question: dict[str, Any]) -> dict[str, Any]:
    """What the process says that makes them. Raises UsageError for a picture or a folder that it
    cannot take, EnvironmentProblem where it does not get so far."""
    from pipeline.batch.system.environment import worker_environment
    from pipeline.batch.system.machine import worker_threads
    from pipeline.job import RunSettings
    from pipeline.python_path import python_command

    environment = worker_environment(os.environ, worker_threads(RunSettings()), None)
    done = subprocess.run(
        python_command(_PROCESS), input=json.dumps(question).encode(), env=environment, capture_output=True, check=False
    )
    if done.returncode or not done.stdout:
        words = last_line(io.BytesIO(done.stderr))
        raise EnvironmentProblem(f"the process that makes masks ended with code {done.returncode}: {words}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise UsageError(answer["error"])
    return answer
