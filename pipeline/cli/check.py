"""The verb that validates a manifest and opens every picture that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.arguments import MANIFEST, STRICT, load, of_folder
from pipeline.cli.run import reading_copies, warned_of_cluster
from pipeline.errors import ExitCode
from pipeline.printable import printable
from pipeline.urls import url_of, with_addresses

if TYPE_CHECKING:
    from pipeline.clips.facts import ClipFacts
    from pipeline.images.colour_codes import RegionColour
    from pipeline.images.facts import ImageFacts
    from pipeline.images.reader import Reader
    from pipeline.job import Manifest


@click.command()
@MANIFEST
@of_folder
@click.option("--set", "settings", metavar="OPTION=VALUE", multiple=True, help="Override an option of all pairs.")
@STRICT
def check(
    manifest: Path, styles: tuple[Path, ...], output: Path | None, settings: tuple[str, ...], strict: bool
) -> int:
    """Validate MANIFEST, open every image and find the weights that it names.

    Exit codes: 0 all can be painted, 2 the manifest is wrong, 3 an image or a pair cannot be used,
    4 weights cannot be used.
    """
    from pipeline.batch.fit import worth_knowing
    from pipeline.batch.networks import faulty_weights
    from pipeline.report.quantities import count

    loaded = warned_of_cluster(load(manifest, settings, styles, output, strict=strict))
    for warning in loaded.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    refusals = list(dict.fromkeys(job.refusal for job in loaded.pairs if job.refusal))
    for refusal in refusals:
        click.echo(f"error: {printable(refusal)}", err=True)
    paths = sorted({path for job in loaded.pairs for path in job.inputs})
    with reading_copies(loaded):
        seen = _open_all(loaded, paths)
        unfit = _unfit(loaded, seen)
    weights = faulty_weights([job for job in loaded.pairs if not job.refusal])
    for why in dict.fromkeys((*unfit.values(), *weights)):
        click.echo(f"error: {printable(why)}", err=True)
    for told in dict.fromkeys(note for job in loaded.pairs for note in worth_knowing(job, seen.opened, seen.colours)):
        click.echo(f"warning: {printable(told)}", err=True)
    verdict = f"{seen.bad} cannot be used" if seen.bad else "all open"
    if refused := sum(bool(job.refusal) for job in loaded.pairs) + len(unfit):
        verdict += f", {count(refused, 'pair')} cannot be painted"
    verdict += ", weights cannot be used" if weights else ""
    click.echo(f"{printable(manifest)}: {count(len(loaded.pairs), 'pair')}, {count(len(paths), 'image')}, {verdict}")
    if weights:
        return ExitCode.ENVIRONMENT
    return ExitCode.SOME_FAILED if seen.bad or refusals or unfit else ExitCode.OK


@dataclass(slots=True)
class _Seen:
    """What opening the pictures came to: their facts, the colours of maps of regions, and how many
    are `bad`, which was said."""

    reader: Reader
    homes: Mapping[str, str]
    opened: dict[Path, ImageFacts] = field(default_factory=dict)
    colours: dict[Path, list[RegionColour]] = field(default_factory=dict)
    bad: int = 0


def _open_all(manifest: Manifest, paths: Sequence[Path]) -> _Seen:
    """Open all pictures, and say what is wrong with them, or to note of them."""
    from pipeline.clip_names import is_numbered
    from pipeline.errors import PairError
    from pipeline.images.reader import Reader
    from pipeline.objects.fetching import Fetched

    places = {path: place for job in manifest.pairs for path, place in job.places.items()}
    homes = {path: home for job in manifest.pairs for path, home in job.homes.items()}
    maps = {path for job in manifest.pairs for path in (job.region_map, *(style.region_map for style in job.styles))}
    seen, fetched = _Seen(Reader(), homes), Fetched(paths)
    for path in paths:
        try:
            fetched.check(path)
            facts = seen.opened[path] = seen.reader.inspect(path, homes.get(str(path)))
            if path in maps and not is_numbered(path.name):
                seen.colours[path] = seen.reader.colours(path, homes.get(str(path)))
        except PairError as error:
            seen.bad += 1
            place, wrong = places.get(str(path)), with_addresses(str(error))
            click.echo(f"error: {printable(f'{place}: {wrong}' if place else wrong)}", err=True)
        else:
            for note in facts.notes:
                click.echo(f"note: {printable(url_of(path) or path)}: {printable(note)}", err=True)
    return seen


def _unfit(manifest: Manifest, seen: _Seen) -> dict[str, str]:
    """Why pairs cannot be painted of what was opened, by their outputs."""
    from pipeline.batch.fit import why_frames_cannot_be, why_mask_frames_do_not_fit, why_not

    def clip(path: Path) -> ClipFacts:
        return seen.reader.clip(path, seen.homes.get(str(path)))

    sound = [job for job in manifest.pairs if not job.refusal]
    unfit = {job.output: why for job in sound if (why := why_not(job, seen.opened, manifest.run.max_memory))}
    for why_clip in (why_frames_cannot_be, why_mask_frames_do_not_fit):
        unfit |= {job.output: why for job in sound if (why := why_clip(job, clip))}
    return unfit
