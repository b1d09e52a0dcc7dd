"""How near a step comes to what the machine can do: its rate against that of bare convolutions, and what is left of its time.

A step is an evaluation of loss and gradient and an L-BFGS move, as in a run. Its work is counted exactly: twice (forward, and
back to the picture) the multiplications and additions of VGG19's convolutions up to the deepest layer that the default
objective uses; pooling, activations, Gram matrices, losses and the move count as overhead. The bare convolutions are of
VGG19's own shapes, forward and back to the input, in the same precision, process and threads, by every way that a step takes;
in each round every one of them runs beside the step, and the fastest is the machine's rate. Figures are medians of the rounds.
Work is that of the convolution's definition, whichever way computes it: Winograd's makes a quarter of the products, so its rate
is above what the processor multiplies and adds.

The network also sees a mirrored frame of 8 pixels around the picture. "Share" counts the work on it, which the processor
does; "without frame" counts the picture's own pixels alone.

The second table has what a step must do, and the time that it would take at the machine's best: products of the convolutions
and of the Gram matrices at that rate, what only moves numbers (activations between convolutions; the pairs of L-BFGS, read
twice) at the rate of a sum of two large tensors. "What is left" is the rest of the step: parts that are slower than their best,
and whatever is not counted (the frame, casts, losses, sums of gradients). Which parts those are, the section on where the time
goes says.

What was seen on processors with avx512_bf16: the network's own convolutions, bare, run at 0.93 of the fastest shape's rate;
Gram products take 5 % of a step in bfloat16 (in float32, as their sums must be), the L-BFGS move 3 to 6 %, gradients of ReLU
and pools 2.5 %, the frame, casts and sums of gradients the rest. Tried, at 512 px: products of Gram matrices in bfloat16 (35 ms
instead of 59 of 1,130, but wrong by 0.4 %); the frame masked instead of cut (17.0 ms instead of 16.1 for the first layer);
L-BFGS' inner products as matrix products (37 ms or more instead of 19) or in compact form (the same); the first layer's
gradient by a forward convolution (the same); the system's allocator, with huge pages or without (20 to 40 % more for a step).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from benchmarks.bounds import BYTES_SUMMED, PRECISIONS, large_sums, seconds, winograds_ways
from benchmarks.engine import Descent, tf
from benchmarks.figures import Figure, Section, median_ratio, significant, table
from benchmarks.parts import Part, what_is_left
from benchmarks.pictures import generated
from benchmarks.work import activation_bytes, convolution_work, gram_work, lbfgs_bytes
from pipeline.nst.engine import TransferEngine
from pipeline.nst.network import FRAME
from pipeline.nst.weights import locate
from pipeline.options import Options

# Side of the square features, channels in, channels out: the inner convolutions of VGG19's blocks 1 to 5 at 512 px.
SHAPES = ((512, 64, 64), (256, 128, 128), (128, 256, 256), (64, 512, 512), (32, 512, 512))
_BARE_WORK = 4e10  # operations per bare measurement: a tenth of a second, long beside a call's own cost


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
        for way, convolve in _ways(kernel, features.shape).items():
            made[f"{side} x {side} x {channels} {way}"] = (_repeated(convolve, features, times), times * work)
    return made


def _ways(kernel: tf.Tensor, shape: tf.TensorShape) -> dict[str, Callable[[tf.Tensor], tf.Tensor]]:
    """What convolves features of this shape, by name."""
    return {
        "forward": lambda given: tf.nn.conv2d(given, kernel, 1, "SAME"),
        "back": lambda given: tf.nn.conv2d_transpose(given, kernel, shape, 1, "SAME"),
        **{f"{way} by Winograd": convolve for way, convolve in winograds_ways(kernel).items()},
    }


def _repeated(convolve: Callable[[tf.Tensor], tf.Tensor], features: tf.Tensor, times: int) -> Callable[[], object]:
    """As many convolutions in one traced function, each with the result of the one before."""

    @tf.function
    def run() -> tf.Tensor:
        result = features
        for _ in range(times):
            result = convolve(result)
        return tf.reduce_max(result)

    return lambda: run().numpy()


def _options(side: int, precision: str) -> Options:
    return Options(size=side, precision=precision, tile="off", style_loss="gram")


def step(engine: TransferEngine, side: int, precision: str) -> Callable[[], object]:
    options = _options(side, precision)
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


def needed(side: int, precision: str, rate: float, bandwidth: float) -> list[Part]:
    """What a step must do, at the machine's best rates in operations and bytes a second."""
    number = tf.as_dtype(precision).size
    return [
        Part.of_work("convolutions", 2 * convolution_work(side + 2 * FRAME, side + 2 * FRAME), rate),
        Part.of_work("products of Gram matrices", gram_work(side, _options(side, precision).style_layers), rate),
        Part.of_bytes("activations between convolutions", activation_bytes(side, number), bandwidth),
        Part.of_bytes("L-BFGS' pairs", lbfgs_bytes(side, number), bandwidth),
    ]


def measure(quick: bool) -> Section:
    sides = (256, 512) if quick else (256, 512, 1024, 2048)
    return measured(sides, quick)


def measured(sides: tuple[int, ...], quick: bool) -> Section:
    """The section, for square pictures of these sides."""
    engine = TransferEngine(locate("auto"), Options())
    rows, left, figures = [], [], []
    sums = large_sums()
    sums()
    bandwidth = BYTES_SUMMED / statistics.median(seconds(sums) for _ in range(5))
    for precision in PRECISIONS:
        bare = bare_convolutions(precision)
        for side in sides:
            rounds = 3 if quick or side > 1024 else 5
            steps, fastest, rates = side_by_side(step(engine, side, precision), bare, rounds)
            work = 2 * convolution_work(side + 2 * FRAME, side + 2 * FRAME)
            share = median_ratio([work / took for took in steps], rates)
            inside = convolution_work(side, side) / convolution_work(side + 2 * FRAME, side + 2 * FRAME)
            took, rate = statistics.median(steps), statistics.median(rates)
            picture = f"{side} px, {precision}"
            rows.append(
                (
                    picture,
                    f"{took:.2f} s",
                    f"{work / took / 1e9:.0f}",
                    f"{rate / 1e9:.0f} ({fastest})",
                    significant(share),
                    significant(share * inside),
                )
            )
            left += what_is_left(picture, took, needed(side, precision, rate, bandwidth))
            if side >= 512:
                what = f"step rate / machine's convolution rate, {side} px, {precision}"
                figures.append(Figure(what, share, "at least", 0.88))
    head = ["picture", "one step", "its GFLOP/s", "fastest bare convolution, GFLOP/s", "share", "without frame"]
    needs = ["what a step needs", "how much", "at the machine's best", "of the step"]
    summed = f"A sum of two large tensors moves {bandwidth / 1e9:.1f} GB/s."
    return Section(
        name="limit",
        title="How near the machine's limit",
        text=f"{__doc__}\n{table(head, rows)}\n\n{summed}\n\n{table(needs, left)}\n",
        figures=figures,
    )
