"""A clip as it is read to be painted: what it is, which of its frames, and these; and what a frame
has of its own beside its photograph: the shares of styles that change, and its masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import clip_names
from pipeline.batch.files_of_job import Opening, masks_of
from pipeline.clips.facts import ClipFacts, why_not_painted
from pipeline.clips.listing import is_numbered, mask_frames, numbered_files, own_numbers, sha256_of_all
from pipeline.errors import BadImage
from pipeline.images.encode import to_uint8
from pipeline.images.file_bytes import hash_file
from pipeline.job import Job
from pipeline.pictures import Pictures, set_apart, with_masks, with_shares
from pipeline.program import version
from pipeline.regions import never_nothing
from pipeline.schedule import Schedule
from pipeline.style_at import shares_at

if TYPE_CHECKING:
    from pipeline.clips.facts import ClipFacts
    from pipeline.clips.frame import ClipFrame
    from pipeline.images.picture import Picture


# By which its frames are decoded, and cuts are found.
_READ_BY = ("av", "opencv-python-headless", "numpy", "pillow")
_FINEST = 1_000_000  # of a second: what facts say as a float; FFmpeg's own clock of a container


class Clip:
    """A clip that is read. `numbers` are those of the frames that are painted, `own_numbers` those
    that numbered files of them bear, `count` how many they are. `source` is the same for the same
    file where it is read by the same libraries: then its frames have the same pixels and times."""

    def __init__(self, job: Job, opening: Opening, known: Mapping[str, Any] | None = None) -> None:
        """`known` are its facts (clips/facts) as somebody found them, who may have looked at
        another file. Raises BadImage where it cannot be read, or has none of the frames that are
        asked for."""
        self._job, self._opening = job, opening
        self._home = job.home_of(job.content)
        with opening(job.content):
            self.facts: ClipFacts = _facts(job.content, self._home, known)
        self.numbers = clip_names.numbers_kept(job.options.frames, self.facts.frames)
        self.count = len(self.numbers)
        self.own_numbers: Sequence[int] = self.numbers
        if is_numbered(job.output) and is_numbered(job.content.name):  # as they are called now
            self.own_numbers = own_numbers(job.content, self.numbers)
        self.source = " ".join([self.facts.sha256, *(f"{name} {version(name)}" for name in _READ_BY)])
        if reason := why_not_painted(self.facts, job.options.frames, job.content.name):
            raise BadImage(reason)
        if len(self.own_numbers) < self.count:
            raise BadImage(
                f"{job.content.name} has fewer frames than a moment ago; leave them there while it is painted"
            )

    def frames(self, start: int = 0) -> Iterator[ClipFrame]:
        """The frames that are painted, from the one of this place among them on. Raises BadImage at
        the first that cannot be decoded."""
        from pipeline.clips.reading import read_frames

        read = read_frames(
            self._job.content,
            wanted=clip_names.kept(self._job.options.frames, self.facts.frames),
            start=self.numbers[start],
            home=self._home,
        )
        for _place in range(start, self.count):
            with self._opening(self._job.content):  # the clock of one frame
                frame = next(read, None)
            if frame is None:
                return
            yield frame

    def lasting(self, place: int, since: Fraction, duration: Fraction) -> Fraction:
        """How long the frame of a place is shown, in seconds, which itself lasts `duration` and
        begins `since` the clip's beginning: the last one of `every n` to the clip's end, in the
        place of those that are left out."""
        left_out = self.facts.frames - 1 - self.numbers[place]
        if clip_names.every(self._job.options.frames) == 1 or place < self.count - 1 or not left_out:
            return duration
        if self.facts.rate is not None:
            return duration + left_out / self.facts.rate
        return max(duration, Fraction(self.facts.seconds).limit_denominator(_FINEST) - since)

    def picture(self, frame: ClipFrame) -> Picture:
        """A frame as a photograph, no larger than needed; its `sha256` is of its pixels."""
        import numpy as np

        from pipeline.images.picture import picture_from_array
        from pipeline.schedule import fine_side

        options = self._job.options
        pixels = frame.pixels if frame.alpha is None else np.dstack([frame.pixels, frame.alpha])
        side = options.size if isinstance(options.size, int) else None
        return picture_from_array(pixels, self._job.content.name, side, fine_side(options))

    def photograph(self, frame: ClipFrame, schedule: Schedule) -> Any:
        """A frame as it is looked at to find cuts: uint8 (height, width, 3), at the size of the
        painting."""
        return to_uint8(self.picture(frame).resized(*schedule.size)[0])


def _facts(path: Path, home: str | None, known: Mapping[str, Any] | None) -> ClipFacts:
    """What a clip is: what is `known`, if the file is the same; else all of a short one is decoded
    for it."""
    from pipeline.clips.facts import from_json
    from pipeline.clips.reading import clip_facts, clip_sha256

    if known is not None and known["sha256"] == clip_sha256(path, home):
        return from_json(dict(known))
    return clip_facts(path, home)


def first_picture(job: Job, opening: Opening, known: Mapping[str, Any] | None = None) -> Picture:
    """The first frame of a clip as a photograph, which is told by the clip's own hash; `known` as
    of `Clip`. Raises BadImage."""
    clip = Clip(job, opening, known)
    return replace(clip.picture(next(clip.frames())), sha256=clip.facts.sha256)


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
        """What of this is part of a frame's key, in JSON values. Raises as `of` does."""
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
