"""What each option may be, read from the fields of `Options`: for validation, messages, the JSON
Schema and the README."""

from __future__ import annotations

import dataclasses
import math
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pipeline.manifest.options.foreign import word_of_others
from pipeline.manifest.yaml.problems import shorten, suggestion
from pipeline.nst.network import NETWORKS
from pipeline.option_questions import LayerWeights, Mixture
from pipeline.options import Options

# What the picture door can be asked to open; HEIC and AVIF need Pillow's or an extra's support,
# which `check` tells.
PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif", ".avif",
)  # fmt: skip

# The layers of any network, in the order of VGG19, which comes first and has every layer of VGG16.
# Which network a pair asks for is known when its options are settled (`agreement`).
_ACTIVATIONS = tuple(dict.fromkeys(name for network in NETWORKS.values() for name in network.activations))
_PAPER_NAMES = tuple(dict.fromkeys(name for network in NETWORKS.values() for name in network.paper_names))
_MAX_WEIGHT = sys.float_info.max  # the comparison with it also turns NaN and infinity away

_MAX_FAULTS = 20  # no network has many more layers; what a misspelt one was meant to be costs time

MOST_NUMBERS = 8  # of an option of several: scales of a style, each of which takes its time

Fault = tuple[tuple[str | int, ...], str]  # where inside the value, and what is wrong there


@dataclass(frozen=True, slots=True)
class OptionRule:
    """One option: its kind and bounds. `number` is int, float or None; `words` are the words (or
    the few numbers) allowed."""

    name: str
    meaning: str
    default: Any
    number: type[int] | type[float] | None
    words: tuple[str | int, ...]
    is_layers: bool
    is_mixture: bool
    is_path: bool
    is_flag: bool
    is_length: bool
    is_sides: bool
    is_several: bool
    is_frames: bool
    nullable: bool
    suffixes: tuple[str, ...]
    ge: float | None
    gt: float | None
    le: float | None
    examples: tuple[Any, ...]

    @property
    def expects(self) -> str:
        """What the option must be, as the rest of a sentence."""
        if self.is_layers:
            return "a list of layers, or a map 'layer: weight'"
        if self.name == "preset":
            return "the name of a preset"
        if self.is_frames:
            return f"one of {', '.join(map(str, self.words))}, 'every N', or [first, last] with numbers from 0 that do not fall"
        words = f"'{self.words[0]}'" if len(self.words) == 1 else f"one of {', '.join(map(str, self.words))}"
        several = "a map of several 'name: weight'" if self.is_mixture else ""
        flag, length = "true or false" if self.is_flag else "", "a length like '30cm'" if self.is_length else ""
        sides = (
            "[width, height]"
            if self.is_sides
            else f"a list of up to {MOST_NUMBERS} such numbers"
            if self.is_several
            else ""
        )
        ways = (flag, self.number_noun, words if self.words else "", length, sides, self.path_noun, several)
        return ", or ".join(way for way in ways if way)

    @property
    def number_noun(self) -> str:
        """The numbers it can be, in words; empty if it is none."""
        if self.number is None:
            return ""
        if self.ge is not None and self.ge == self.le:
            return f"{self.ge:g}"
        return ("a whole number" if self.number is int else "a number") + self._bounds()

    @property
    def path_noun(self) -> str:
        """The paths it can be, in words; empty if it is none."""
        if not self.is_path:
            return ""
        return (
            "the path of a picture"
            if self.suffixes == PICTURE_SUFFIXES
            else f"the path of a {' or '.join(self.suffixes)} file"
        )

    def refusal(self, value: Any, shown: str) -> str:
        """The sentence for a value it cannot have; `shown` is the value as the user sees it."""
        hint = suggestion(value, map(str, self.words)) if isinstance(value, str) else ""
        if isinstance(value, str) and value in map(str, self.words):  # a number, in quotes
            hint = "; write it without quotes"
        if isinstance(value, str) and (ours := word_of_others(self.name, value)):
            hint = f"; that is '{ours}' here"
        if isinstance(value, float) and not math.isfinite(value):
            hint = ", which is not finite"
        return f"'{self.name}' must be {self.expects}; got {shown}{hint}"

    def text_fault(self, value: str) -> bool:
        """Whether a word or path of this option can be none."""
        return self.is_path and value not in self.words and not value.lower().endswith(self.suffixes)

    def _bounds(self) -> str:
        if self.ge is not None and self.le is not None:
            return f" from {self.ge:g} to {self.le:g}" if self.le < 1e6 else f" from {self.ge:g} to {self.le}"
        if self.gt is not None:
            return f" above {self.gt:g}" + (f" and at most {self.le:g}" if self.le is not None else "")
        if self.ge is not None:
            return f", {self.ge:g} or more"
        return ""


