"""The verb that lays pictures out: sheet. Pictures are decoded and drawn in processes of their
own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from pipeline.cli.arguments import EXIT_CODES, MANIFEST, STRICT, STYLES, load
from pipeline.cli.paths import PathName, refuse_addresses
from pipeline.cli.questions import conversation
from pipeline.errors import ExitCode, OutputError, UsageError
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.job import Job, Manifest
    from pipeline.report.small_pictures import SmallPictures

_PROCESS = "pipeline.images.sheet"
_KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_NAME = "sheet.png"
_LEAST_CELL, _CELL, _MOST_CELL = 64, 256, 1024  # pixels; of the most, `images/small` gives a million
_LEAST_HEIGHT, _HEIGHT, _MOST_HEIGHT = 48, 240, 1024
_QUALITY = 88  # of JPEG and WebP: a strip of 240 pixels has 50 kB
_LARGEST = 2**31  # pixels: no thumbnail is as large, so that strips are made from the files

Row = Mapping[str, Any]


@click.command(epilog=EXIT_CODES, short_help="Lay all pictures out on a labelled contact sheet.")
@MANIFEST
@STYLES
@click.option(
    "--results",
    type=PathName(file_okay=False),
    metavar="FOLDER",
    envvar="STYLIZE_OUTPUT",
    help="With FOLDER: where results are.  [default: FOLDER/output]",
)
@click.option(
    "-o",
    "--output",
    type=PathName(),
    metavar="PATH",
    help="The sheet: .png, .jpg or .webp; with --strip a folder.  [default: sheet.png beside the results]",
)
@click.option(
    "--cell",
    type=click.IntRange(_LEAST_CELL, _MOST_CELL),
    default=_CELL,
    show_default=True,
    help="Pixels of a picture's longer side.",
)
@click.option("--strip", is_flag=True, help="A file for each pair instead: photograph, style, result.")
@click.option(
    "--height",
    type=click.IntRange(_LEAST_HEIGHT, _MOST_HEIGHT),
    default=_HEIGHT,
    show_default=True,
    help="Pixels of a strip's height.",
)
@click.option(
    "--format", "kind", type=click.Choice(["jpg", "png"]), default="jpg", show_default=True, help="Of strips."
)
@click.option("--only", metavar="GLOB", help="Only outputs whose name matches.")
@click.option(
    "--set",
    "settings",
    metavar="OPTION=VALUE",
    multiple=True,
    help="Override an option of all pairs, as the run did (repeatable).",
)
@click.option(
    "--font",
    type=PathName(exists=True, dir_okay=False),
    metavar="FILE",
    help="For letters that the known fonts lack.",
)
@STRICT
def sheet(
    manifest: Path,
    styles: tuple[Path, ...],
    results: Path | None,
    output: Path | None,
    cell: int,
    strip: bool,
    height: int,
    kind: str,
    only: str | None,
    settings: tuple[str, ...],
    font: Path | None,
    strict: bool,
) -> int:
    """Lay the pictures of MANIFEST out on one labelled contact sheet.

    Rows and columns are the two things in which its pairs differ most, as photographs and styles,
    or a style and an option; what else differs makes blocks. Nothing is painted: a pair without a
    picture is an empty place that says why. What does not fit on a sheet of 6000 pixels goes to
    sheet-2.png and on.
    """
    refuse_addresses("--output", output)
    whole = load(manifest, settings, styles, results, strict=strict)
    loaded, taken = _chosen(whole, only), _Taken(whole)
    if strip:
        if output is None:
            raise click.UsageError("--strip writes a file for each pair; name a folder for them with -o")
        return _strips(loaded, taken, output, height, kind)
    return _sheets(loaded, taken, output, cell, font)


def _chosen(manifest: Manifest, only: str | None) -> Manifest:
    from pipeline.batch.selection import Selection

    for warning in manifest.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    pairs = tuple(job for job in manifest.pairs if Selection(only=only).names(job.output))
    if not pairs:
        which = f"matches --only {only!r}" if only is not None else "is there"
        raise click.UsageError(f"no output of {printable(manifest.file.name)} {which}; plan lists them")
    return replace(manifest, pairs=pairs)


def _sheets(manifest: Manifest, taken: _Taken, output: Path | None, cell: int, font: Path | None) -> int:
    from pipeline.report.contact_sheet import contact_sheets

    file = manifest.output / _NAME if output is None else Path(os.path.abspath(output))
    if (kind := _KINDS.get(file.suffix.lower())) is None:
        raise click.UsageError(f"{printable(file)} must end in one of {', '.join(_KINDS)}")
    found = contact_sheets(
        manifest.name or manifest.file.stem, _rows(manifest), manifest.pairs, _pictures(manifest, cell), cell
    )
    files = [file if number == 1 else file.with_stem(f"{file.stem}-{number}") for number in range(1, len(found) + 1)]
    asked = {"format": kind, "quality": _QUALITY, "font": None if font is None else os.path.abspath(font)}
    drawn = ({**asked, "sheet": sheet.to_json()} for sheet in found)
    code = _write(zip(files, drawn, strict=True), files, taken)
    old = file.with_stem(f"{file.stem}-{len(found) + 1}")
    if os.path.lexists(old):
        click.echo(f"note: {printable(old)} is of an earlier, larger sheet", err=True)
    return code


def _strips(manifest: Manifest, taken: _Taken, folder: Path, height: int, kind: str) -> int:
    from pipeline.report.contact_sheet import why_none
    from pipeline.store.layout import MOST_STYLES

    pictures, asked, files = _pictures(manifest, _LARGEST), [], []
    names = _strip_names(manifest.pairs, kind)
    for row, job in zip(_rows(manifest), manifest.pairs, strict=True):
        if not (result := pictures.result(job, row)):
            click.echo(f"{printable(job.output)}: {why_none(row)}", err=True)
            continue
        styles = pictures.styles(job)
        if left := styles[MOST_STYLES:]:
            click.echo(
                f"note: {printable(names[job.output])} shows {MOST_STYLES} styles; {len(left)} more are left out",
                err=True,
            )
        before = [files for files in (pictures.content(job), *styles[:MOST_STYLES]) if files]
        asked.append({"strip": [*before, result], "height": height, "format": _KINDS[f".{kind}"], "quality": _QUALITY})
        files.append(Path(os.path.abspath(folder), names[job.output]))
    if not files:
        raise UsageError(f"no pair of {printable(manifest.file)} is painted yet; 'stylize run' does that")
    return _write(zip(files, asked, strict=True), files, taken)


def _strip_names(jobs: Sequence[Job], kind: str) -> dict[str, str]:
    """By output: its name with another suffix; beside its own where that is another's too."""
    from pipeline.manifest.pairs.naming import identity

    names = {job.output: str(Path(job.output).with_suffix(f".{kind}")) for job in jobs}
    taken = [identity(name) for name in names.values()]
    return {output: f"{output}.{kind}" if taken.count(identity(name)) > 1 else name for output, name in names.items()}


