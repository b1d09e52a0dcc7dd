"""How near a step comes to what the machine can do: the rate of its convolutions against the rate of bare ones.

A step is an evaluation of loss and gradient and an L-BFGS move, as in a run. Its work is counted exactly: twice (forward, and
back to the picture) the multiplications and additions of VGG19's convolutions up to the deepest layer that the default
objective uses; pooling, activations, Gram matrices, losses and the move count as overhead. The bare convolutions are of
VGG19's own shapes, forward and back to the input, in the same precision, process and threads; in each round every one of them
runs beside the step, and the fastest shape is the machine's rate. Figures are medians of the rounds.

The network also sees a mirrored frame of 8 pixels around the picture. "Share" counts the work on it, which the processor
does; "without frame" counts the picture's own pixels alone.

What stands between a step and the limit ("Where the time of a step goes", and TensorFlow's profiler): the network's own
convolutions, bare, run at 0.93 of the fastest shape's rate; Gram products, which are work and not counted, take 5 % of a step
in bfloat16 (in float32, as their sums must be), the L-BFGS move 3 to 6 %, gradients of ReLU and pools 2.5 %, the frame, casts
and sums of gradients the rest. Tried, at 512 px: products of Gram matrices in bfloat16 (35 ms instead of 59 of 1,130, but wrong
by 0.4 %); the frame masked instead of cut (17.0 ms instead of 16.1 for the first layer); L-BFGS' inner products as matrix
products (37 ms or more instead of 19) or in compact form (the same); the first layer's gradient by a forward convolution (the
same); the system's allocator, with huge pages or without (20 to 40 % more for a step).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.engine import Descent, tf
from benchmarks.figures import Figure, Section, median_ratio, significant, table
from benchmarks.pictures import generated
from benchmarks.work import convolution_work
from pipeline.nst.engine import TransferEngine
from pipeline.nst.network import FRAME
from pipeline.nst.precision import effective_precision
from pipeline.nst.weights import locate
from pipeline.options import Options

# Side of the square features, channels in, channels out: the inner convolutions of VGG19's blocks 1 to 5 at 512 px.
SHAPES = ((512, 64, 64), (256, 128, 128), (128, 256, 256), (64, 512, 512), (32, 512, 512))
# Where it would be emulated, nobody paints in bfloat16.
PRECISIONS = ("float32", "bfloat16") if effective_precision("auto") == "bfloat16" else ("float32",)
_BARE_WORK = 4e10  # operations per bare measurement: a tenth of a second, long beside a call's own cost


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def bare_convolutions(precision: str) -> dict[str, tuple[Callable[[], object], float]]:
    """By name: an action that convolves, and its work."""
    made = {}
    for side, channels, filters in SHAPES:
        work = 2.0 * side**2 * 9 * channels * filters
        times = max(2, round(_BARE_WORK / work))
        dtype = tf.as_dtype(precision)
        features = tf.cast(tf.random.stateless_normal((1, side, side, channels), seed=(0, 0)), dtype)
        kernel = tf.cast(
            tf.random.stateless_normal((3, 3, channels, filters), seed=(0, 1)) / (9 * channels) ** 0.5, dtype
        )
        for direction in ("forward", "back"):
            action = _repeated(direction, features, kernel, times)
            made[f"{side} x {side} x {channels} {direction}"] = (action, times * work)
    return made


def _repeated(direction: str, features: tf.Tensor, kernel: tf.Tensor, times: int) -> Callable[[], object]:
    """As many convolutions in one traced function, each with the result of the one before."""

    @tf.function
    def run() -> tf.Tensor:
        result = features
        for _ in range(times):
            if direction == "forward":
                result = tf.nn.conv2d(result, kernel, 1, "SAME")
            else:
                result = tf.nn.conv2d_transpose(result, kernel, tf.shape(features), 1, "SAME")
        return tf.reduce_max(result)

    return lambda: run().numpy()


def step(engine: TransferEngine, side: int, precision: str) -> Callable[[], object]:
    options = Options(size=side, precision=precision, tile="off", style_loss="gram")
    descent = Descent(engine, options, generated(side, seed=1), generated(side, seed=2))
    walk: Iterator[float] = descent.evaluations(1_000_000)
    return lambda: next(walk)


def side_by_side(
    one_step: Callable[[], object], bare: dict[str, tuple[Callable[[], object], float]], rounds: int
) -> tuple[list[float], str, list[float]]:
    """Seconds of the step in each round, the fastest bare convolution by its median, and its rate in each round."""
    for action in (one_step, one_step, *(action for action, _work in bare.values())):
        action()
    steps: list[float] = []
    rates: dict[str, list[float]] = {name: [] for name in bare}
    for _ in range(rounds):
        steps.append(seconds(one_step))
        for name, (action, work) in bare.items():
            rates[name].append(work / seconds(action))
    fastest = max(rates, key=lambda name: statistics.median(rates[name]))
    return steps, fastest, rates[fastest]


def measure(quick: bool) -> Section:
    sides = (256, 512) if quick else (256, 512, 1024, 2048)
    engine = TransferEngine(locate("auto"), Options())
    rows, figures = [], []
    for precision in PRECISIONS:
        bare = bare_convolutions(precision)
        for side in sides:
            rounds = 3 if quick or side > 1024 else 5
            steps, fastest, rates = side_by_side(step(engine, side, precision), bare, rounds)
            work = 2 * convolution_work(side + 2 * FRAME, side + 2 * FRAME)
            share = median_ratio([work / took for took in steps], rates)
            inside = convolution_work(side, side) / convolution_work(side + 2 * FRAME, side + 2 * FRAME)
            took, rate = statistics.median(steps), statistics.median(rates)
            rows.append(
                (
                    f"{side} px, {precision}",
                    f"{took:.2f} s",
                    f"{work / took / 1e9:.0f}",
                    f"{rate / 1e9:.0f} ({fastest})",
                    significant(share),
                    significant(share * inside),
                )
            )
            if side >= 512:
                what = f"step rate / machine's convolution rate, {side} px, {precision}"
                figures.append(Figure(what, share, "at least", 0.88))
    head = ["picture", "one step", "its GFLOP/s", "fastest bare convolution, GFLOP/s", "share", "without frame"]
    return Section(
        name="limit",
        title="How near the machine's limit",
        text=f"{__doc__}\n{table(head, rows)}\n",
        figures=figures,
    )
