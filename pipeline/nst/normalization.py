"""Kernels whose channels have a mean activation of 1: `normalize: channels`.

Gatys et al. (CVPR 2016, section 2) scale the weights "such that the mean activation of each
convolutional filter over images and positions is equal to one", which changes nothing else: with
the means m_l (channels,) of layer l, m_0 = 1, kernels W (3, 3, channels in, channels out) and
biases b (channels out,)

    W'_l = W_l · m_(l-1) / m_l        b'_l = b_l / m_l

and as ReLU, maxima and averages commute with positive factors, every activation becomes itself /
m_l. A channel that no image wakes has no mean; it is scaled as its layer is on average.

Where we differ: their means are over images of ImageNet, ours over images made here, so that every
machine has the same ones. The natural logarithms of VGG19's means differ from those of the pictures
in `input` by 0.4 (root mean square) in block 1 up to 1.2 at block5_conv1; the photographs' from the
paintings' by 0.7 to 1.0.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.nst.extractor import Extractor
from pipeline.nst.graphs import Call
from pipeline.nst.kernels import Array, Kernels, load_kernels
from pipeline.nst.network import VGG19, Network
from pipeline.nst.weights import NetworkWeights

# By the weights' SHA-256 and the network: a run writes nothing outside its output folder, and they
# take a second or two (two cores), once in a process.
_MEANS: dict[tuple[str, str], Mapping[str, Array]] = {}


def load(weights: NetworkWeights, network: Network = VGG19, normalize: str = "none") -> Kernels:
    """The kernels that the options `weights`, `network` and `normalize` ask for. Raises
    WeightsError as `load_kernels` does."""
    kernels = load_kernels(weights, network)
    if normalize == "none":
        return kernels
    key = (weights.sha256, network.name)
    if key not in _MEANS:
        _MEANS[key] = channel_means(kernels, network, images())
    return normalized(kernels, _MEANS[key])


def normalized(kernels: Kernels, means: Mapping[str, Array]) -> Kernels:
    """Kernels, in the network's order, rescaled so that channels of these means have a mean of
    1."""
    scaled = {}
    before = np.ones(3, np.float32)
    for layer, (kernel, bias) in kernels.items():
        awake = means[layer] > 0
        typical = means[layer].mean(where=awake) if awake.any() else 1.0
        scale = np.where(awake, means[layer], typical).astype(np.float32)
        scaled[layer] = (kernel * before[:, np.newaxis] / scale, bias / scale)
        before = scale
    return scaled


def channel_means(kernels: Kernels, network: Network, pictures: NDArray[np.float32]) -> dict[str, Array]:
    """{convolution: (channels,)}, float32: means of activations after their ReLU, over all
    positions of pictures (count, height, width, RGB) in 0..255. Outside of them are zeros, as in
    training."""
    extractor = Extractor(kernels, network, border="zero")

    def mean(_layer: str) -> Call:
        return Call("mean", functools.partial(tf.reduce_mean, axis=(0, 1)))

    each = [extractor(tf.constant(picture), network.convolutions, mean) for picture in pictures]
    return {layer: np.mean([means[layer] for means in each], axis=0) for layer in network.convolutions}


# ------------------------------------------------------------------------------------------ images

# Chosen by the spread of means against those of real pictures, among 4 and 8 images of 160 and 192
# pixels, 100 to 1000 leaves, with and without corners, shading, stripes. `network.NORMALIZATION`
# must be raised when anything below changes.
_SIDE = 160  # pixels; block 5 has 10 x 10 positions
_IMAGES = 4
_LEAVES = 100  # of an image
_LARGEST, _SMALLEST = 96.0, 4.0  # their radii in pixels
_NOISES = 4  # of an image, shared by its leaves
_GREY_LEVELS = 60.0  # largest deviation of noise and shading
_WAVES = (3.0, 30.0)  # pixels, lengths of stripes


def images() -> NDArray[np.float32]:
    """(count, height, width, RGB), float32 in 0..255, the same on every machine: dead leaves. Discs
    and boxes of all sizes hide each other, as things do in photographs, and give them their edges
    and their statistics at every scale (Lee, Mumford & Huang, "Occlusion Models for Natural
    Images", IJCV 2001). Each leaf has a colour, shading, noise and often stripes."""
    random = np.random.default_rng(1508)
    return np.stack([_dead_leaves(random) for _ in range(_IMAGES)]).astype(np.float32)


def _dead_leaves(random: np.random.Generator) -> NDArray[np.float64]:
    noises = [_noise(random) for _ in range(_NOISES)]
    # By the density r^-3 of radii r, which is the same at every scale. The first leaf is the
    # ground.
    radii = random.uniform(_LARGEST**-2, _SMALLEST**-2, _LEAVES) ** -0.5
    picture = np.zeros((_SIDE, _SIDE, 3))
    for radius in (2.0 * _SIDE, *radii):
        along, across = _axes(random)
        is_box = random.random() < 0.5
        inside = np.maximum(abs(along), abs(across)) < radius if is_box else np.hypot(along, across) < radius
        noise = np.roll(noises[random.integers(_NOISES)], random.integers(_SIDE, size=2), (0, 1))
        picture[inside] = _leaf(random, along / min(radius, _SIDE), along, noise)[inside]
    return picture.clip(0, 255)


def _axes(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each pixel's place along and across a leaf that lies and points anywhere, up to four times as
    long as it is wide."""
    down, right = np.mgrid[:_SIDE, :_SIDE] - random.uniform(0, _SIDE, (2, 1, 1))
    angle, stretch = random.uniform(0, np.pi), np.exp(random.uniform(-np.log(2), np.log(2)))
    along = right * np.cos(angle) + down * np.sin(angle)
    across = down * np.cos(angle) - right * np.sin(angle)
    return along * stretch, across / stretch


def _leaf(
    random: np.random.Generator,
    slope: NDArray[np.float64],
    along: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(height, width, 3): a dull colour with noise, shading by `slope`, and stripes on every
    third."""
    shading = random.uniform(-_GREY_LEVELS, _GREY_LEVELS) * slope
    if random.random() < 1 / 3:
        wave = np.exp(random.uniform(*np.log(_WAVES)))
        shading += random.uniform(0, _GREY_LEVELS) * np.sin(2 * np.pi * (along / wave + random.random()))
    colour = random.uniform(0, 255) + random.normal(0, _GREY_LEVELS / 2, 3)
    return colour + random.uniform(0, _GREY_LEVELS) * noise + shading[..., np.newaxis]


def _noise(random: np.random.Generator) -> NDArray[np.float64]:
    """(height, width, 3) of mean 0 and deviation 1, whose amplitudes fall as 1 / frequency, as
    those of photographs do (Field, JOSA A 1987). Grey, and half as strong in colour."""
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, np.newaxis], np.fft.rfftfreq(_SIDE))
    frequency[0, 0] = np.inf  # no mean
    white = np.fft.rfft2(random.standard_normal((4, _SIDE, _SIDE)))
    grey, *colours = np.fft.irfft2(white / frequency, (_SIDE, _SIDE))
    noise: NDArray[np.float64] = np.stack([grey + colour / 2 for colour in colours], axis=-1)
    noise /= noise.std()
    return noise
