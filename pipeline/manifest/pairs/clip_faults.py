"""What a clip's pair, or a picture's, cannot have, as the manifest alone shows: outputs, numbers,
styles that change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.clip_names import ALL, AUTO, PREVIEW, is_clip, is_clip_name, is_numbered, preview_output
from pipeline.job import Job
from pipeline.manifest.options.precedence import Settled
from pipeline.manifest.pairs.choices import Picture
from pipeline.manifest.pairs.naming import DEEP_SUFFIXES, Pattern, harmless, output_fault
from pipeline.manifest.yaml.problems import SHOWN_WIDTH, shorten
from pipeline.urls import url_of


def output_name(name: str, settled: Settled) -> str:
    """An output's name; of a clip that is looked at beforehand a preview's own, beside the clip."""
    return preview_output(name) if settled.options.frames == PREVIEW else name


def fault_of_output(name: str, settled: Settled) -> str | None:
    """Why a pair's output cannot be, as a sentence, or None."""
    is_clip = settled.options.is_clip and settled.options.frames != PREVIEW
    if fault := output_fault(name, clip=is_clip):
        return f"output '{shorten(name, SHOWN_WIDTH)}' {fault}"
    if settled.options.depth == 16 and not name.lower().endswith(DEEP_SUFFIXES):
        return f"output '{shorten(name, SHOWN_WIDTH)}' must end in {' or '.join(DEEP_SUFFIXES)} to have depth 16"
    return None


def is_of_pattern(pattern: Pattern, settled: Settled, content: Picture) -> bool:
    """Whether no picture could have an output of this pattern: neither what this one is called is
    wrong, nor, where `frames` asks for what moves, that it does not."""
    kinds = [settled]
    if content.is_found and not is_clip_name(content.names[0]) and is_clip(settled.settings["frames"].value):
        kinds.append(
            replace(settled, options=replace(settled.options, frames=AUTO if settled.options.is_clip else ALL))
        )
    return all(fault_of_output(output_name(pattern.render(harmless), kind), kind) for kind in kinds)


def clip_fault(job: Job, *, output_url: str | None) -> str | None:
    """Why a pair cannot have these numbered files, this output or styles that change, as a
    sentence; None where it can. `output_url` is the address that outputs go to, if any."""
    for mask in job.masks:
        if is_numbered(mask.name) and (url := url_of(mask)):
            return f"'{shorten(url)}': masks of frames are read from a folder of this machine; copy them to one"
    if is_numbered(job.output) and output_url:
        return f"output '{shorten(job.output)}': numbered frames are written to a folder of this machine; write a video"
    if not job.options.is_clip:
        return _fault_of_picture(job)
    if is_numbered(job.output) and job.options.depth == 16:
        return f"output '{shorten(job.output)}': frames of a clip have depth 8; take 'depth' away"
    of_styles = [mask for style in job.styles for mask in (style.own_mask, style.region_map) if mask is not None]
    if wrong := _numbered(of_styles):
        return f"'{shorten(wrong)}' has a number for each frame, and a style is one picture; name one mask of it"
    return None


def _fault_of_picture(job: Job) -> str | None:
    if job.style_at:
        return f"'style_at' is for clips, and '{shorten(job.content_name)}' is one picture; name its 'style'"
    if wrong := _numbered(job.masks):
        return f"'{shorten(wrong)}' has a number for each frame of a clip, and this is one picture; name one mask"
    return None


def _numbered(masks: tuple[Path, ...] | list[Path]) -> str | None:
    return next((mask.name for mask in masks if is_numbered(mask.name)), None)
