"""The verbs that take a manifest to pictures: run, preview, plan, clean."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.arguments import (
    DURATION,
    EXIT_CODES,
    MANIFEST,
    Command,
    load,
    of_folder,
    running,
    selecting,
)
from pipeline.cli.paths import as_given
from pipeline.cli.streams import OutputUnwritable, print_json
from pipeline.errors import ExitCode, StylizeError
from pipeline.printable import printable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.batch.engines.protocol import OpenEngine
    from pipeline.batch.observer import Observer
    from pipeline.batch.selection import Selection
    from pipeline.job import Manifest, RunSettings


_FLAGS = (
    MANIFEST,
    of_folder,
    selecting,
    click.option(
        *("-n", "--dry-run"),
        is_flag=True,
        envvar="STYLIZE_DRY_RUN",
        help="Only say what would be done (see plan).",
    ),
    running,
    click.option(
        "--wait",
        type=DURATION,
        default=0.0,
        envvar="STYLIZE_WAIT",
        help="Wait so long for another run's end, or where a cluster has no worker, for one.",
    ),
    click.option("-q", "--quiet", is_flag=True, envvar="STYLIZE_QUIET", help="Say only what went wrong."),
    click.option("-v", "--verbose", is_flag=True, envvar="STYLIZE_VERBOSE", help="Say every step."),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text", envvar="STYLIZE_LOG_FORMAT"),
    click.pass_obj,
)


def _flags_of_a_run(command: Command) -> Command:
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


@click.command(epilog=EXIT_CODES)
@_flags_of_a_run
def run(engine: OpenEngine | None, **flags: Any) -> int:
    """Bring every pair of MANIFEST up to date.

    FOLDER in the place of a manifest holds photographs in FOLDER/content and paintings in
    FOLDER/style, or photographs alone, with --style. It stands for the manifest that `stylize init`
    would write into it: every photograph in every style, results in FOLDER/output. Photographs that
    are put there later are painted by the next run.

    Each flag has a twin in the environment: STYLIZE_DEADLINE=06:00 is --deadline 06:00.
    """
    return _run(engine, lambda manifest, selection: (manifest, selection), **flags)


@click.command(epilog=EXIT_CODES, short_help="Paint three frames of each clip, to look at them first.")
@_flags_of_a_run
def preview(engine: OpenEngine | None, **flags: Any) -> int:
    """Paint three frames of each clip of MANIFEST, to look at them before the night.

    They are the first, one in the middle and the last, painted as stills are, in one picture beside
    the clip: CLIP-preview.png. Pictures are left as they are, and no hook is called.
    """
    from dataclasses import replace

    from pipeline.batch.previews import previews

    def of_clips(manifest: Manifest, selection: Selection) -> tuple[Manifest, Selection]:
        """`--only` names clips, not their previews. These are never the whole of a manifest: what
        is known of its other files stays."""
        _refuse_to_match_nothing(manifest, selection)
        named = tuple(job for job in manifest.pairs if selection.names(job.output))
        return previews(replace(manifest, pairs=named)), replace(selection, only="*")

    return _run(engine, of_clips, **flags)


def _run(
    engine: OpenEngine | None,
    prepared: Callable[[Manifest, Selection], tuple[Manifest, Selection]],
    *,
    manifest: Path,
    styles: tuple[Path, ...],
    output: Path | None,
    selection: Selection,
    settings: tuple[str, ...],
    strict: bool,
    as_json: bool,
    dry_run: bool,
    over_run: dict[str, Any],
    wait: float,
    quiet: bool,
    verbose: bool,
    log_format: str,
) -> int:
    from dataclasses import replace

    from pipeline.batch.driver import run as run_manifest
    from pipeline.cli.log_file import with_files
    from pipeline.cli.progress import observer

    console = observer(quiet=quiet, verbose=verbose, log_format=log_format)
    try:
        loaded, selection = prepared(load(manifest, settings, styles, output, strict=strict), selection)
        loaded = warned_of_cluster(replace(loaded, run=replace(loaded.run, **over_run)))
        if "scheduler" in over_run and loaded.run.engine == "local":
            raise click.UsageError(f"{as_given('--scheduler', 'scheduler')} is for --engine dask")
        console = console if dry_run else with_files(console, loaded.run, loaded.output)
        _refuse_to_match_nothing(loaded, selection)
        if dry_run:
            return _show_plan(loaded, selection, as_json)
        engine = engine or _engine(loaded.run, wait)
        report = run_manifest(loaded, selection, console, engine=engine, command=tuple(sys.argv), wait_seconds=wait)
    except StylizeError as error:
        console.refused(error)
        return error.exit_code
    if as_json:
        _print_report(report, console, loaded.output)
    console.ended(report, loaded.output_url or str(loaded.output))
    code: int = report["run"]["exit_code"]
    return code


def _engine(settings: RunSettings, wait: float) -> OpenEngine:
    """What paints. Raises UsageError and EnvironmentProblem where a cluster is wanted that cannot
    be asked."""
    if settings.engine == "local":
        from pipeline.batch.engines.local import LocalEngine

        return LocalEngine
    from functools import partial

    from pipeline.batch.engines.cluster.engine import PATIENCE_SECONDS, DaskEngine
    from pipeline.batch.engines.cluster.link import check_installed

    if settings.scheduler is None:
        raise click.UsageError("the engine dask needs its scheduler's address: --scheduler tcp://HOST:8786")
    check_installed()

    return partial(DaskEngine, patience=max(wait, PATIENCE_SECONDS))


def warned_of_cluster(manifest: Manifest) -> Manifest:
    """The manifest, with a warning where workers on other machines may not see what they paint
    in."""
    from dataclasses import replace

    if manifest.run.engine == "local" or not manifest.output_url or manifest.run.state is not None:
        return manifest
    warning = (
        f"'output' is an address, and workers of a cluster paint in {printable(manifest.output)}, which all of them must"
        " see; name a folder that they share with 'state' in 'run' (docs/farm.md)"
    )
    return replace(manifest, warnings=(*manifest.warnings, warning))


def reading_copies(manifest: Manifest) -> AbstractContextManager[None]:
    """While copies of the manifest's pictures are read, none of them goes."""
    from pipeline.objects.cache import copies_in_use

    return copies_in_use((path for job in manifest.pairs for path in job.inputs), manifest.run.object_cache)


