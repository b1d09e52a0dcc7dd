"""Which files a pair's pictures are drawn from, where they are drawn small: the thumbnails that a
run left, where they are large enough, else the pictures themselves. A video is no picture: of
a clip the thumbnail is shown larger than it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.clip_names import is_clip_name
from pipeline.job import STANDS, Job
from pipeline.report.links import INLINE_BYTES, is_thumbnail
from pipeline.store.layout import MOST_STYLES, RESULT_SIDE, SOURCE_SIDE, style_thumbnail, thumbnail_name
from pipeline.store.output_files import files_of
from pipeline.store.store import Store

Files = list[tuple[str, str | None]]
"""Paths to try one after the other, each with the folder that the file must lie in, or None."""


@dataclass(frozen=True, slots=True)
class SmallPictures:
    """Of the pairs of a manifest, drawn with a longer side of `side` pixels at most."""

    store: Store
    side: int

    def result(self, job: Job, pair: Mapping[str, Any]) -> Files:
        """A pair's painting; none where it is not as the manifest wants it."""
        if pair["status"] not in STANDS:
            return []
        name = next(iter(files_of(job.output, pair.get("clip"))), job.output)
        itself = (str(self.store.path(name)), self.store.home)
        return self._files(job, "result", RESULT_SIDE, itself)

    def content(self, job: Job) -> Files:
        """A pair's photograph; none of a texture."""
        if job.options.is_texture:
            return []
        return self._files(job, "content", SOURCE_SIDE, _input(job, job.content))

    def styles(self, job: Job) -> list[Files]:
        """A pair's style pictures."""
        return [
            [
                *(self._thumbnail(job, style_thumbnail(number), SOURCE_SIDE) if number < MOST_STYLES else []),
                _input(job, style.image),
            ]
            for number, style in enumerate(job.styles)
        ]

    def _files(self, job: Job, which: str, its_side: int, itself: tuple[str, str | None]) -> Files:
        found = self._thumbnail(job, which, its_side)
        of_clip = job.options.is_clip or is_clip_name(job.content.name)
        return [*found, itself, *(self._thumbnail(job, which, self.side) if of_clip and not found else [])]

    def _thumbnail(self, job: Job, which: str, its_side: int) -> Files:
        """Where it is large enough, and is one: whoever may write there may have put any file under
        its name."""
        name = thumbnail_name(job.output, which)
        if self.side > its_side:
            return []
        try:
            data = self.store.read(name, at_most=INLINE_BYTES)
        except OSError:
            return []
        return [(str(self.store.path(name)), self.store.home)] if is_thumbnail(data) else []


def _input(job: Job, path: Path) -> tuple[str, str | None]:
    return str(path), job.home_of(path)
