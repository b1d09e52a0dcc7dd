"""How near one step comes to what the machine can do: the rate of its convolutions against the rate of bare ones.

    python benchmarks/limit.py [--sizes 256,512] [--rounds 5]

A step is an evaluation of loss and gradient and an L-BFGS move, as in a run. Its work is counted as two passes (forward and
back to the picture) through VGG19's convolutions up to the deepest layer; everything else it does counts as overhead. Bare
convolutions of the same arithmetic run in the same process between the steps, so that a machine that slows down slows both;
the figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from pipeline.job import CONVOLUTIONS_PER_BLOCK, Options
from pipeline.studio.kernels import kernel_shape
from pipeline.studio.objective import Targets, Weights
from pipeline.studio.vgg import FRAME
from pipeline.studio.weights import locate
from pipeline.studio.workshop import Workshop

DEEPEST = "block5_conv1"


def convolution_work(side: int) -> float:
    """Floating-point operations of one pass over a square picture with its mirrored frame, up to DEEPEST."""
    work = 0.0
    for block, convolutions in enumerate(CONVOLUTIONS_PER_BLOCK, start=1):
        positions = ((side + 2 * FRAME) // 2 ** (block - 1)) ** 2
        for convolution in range(1, convolutions + 1):
            layer = f"block{block}_conv{convolution}"
            work += 2.0 * positions * np.prod(kernel_shape(layer))
            if layer == DEEPEST:
                return work
    raise AssertionError(DEEPEST)


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def bare_convolutions() -> tuple[Callable[[], object], float]:
    """Eight 3x3 convolutions in the middle of VGG19's range, 256 channels at 128 x 128, and their work."""
    features = tf.random.stateless_normal((1, 128, 128, 256), seed=(0, 0))
    kernel = tf.random.stateless_normal((3, 3, 256, 256), seed=(0, 1)) / 48.0

    @tf.function
    def run() -> tf.Tensor:
        result = features
        for _ in range(8):
            result = tf.nn.conv2d(result, kernel, 1, "SAME")
        return result

    return lambda: run().numpy(), 8 * 2.0 * 128**2 * 9 * 256**2


def step(workshop: Workshop, side: int) -> Callable[[], object]:
    options = Options(size=side)
    random = np.random.default_rng(side)
    photograph, painting = (random.uniform(0, 255, (side, side, 3)).astype(np.float32) for _ in range(2))
    targets = Targets(
        workshop.content_targets(options, ("content", side), photograph),
        workshop.style_targets(options, ("style", side), painting),
    )
    weights = Weights.of(options)
    descent = workshop.descent(options, photograph.shape)
    steps = descent.run(tf.constant(photograph), 1_000_000, targets, weights)
    return lambda: next(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="256,512")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    workshop = Workshop(locate("auto"))
    bare, bare_work = bare_convolutions()
    print("| picture | one step | its convolutions | bare convolutions | share of the machine's rate |")
    print("|---|---|---|---|---|")
    for side in map(int, arguments.sizes.split(",")):
        one_step = step(workshop, side)
        for warm in (one_step, one_step, one_step, bare):
            warm()
        pairs = [(seconds(one_step), seconds(bare)) for _ in range(arguments.rounds)]
        work = 2 * convolution_work(side)
        step_seconds = statistics.median(pair[0] for pair in pairs)
        bare_rate = statistics.median(bare_work / pair[1] for pair in pairs)
        share = statistics.median((work / a) / (bare_work / b) for a, b in pairs)
        print(
            f"| {side} x {side} | {step_seconds:.2f} s | {work / step_seconds / 1e9:.0f} GFLOP/s "
            f"| {bare_rate / 1e9:.0f} GFLOP/s | {share:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
