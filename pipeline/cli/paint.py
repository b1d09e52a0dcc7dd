"""The verb for pictures that are wanted now: paint. A run over a manifest that is never written, in
a folder that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from pipeline.cli.arguments import EXIT_CODES, Word, overrides_of
from pipeline.cli.paths import EMPTY, PathName, refuse_addresses
from pipeline.clip_names import is_numbered
from pipeline.clips.listing import frame_names
from pipeline.errors import BadOutput, ExitCode, OutputError, StylizeError, UsageError, weightiest
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.batch.engines.protocol import OpenEngine
    from pipeline.batch.observer import Observer
    from pipeline.job import Manifest, Outcome

_SCRATCH = ".stylize-paint-"
_LOST = "stopped, and nothing of it is kept; the same line begins it anew"


def _weights(text: str) -> tuple[float, ...]:
    """`2:1`: numbers above zero, as `weight` in a manifest. Raises ValueError."""
    try:
        weights = tuple(float(word) for word in text.split(":"))
    except ValueError:
        weights = ()
    if len(weights) < 2 or not all(0 < weight < float("inf") for weight in weights):
        raise ValueError("weights are numbers above zero with colons between them, one for each painting, like 2:1")
    return weights


def _name(text: str) -> str:
    """A result's name. Raises ValueError."""
    if not text:
        raise ValueError(EMPTY)
    return text


