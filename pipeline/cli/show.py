"""The verbs that look at what runs have left: show, report, history; and acknowledge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.arguments import SHARD, STYLES, Command, load
from pipeline.cli.paths import PathName
from pipeline.cli.streams import print_json
from pipeline.errors import ExitCode
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.batch.selection import Shard
    from pipeline.job import Manifest


_NAMED = 5  # pairs in a message
_OUTPUT = "output"  # of a folder, and of the working directory


@click.command()
@click.argument("image", type=PathName())
@click.option("--manifest", "as_manifest", is_flag=True, help="As a manifest that makes the picture again.")
def show(image: Path, as_manifest: bool) -> int:
    """Print the settings stored in an output, as JSON."""
    from pipeline.errors import PairError, UsageError
    from pipeline.images.reader import Reader

    try:
        settings = Reader().metadata(image)
    except PairError as error:  # here it is the argument that is wrong, and no pair
        raise UsageError(str(error)) from error
    if as_manifest:
        from pipeline.manifest import manifest_for_settings

        click.echo(manifest_for_settings(settings), nl=False)
    else:
        print_json(settings)
    return ExitCode.OK


def of_output(command: Command) -> Command:
    """MANIFEST, its FOLDER, or -o OUTPUT: whose runs are meant."""
    command = click.argument("manifest", type=PathName(), metavar="[MANIFEST|FOLDER]", required=False)(command)
    return click.option(
        "-o",
        "--output",
        type=PathName(file_okay=False),
        metavar="FOLDER",
        help=f"The output folder.  [default: the manifest's; {_OUTPUT} without one]",
    )(command)


def output_folder(manifest: Path | None, output: Path | None) -> Path:
    """The folder that is meant, given what `of_output` takes."""
    if output is not None:
        return output
    if manifest is None:
        return Path(_OUTPUT)
    return manifest / _OUTPUT if manifest.is_dir() else load(manifest).output


@click.command()
@of_output
@STYLES
@click.option("--json", "as_json", is_flag=True, help="Print report.json.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the losses: a line for each reading of each pair.")
@SHARD
@click.option(
    "--merge",
    "parts",
    type=PathName(),
    multiple=True,
    metavar="FILE",
    help="Print one report out of those of all parts, report.1-of-3.json and so on (repeatable).",
)
def report(
    manifest: Path | None,
    output: Path | None,
    styles: tuple[Path, ...],
    shard: Shard | None,
    as_json: bool,
    as_csv: bool,
    parts: tuple[Path, ...],
) -> int:
    """Print the report of the last run. Of a MANIFEST or FOLDER it is written anew before,
    from records, without painting.
    """
    from pipeline.cli.rendering import last_report, parts_of_last_report

    if as_csv and (as_json or parts):
        raise click.UsageError(f"--csv and {'--json' if as_json else '--merge'} exclude each other")
    if parts:
        return _print_merged(parts, as_json)
    if manifest is not None and (output is None or manifest.is_dir()):
        loaded = load(manifest, (), styles, output)
        folder = loaded.output
        _write_anew(loaded, shard)
    else:
        folder = output_folder(manifest, output)
    if as_csv:
        from pipeline.report.readings import readings_csv

        for line in readings_csv(last_report(folder, shard)):
            click.echo(printable(line.removesuffix("\r\n")))
    else:
        for part in parts_of_last_report(folder, "json" if as_json else "txt", shard):
            click.echo(part, nl=False)
    return ExitCode.OK


def _print_merged(parts: tuple[Path, ...], as_json: bool) -> int:
    from pipeline.batch.merging import merged, parts_with_failures
    from pipeline.errors import UsageError
    from pipeline.report.text import render_text

    report = merged(parts)
    if as_json:
        print_json(report)
        return ExitCode.OK
    try:
        click.echo(render_text(report, page=False, shards=parts_with_failures(report, len(parts))), nl=False)
    except (KeyError, TypeError) as error:  # what is missing, or is another thing there
        raise UsageError("the parts are of another version of this program; --json prints them as one") from error
    return ExitCode.OK


def _write_anew(manifest: Manifest, shard: Shard | None) -> None:
    """Bring the reports up to date, where a run was; if that cannot be, the last one is shown as it
    is."""
    from pipeline.batch.standing import report_anew
    from pipeline.cli.console import Quiet
    from pipeline.cli.rendering import last_run
    from pipeline.errors import BadOutput, Locked, OutputError
    from pipeline.report.data import report_stem
    from pipeline.store.layout import LOCK
    from pipeline.store.store import output_store

    store, which = output_store(manifest), str(shard) if shard else None
    if not store.exists(f"{report_stem(which)}.json" if shard else LOCK):
        return  # no run, or none over this shard, was ever here: there is nothing to report
    try:
        report_anew(manifest, Quiet(), last_run(manifest.output, shard), which)
    except (Locked, OutputError, BadOutput) as error:
        click.echo(f"note: this is the report as it was written last: {printable(str(error))}", err=True)


@click.command(short_help="Say that you know of quarantined pairs.")
@click.argument("pattern")
@of_output
def acknowledge(pattern: str, manifest: Path | None, output: Path | None) -> int:
    """Say that you know of quarantined pairs whose output matches PATTERN ("*": all of them).

    They stay quarantined and in the report, but a run no longer exits with 12 for them, and --quiet
    is silent about them. It holds until they are painted or fail in another way.
    """
    from pipeline.batch.selection import is_named
    from pipeline.errors import UsageError
    from pipeline.store.disk import LocalStore
    from pipeline.store.failures import Failures

    folder = output_folder(manifest, output)
    failures = Failures(LocalStore(folder))
    found = failures.quarantined()
    matching = [failure for failure in found if is_named(pattern, failure.output)]
    if not matching:
        there = ", ".join(printable(failure.output) for failure in found[:_NAMED])
        known = f"there are {len(found)}: {there}{', ...' if len(found) > _NAMED else ''}" if found else "there is none"
        raise UsageError(f"no quarantined pair of {printable(folder)} matches {pattern!r}; {known}")
    for failure in matching:
        failures.acknowledge(failure)
        since = f"failed in {failure.runs} runs since {printable(failure.since[:10])}"
        click.echo(f"acknowledged {printable(failure.output)}: {since} ({printable(failure.reason)})")
    return ExitCode.OK


@click.command()
@of_output
@click.option("--last", default=14, show_default=True, type=click.IntRange(min=1), help="How many runs.")
@SHARD
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, oldest first.")
def history(manifest: Path | None, output: Path | None, shard: Shard | None, last: int, as_json: bool) -> int:
    """Print a line for each of the last runs."""
    from pipeline.report.history import read_history, render_history
    from pipeline.store.disk import LocalStore
    from pipeline.store.layout import history_name

    store = LocalStore(output_folder(manifest, output))
    rows = read_history(store, history_name(shard.suffix if shard else None), last=last)
    if as_json:
        print_json(rows)
    else:
        click.echo(render_history(rows, sys.stdout.encoding or "utf-8"), nl=False)
    return ExitCode.OK