def _print_report(report: Mapping[str, Any], console: Observer, output: Path) -> None:
    """Print report.json. That nobody takes it is no failure of the run, which is over by now."""
    try:
        print_json(report)
    except BrokenPipeError:
        pass
    except OutputUnwritable as error:
        console.warned(f"{str(error).partition(';')[0]}; the report is in {output}")


@click.command(short_help="Say what run would do and why; writes nothing.")
@MANIFEST
@of_folder
@selecting
@click.option("--explain", metavar="PAIR", help="Print each option of one pair with where its value came from.")
def plan(
    manifest: Path,
    styles: tuple[Path, ...],
    output: Path | None,
    selection: Selection,
    settings: tuple[str, ...],
    strict: bool,
    as_json: bool,
    explain: str | None,
) -> int:
    """Say what run would do and why, with estimated time and memory. Writes nothing.

    Exit codes: 0, also where pairs cannot be started (check ends with 3 there); 2 the manifest is
    wrong.
    """
    loaded = warned_of_cluster(load(manifest, settings, styles, output, strict=strict))
    _refuse_to_match_nothing(loaded, selection)
    if explain is None:
        return _show_plan(loaded, selection, as_json)
    job = next((job for job in loaded.pairs if job.output == explain), None)
    if job is None:
        raise click.UsageError(
            f"no pair of {printable(manifest)} has the output {explain!r}; 'stylize plan' lists them"
        )
    from pipeline.cli.rendering import explanation
    from pipeline.manifest import PRECEDENCE

    click.echo(explanation(job))
    click.echo(f"the nearer wins: {PRECEDENCE}", err=True)
    return ExitCode.OK


def _refuse_to_match_nothing(manifest: Manifest, selection: Selection) -> None:
    if selection.only is not None and not any(selection.names(job.output) for job in manifest.pairs):
        raise click.UsageError(
            f"no output of {printable(manifest.file.name)} matches --only {selection.only!r}; plan lists them"
        )


def _show_plan(manifest: Manifest, selection: Selection, as_json: bool) -> int:
    from dataclasses import replace

    from pipeline.batch.plan import make_plan
    from pipeline.batch.workers import settled
    from pipeline.cli.rendering import plan_rows, plan_text
    from pipeline.store.records import State
    from pipeline.store.store import output_store

    with reading_copies(manifest):
        made = make_plan(manifest, State(output_store(manifest)), selection)
    jobs = (pair.job for pair in made.pairs if pair.action == "paint")
    manifest = replace(manifest, run=settled(manifest.run, jobs))
    rows = plan_rows(made, manifest)
    if as_json:
        print_json(rows)
    else:
        click.echo(plan_text(rows, manifest.run.workers, made.left))
    for warning in (*manifest.warnings, *made.warnings):
        click.echo(f"warning: {printable(warning)}", err=True)
    return ExitCode.OK


@click.command(short_help="Remove what earlier runs wrote and nobody wants now.")
@MANIFEST
@of_folder
@click.option("-n", "--dry-run", is_flag=True, envvar="STYLIZE_DRY_RUN", help="Only list what would be removed.")
def clean(manifest: Path, styles: tuple[Path, ...], output: Path | None, dry_run: bool) -> int:
    """Remove what earlier runs wrote and no pair of MANIFEST wants any more."""
    from pipeline.batch.clean import clean_output

    # A drive that is not there looks like a folder without pictures: no reason to delete theirs.
    cleaned = clean_output(load(manifest, (), styles, output, strict=True), dry_run=dry_run)
    for path in cleaned.paths:
        click.echo(f"{'would remove' if dry_run else 'removed'} {printable(path)}")
    if cleaned.others:
        from pipeline.report.quantities import count

        click.echo(f"left: {count(cleaned.others, 'pair')} of other manifests, or of unknown ones", err=True)
    return ExitCode.OK
