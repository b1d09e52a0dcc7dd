"""The verbs before a first run: init, presets, schema, doctor, weights; and what they say of this
machine, without importing TensorFlow."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pipeline.batch.system.machine import gpus, memory, usable_processors
from pipeline.batch.system.nodes import memory_nodes
from pipeline.cli.paths import PathName
from pipeline.errors import ExitCode, StylizeError, WeightsError
from pipeline.nst.precision import fast_flags
from pipeline.nst.weights import (
    AUTOMATIC,
    IMAGENET_FILE,
    IMAGENET_MD5,
    IMAGENET_URL,
    SHARED_FOLDER,
    eight_bit_path,
    fetch,
    locate,
)
from pipeline.printable import printable, printable_lines
from pipeline.program import version

_PICTURES, _MANIFEST = "input", "stylize.yaml"  # of init, in the working directory
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "pillow", "pillow-heif", "pyyaml", "pydantic", "click", "numpy")


@click.command(short_help="Write a commented manifest for a folder of photographs.")
@click.argument("folder", type=PathName(file_okay=False), default=Path(_PICTURES))
@click.option(
    "--style",
    "styles",
    type=PathName(exists=True),
    multiple=True,
    metavar="PATH",
    help="A painting, or a folder of them (repeatable); the photographs may then lie in FOLDER itself.",
)
@click.option(
    "-o",
    "--output",
    "target",
    type=PathName(dir_okay=False),
    help=f"Where to write it.  [default: {_MANIFEST}, here]",
)
@click.option("-f", "--force", is_flag=True, help="Replace an existing file.")
def init(folder: Path, styles: tuple[Path, ...], target: Path | None, force: bool) -> int:
    """Write a commented manifest for the images in FOLDER/content and FOLDER/style,
    or in FOLDER with --style. Without FOLDER: in input.

    Results go to `output` beside FOLDER, or in FOLDER if the manifest is written there (-o
    FOLDER/stylize.yaml): the one by which `stylize run FOLDER` paints without writing it.
    """
    import shlex

    from pipeline.manifest import find_pictures, starter_manifest
    from pipeline.store.disk import write_whole

    target = target or Path(_MANIFEST)
    if target.exists() and not force:
        raise click.UsageError(f"{printable(target)} exists; give another name with -o, or replace it with --force")
    for sentence in find_pictures(folder, styles).left_out:
        click.echo(f"note: {sentence}", err=True)
    write_whole(target, starter_manifest(folder, target, styles).encode())
    click.echo(f"wrote {printable(target)}; next: stylize plan {shlex.quote(printable(target))}")
    return ExitCode.OK


@click.command(
    "import",
    short_help="Print the manifest of another program's command line.",
    context_settings={"ignore_unknown_options": True},  # of a line that was not quoted
)
@click.argument("words", nargs=-1, required=True, metavar="COMMAND")
@click.option("--published", is_flag=True, help="With the program's own descent, not ours.")
def import_(words: tuple[str, ...], published: bool) -> int:
    """Print the manifest of another program's COMMAND line, quoted as one word: "th
    neural_style.lua -content_image dog.jpg -style_image wave.jpg". docs/other-programs.md lists the
    programs.
    """
    from pipeline.manifest import manifest_for_command

    if len(words) > 1 and " " in words[0]:
        raise click.NoSuchOption(words[1], possibilities=["--published"])
    if len(words) > 1:
        raise click.UsageError(f"quote the command line, so that it is one word: stylize import '{words[0]} ...'")
    text, notes = manifest_for_command(words[0], published=published)
    for sentence in notes:
        click.echo(f"note: {printable(sentence)}", err=True)
    click.echo(text, nl=False)
    return ExitCode.OK


@click.command()
@click.argument("name", required=False)
def presets(name: str | None) -> int:
    """List the presets, or print all there is to say about one."""
    from pipeline.cli.rendering import preset_list, preset_text

    click.echo(preset_list() if name is None else preset_text(name))
    return ExitCode.OK


@click.command()
@click.option("--report", "of_report", is_flag=True, help="That of report.json, for programs that read it.")
def schema(of_report: bool) -> int:
    """Print the manifest's JSON Schema (for editors)."""
    if of_report:
        from pipeline.report.schema import schema_text
    else:
        from pipeline.manifest import schema_text

    click.echo(schema_text(), nl=False)
    return ExitCode.OK