def _rows(manifest: Manifest) -> list[dict[str, Any]]:
    from pipeline.batch.standing import rows_as_they_stand
    from pipeline.cli.console import Quiet

    rows = rows_as_they_stand(manifest, Quiet())
    pictures = [[job.content, *(style.image for style in job.styles)] for job in manifest.pairs]
    named = [[row["content"], *row["style"]] for row in rows]
    others = _told_apart(
        pair for names, paths in zip(named, pictures, strict=True) for pair in zip(names, paths, strict=True)
    )
    for row, names, paths in zip(rows, named, pictures, strict=True):
        row["content"], *row["style"] = (others.get(one, one[0]) for one in zip(names, paths, strict=True))
    return rows


def _told_apart(files: Iterable[tuple[str, Path]]) -> dict[tuple[str, Path], str]:
    """Other names for files that reports call the same, as they do not lie below the input folder:
    with their own folders, or with numbers."""
    by_name: dict[str, dict[Path, None]] = {}
    for name, path in files:
        if name:
            by_name.setdefault(name, {})[path] = None
    found: dict[tuple[str, Path], str] = {}
    for name, paths in by_name.items():
        if len(paths) > 1:
            longer = [f"{path.parent.name}/{path.name}" for path in paths]
            distinct = len({*longer, *by_name}) == len(paths) + len(by_name)
            named = longer if distinct else [f"{name} ({number})" for number in range(1, len(paths) + 1)]
            found |= {(name, path): other for path, other in zip(paths, named, strict=True)}
    return found


def _pictures(manifest: Manifest, side: int) -> SmallPictures:
    from pipeline.report.small_pictures import SmallPictures
    from pipeline.store.disk import LocalStore

    return SmallPictures(LocalStore(manifest.output), side)


def _write(asked: Iterator[tuple[Path, dict[str, Any]]], files: Sequence[Path], taken: _Taken) -> int:
    """Have each file drawn and put it under its name, whole or not at all."""
    from pipeline.store.disk import LocalStore

    taken.refuse(files)
    code = ExitCode.OK
    with tempfile.TemporaryFile() as drawn, conversation(_PROCESS, "process that draws", [drawn.fileno()]) as ask:
        for file, question in asked:
            answer = ask({**question, "file": drawn.fileno()})
            if answer.get("exit_code") == ExitCode.SOME_FAILED:  # of one strip; others are drawn
                click.echo(f"error: {printable(file)} cannot be drawn: {printable(answer['error'])}", err=True)
                code = ExitCode.SOME_FAILED
                continue
            if "error" in answer:
                failure = UsageError if answer["exit_code"] == ExitCode.USAGE else OutputError
                raise failure(f"{printable(file)} cannot be drawn: {printable(answer['error'])}")
            for note in answer["notes"]:
                click.echo(f"error: {printable(note)}", err=True)
                code = ExitCode.SOME_FAILED
            LocalStore(file.parent).write_by(file.name, lambda written: _copy(drawn, written))
            width, height = answer["size"]
            click.echo(f"{printable(os.path.relpath(file))}  {width}x{height}")
    return code


def _copy(drawn: IO[bytes], written: IO[bytes]) -> None:
    drawn.seek(0)
    shutil.copyfileobj(drawn, written)


class _Taken:
    """The names of paintings: those that a manifest wants, and those that stand beside them."""

    def __init__(self, manifest: Manifest) -> None:
        self._folder = Path(os.path.realpath(manifest.output))
        self._wanted = {self._folder / job.output for job in manifest.pairs}

    def refuse(self, files: Sequence[Path]) -> None:
        """Raise UsageError where a file would stand in a painting's place."""
        from pipeline.store.disk import LocalStore
        from pipeline.store.layout import record_name
        from pipeline.store.records import read_record

        store = LocalStore(self._folder)
        for file in (Path(os.path.realpath(file)) for file in files):
            below = file.is_relative_to(self._folder)
            name = file.relative_to(self._folder).as_posix() if below else ""
            if file in self._wanted or (below and read_record(store, record_name(name)) is not None):
                raise UsageError(f"{printable(file)} is a painting; give another name with -o")
