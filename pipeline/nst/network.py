"""VGG as a value: which layers there are, what each sees and costs. Standard library only.

Simonyan & Zisserman, "Very Deep Convolutional Networks" (arXiv 1409.1556), table 1: columns D
(VGG16) and E (VGG19). Names are Keras': `block4_conv2` is taken after its ReLU,
`block4_conv2_linear` before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

LINEAR = "_linear"  # suffix of a convolution's values before their ReLU: with bias, of either sign

_PAPER_NAME = re.compile(r"(?:conv|relu)([1-9])_([1-9])|pool([1-9])")


@dataclass(frozen=True)
class Network:
    """A network of blocks of 3 x 3 convolutions, each block followed by a 2 x 2 pool.

    `blocks` are (convolutions, channels) of each block. `mean` is the mean pixel of the training
    images, in the order of the colours that the first convolution expects, `order`; both as in
    keras.applications.
    """

    name: str
    blocks: tuple[tuple[int, int], ...]
    mean: tuple[float, float, float]
    order: str

    def __str__(self) -> str:
        """As people write it: `VGG19`."""
        return self.name.upper()

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers in the network's order."""
        return tuple(
            f"block{block}_{part}"
            for block, (convolutions, _channels) in enumerate(self.blocks, start=1)
            for part in (*(f"conv{i}" for i in range(1, convolutions + 1)), "pool")
        )

    @cached_property
    def convolutions(self) -> tuple[str, ...]:
        """The layers that have kernels."""
        return tuple(layer for layer in self.layers if not is_pool(layer))

    @cached_property
    def activations(self) -> tuple[str, ...]:
        """All that can be asked for, in the network's order: layers, and convolutions before their
        ReLU."""
        return tuple(name for layer in self.layers for name in ([layer] if is_pool(layer) else [layer + LINEAR, layer]))

    @cached_property
    def paper_names(self) -> tuple[str, ...]:
        """What the paper calls the convolutions, after and before their ReLU."""
        return tuple(
            name
            for block, (convolutions, _channels) in enumerate(self.blocks, start=1)
            for place in (f"{block}_{convolution}" for convolution in range(1, convolutions + 1))
            for name in (f"conv{place}", f"relu{place}", f"conv{place}{LINEAR}")
        )

    def canonical_layer(self, name: str) -> str | None:
        """Keras' name of a layer given by Keras' or the paper's: `conv4_2` and `relu4_2` are
        `block4_conv2`, and `conv4_2_linear` is `block4_conv2_linear`. None if the network has no
        such layer."""
        if name in self.activations:
            return name
        if name.endswith(LINEAR):
            layer = self.canonical_layer(name.removesuffix(LINEAR)) if name.startswith("conv") else None
            return layer and layer + LINEAR
        if match := _PAPER_NAME.fullmatch(name):
            block, convolution, pool = match.groups()
            keras_name = f"block{pool}_pool" if pool else f"block{block}_conv{convolution}"
            return keras_name if keras_name in self.layers else None
        return None

    def names_up_to(self, layers: Iterable[str]) -> tuple[str, ...]:
        """The network's layers, in its order, up to the deepest of `layers`; none for none."""
        depth = max((self.layers.index(layer.removesuffix(LINEAR)) for layer in layers), default=-1)
        return self.layers[: depth + 1]

    def channels(self, layer: str) -> int:
        """How many channels a layer's activations have."""
        return self.blocks[_block(layer) - 1][1]

    def kernel_shape(self, layer: str) -> tuple[int, int, int, int]:
        """(3, 3, channels in, channels out) of a convolution: `block2_conv1` is (3, 3, 64, 128)."""
        place = self.convolutions.index(layer)
        before = self.channels(self.convolutions[place - 1]) if place else len(self.mean)
        return (3, 3, before, self.channels(layer))

    def work(self, layers: Iterable[str]) -> float:
        """Multiplications and additions for each pixel of a picture, in the convolutions up to the
        deepest of `layers`."""
        return self._work[len(self.names_up_to(layers))]

    @cached_property
    def _work(self) -> tuple[float, ...]:
        """The work of no layer, of the first, of the first two, ..."""
        each = (
            0.0 if is_pool(layer) else 2.0 * math.prod(self.kernel_shape(layer)) / reduction(layer) ** 2
            for layer in self.layers
        )
        return tuple(accumulate(each, initial=0.0))


def is_pool(layer: str) -> bool:
    """Is it a pool, which has no kernel?"""
    return layer.endswith("_pool")


def reduction(layer: str) -> int:
    """By how much a layer's activations are smaller than the picture: 1 for block1_conv2, 2 for
    block1_pool, 16 for block5."""
    return int(2 ** (_block(layer) - (not is_pool(layer))))


def radius(names: Iterable[str]) -> int:
    """How far, in pixels, the features of the last of the layers `names`, which start at the
    picture, see to one side: 3 x 3 filters one position, 2 x 2 pools one to the right."""
    return sum(reduction(name) // 2 if is_pool(name) else reduction(name) for name in names)


def _block(layer: str) -> int:
    return int(layer.removeprefix("block").partition("_")[0])


# keras.applications' preprocess_input, mode "caffe", from the networks' authors.
_CAFFE_MEAN = (103.939, 116.779, 123.68)

VGG19 = Network("vgg19", ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)), _CAFFE_MEAN, "BGR")
VGG16 = Network("vgg16", ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), _CAFFE_MEAN, "BGR")
NETWORKS = {network.name: network for network in (VGG19, VGG16)}

# part of a key; raise with every change of what `normalize: channels` paints (nst/normalization)
NORMALIZATION = 1
# likewise; raise with every change of which places are looked at by samples (terms/sampling), and
# of what the descent remembers of the last ones
PLACES = 2
# likewise; raise with every change of which layers are matched (nst/positions), and of how many
# steps their descent remembers (nst/tiling)
MATCHED = 2

# Pixels by which `border: mirror` continues the picture on each side: one position of block 4. From
# block4_pool on, where positions are longer, the frame's half of one is counted on the left and
# above and its like left out on the right and below. Chosen by eye and by the contrast along the
# rim among 0, 4, 8 and 16 (docs/architecture.md).
FRAME = 8
