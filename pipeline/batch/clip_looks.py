"""What a frame of a clip has of its own beside its photograph: the shares of styles that change,
and its masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.batch.files_of_job import Opening, masks_of
from pipeline.clips.facts import ClipFacts
from pipeline.clips.listing import is_numbered, mask_frames, numbered_files, sha256_of_all
from pipeline.images.file_bytes import hash_file
from pipeline.job import Job
from pipeline.pictures import Pictures, set_apart, with_masks, with_shares
from pipeline.regions import never_nothing
from pipeline.style_at import shares_at


class Looks:
    """Those of one clip, frame by frame. `is_needed`: some frames have something of their own."""

    def __init__(self, job: Job, facts: ClipFacts) -> None:
        """Raises BadImage where there is not a mask for each frame."""
        self._job = job
        self._files = {
            mask: mask_frames(mask, job.content, facts.frames, damaged=bool(facts.damage))
            for mask in job.masks
            if is_numbered(mask)
        }
        self.is_needed = bool(self._files or job.style_at)
        self._base: Pictures | None = None
        self._opening: Opening | None = None
        self._last: tuple[int, Pictures] | None = None

    def job_at(self, number: int) -> Job:
        """The pair with the masks of a frame, and the shares that styles have in it."""
        job = self._job
        homes = {files[number]: job.homes[str(mask)] for mask, files in self._files.items() if str(mask) in job.homes}

        def here(mask: Path | None) -> Path | None:
            return Path(self._files[mask][number]) if mask in self._files else mask

        shares = shares_at(job.style_at, number) if job.style_at else [style.weight for style in job.styles]
        styles = (
            replace(style, mask=here(style.mask), weight=share) for style, share in zip(job.styles, shares, strict=True)
        )
        return replace(
            job,
            styles=tuple(styles),
            content_mask=here(job.content_mask),
            region_map=here(job.region_map),
            homes={**job.homes, **homes},
        )

    def hashes(self) -> dict[Path, str]:
        """The hash of each mask that has a file for each frame: of all of them. Raises BadImage."""
        return {
            mask: sha256_of_all(hash_file(path, self._job.home_of(mask)) for _, path in numbered_files(mask))
            for mask in self._files
        }

    def begin(self, first: int, pictures: Pictures, opening: Opening) -> None:
        """`pictures` are those of frame number `first`."""
        self._base, self._opening, self._last = pictures, opening, (first, _of_a_frame(pictures))

    def of(self, number: int) -> Pictures | None:
        """The styles and masks of a frame; None where all frames have the same. Raises BadImage for
        a mask that cannot be opened."""
        if not self.is_needed:
            return None
        if self._last is None or self._last[0] != number:
            self._last = number, self._opened(number)
        return self._last[1]

    def own(self, number: int) -> dict[str, Any]:
        """What a frame's key has of this, in JSON values. Raises as `of` does."""
        found: dict[str, Any] = {}
        if self._job.style_at:
            pictures = self.of(number)
            assert pictures is not None
            found["styles"] = [[style.sha256, share] for style, share in pictures.styles if share > 0]
        if self._files:
            pictures = self.of(number)
            assert pictures is not None
            found["masks"] = [mask.sha256 for mask in pictures.masks]
        return found

    def _opened(self, number: int) -> Pictures:
        base, job = self._base, self.job_at(number)
        assert base is not None
        assert self._opening is not None
        pictures = with_shares(base, [style.weight for style in job.styles]) if self._job.style_at else base
        if not self._files:
            return pictures
        still = {
            mask: opened for mask, opened in zip(self._job.masks, base.masks, strict=True) if mask not in self._files
        }
        masked = with_masks(pictures, masks_of(job, still), self._opening, lambda path: job.homes.get(str(path)))
        return _of_a_frame(set_apart(masked, job.options))


def _of_a_frame(pictures: Pictures) -> Pictures:
    """The pictures without notes on masks, as a style may well be nowhere in some frames."""
    regions = pictures.regions if pictures.apart else never_nothing(pictures.regions)
    return replace(pictures, regions=regions, mask_notes=())
