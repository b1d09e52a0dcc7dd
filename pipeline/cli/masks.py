"""The verb that makes masks to begin with: masks. NumPy runs in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipeline.cli.arguments import EXIT_CODES
from pipeline.cli.paths import PathName, refuse_addresses
from pipeline.cli.questions import ask, look_at
from pipeline.errors import ExitCode, UsageError
from pipeline.printable import printable

_PROCESS = "pipeline.images.starting_masks"
_MOST_COLOURS = 8  # `starting_masks.MOST_COLOURS`, by test: this process loads no NumPy


@click.command(epilog=EXIT_CODES)
@click.argument("pictures", nargs=-1, required=True, type=PathName(), metavar="PHOTO...")
@click.option("-o", "--output", type=PathName(), metavar="FOLDER", help="Where to; left out: masks/ beside PHOTO.")
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
    refuse_addresses("--output", output)
    for picture in pictures:
        look_at(picture)
    _refuse_one_name(pictures, output)
    for picture in pictures:
        folder = _folder_of(picture, output)
        paths = {"picture": os.path.abspath(picture), "folder": os.path.abspath(folder)}
        found = ask(_PROCESS, {**paths, "colours": colours, "force": force}, "process that makes masks")
        for name in found["written"]:
            click.echo(printable(os.path.join(folder, name)))
        for name in found["kept"]:
            click.echo(f"kept: {printable(os.path.join(folder, name))}; --force replaces it", err=True)
        for note in found["notes"]:
            click.echo(f"note: {printable(note)}", err=True)
    return ExitCode.OK


def _folder_of(picture: Path, output: Path | None) -> Path:
    return picture.parent / "masks" if output is None else output


def _refuse_one_name(pictures: tuple[Path, ...], output: Path | None) -> None:
    """Raise UsageError where the masks of two pictures would be called alike."""
    first: dict[str, Path] = {}
    for picture in pictures:
        name = os.path.abspath(_folder_of(picture, output) / picture.stem)
        other = first.setdefault(name.casefold(), picture)
        if os.path.abspath(other) != os.path.abspath(picture):
            raise UsageError(
                f"masks of {printable(other)} and {printable(picture)} would have the same names; make them one after the"
                " other, with another folder by -o"
            )
