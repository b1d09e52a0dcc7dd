"""How far a pair is that is painted at this moment, in words."""

from __future__ import annotations

from pipeline.report.quantities import duration, significant
from pipeline.store.now import AtWork


def step_words(pair: AtWork) -> str:
    """`step 40 of 150, loss 2.1, 1 m left`; at a smaller size `first at 256 px: step 12`."""
    if not pair.step:
        return "starting"
    where = (
        f"first at {pair.side} px: step {pair.step}" if pair.coarse else f"{unit_of(pair)} {pair.step} of {pair.steps}"
    )
    loss = f", loss {significant(pair.loss)}" if pair.loss is not None else ""
    left = f", {duration(pair.seconds_left)} left" if pair.seconds_left is not None else ""
    return f"{where}{loss}{left}"


def unit_of(pair: AtWork) -> str:
    """What is counted of it."""
    return "frame" if pair.unit == "frame" else "step"
