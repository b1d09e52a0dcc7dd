"""Options that only hold together: the layers and the weights of a pair must be those of its
network.

Each option alone was checked before, by its own rule; which network a pair asks for is known only
when its options are settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.manifest.options.precedence import PUBLISHED
from pipeline.manifest.options.presets import builtin_presets
from pipeline.manifest.options.rules import RULES
from pipeline.manifest.yaml.problems import shorten, suggestion
from pipeline.nst.network import NETWORKS, VGG19, Network
from pipeline.options import Options


class Disagreement(NamedTuple):
    """What is wrong with `option` in the company of the others; `layer` is the one of its layers
    that is meant, by Keras' name, if one is."""

    option: str
    message: str
    layer: str | None = None


def disagreements(options: Options, *, texture: bool | None = None) -> Iterator[Disagreement]:
    """Everything in a pair's settled options that does not hold together; `texture` says whether it
    has no content, where that is known."""
    if texture is False and options.is_texture:
        yield Disagreement("size", "is a width and a height, for pairs without content; give the longer side")
    if texture and options.size == "original":
        yield Disagreement("size", "'original' is the content's, and this pair has none; give [width, height]")
    if options.optimizer == PUBLISHED:
        programs = [name for name, preset in builtin_presets().items() if preset.published]
        yield Disagreement(
            "optimizer",
            f"preset '{shorten(options.preset)}' has no descent of a program of its own; "
            f"presets that have are {', '.join(programs)}",
        )
    sides = {"size": options.size[0] if isinstance(options.size, tuple) else options.size}
    for name, side in (sides | {"sharpen_to": options.sharpen_to}).items():
        least = RULES[name].ge or 0
        if isinstance(side, int) and side < least:  # of a length, which is longer on finer paper
            yield Disagreement(name, f"is {side} pixels at {options.dpi} dpi, and must be {least:g} or more")
    network = NETWORKS[options.network]
    for option, layers in (("content_layers", options.content_layers), ("style_layers", options.style_layers)):
        for layer in layers:
            if layer not in network.activations:
                yield Disagreement(option, _no_such_layer(layer, network), layer)
    if network != VGG19 and options.weights in _WORDS_OF_VGG19:
        yield Disagreement(
            "network",
            f"{network.name} has no weights of its own here; set 'weights' to the path of a {network} .h5 file; "
            f"got '{options.weights}', which is {VGG19}'s",
        )


_WORDS_OF_VGG19 = tuple(word for word in RULES["weights"].words if word != "random")


def _no_such_layer(layer: str, network: Network) -> str:
    owners = " and ".join(other.name for other in NETWORKS.values() if layer in other.activations)
    return f"network {network.name} has no layer '{layer}', which {owners} has{suggestion(layer, network.activations)}"
