"""What a pair's own numbers say about its picture, without looking at the picture."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.job import Outcome
from pipeline.options import Options
from pipeline.report.clips import Story, drifts, flickers, has_cuts, story_of
from pipeline.report.quantities import percent, significant

# A loss that falls this much within the last tenth of the steps has not settled yet. Pairs of the
# demo, which have, fell by 0.9 to 2.1 % in theirs (five of 80 steps).
STILL_FALLING = 0.05
LAST_PART = 0.1
# Of fewer steps a tenth is one or none, and who asks for them wants a first look.
FEWEST_STEPS = 20

# Healthy runs overshoot by a few percent; ten percent above the best is no longer noise.
ABOVE_BEST = 0.10

# Pairs usually lose well over nine tenths of their style distance; one that keeps nine tenths looks
# like its content.
STYLE_KEPT = 0.9

_CHOSEN_ANEW = frozenset({"neighbours", "transport"})  # distances of the style, see docs/method.md


def flags(outcome: Outcome) -> list[dict[str, str]]:
    """Remarks on a pair painted in this run; none for other pairs.

    Each is `{"name": stable word, "text": sentence}`.
    """
    if outcome.status != "done":
        return []
    found = ((name, remark(outcome)) for name, remark in (CLIP_FLAGS if outcome.clip else FLAGS).items())
    return [{"name": name, "text": text} for name, text in found if text]


def _retried(outcome: Outcome) -> str | None:
    if outcome.attempts <= 1:
        return None
    return f"Needed {outcome.attempts} attempts."


def _loss_did_not_fall(outcome: Outcome) -> str | None:
    first, last = _ends(outcome, "total")
    if first is None or last is None or last < first:
        return None
    checked = "learning_rate and the weights" if _has_rate(outcome) else "the weights"
    return f"The loss did not fall ({significant(first)} to {significant(last)}): check {checked}."


def _still_falling(outcome: Outcome) -> str | None:
    """Compares the best loss of the first nine tenths with the best of all.

    An overshoot at the end changes nothing.
    """
    readings = _finite(outcome.trace)
    if not readings or _matched(outcome) or readings[-1][0] < FEWEST_STEPS or _ended_still(outcome):
        return None
    border = readings[-1][0] * (1 - LAST_PART)
    before = [total for step, total in readings if step <= border]
    if not before or min(before) <= 0:
        return None
    fall = 1 - min(total for _, total in readings) / min(before)
    if fall <= STILL_FALLING:
        return None
    return f"The loss fell by {percent(fall)} in the last tenth of the steps: more steps would change the picture."


def _ended_above_best(outcome: Outcome) -> str | None:
    readings = _finite(outcome.trace)
    if not readings or _matched(outcome):
        return None
    best, last = min(total for _, total in readings), readings[-1][1]
    # The first reading as the best of all is the business of `_loss_did_not_fall`.
    if best <= 0 or best == readings[0][1] or last <= best * (1 + ABOVE_BEST):
        return None
    steadier = "a smaller learning_rate" if _has_rate(outcome) else "precision: float32"
    helps = f": {steadier} would be steadier" if _has_rate(outcome) or outcome.precision == "bfloat16" else ""
    return f"The loss ended {percent(last / best - 1)} above its lowest{helps}."


def _little_style(outcome: Outcome) -> str | None:
    first, last = _ends(outcome, "style")
    # A picture that starts as the style image has its style from the beginning, and one of
    # neighbours before its last pass.
    if first is None or last is None or first <= 0 or outcome.options.get("init") == "style" or _matched(outcome):
        return None
    if last / first < STYLE_KEPT:
        return None
    return f"{percent(last / first)} of the style distance is left: raise style_weight or steps for more style."


def _stopped_early(outcome: Outcome) -> str | None:
    wanted = outcome.options.get("steps")
    if not isinstance(wanted, int) or not 0 < outcome.steps < wanted:
        return None
    return f"Ended after {outcome.steps} of {wanted} steps."


def _has_rate(outcome: Outcome) -> bool:
    """Does its descent have a learning_rate?"""
    return bool(outcome.options.get("optimizer", Options().optimizer) != "lbfgs")


def _ended_still(outcome: Outcome) -> bool:
    """Did it end because the picture came no nearer to its style?"""
    most = outcome.options.get("max_steps", Options().max_steps)
    return outcome.options.get("steps") == "auto" and isinstance(most, int) and outcome.steps < most


def _matched(outcome: Outcome) -> bool:
    """Is the style compared at places that are chosen anew every few steps? Losses of different
    places say little of how far the picture has come."""
    asked = outcome.options.get("style_loss", "")
    return not _CHOSEN_ANEW.isdisjoint([asked] if isinstance(asked, str) else asked)


def _ends(outcome: Outcome, part: str) -> tuple[float | None, float | None]:
    """First and last value of one part of the loss; None where it is missing or not finite."""
    ends = (outcome.losses.get(end, {}).get(part) for end in ("first", "last"))
    first, last = (value if value is not None and math.isfinite(value) else None for value in ends)
    return first, last


def _finite(trace: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """(step, total loss) of the readings whose loss is a finite number."""
    pairs = ((reading.get("step"), reading.get("total")) for reading in trace)
    return [(step, total) for step, total in pairs if step is not None and total is not None and math.isfinite(total)]


FLAGS: Mapping[str, Callable[[Outcome], str | None]] = {
    "retried": _retried,
    "loss_did_not_fall": _loss_did_not_fall,
    "still_falling": _still_falling,
    "ended_above_best": _ended_above_best,
    "little_style": _little_style,
    "stopped_early": _stopped_early,
}
"""Each flag's stable name, and what makes its sentence."""


def _of_clip(remark: Callable[[Story], str | None]) -> Callable[[Outcome], str | None]:
    def told(outcome: Outcome) -> str | None:
        story = story_of({"clip": outcome.clip})
        return None if story is None else remark(story)

    return told


def _drifts(outcome: Outcome) -> str | None:
    if outcome.style_at:  # styles differ in brightness
        return None
    matched = outcome.options.get("match_color", "none") != "none"
    return _of_clip(functools.partial(drifts, matched=matched))(outcome)


CLIP_FLAGS: Mapping[str, Callable[[Outcome], str | None]] = {
    "retried": _retried,
    "flickers": _of_clip(flickers),
    "drifts": _drifts,
    "cuts": _of_clip(has_cuts),
}
"""The same of a clip, whose steps are frames."""

FLAG_NAMES = (*FLAGS, *(name for name in CLIP_FLAGS if name not in FLAGS))
"""All names that there are, of pictures and of clips."""
