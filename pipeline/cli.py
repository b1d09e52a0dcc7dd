"""The front door: arguments in, exit code out. Every verb imports what it needs when it is called, so that help is instant."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipeline.errors import ExitCode, ManifestError, StylizeError
from pipeline.printable import printable

if TYPE_CHECKING:
    from pipeline.job import Manifest

Command = TypeVar("Command", bound=Callable[..., Any])

EXIT_CODES = """\b
Exit codes: 0 all up to date, 1 a bug, 2 usage or manifest (nothing was started), 3 at least one pair failed,
4 environment (weights, disk, memory, output not writable), 10 deadline with pairs left, 11 another run holds
the output, 130/143 stopped by SIGINT/SIGTERM."""


class _Verbs(click.Group):
    """Lists the verbs in the order of use, and suggests the nearest for a misspelt one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        import difflib

        if args and args[0] not in self.commands:
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; it is one of {', '.join(self.commands)}"
            raise click.UsageError(f"no verb {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `stylize plan ... | head`; here, as click would make it exit code 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.OK


@click.group(
    cls=_Verbs, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="stylize-pipeline", message="%(version)s")
def cli() -> None:
    """Paint each photograph in each style, by the optimisation of Gatys, Ecker & Bethge, as a YAML manifest says."""


def main() -> None:
    """The console script. Never returns; failures that have a name end in one line, bugs in a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a letter that the terminal lacks stops nothing; stderr is so anyway
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except click.Abort:
        code = ExitCode.SIGINT
    except StylizeError as error:
        click.echo(_message(error), err=True)
        code = error.exit_code
    sys.exit(int(code or 0))


def _message(error: StylizeError) -> str:
    """The line to print, or the lines of a manifest's problems, which are made to be printed."""
    return str(error) if isinstance(error, ManifestError) else f"error: {printable(str(error))}"


# ------------------------------------------------------------------------------------------------- arguments in common


class _Unit(click.ParamType[Any]):
    """A duration (`45m`) or a time of day (`06:00`), read by the same rules as in a manifest."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pipeline.manifest import units

        if not isinstance(value, str):
            return value
        try:
            return units.time_of_day(value) if self.name == "HH:MM" else units.seconds(value)
        except ValueError as error:
            self.fail(f"{error}. Received: {value!r}", param, ctx)


_MANIFEST = click.argument("manifest", type=click.Path(path_type=Path))


def _selecting(command: Command) -> Command:
    """The flags that say which pairs, and with which options."""
    for option in (
        click.option("--only", metavar="GLOB", envvar="STYLIZE_ONLY", help="Only outputs whose name matches."),
        click.option(
            "--limit", type=click.IntRange(min=0), envvar="STYLIZE_LIMIT", help="Paint at most so many pairs."
        ),
        click.option("-f", "--force", is_flag=True, envvar="STYLIZE_FORCE", help="Paint even what is up to date."),
        click.option(
            "--set",
            "settings",
            metavar="OPTION=VALUE",
            multiple=True,
            help="Override an option of all pairs (repeatable).",
        ),
        click.option("--json", "as_json", is_flag=True, envvar="STYLIZE_JSON", help="Print JSON on stdout."),
    ):
        command = option(command)
    return command


def _load(manifest: Path, settings: tuple[str, ...] = ()) -> Manifest:
    from pipeline.manifest import Override, load_manifest

    overrides = []
    from_environment = [line for line in os.environ.get("STYLIZE_SET", "").splitlines() if line.strip()]
    for origin, assignments in (("STYLIZE_SET", from_environment), ("--set", settings)):
        for assignment in assignments:
            option, equals, text = assignment.partition("=")
            if not equals:
                raise click.UsageError(f"{origin} wants option=value. Received: {assignment!r}")
            overrides.append(Override(option.strip(), text.strip(), origin))
    return load_manifest(manifest, overrides=overrides)


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


# ---------------------------------------------------------------------------------------------------------- the work


@cli.command(epilog=EXIT_CODES)
@_MANIFEST
@_selecting
@click.option("-n", "--dry-run", is_flag=True, envvar="STYLIZE_DRY_RUN", help="Only say what would be done (see plan).")
@click.option(
    "--deadline", type=_Unit("HH:MM"), envvar="STYLIZE_DEADLINE", help="Start no pair that would not finish by then."
)
@click.option(
    "--max-duration", type=_Unit("DURATION"), envvar="STYLIZE_MAX_DURATION", help="The same, counted from now."
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), envvar="STYLIZE_JOBS", help="Worker processes.")
@click.option("--wait", type=_Unit("DURATION"), default=0.0, envvar="STYLIZE_WAIT", help="Wait for another run's end.")
@click.option("-q", "--quiet", is_flag=True, envvar="STYLIZE_QUIET", help="Say only what went wrong.")
@click.option("-v", "--verbose", is_flag=True, envvar="STYLIZE_VERBOSE", help="Say every step.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", envvar="STYLIZE_LOG_FORMAT")
def run(
    manifest: Path,
    only: str | None,
    limit: int | None,
    force: bool,
    settings: tuple[str, ...],
    as_json: bool,
    dry_run: bool,
    deadline: str | None,
    max_duration: float | None,
    jobs: int | None,
    wait: float,
    quiet: bool,
    verbose: bool,
    log_format: str,
) -> int:
    """Bring every pair of MANIFEST up to date."""
    from dataclasses import replace

    from pipeline import talk
    from pipeline.batch.driver import run as run_manifest
    from pipeline.batch.night import Selection

    loaded = _load(manifest, settings)
    settings_of_run = replace(
        loaded.run,
        deadline=deadline or loaded.run.deadline,
        max_duration=max_duration or loaded.run.max_duration,
        jobs=jobs or loaded.run.jobs,
    )
    loaded = replace(loaded, run=settings_of_run)
    _refuse_to_match_nothing(loaded, only)
    if dry_run:
        return _show_plan(loaded, only, limit, force, as_json)
    selection = Selection(
        only=only,
        limit=limit,
        force=force,
        wait_seconds=wait,
        command=tuple(sys.argv),
    )
    voice = talk.observer(quiet=quiet, verbose=verbose, log_format=log_format)
    report = run_manifest(loaded, selection, voice)
    if as_json:
        _print_json(report)
    voice.ended(report, str(loaded.output))
    code: int = report["run"]["exit_code"]
    return code


@cli.command()
@_MANIFEST
@_selecting
@click.option("--explain", metavar="OUTPUT", help="Print each option of one pair with where its value came from.")
def plan(
    manifest: Path,
    only: str | None,
    limit: int | None,
    force: bool,
    settings: tuple[str, ...],
    as_json: bool,
    explain: str | None,
) -> int:
    """Say what run would do and why, with estimated time and memory. Writes nothing."""
    loaded = _load(manifest, settings)
    _refuse_to_match_nothing(loaded, only)
    if explain is None:
        return _show_plan(loaded, only, limit, force, as_json)
    job = next((job for job in loaded.jobs if job.output == explain), None)
    if job is None:
        raise click.UsageError(
            f"no pair of {printable(manifest)} has the output {explain!r}; 'stylize plan' lists them"
        )
    from pipeline.answers import explanation

    click.echo(explanation(job))
    return ExitCode.OK


def _refuse_to_match_nothing(manifest: Manifest, only: str | None) -> None:
    from fnmatch import fnmatchcase

    if only is not None and not any(fnmatchcase(job.output, only) for job in manifest.jobs):
        raise click.UsageError(f"no output of {printable(manifest.file.name)} matches --only {only!r}; plan lists them")


def _show_plan(manifest: Manifest, only: str | None, limit: int | None, force: bool, as_json: bool) -> int:
    from pipeline.answers import plan_rows, plan_text
    from pipeline.batch.plan import make_plan
    from pipeline.batch.records import State

    made = make_plan(manifest, State(manifest.output), only=only, limit=limit, force=force)
    rows = plan_rows(made, manifest)
    if as_json:
        _print_json(rows)
    else:
        click.echo(plan_text(rows))
    for warning in manifest.warnings:
        click.echo(f"warning: {warning}", err=True)
    return ExitCode.OK


@cli.command()
@_MANIFEST
@click.option("--set", "settings", metavar="OPTION=VALUE", multiple=True, help="Override an option of all pairs.")
def check(manifest: Path, settings: tuple[str, ...]) -> int:
    """Validate MANIFEST and open every image it names."""
    from pipeline.answers import counted
    from pipeline.errors import BadImage
    from pipeline.images.facts import inspect_image

    loaded = _load(manifest, settings)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    paths = sorted({path for job in loaded.jobs for path in job.inputs})
    bad = 0
    for path in paths:
        try:
            notes = inspect_image(path).notes
        except BadImage as error:
            bad += 1
            click.echo(f"error: {error}", err=True)
        else:
            for note in notes:
                click.echo(f"note: {printable(path)}: {note}", err=True)
    verdict = f"{bad} cannot be used" if bad else "all open"
    click.echo(f"{printable(manifest)}: {counted(len(loaded.jobs), 'pair')}, {counted(len(paths), 'image')}, {verdict}")
    return ExitCode.SOME_FAILED if bad else ExitCode.OK


# ------------------------------------------------------------------------------------------------------ before and after


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("input"))
@click.option(
    "--style",
    "styles",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    metavar="PATH",
    help="A painting, or a folder of them (repeatable); the photographs may then lie in FOLDER itself.",
)
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.")
@click.option("-f", "--force", is_flag=True, help="Replace an existing file.")
def init(folder: Path, styles: tuple[Path, ...], target: Path | None, force: bool) -> int:
    """Write a commented manifest for the images in FOLDER/content and FOLDER/style, or in FOLDER with --style."""
    import shlex

    from pipeline.batch.files import write_whole
    from pipeline.manifest import starter_manifest

    target = target or Path("stylize.yaml")
    if target.exists() and not force:
        raise click.UsageError(f"{printable(target)} exists; give another name with -o, or replace it with --force")
    write_whole(target, starter_manifest(folder, target, styles).encode())
    click.echo(f"wrote {printable(target)}; next: stylize plan {shlex.quote(printable(target))}")
    return ExitCode.OK


@cli.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--manifest", "as_manifest", is_flag=True, help="As a manifest that makes the picture again.")
def show(image: Path, as_manifest: bool) -> int:
    """Print the settings stored in an output, as JSON."""
    from pipeline.errors import BadImage, UsageError
    from pipeline.images.settings import read_settings

    try:
        settings = read_settings(image)
    except BadImage as error:  # here it is the argument that is wrong, and no pair
        raise UsageError(str(error)) from error
    if as_manifest:
        from pipeline.manifest import manifest_for_settings

        click.echo(manifest_for_settings(settings), nl=False)
    else:
        _print_json(settings)
    return ExitCode.OK


def _of_output(command: Command) -> Command:
    """MANIFEST or -o OUTPUT: whose runs are meant."""
    command = click.argument("manifest", type=click.Path(path_type=Path), required=False)(command)
    return click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="The output folder.")(
        command
    )


def _output_folder(manifest: Path | None, output: Path | None) -> Path:
    if output is not None:
        return output
    return _load(manifest).output if manifest is not None else Path("output")


@cli.command()
@_of_output
@click.option("--json", "as_json", is_flag=True, help="Print report.json.")
def report(manifest: Path | None, output: Path | None, as_json: bool) -> int:
    """Print the report of the last run."""
    from pipeline.answers import last_report_file

    click.echo(last_report_file(_output_folder(manifest, output), "json" if as_json else "txt"), nl=False)
    return ExitCode.OK


@cli.command()
@_of_output
def status(manifest: Path | None, output: Path | None) -> int:
    """Say whether a run is going on, and how the last one ended."""
    from pipeline.answers import status_text

    click.echo(status_text(_output_folder(manifest, output)))
    return ExitCode.OK


@cli.command()
@_of_output
@click.option("--last", default=14, show_default=True, type=click.IntRange(min=1), help="How many runs.")
def history(manifest: Path | None, output: Path | None, last: int) -> int:
    """Print a line for each of the last runs."""
    from pipeline.batch.records import State
    from pipeline.report.history import read_history, render_history

    click.echo(render_history(read_history(State(_output_folder(manifest, output)).history_file, last=last)))
    return ExitCode.OK


@cli.command()
@click.argument("name", required=False)
def presets(name: str | None) -> int:
    """List the presets, or print all there is to say about one."""
    from pipeline.answers import preset_list, preset_text

    click.echo(preset_list() if name is None else preset_text(name))
    return ExitCode.OK


@cli.command()
def schema() -> int:
    """Print the manifest's JSON Schema (for editors)."""
    from pipeline.manifest import schema_text

    click.echo(schema_text(), nl=False)
    return ExitCode.OK


@cli.command()
def doctor() -> int:
    """Say what this machine has: Python, packages, processors, memory, weights."""
    from pipeline.doctor import doctor_text

    click.echo(doctor_text())
    return ExitCode.OK


@cli.group()
def weights() -> None:
    """The network's weights on this machine."""


@weights.command("fetch")
@click.option(
    "--url", help="Load from here (a mirror) instead of Keras' own address; the hash is checked all the same."
)
def weights_fetch(url: str | None) -> int:
    """Load Keras' full-precision weights into Keras' cache folder."""
    from pipeline.doctor import fetch_weights

    return fetch_weights(url)


@weights.command("verify")
@click.argument("name", default="auto")
def weights_verify(name: str) -> int:
    """Check that a set of weights is whole and the right one."""
    from pipeline.studio.weights import locate

    found = locate(name)
    click.echo(f"{found.name}: sha256 {found.sha256}" + (f" ({printable(found.path)})" if found.path else ""))
    return ExitCode.OK


@weights.command("list")
def weights_list() -> int:
    """List the sets of weights and whether they are here."""
    from pipeline.doctor import weights_text

    click.echo(weights_text())
    return ExitCode.OK


@cli.command()
@_MANIFEST
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would be removed.")
def clean(manifest: Path, dry_run: bool) -> int:
    """Remove what earlier runs wrote and no pair of MANIFEST wants any more."""
    from pipeline.batch.clean import clean_output

    for path in clean_output(_load(manifest), dry_run=dry_run):
        click.echo(f"{'would remove' if dry_run else 'removed'} {printable(path)}")
    return ExitCode.OK
