"""What a clip's pair, or a picture's, cannot have, as the manifest alone shows."""

from __future__ import annotations

from pathlib import Path

from pipeline.clip_names import is_numbered
from pipeline.job import Job
from pipeline.manifest.yaml.problems import shorten
from pipeline.urls import url_of


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
