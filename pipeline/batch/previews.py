"""A manifest of which only clips are taken, and of these three frames each, to look at first."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pipeline.clip_names import PREVIEW, preview_output
from pipeline.errors import UsageError
from pipeline.job import Job, Manifest
from pipeline.printable import printable


def previews(manifest: Manifest) -> Manifest:
    """The clips of a manifest with `frames: preview`, each under the name of its preview, without
    what is called when a run begins or ends. Raises UsageError where it has none."""
    clips = [job for job in manifest.pairs if job.options.is_clip]
    if not clips:
        raise UsageError(f"{printable(manifest.file.name)} has no clips; stylize run paints its pictures")
    wanted = Counter(preview_output(job.output) for job in clips)
    wanted.update(job.output for job in manifest.pairs if job.options.frames != PREVIEW)
    return replace(
        manifest,
        pairs=tuple(_preview(job, wanted) for job in clips),
        verb="preview",
        run=replace(manifest.run, on_start=(), on_success=(), on_failure=()),
    )


def _preview(job: Job, wanted: Counter[str]) -> Job:
    output, refusal = preview_output(job.output), job.refusal
    if wanted[output] > 1 and not refusal:
        refusal = f"output '{printable(output)}' is wanted by several pairs, or previews; give them other names"
    return replace(job, output=output, refusal=refusal, options=replace(job.options, frames=PREVIEW))