def rule_of(field: dataclasses.Field[Any], hint: Any) -> OptionRule:
    """The rule of a field of options with its resolved type hint."""
    rules = field.metadata
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    literals = tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))
    words = (*rules.get("choices", ()), *rules.get("words", ()), *rules.get("frames", ()), *literals)
    number = next((part for part in (int, float) if part in parts), None)
    is_path, is_frames = "words" in rules, "frames" in rules
    return OptionRule(
        name=field.name,
        meaning=rules["meaning"],
        default=_default(field),
        number=number,
        words=words,
        is_layers=hint == LayerWeights,
        is_mixture=hint == Mixture,
        is_path=is_path,
        is_flag=bool in parts,
        is_length=rules.get("lengths", False),
        is_sides=not is_frames and any(get_origin(part) is tuple and Ellipsis not in get_args(part) for part in parts),
        is_several=any(get_origin(part) is tuple and Ellipsis in get_args(part) for part in parts),
        is_frames=is_frames,
        nullable=type(None) in parts,
        suffixes=tuple(rules.get("suffixes", PICTURE_SUFFIXES)) if is_path else (),
        ge=rules.get("ge"),
        gt=rules.get("gt"),
        le=rules.get("le"),
        examples=tuple(rules.get("examples", ())) or words or (True,),
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


_HINTS = get_type_hints(Options)
RULES: Mapping[str, OptionRule] = {
    field.name: rule_of(field, _HINTS[field.name]) for field in dataclasses.fields(Options)
}


def layer_weights(value: Any) -> tuple[dict[str, float], list[Fault]]:
    """Layers as a list (equal weights that sum to 1), a map, or a list with a `ratio`, as Keras'
    names in the network's order; and what is wrong.

    Weights are finite and not negative, and at least one is above 0. Paper's names are understood.
    After `_MAX_FAULTS` the rest is not looked at.
    """
    if isinstance(value, dict) and _RATIO in value:
        return _geometric(value)
    if isinstance(value, list):
        given = [((index,), name, 1.0 / len(value)) for index, name in enumerate(value)]
    elif isinstance(value, dict):
        given = [((name,), name, weight) for name, weight in value.items()]
    else:
        return {}, [((), "")]
    weights: dict[str, float] = {}
    faults: list[Fault] = []
    for place, name, weight in given:
        if len(faults) == _MAX_FAULTS:
            break
        layer = canonical_layer(name) if isinstance(name, str) else None
        if layer is None:
            faults.append((place, _unknown_layer(name)))
        elif layer in weights:
            faults.append((place, f"layer '{name}' is given twice ('{layer}'); keep one"))
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= _MAX_WEIGHT:
            faults.append((place, f"the weight of layer '{name}' must be a number, 0 or more; got {weight!r}"))
        else:
            weights[layer] = float(weight)
    if not faults and not any(weights.values()):
        faults.append(((), "at least one layer with a weight above 0 is needed"))
    return {layer: weights[layer] for layer in _ACTIVATIONS if layer in weights}, faults


_RATIO, _LAYERS = "ratio", "layers"
_FIVE = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]  # of Gatys et al., usual for styles


def _geometric(value: Mapping[str, Any]) -> tuple[dict[str, float], list[Fault]]:
    """Weights of which each is `ratio` times the one of the layer before, summing to 1, as
    anishathalye's -style-layer-weight-exp has them."""
    ratio, layers = value[_RATIO], value.get(_LAYERS, _FIVE)
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= _MOST_RATIO:
        return {}, [
            ((_RATIO,), f"the ratio of layers' weights must be above 0 and at most {_MOST_RATIO}; got {ratio!r}")
        ]
    if value.keys() - {_RATIO, _LAYERS} or not isinstance(layers, list) or not layers:
        return {}, [((), "beside 'ratio' stands 'layers', a list, and nothing else")]
    _equal, faults = layer_weights(layers)
    if faults:
        return {}, [((_LAYERS, *place), message) for place, message in faults]
    whole = sum(ratio**place for place in range(len(layers)))
    return layer_weights({name: ratio**place / whole for place, name in enumerate(layers)})


_MOST_RATIO = 1000


def mixture(value: Any, names: Sequence[str]) -> tuple[Any, list[Fault]]:
    """One of `names`, or a map of several to their weights, in the order of `names`; and what is
    wrong. A map of one that weighs 1 is its name. Weights are finite and above 0."""
    if isinstance(value, str) and value in names:
        return value, []
    if not isinstance(value, dict) or not value:
        return value, [((), "")]
    faults: list[Fault] = []
    for name, weight in list(value.items())[:_MAX_FAULTS]:
        if name not in names:
            hint = suggestion(name, names) or f"; there are {', '.join(names)}"
            faults.append(((name,), f"unknown distance '{shorten(name)}'{hint}"))
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= _MAX_WEIGHT:
            faults.append(((name,), f"the weight of '{name}' must be a number above 0; got {shorten(repr(weight))}"))
    weights = {name: float(value[name]) for name in names if name in value} if not faults else {}
    return (next(iter(weights)) if list(weights.values()) == [1.0] else weights), faults


def canonical_layer(name: str) -> str | None:
    """Keras' name of a layer that some network has; None for any other name."""
    found = (network.canonical_layer(name) for network in NETWORKS.values())
    return next((layer for layer in found if layer), None)


def _unknown_layer(name: Any) -> str:
    if not isinstance(name, str):
        return f"a layer is a name like 'conv4_2' or 'block4_conv2', got {name!r}"
    close = suggestion(name, (*_ACTIVATIONS, *_PAPER_NAMES))
    return f"unknown layer '{name}'{close or '; layers are named like conv4_2, relu4_2 or block4_conv2'}"
