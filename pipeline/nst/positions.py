"""How many positions are looked at where images are compared position by position, and in which
layers. Standard library only: estimates count them too.

For nearest neighbours: Kolkin et al., "Neural Neighbor Style Transfer" (arXiv 2203.13215), sections
3.2 and 3.3. For samples: Kolkin, Salavon, Shakhnarovich, "Style Transfer by Relaxed Optimal
Transport and Self-Similarity" (arXiv 1904.12785)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.nst.network import Network, reduction

QUARTER = 4  # by how much hypercolumns are fewer than pixels, along a side
# Hypercolumns of styles that are looked at: all of 512 x 512 pixels. Twice as many bring nothing
# that is seen, and products take twice as long.
MOST = 128 * 128
GRID = 64  # positions along the longer side in the last pass, the paper's
MOST_ON_GRID = GRID * GRID  # of styles
# The paper's: conv1_1 to conv4_3 of VGG16. The tenth of VGG19 is conv4_2; the two after it take a
# quarter of an evaluation, and pictures are the same to the eye (docs/method.md).
_CONVOLUTIONS, _BLOCKS = 10, 4
SAMPLES = 1024  # places of an image, as many as theirs


def matched_layers(network: Network) -> tuple[str, ...]:
    """The first ten convolutions, of blocks 1 to 4."""
    return tuple(layer for layer in network.convolutions[:_CONVOLUTIONS] if reduction(layer) < 2**_BLOCKS)


def cells(size: Sequence[int]) -> tuple[int, int]:
    """How many hypercolumns pictures of this size have along each side."""
    first, second = (-(-length // QUARTER) for length in size)
    return first, second


def grid(shape: Sequence[int]) -> tuple[int, tuple[int, int]]:
    """The grid over a layer with so many positions along each side: its step, and how many
    positions of it there are along each side."""
    step = max(1, max(shape) // GRID)
    first, second = (max(1, length // step - (step > 1)) for length in shape)
    return step, (first, second)


def products_of_columns(network: Network, size: Sequence[int], styles: Iterable[Sequence[int]]) -> float:
    """Multiplications and additions of matching the hypercolumns of a picture with those of styles,
    of these sizes."""
    looked_at = min(MOST, sum(_count(cells(style)) for style in styles))
    channels = sum(network.channels(layer) for layer in matched_layers(network))
    return 2.0 * _count(cells(size)) * looked_at * channels


def products_by_layer(network: Network, size: Sequence[int], styles: Sequence[Sequence[int]]) -> float:
    """The same while layers are matched by themselves, once."""

    def on_grid(size: Sequence[int], layer: str) -> int:
        return _count(grid([length // reduction(layer) for length in size])[1])

    return sum(
        2.0
        * on_grid(size, layer)
        * min(MOST_ON_GRID, sum(on_grid(style, layer) for style in styles))
        * network.channels(layer)
        for layer in matched_layers(network)
    )


def _count(shape: tuple[int, int]) -> int:
    return shape[0] * shape[1]


def column_layers(network: Network) -> tuple[str, ...]:
    """The layers of hypercolumns: all convolutions of blocks 1 to 3, the last of blocks 4 and 5.
    For VGG16 these are the paper's."""
    last = {layer[: len("block1")]: layer for layer in network.convolutions}
    return tuple(layer for layer in network.convolutions if layer < "block4" or layer == last[layer[: len("block1")]])


def products_of_transport(network: Network) -> float:
    """Multiplications and additions of an evaluation of transport: distances of all places with all
    places of the style, and the moments of each layer; forward, and twice as many back."""
    channels = [network.channels(layer) for layer in column_layers(network)]
    return 3.0 * 2.0 * SAMPLES * (SAMPLES * sum(channels) + sum(number**2 for number in channels))


def products_of_self_similarity(network: Network) -> float:
    """The same of self-similarity: distances of all places with each other."""
    channels = sum(network.channels(layer) for layer in column_layers(network))
    return 3.0 * 2.0 * SAMPLES**2 * channels
