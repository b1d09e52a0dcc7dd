"""What a record and a report say of a clip beside what they say of every pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.batch.clip_walk import Clip, Shown
from pipeline.batch.system.machine import differences_between
from pipeline.clip_names import spread

_MOST_ROWS = 60  # as of a trace that is kept (store/records)


def story(clip: Clip, shown: Sequence[Shown]) -> dict[str, Any]:
    """What a record and a report say of a clip, in JSON values: how many frames of how many, when
    in seconds, where shots begin, and frame by frame how they hold together (`rows`: number,
    flicker, the photograph's own, mean grey of photograph and painting), of a long clip some."""
    flickers = [each.frame.flicker for each in shown if each.frame.flicker is not None]
    own = [each.frame.own_flicker for each in shown if each.frame.own_flicker is not None]
    rows = [
        [each.number, _short(each.frame.flicker), _short(each.frame.own_flicker), *map(_short, each.frame.light)]
        for each in (shown[place] for place in spread(len(shown), _MOST_ROWS))
    ]
    last = shown[-1]
    return {
        "frames": len(shown),
        "of": clip.facts.frames,
        "seconds": round(float(last.time + last.duration - shown[0].time), 3),
        "rate": None if clip.facts.rate is None else round(float(clip.facts.rate), 3),
        "sound": clip.facts.has_sound,
        "cuts": [each.number for each in shown[1:] if each.frame.cut],
        "flicker": _mean(flickers),
        "own_flicker": _mean(own),
        "drift": drift(shown),
        "evaluations": _mean([each.frame.evaluations for each in shown if not each.frame.cut]),
        "rows": rows,
    }


def drift(shown: Sequence[Shown]) -> float:
    """By how many grey levels the painting became lighter or darker against its photograph within
    a shot, at most: the difference of their mean levels at its last frame less that at its
    first."""
    worst, begun = 0.0, 0.0
    for each in shown:
        photograph, painting = each.frame.light
        if each.frame.cut:
            begun = painting - photograph
        change = painting - photograph - begun
        worst = change if abs(change) > abs(worst) else worst
    return round(worst, 3)


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 3) if values else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def notes(shown: Sequence[Shown], environment: dict[str, Any], resumed: int) -> list[str]:
    """What is worth knowing of how a clip was painted; `resumed` frames stood before."""
    told = [f"{resumed} of {len(shown)} frames stood already"] if resumed else []
    others = [each.frame.environment for each in shown if each.frame.environment != environment]
    if others:
        words = differences_between(others[0], environment)
        told.append(f"{len(others)} frames were painted with other {words}: alike, not equal byte for byte")
    of_frames = dict.fromkeys(note for each in shown for note in each.frame.notes)
    return [*told, *list(of_frames)[:_MOST_NOTES]]


_MOST_NOTES = 5  # of frames; they mostly say the same
