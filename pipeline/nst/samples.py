"""How many places are compared where an image is looked at by samples, and in which layers.
Standard library only: estimates count them too.

Kolkin, Salavon, Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and Self-Similarity"
(arXiv 1904.12785).
"""

from __future__ import annotations

from pipeline.nst.network import Network

SAMPLES = 1024  # places of an image, as many as theirs


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