@click.command(short_help="Say what this machine has: Python, memory, weights.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def doctor(as_json: bool) -> int:
    """Say what this machine has: Python, packages, processors, memory, weights."""
    from pipeline.cli.setup import doctor_facts, doctor_text
    from pipeline.cli.streams import print_json

    if as_json:
        print_json(doctor_facts())
    else:
        click.echo(printable_lines(doctor_text()))
    return ExitCode.OK


@click.group()
def weights() -> None:
    """The network's weights on this machine."""


@weights.command("fetch")
@click.option(
    "--url", help="Load from here (a mirror) instead of Keras' own address; the hash is checked all the same."
)
@click.option("--shared", is_flag=True, help="Into /usr/local/share/stylize, for all users of this machine.")
def weights_fetch(url: str | None, shared: bool) -> int:
    """Load Keras' full-precision weights into Keras' cache folder."""
    from pipeline.cli.setup import fetch_weights

    return fetch_weights(url, shared=shared)


@weights.command("verify")
@click.argument("name", default="auto")
def weights_verify(name: str) -> int:
    """Check that a set of weights is whole and the right one; without NAME, what `auto` means."""
    from pipeline.nst.weights import locate

    found = locate(name)
    click.echo(
        f"{printable(found.name)}: sha256 {found.sha256}" + (f" ({printable(found.path)})" if found.path else "")
    )
    return ExitCode.OK


@weights.command("list")
def weights_list() -> int:
    """List the sets of weights and whether they are here."""
    from pipeline.cli.setup import weights_text

    click.echo(printable_lines(weights_text()))
    return ExitCode.OK


def doctor_facts() -> dict[str, Any]:
    """What this machine has, as plain JSON values: sizes in bytes, `weights` by name with its path,
    or with what is wrong."""
    total, free = memory()
    found = {}
    for name in AUTOMATIC:
        try:
            found[name] = {"ready": True, "path": str(locate(name).path)}
        except WeightsError as error:
            found[name] = {"ready": False, "reason": str(error)}
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "usable_processors": usable_processors(),
        "memory_nodes": [len(node) for node in memory_nodes()],
        "fast_bfloat16": fast_flags(),
        "memory_bytes": total,
        "free_memory_bytes": free,
        "gpus": gpus(),
        "packages": {package: version(package) for package in _PACKAGES if version(package)},
        "weights": found,
    }


def doctor_text() -> str:
    """Python, packages, processor, memory, devices, weights: a line each."""
    facts = doctor_facts()
    fast = facts["fast_bfloat16"]
    total, free = facts["memory_bytes"], facts["free_memory_bytes"]
    lines = [
        ("python", f"{facts['python']} ({facts['executable']})"),
        ("system", facts["system"]),
        ("cpu", f"{facts['usable_processors']} usable of {facts['processors']}, {facts['machine']}"),
        ("bfloat16", f"fast ({', '.join(fast)})" if fast else "slow: this processor has no instructions for it"),
        ("memory", f"{total / 2**30:.1f} GiB, {free / 2**30:.1f} GiB free"),
        ("gpu", ", ".join(facts["gpus"]) or "none"),
    ]
    if len(nodes := facts["memory_nodes"]) > 1:
        lines.insert(3, ("nodes", f"{len(nodes)}, of {_listed(nodes)} processors; of several jobs each keeps to one"))
    lines += facts["packages"].items()
    weights = "\n".join(f"  {line}" for line in weights_text().splitlines())
    return "\n".join([*(f"{name:<15} {value}" for name, value in lines), "weights:", weights])


def _listed(counts: Sequence[int]) -> str:
    *most, last = map(str, counts)
    return f"{', '.join(most)} and {last}"


def weights_text() -> str:
    """The sets of weights, where they are, and whether they are whole."""
    lines = []
    for name in AUTOMATIC:
        try:
            lines.append(f"{name:<14} ready: {locate(name).path}")
        except WeightsError as error:
            lines.append(f"{name:<14} not ready: {error}")
    with suppress(WeightsError):
        lines.append(f"{'auto':<14} means {locate('auto').name}")
    return "\n".join(lines)


def fetch_weights(url: str | None, *, shared: bool = False) -> ExitCode:
    """Load Keras' file into Keras' cache, or the folder that all users share.

    If that fails, say so in one line, and whether runs can do without.
    """

    def progress(so_far: int, whole: int | None) -> None:
        if sys.stderr.isatty():
            of = f" of {whole / 1e6:.0f}" if whole else ""
            click.echo(f"\r{so_far / 1e6:.0f}{of} MB", nl=False, err=True)

    try:
        target = SHARED_FOLDER / IMAGENET_FILE if shared else None
        path = fetch(url or IMAGENET_URL, IMAGENET_MD5, target, progress=progress)
    except StylizeError as error:
        if eight_bit_path() is None:
            raise
        click.echo(f"{error}; runs will use 'imagenet-8bit', which is here")
        return error.exit_code
    click.echo(f"'imagenet' is ready: {path}")
    return ExitCode.OK