@click.command(epilog=EXIT_CODES, short_help="Paint one picture, or a few, without a manifest.")
@click.argument("pictures", nargs=-1, required=True, type=PathName(), metavar="PHOTOGRAPH... PAINTING")
@click.option(
    "--style",
    "styles",
    type=PathName(),
    multiple=True,
    metavar="PATH",
    help="A painting, or a folder of them (repeatable); every picture in the line is then a photograph.",
)
@click.option(
    "-o",
    "--output",
    type=Word("NAME|FOLDER", _name),
    metavar="NAME|FOLDER",
    help="Name of the result, a pattern of names or a folder.  [default: PHOTOGRAPH--PAINTING.png, here]",
)
@click.option(
    "--blend",
    type=Word("WEIGHTS", _weights),
    metavar="2:1",
    help="One picture in all paintings at once: a weight for each, in the order of --style.",
)
@click.option(
    "--mask",
    "masks",
    type=PathName(),
    multiple=True,
    metavar="PATH",
    help="Where the first painting goes, and the next with the next mask: white in a grey picture. One picture in all"
    " paintings at once; those without a mask have the rest.",
)
@click.option(
    "--content-mask",
    type=PathName(),
    metavar="PATH",
    help="Where the photograph is kept: white as usual, black not at all.",
)
@click.option("--set", "settings", metavar="OPTION=VALUE", multiple=True, help="Set an option (repeatable).")
@click.option("-f", "--force", is_flag=True, help="Replace results that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
@click.option("-v", "--verbose", is_flag=True, help="Say every step.")
@click.pass_obj
def paint(
    engine: OpenEngine | None,
    pictures: tuple[Path, ...],
    styles: tuple[Path, ...],
    output: str | None,
    blend: tuple[float, ...] | None,
    masks: tuple[Path, ...],
    content_mask: Path | None,
    settings: tuple[str, ...],
    force: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Paint a photograph in the style of a painting, now: no manifest, no folder of records.

    The last picture in the line is the painting. With --style all of them are photographs. Prints
    the name of each result, the last on the last line. What is stopped is lost; use run for what
    takes a night.
    """
    from pipeline.cli.progress import observer
    from pipeline.manifest import load_pictures

    if not styles:
        if len(pictures) == 1:
            raise click.UsageError(f"name a painting after {printable(pictures[0])}, or with --style")
        pictures, styles = pictures[:-1], pictures[-1:]
    refuse_addresses("paint", *pictures, *styles, *masks, content_mask)
    refuse_addresses("--output", output)
    console = observer(quiet=quiet, verbose=verbose, log_format="text")
    try:
        manifest = load_pictures(
            pictures,
            styles,
            output,
            blend=blend,
            masks=masks,
            content_mask=content_mask,
            overrides=overrides_of(settings),
        )
        _look_at_results(manifest, force=force)
        with _scratch(manifest.output) as scratch:
            return _painted(manifest, scratch, console, engine, force=force)
    except StylizeError as error:
        console.refused(error)
        return error.exit_code


def _painted(
    manifest: Manifest, scratch: _Scratch, console: Observer, engine: OpenEngine | None, *, force: bool
) -> int:
    """The run's exit code, every picture that it painted being where it belongs."""
    from pipeline.batch.driver import run
    from pipeline.batch.engines.local import LocalEngine
    from pipeline.batch.selection import Selection
    from pipeline.report.data import verdict
    from pipeline.store.output_files import files_of

    report = run(
        replace(manifest, output=scratch.folder),
        Selection(),
        cast("Observer", _Lost(console)),
        engine=engine or LocalEngine,
        command=tuple(sys.argv),
    )
    done = {
        row["output"]: files_of(row["output"], row.get("clip")) for row in report["pairs"] if row["status"] == "done"
    }
    wanted = [job.output for job in manifest.pairs if job.output in done]
    troubles = {name: trouble for name in wanted if (trouble := _moved(done[name], scratch, manifest, force=force))}
    code: int = report["run"]["exit_code"]
    if code:
        scratch.keep_if_named(report)
        click.echo(verdict(report), err=True)
    for name in wanted:
        if name not in troubles:
            click.echo(printable(os.path.relpath(manifest.output / name)))
    for trouble in troubles.values():
        console.refused(trouble)
    return weightiest([ExitCode(code), *(trouble.exit_code for trouble in troubles.values())])


def _moved(files: Iterable[str], scratch: _Scratch, manifest: Manifest, *, force: bool) -> StylizeError | None:
    """Give the files of a result their places; the first that has none is returned, and the others
    have theirs."""
    trouble = None
    for name in files:
        try:
            scratch.move(name, manifest.output, force=force)
        except StylizeError as error:
            trouble = trouble or error
    return trouble


def _look_at_results(manifest: Manifest, *, force: bool) -> None:
    """Raise UsageError for a result that cannot have its name, or has one that is taken."""
    for job in manifest.pairs:
        if job.refusal:
            raise UsageError(job.refusal)
        for path in _taken(manifest.output / job.output):
            if path.is_dir():
                raise UsageError(f"{path} is a folder; give another name with -o")
            if not force:
                shown = os.path.relpath(path)
                raise UsageError(f"{shown} exists; give another name with -o, or replace it with --force")


def _taken(path: Path) -> list[Path]:
    """What stands under a result's name; where that stands for numbered frames, under those."""
    if not is_numbered(path.name):
        return [path] if os.path.lexists(path) else []
    frame = frame_names(path.name)
    with suppress(OSError):
        return sorted(each for each in path.parent.iterdir() if frame.fullmatch(each.name))
    return []


class _Lost:
    """An observer that is told of a picture which was stopped that it is lost, and not saved for
    another run: its checkpoint goes with the folder it is in."""

    def __init__(self, console: Observer) -> None:
        self._console = console

    def __getattr__(self, event: str) -> Any:
        return getattr(self._console, event)

    def finished(self, outcome: Outcome) -> None:
        """The pair is over; see `Observer`."""
        self._console.finished(replace(outcome, reason=_LOST) if outcome.status == "interrupted" else outcome)


class _Scratch:
    """A folder beside the results, so that they come to their names by being renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_kept = False

    def move(self, name: str, target: Path, *, force: bool) -> None:
        """Give a picture its place below `target`; not what came there meanwhile, unless by
        `force`."""
        if os.path.lexists(target / name) and not force:
            self.is_kept = True
            raise BadOutput(f"{target / name} came into being meanwhile; the picture is {self.folder / name}")
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).replace(target / name)
        except OSError as error:
            self.is_kept = True
            raise OutputError(
                f"cannot write {target / name}: {error.strerror}; the picture is {self.folder / name}"
            ) from error

    def keep_if_named(self, report: Mapping[str, Any]) -> None:
        """Keep the folder where a message says that something is to be read in it."""
        said = [*report["run"]["warnings"], *(row["reason"] or "" for row in report["pairs"])]
        if report["run"]["exit_code"] == ExitCode.BUG or any(str(self.folder) in text for text in said):
            self.is_kept = True
            logs = sorted(self.folder.rglob("*.log"))
            click.echo(f"note: kept for its log: {printable(logs[0] if logs else self.folder)}", err=True)


@contextmanager
def _scratch(target: Path) -> Iterator[_Scratch]:
    """A folder in `target`, which is made where it is missing; it goes away unless it is kept."""
    made = [folder for folder in (target, *target.parents) if not folder.exists()]
    try:
        target.mkdir(parents=True, exist_ok=True)
        scratch = _Scratch(Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=target)))
    except OSError as error:
        raise OutputError(f"cannot write to {target}: {error.strerror}") from error
    try:
        yield scratch
    finally:
        if not scratch.is_kept:
            shutil.rmtree(scratch.folder, ignore_errors=True)
        for folder in made:  # where nothing was painted, none is left behind
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
