"""Where the time of a step goes: its convolutions one by one and alone, the L-BFGS move, and what is left.

A step at 512 px as in a run, untiled, with its history filled; the same without the move; and each of the network's
convolutions up to the deepest layer in use, forward and back to its input, bare, at the shape that it has in the step. What is
left is all that is no convolution: bias and ReLU, pooling, the frame, Gram matrices and their gradients, losses.
Medians, taken in turns in one process. The shares of a sum of medians need not add up to a hundred to the last digit.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from benchmarks.engine import Descent, tf
from benchmarks.figures import Section, significant, table
from benchmarks.limit import seconds
from benchmarks.pictures import generated
from benchmarks.work import DEEPEST
from pipeline.nst.engine import TransferEngine
from pipeline.nst.network import FRAME, VGG19, is_pool, reduction
from pipeline.nst.weights import locate
from pipeline.options import Options

SIDE = 512
_FILL = 22  # steps after which L-BFGS' history of 20 is full
_COPIES = 3  # of a convolution in one call, on inputs of their own, so that none is computed once for all


def convolution(layer: str, precision: str) -> Callable[[], object]:
    """`_COPIES` times a layer's convolution forward and the one back to its input, at the shape it has in a step."""
    side = (SIDE + 2 * FRAME) // reduction(layer)
    _, _, channels, filters = VGG19.kernel_shape(layer)

    def noise(*shape: int) -> tf.Tensor:
        return tf.cast(tf.random.stateless_normal(shape, seed=(0, 0)), precision)

    kernel = noise(3, 3, channels, filters)
    inputs = [noise(1, side, side, channels) + copy for copy in range(_COPIES)]
    gradients = [noise(1, side, side, filters) + copy for copy in range(_COPIES)]

    @tf.function
    def run(inputs: list[tf.Tensor], gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        forward = [tf.nn.conv2d(features, kernel, 1, "SAME") for features in inputs]
        back = [tf.nn.conv2d_transpose(each, kernel, (1, side, side, channels), 1, "SAME") for each in gradients]
        return [result[0, 0, 0, 0] for result in (*forward, *back)]

    return lambda: [float(result) for result in run(inputs, gradients)]


def measure(quick: bool) -> Section:
    rounds = 3 if quick else 9
    layers = [name for name in VGG19.names_up_to([DEEPEST]) if not is_pool(name)]
    engine = TransferEngine(locate("auto"), Options())
    rows = []
    for precision in ("float32", "bfloat16"):
        options = Options(size=SIDE, precision=precision, tile="off")
        descent = Descent(engine, options, generated(SIDE, seed=1), generated(SIDE, seed=2))
        walk = descent.evaluations(1_000_000)
        for _ in range(_FILL):
            next(walk)
        parts = {"whole": lambda walk=walk: next(walk), "evaluation": descent.evaluate}
        parts |= {layer: convolution(layer, precision) for layer in layers}
        took: dict[str, list[float]] = {name: [] for name in parts}
        for action in parts.values():
            action()
        for _ in range(rounds):
            for name, action in parts.items():
                took[name].append(seconds(action))
        median = {name: statistics.median(times) for name, times in took.items()}
        bare = sum(median[layer] for layer in layers) / _COPIES
        for what, part in (
            ("step", median["whole"]),
            ("its convolutions, bare", bare),
            ("L-BFGS", median["whole"] - median["evaluation"]),
            ("all else of the evaluation", median["evaluation"] - bare),
        ):
            rows.append((f"{precision}: {what}", f"{part:.3f} s", significant(part / median["whole"])))
    return Section(
        name="profile",
        title="Where the time of a step goes",
        text=f"{__doc__}\n{table(['part', 'time', 'share'], rows)}\n",
        figures=[],
    )
