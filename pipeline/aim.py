"""What a round of a stage descends on: what the picture is compared with, and by which weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from pipeline.options import Options
from pipeline.pictures import Carried, Pictures
from pipeline.stage_inputs import StageInputs, sources

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipeline.nst.engine import TransferEngine
    from pipeline.nst.objective import LossWeights, Targets

    Pixels = NDArray[np.float32]


class Aim(NamedTuple):
    """What a round of a stage descends on. `start` is the picture that its targets were made from,
    where they depend on it; `held` are those weights that were found as the stage began."""

    targets: Targets
    weights: Mapping[str, LossWeights]
    start: Pixels | None
    held: Mapping[str, LossWeights]


def aim_of(
    pictures: Pictures,
    inputs: StageInputs,
    options: Options,
    engine: TransferEngine,
    seen: Pixels,
    place: tuple[int, int],
    *,
    held: Mapping[str, LossWeights] | None = None,
) -> Aim:
    """The aim of the round that begins at `place`, stage and evaluations, with the picture `seen`.
    `held` are those weights that an earlier round of the stage found."""
    from pipeline.nst.engine import Setting
    from pipeline.nst.objective import objective_of, weights_of

    objective = objective_of(options, last_pass=inputs.stage.last_pass)
    targets = objective.targets(sources(pictures, inputs, options, engine, seen, place))
    weights = weights_of(options, inputs.stage.content)
    if held is None and pictures.carried is not None:
        setting = Setting(options, inputs.stage.precision, inputs.stage.tiling, inputs.stage.last_pass)
        begins = engine.measurer(setting, seen.shape).losses(seen, targets, weights)
        held = _held(pictures.carried, weights, float(begins["total"]))
    held = held or {}
    return Aim(targets, {**weights, **held}, seen if objective.needs_start else None, held)


def _held(carried: Carried, weights: Mapping[str, LossWeights], loss: float) -> Mapping[str, LossWeights]:
    """The temporal term's weight: a share of the loss with which the frame begins."""
    import tensorflow as tf

    from pipeline.nst.terms.temporal import Temporal

    weight = tf.constant(carried.share * loss, tf.float32)
    return {Temporal.name: weights[Temporal.name]._replace(term=weight)}
