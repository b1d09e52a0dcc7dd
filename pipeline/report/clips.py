"""What the page and the flags say of a clip: how it plays, how steadily, where its shots begin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.clip_names import is_numbered, is_preview_output
from pipeline.report.drawings import LossCurve, flicker_curve
from pipeline.report.quantities import significant
from pipeline.store.shapes import fitting

# What browsers play; others are linked, and animations are pictures.
_PLAYS = (".mp4", ".webm")
_ANIMATIONS = (".gif", ".webp", ".apng")
# Grey levels by which the painting may flicker more than its photograph: a quarter of what frames
# that were painted one by one had above it (26.4 less 4.5, a street at 384 pixels).
_FLICKERS = 5.5
# Grey levels by which a shot may become lighter or darker against its photograph: chosen by eye, as
# less is not seen from a shot's beginning to its end.
_DRIFTS = 4.0
_LIGHT = 4  # the place of the painting's mean grey in a row
_MOST_NAMED = 6  # cuts that a sentence names


@dataclass(slots=True, kw_only=True)
class Story:
    """What `batch/clip_story` wrote."""

    frames: int = 0
    of: int = 0
    seconds: float = 0.0
    rate: float | None = None
    sound: bool = False
    cuts: list[int] = field(default_factory=list)
    flicker: float | None = None
    own_flicker: float | None = None
    drift: float = 0.0
    evaluations: float | None = None
    rows: list[list[float | None]] = field(default_factory=list)
    files: list[list[int]] = field(default_factory=list)


def story_of(pair: Mapping[str, Any]) -> Story | None:
    """What a row of a report says of its clip; None of a picture, and of what is not as we write
    it."""
    known = fitting(Story, pair.get("clip"))
    return Story(**known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipView:
    """A clip as the page shows it: the address of its file, whether browsers play that, the address
    of the strip, how it flickers over time, and figures."""

    link: str
    plays: bool
    is_picture: bool
    strip: str | None
    curve: LossCurve | None
    numbers: list[tuple[str, str]]


def clip_view(story: Story, output: str, link: str, strip: str | None) -> ClipView:
    """The view of a clip that stands."""
    suffix = output[output.rfind(".") :].lower()
    return ClipView(
        link=link,
        plays=suffix in _PLAYS,
        is_picture=is_preview_output(output) or (suffix in _ANIMATIONS and not is_numbered(output)),
        strip=strip,
        curve=_curve(story),
        numbers=_numbers(story),
    )


def _curve(story: Story) -> LossCurve | None:
    rows = [row for row in story.rows if len(row) > 2 and row[0] is not None]
    lines = {
        "flicker": [(row[0], row[1]) for row in rows],
        "photograph": [(row[0], row[2]) for row in rows],
    }
    return flicker_curve(lines, f"flicker over {story.frames} frames, grey levels")


def _numbers(story: Story) -> list[tuple[str, str]]:
    length = f"{significant(story.seconds)} s" + (f", {significant(story.rate)} a second" if story.rate else "")
    whole = f" of {story.of}" if story.of != story.frames else ""
    found = [("Frames", f"{story.frames}{whole}, {length}" + (", with sound" if story.sound else ""))]
    if story.flicker is not None and story.own_flicker is not None:
        words = f"{significant(story.flicker)} grey levels; the photograph's own {significant(story.own_flicker)}"
        found.append(("Flicker", words))
    if story.cuts:
        found.append(("Cuts", _frames(story.cuts)))
    if story.evaluations is not None:
        found.append(("Per frame", f"{significant(story.evaluations)} evaluations after a shot's first"))
    return found


def _frames(numbers: list[int]) -> str:
    named = ", ".join(map(str, numbers[:_MOST_NAMED]))
    return f"at frame {named}" + (f" and {len(numbers) - _MOST_NAMED} more" if len(numbers) > _MOST_NAMED else "")


# -------------------------------------------------------------------------------------------- flags


def flickers(story: Story) -> str | None:
    """A remark on a clip that is not steady."""
    if story.flicker is None or story.own_flicker is None or story.flicker - story.own_flicker <= _FLICKERS:
        return None
    return (
        f"It flickers by {significant(story.flicker)} grey levels where its photograph does by "
        f"{significant(story.own_flicker)}: raise temporal_weight or steps_per_frame."
    )


def drifts(story: Story, *, matched: bool = False) -> str | None:
    """A remark on a clip that becomes lighter or darker: than its photograph does, or, where its
    colours are `matched` with the style's and follow no photograph, than they were."""
    drift = _own_drift(story) if matched else story.drift
    if abs(drift) <= _DRIFTS:
        return None
    return (
        f"A shot becomes {significant(abs(drift))} grey levels {'lighter' if drift > 0 else 'darker'}"
        f"{'' if matched else ' than its photograph does'}: look at its end."
    )


def _own_drift(story: Story) -> float:
    """By how many grey levels the painting became lighter or darker within a shot, at most."""
    most, begun, cuts = 0.0, None, sorted(story.cuts)
    for row in (row for row in story.rows if len(row) > _LIGHT and row[0] is not None):
        number, light = row[0], row[_LIGHT]
        while cuts and number is not None and cuts[0] <= number:
            begun = None
            del cuts[0]
        if light is not None:
            begun = light if begun is None else begun
            most = light - begun if abs(light - begun) > abs(most) else most
    return most


def has_cuts(story: Story) -> str | None:
    """A remark on a clip of several shots."""
    if not story.cuts:
        return None
    return f"{len(story.cuts) + 1} shots, each painted by itself; a new one begins {_frames(story.cuts)}."
