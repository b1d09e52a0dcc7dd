"""Where the time of a step goes, and where the machine would let it go.

A step at 512 px as in a run, untiled, by Gram matrices, with its history filled; the same without the move; and by themselves,
at the shapes that they have in the step: each of the network's convolutions up to the deepest layer in use, forward and back
to its input, by the fastest of the ways that there are, and the products of the Gram matrices. "All else" is what is neither:
bias and ReLU, pooling, the frame, losses. Medians, taken in turns in one process.

"Could be" is what the machine does at its best: work at the rate of the fastest of these convolutions; what only moves numbers
at the rate of a sum of two large tensors. L-BFGS reads its pairs twice; activations are read and written as often as they must
be. Work is that of the convolution's definition: where Winograd's way computes it, with a quarter of the products, the rate is
above what the processor multiplies and adds. The last line is what is left between the step and all that it could be.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator

from benchmarks.bounds import BYTES_SUMMED, PRECISIONS, large_sums, noise, seconds, winograds_ways
from benchmarks.engine import Descent, tf
from benchmarks.figures import Section, table
from benchmarks.parts import Part, where_it_went
from benchmarks.pictures import generated
from benchmarks.work import activation_bytes, convolution_work, convolutions, gram_work, lbfgs_bytes
from pipeline.nst.engine import TransferEngine
from pipeline.nst.network import FRAME, VGG19, reduction
from pipeline.nst.weights import locate
from pipeline.options import Options

SIDE = 512
_HISTORY = 20
_FILL = _HISTORY + 2  # steps after which L-BFGS' history is full
_COPIES = 3  # of an operation in one call, on inputs of their own, so that none is computed once for all


def _repeated(operation: Callable[[tf.Tensor], tf.Tensor], given: tf.Tensor) -> Callable[[], object]:
    """`_COPIES` times an operation on tensors like this one."""
    inputs = [given + copy for copy in range(_COPIES)]

    @tf.function
    def run(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        return [tf.reshape(operation(each), [-1])[0] for each in inputs]

    return lambda: [float(result) for result in run(inputs)]


def _positions(side: int, layer: str) -> int:
    """Of a square picture of this side with its frame, along a side."""
    return (side + 2 * FRAME) // reduction(layer)


def ways(side: int, layer: str, precision: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A layer's convolution forward and the one back to its input, each by all of its ways, at the shape it has in a step."""
    length = _positions(side, layer)
    _, _, channels, filters = VGG19.kernel_shape(layer)
    kernel = noise(precision, 3, 3, channels, filters)
    other = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])

    def forward(kernel: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        return lambda features: tf.nn.conv2d(features, kernel, 1, "SAME")

    def back(kernel: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        shape = (1, length, length, kernel.shape[2])
        return lambda incoming: tf.nn.conv2d_transpose(incoming, kernel, shape, 1, "SAME")

    given = {
        way: noise(precision, 1, length, length, count) for way, count in (("forward", channels), ("back", filters))
    }
    yield "forward", _repeated(forward(kernel), given["forward"])
    yield "forward", _repeated(back(other), given["forward"])
    yield "back", _repeated(back(kernel), given["back"])
    yield "back", _repeated(forward(other), given["back"])
    for way, convolve in winograds_ways(kernel).items():
        yield way, _repeated(convolve, given[way])


def gram_products(side: int, layer: str, precision: str) -> Callable[[], object]:
    """FᵀF of a style layer, whose sums are of float32, and F D of its gradient."""
    positions, channels = (side // reduction(layer)) ** 2, VGG19.channels(layer)
    by_gram = noise(precision, channels, channels)

    def both(features: tf.Tensor) -> tf.Tensor:
        whole = tf.cast(features, tf.float32)
        products = tf.matmul(whole, whole, transpose_a=True)
        return tf.reduce_sum(products) + tf.cast(tf.reduce_sum(tf.matmul(features, by_gram)), tf.float32)

    return _repeated(both, noise(precision, positions, channels))


def measure(quick: bool) -> Section:
    return measured(SIDE, 3 if quick else 9)


def measured(side: int, rounds: int) -> Section:
    """The section, for a square picture of this side."""
    engine = TransferEngine(locate("auto"), Options())
    rows = [row for precision in PRECISIONS for row in _rows(engine, side, precision, rounds)]
    return Section(
        name="profile",
        title="Where the time of a step goes",
        text=f"{__doc__}\n{table(['part', 'how much', 'time', 'share', 'could be', 'is left'], rows)}\n",
        figures=[],
    )


def _rows(engine: TransferEngine, side: int, precision: str, rounds: int) -> Iterator[tuple[str, ...]]:
    layers = convolutions()
    options = Options(size=side, precision=precision, tile="off", style_loss="gram", history=_HISTORY)
    median = _medians(_parts(engine, options, layers), rounds)

    def bare(layer: str, direction: str) -> float:
        return min(time for name, time in median.items() if name.startswith(f"{layer} {direction}")) / _COPIES

    work = {layer: 2.0 * _positions(side, layer) ** 2 * math.prod(VGG19.kernel_shape(layer)) for layer in layers}
    rate = max(work[layer] / bare(layer, direction) for layer in layers for direction in ("forward", "back"))
    bandwidth = BYTES_SUMMED / median["sum"]
    products = sum(time for name, time in median.items() if name.startswith("gram")) / _COPIES
    network = sum(bare(layer, direction) for layer in layers for direction in ("forward", "back"))
    number = tf.as_dtype(precision).size
    between = median["evaluation"] - network - products
    parts = [
        (Part.of_work("its convolutions, bare", _work_of_all(side), rate), network),
        (Part.of_work("products of Gram matrices, bare", gram_work(side, options.style_layers), rate), products),
        (Part.of_bytes("L-BFGS", lbfgs_bytes(side, number), bandwidth), median["whole"] - median["evaluation"]),
        (Part.of_bytes("all else of the evaluation", activation_bytes(side, number), bandwidth), between),
    ]
    yield (f"{precision}: fastest convolution", f"{rate / 1e9:.0f} GFLOP/s", "", "", "", "")
    yield (f"{precision}: sum of two large tensors", f"{bandwidth / 1e9:.1f} GB/s", "", "", "", "")
    yield from where_it_went(precision, median["whole"], parts)


def _work_of_all(side: int) -> float:
    """Of all convolutions, forward and back, of a square picture with its frame."""
    return 2 * convolution_work(side + 2 * FRAME, side + 2 * FRAME)


def _parts(engine: TransferEngine, options: Options, layers: list[str]) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    side, precision = options.size, options.precision
    descent = Descent(engine, options, generated(side, seed=1), generated(side, seed=2))
    walk = descent.evaluations(1_000_000)
    for _ in range(_FILL):
        next(walk)
    parts: dict[str, Callable[[], object]] = {"whole": lambda: next(walk), "evaluation": descent.evaluate}
    for layer in layers:
        for number, (direction, action) in enumerate(ways(side, layer, precision)):
            parts[f"{layer} {direction} {number}"] = action
    for layer in options.style_layers:
        parts[f"gram {layer}"] = gram_products(side, layer, precision)
    return parts | {"sum": large_sums()}


def _medians(parts: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    took: dict[str, list[float]] = {name: [] for name in parts}
    for action in parts.values():
        action()
    for _ in range(rounds):
        for name, action in parts.items():
            took[name].append(seconds(action))
    return {name: statistics.median(times) for name, times in took.items()}
