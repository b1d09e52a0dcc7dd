"""Where the time of a step goes, and where the machine would let it go.

A step at 512 px as in a run, untiled, by Gram matrices, with its history filled; the same without the move; and by themselves,
at the shapes that they have in the step: each of the network's convolutions up to the deepest layer in use, forward and back
to its input, by the fastest of the ways that there are, and the products of the Gram matrices. What is left is all that is
neither: bias and ReLU, pooling, the frame, losses. Medians, taken in turns in one process.

"Could be" is what the machine does at its best: work at the rate of the fastest of these convolutions; what only moves numbers
at the rate of a sum of two large tensors. L-BFGS reads its history twice. All else reads and writes every activation as often
as it must: for bias and ReLU forward, ReLU back, pooling both ways, three times each.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator

from benchmarks.engine import Descent, tf
from benchmarks.figures import Section, significant, table
from benchmarks.limit import PRECISIONS, seconds
from benchmarks.pictures import generated
from benchmarks.work import DEEPEST, convolution_work
from pipeline.nst import winograd
from pipeline.nst.convolution import forward_by_back
from pipeline.nst.engine import TransferEngine
from pipeline.nst.network import FRAME, VGG19, is_pool, reduction
from pipeline.nst.tiling import MANY_CHANNELS
from pipeline.nst.weights import locate
from pipeline.options import Options

SIDE = 512
_HISTORY = 20
_FILL = _HISTORY + 2  # steps after which L-BFGS' history is full
_COPIES = 3  # of an operation in one call, on inputs of their own, so that none is computed once for all
_LARGE = 2**24  # numbers, that no cache holds


def _noise(precision: str, *shape: int) -> tf.Tensor:
    return tf.cast(tf.random.stateless_normal(shape, seed=(0, 0)), precision)


def _repeated(operation: Callable[[tf.Tensor], tf.Tensor], given: tf.Tensor) -> Callable[[], object]:
    """`_COPIES` times an operation on tensors like this one."""
    inputs = [given + copy for copy in range(_COPIES)]

    @tf.function
    def run(inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        return [tf.reshape(operation(each), [-1])[0] for each in inputs]

    return lambda: [float(result) for result in run(inputs)]


def _side(layer: str) -> int:
    return (SIDE + 2 * FRAME) // reduction(layer)


def convolutions(layer: str, precision: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """A layer's convolution forward and the one back to its input, each by all of its ways, at the shape it has in a step."""
    side = _side(layer)
    _, _, channels, filters = VGG19.kernel_shape(layer)
    kernel = _noise(precision, 3, 3, channels, filters)
    other = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])

    def forward(kernel: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        return lambda features: tf.nn.conv2d(features, kernel, 1, "SAME")

    def back(kernel: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
        shape = (1, side, side, kernel.shape[2])
        return lambda incoming: tf.nn.conv2d_transpose(incoming, kernel, shape, 1, "SAME")

    features, incoming = (_noise(precision, 1, side, side, count) for count in (channels, filters))
    yield "forward", _repeated(forward(kernel), features)
    yield "forward", _repeated(back(other), features)
    yield "back", _repeated(back(kernel), incoming)
    yield "back", _repeated(forward(other), incoming)
    if precision == "float32" and forward_by_back() and min(channels, filters) >= MANY_CHANNELS:
        taken, bare = winograd.filters_of(kernel), {"relu": False, "in_strips": False}
        yield "forward", _repeated(lambda given: winograd.forward(given, taken, tf.zeros(filters), **bare), features)
        yield "back", _repeated(lambda given: winograd.back(given, given, taken, **bare), incoming)


def gram_products(layer: str, precision: str) -> tuple[Callable[[], object], float]:
    """FᵀF of a style layer, whose sums are of float32, and F D of its gradient; and their operations."""
    positions, channels = (SIDE // reduction(layer)) ** 2, VGG19.kernel_shape(layer)[-1]
    by_gram = _noise(precision, channels, channels)

    def both(features: tf.Tensor) -> tf.Tensor:
        whole = tf.cast(features, tf.float32)
        products = tf.matmul(whole, whole, transpose_a=True)
        return tf.reduce_sum(products) + tf.cast(tf.reduce_sum(tf.matmul(features, by_gram)), tf.float32)

    return _repeated(both, _noise(precision, positions, channels)), 4.0 * positions * channels**2


def _bytes_moved(layers: list[str], precision: str) -> float:
    """Of all activations, by what reads and writes them between convolutions."""
    size = tf.as_dtype(precision).size
    numbers = [_side(layer) ** 2 * VGG19.kernel_shape(layer)[-1] for layer in layers]
    pooled = [count for layer, count in zip(layers, numbers, strict=True) if _before_pool(layer)]
    # bias and ReLU read and write, ReLU's way back reads two and writes one
    return size * (5.0 * sum(numbers) + 3.0 * 1.25 * sum(pooled))


def _before_pool(layer: str) -> bool:
    names = VGG19.names_up_to([DEEPEST])
    place = names.index(layer) + 1
    return place < len(names) and is_pool(names[place])


def measure(quick: bool) -> Section:
    rounds = 3 if quick else 9
    engine = TransferEngine(locate("auto"), Options())
    rows = []
    for precision in PRECISIONS:
        rows += _rows(engine, precision, rounds)
    return Section(
        name="profile",
        title="Where the time of a step goes",
        text=f"{__doc__}\n{table(['part', 'time', 'share', 'could be', 'is left'], rows)}\n",
        figures=[],
    )


def _rows(engine: TransferEngine, precision: str, rounds: int) -> Iterator[tuple[str, ...]]:
    layers = [name for name in VGG19.names_up_to([DEEPEST]) if not is_pool(name)]
    options = Options(size=SIDE, precision=precision, tile="off", style_loss="gram", history=_HISTORY)
    descent = Descent(engine, options, generated(SIDE, seed=1), generated(SIDE, seed=2))
    walk = descent.evaluations(1_000_000)
    for _ in range(_FILL):
        next(walk)
    parts: dict[str, Callable[[], object]] = {"whole": lambda: next(walk), "evaluation": descent.evaluate}
    for layer in layers:
        for number, (direction, action) in enumerate(convolutions(layer, precision)):
            parts[f"{layer} {direction} {number}"] = action
    gram_work = 0.0
    for layer in options.style_layers:
        parts[f"gram {layer}"], work = gram_products(layer, precision)
        gram_work += work
    large = _noise("float32", _LARGE)
    parts["sum"] = _repeated(lambda given: given + large, large)
    median = _medians(parts, rounds)

    def bare(layer: str, direction: str) -> float:
        return min(time for name, time in median.items() if name.startswith(f"{layer} {direction}")) / _COPIES

    work = {layer: 2.0 * _side(layer) ** 2 * math.prod(VGG19.kernel_shape(layer)) for layer in layers}
    rate = max(work[layer] / bare(layer, direction) for layer in layers for direction in ("forward", "back"))
    bandwidth = 3 * 4 * _LARGE * _COPIES / median["sum"]
    products = sum(time for name, time in median.items() if name.startswith("gram")) / _COPIES
    network = sum(bare(layer, direction) for layer in layers for direction in ("forward", "back"))
    moved = 4.0 * SIDE**2 * 3 * 2 * 2 * _HISTORY
    yield from _told(
        precision,
        median["whole"],
        [
            ("its convolutions, bare", network, 2 * convolution_work(SIDE + 2 * FRAME, SIDE + 2 * FRAME) / rate),
            ("products of Gram matrices, bare", products, gram_work / rate),
            ("L-BFGS", median["whole"] - median["evaluation"], moved / bandwidth),
            (
                "all else of the evaluation",
                median["evaluation"] - network - products,
                _bytes_moved(layers, precision) / bandwidth,
            ),
        ],
    )
    yield (f"{precision}: fastest convolution", f"{rate / 1e9:.0f} GFLOP/s", "", "", "")
    yield (f"{precision}: sum of two large tensors", f"{bandwidth / 1e9:.1f} GB/s", "", "", "")


def _medians(parts: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    took: dict[str, list[float]] = {name: [] for name in parts}
    for action in parts.values():
        action()
    for _ in range(rounds):
        for name, action in parts.items():
            took[name].append(seconds(action))
    return {name: statistics.median(times) for name, times in took.items()}


def _told(precision: str, step: float, parts: list[tuple[str, float, float]]) -> Iterator[tuple[str, ...]]:
    for what, time, could in [*parts, ("step", step, sum(could for _what, _time, could in parts))]:
        times = (f"{time:.3f} s", significant(time / step), f"{could:.3f} s", f"{time - could:.3f} s")
        yield (f"{precision}: {what}", *times)
