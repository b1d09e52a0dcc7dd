"""Layers of settings, and which wins: the nearer one. A preset lies right below what was written
beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pipeline.manifest.options.rules import RULES
from pipeline.manifest.pairs.choices import warn_of_path
from pipeline.manifest.yaml.problems import Place, Problems, shorten, suggestion
from pipeline.manifest.yaml.tree import MapNode, Node
from pipeline.option_field import USUAL_DPI, is_length, pixels_of
from pipeline.option_questions import DEFAULTS_OF, parts_of
from pipeline.options import DEFAULT_PRESET, Options
from pipeline.textures import TEXTURE_DEFAULTS
from pipeline.urls import fault, is_url, path_of


class Setting(NamedTuple):
    """A value of an option and where it came from, in words; `node` is how it was written, None if
    it is built in."""

    value: Any
    origin: str
    node: Node | None = None


Layer = Mapping[str, Setting]
NOTHING: Layer = {}
PRECEDENCE = (
    "built in < preset of defaults < defaults < preset of the pair or axis < matrix axis and pair < overrides of the matrix"
    " < STYLIZE_SET < --set"
)
_SHOWN_LOSER = 40  # characters of a value that did not win


@dataclass(frozen=True, slots=True)
class Folders:
    """Where relative paths start: pictures, results and weights each have their folder.

    One that is an address is where its files are read (urls). `follow_links`: patterns find
    pictures behind links that lead out of their folder. `only_names`: there are no patterns; every
    name is one, whether its file is there or not.
    """

    input: Path
    output: Path
    weights: Path
    follow_links: bool = False
    only_names: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """The options of a pair, where each came from (and over what it won), and the settings that
    won."""

    options: Options
    origins: Mapping[str, str]
    settings: Layer


Origin = Callable[[Place], str]


class LayerReader:
    """Reads the options of sections into layers.

    `presets` may be named; faults of the `faulty` ones were already noted.
    """

    def __init__(
        self, folders: Folders, problems: Problems, presets: Collection[str], faulty: Collection[str] = ()
    ) -> None:
        self._folders = folders
        self._problems = problems
        self._presets = presets
        self._faulty = faulty

    def layer(self, given: Mapping[str, Any], node: Node, origin: Origin) -> Layer | None:
        """The layer of a section.

        `given` are its values, `node` tells their places, `origin` words a place. None, with the
        fault noted, if it names a preset that there is not.
        """
        assert isinstance(node, MapNode)
        layer = {
            name: self.setting(name, value, node.entries[name].node, origin)
            for name, value in given.items()
            if name in RULES
        }
        sound = {name: setting for name, setting in layer.items() if setting is not None}
        return sound if len(sound) == len(layer) else None

    def setting(self, name: str, value: Any, node: Node, origin: Origin) -> Setting | None:
        """One value of an option, with its path made absolute."""
        if name == "preset" and value not in self._presets:
            if value not in self._faulty:
                hint = suggestion(value, self._presets) or f"; there are {shorten(', '.join(self._presets))}"
                self._problems.add(node.place, f"unknown preset '{shorten(value)}'{hint}")
            return None
        if RULES[name].is_path and isinstance(value, str) and is_url(value):
            wrong = "cannot be an address; name a file" if name == "weights" else fault(value)
            if wrong:
                self._problems.add(node.place, f"'{name}': this address {wrong}")
                return None
        if (resolved := self.resolve(name, value)) is not value:
            warn_of_path(node, self._problems)
        return Setting(resolved, origin(node.place), node)

    def resolve(self, option: str, value: Any) -> Any:
        """The value of an option, made absolute if it is a path."""
        rule = RULES[option]
        if not rule.is_path or value in rule.words:
            return value
        return path_of(self._folders.weights if option == "weights" else self._folders.input, value)


PUBLISHED = "published"  # the optimizer that is a program's own


class Named(Protocol):
    """A preset as layers know it."""

    @property
    def layer(self) -> Layer:
        """Its options."""

    @property
    def published(self) -> Layer | None:
        """Its options with the descent of the program that it is of; None if it is of none."""


_OWN: Mapping[str, Layer] = {
    style_loss: {name: Setting(value, f"built in for style_loss {style_loss}") for name, value in defaults.items()}
    for style_loss, defaults in DEFAULTS_OF.items()
}
_BUILT_IN_FOR_TEXTURES = "built in for a pair without content"
_OF_TEXTURES: Layer = {name: Setting(value, _BUILT_IN_FOR_TEXTURES) for name, value in TEXTURE_DEFAULTS.items()}
_LENGTHS = [name for name, rule in RULES.items() if rule.is_length]
_BY_DEFAULT: Layer = {"preset": Setting(DEFAULT_PRESET, "built in")}


class Layers:
    """All layers but those of a pair and its matrix, ready to settle pair after pair.

    `overrides` are those set from outside, the nearest last. A layer is what was written in one
    place; a preset that it names lies below its other options and above every layer farther away,
    and replaces the presets named there.
    """

    def __init__(
        self, presets: Mapping[str, Named], defaults: Layer = NOTHING, overrides: Sequence[Layer] = ()
    ) -> None:
        self._presets = presets
        self._built_in: Layer = {name: Setting(rule.default, "built in") for name, rule in RULES.items()}
        self._usual = presets[DEFAULT_PRESET].layer["style_loss"] if DEFAULT_PRESET in presets else None
        self._defaults = defaults
        self._outside = tuple(overrides)
        self._plain: Settled | None = None
        self.overrides: Layer = _flat(self._laid(self._outside))

    def settle(
        self, axis: Layer = NOTHING, pair: Layer = NOTHING, nearer: Sequence[Layer] = (), *, texture: bool = False
    ) -> Settled:
        """The options of a pair, with what it has otherwise than its matrix (`nearer`, the nearest
        last); a preset among them takes the place of the pair's, below the pair's options: no axis
        loses its value to it. Every preset named in the layers must exist. A `texture` has no
        content."""
        if axis or pair or nearer or texture:
            presets = [{"preset": layer["preset"]} for layer in nearer if "preset" in layer]
            options = ({name: layer[name] for name in layer if name != "preset"} for layer in nearer)
            return self._settle(_flat([axis, pair, *presets]), *options, texture=texture)
        if self._plain is None:  # thousands of pairs may have no options of their own
            self._plain = self._settle(NOTHING)
        return self._plain

    def _settle(self, *pair: Layer, texture: bool = False) -> Settled:
        layers = (self._defaults, *pair, *self._outside)
        if not any("preset" in layer for layer in layers):
            layers = (_BY_DEFAULT, *layers)
        chain = self._chain(self._laid(layers), texture)
        settings = _flat(chain)
        values = {name: setting.value for name, setting in settings.items()}
        if values["optimizer"] == PUBLISHED and (own := self._presets[values["preset"]].published):
            chain = self._chain(self._laid(layers, published=True), texture)
            settings = _flat(chain)
            optimizer = own.get("optimizer", self._built_in["optimizer"]).value
            values = {name: setting.value for name, setting in settings.items()} | {"optimizer": optimizer}
        told = {name: _told(name, setting, chain) for name, setting in settings.items()}
        for name in _LENGTHS:
            if is_length(values[name]):  # whoever names a length wants it to be that long in print
                dpi = USUAL_DPI if values["dpi"] == "auto" else values["dpi"]
                counts = name != "sharpen_to" or (isinstance(values["size"], int) and not texture)
                if values["dpi"] == "auto" and counts:
                    values["dpi"], told["dpi"] = dpi, f"{told['dpi']}, as '{name}' is a length"
                values[name] = pixels_of(values[name], dpi)
        if texture and isinstance(values["size"], int):
            values["size"] = (values["size"], values["size"])
        return Settled(Options(**values), told, settings)

    def _chain(self, laid: Sequence[Layer], texture: bool) -> list[Layer]:
        """The layers upon those that are built in: the defaults of every option, and those that
        come with the style loss that the layers ask for, or with a texture. None come with Gram
        matrices that nobody named: a manifest that has other options of theirs is painted as it was
        when they were all there was."""
        settings = _flat([self._built_in, *laid])
        own = [_OWN.get(style_loss, NOTHING) for style_loss in parts_of(settings["style_loss"].value)]
        if settings["style_loss"] is self._usual and (written := _of_gram(settings)):
            laid = [*laid, {"style_loss": Setting("gram", f"built in, as '{written}' is written")}]
            own = []
        return [_flat([self._built_in, *own, *([_OF_TEXTURES] if texture else [])]), *laid]

    def _laid(self, layers: Sequence[Layer], *, published: bool = False) -> list[Layer]:
        """The layers with the one preset that counts, the nearest, right below the layer that names
        it; of a program's preset as it is `published`, if that is asked for."""
        named = [number for number, layer in enumerate(layers) if "preset" in layer]
        laid: list[Layer] = []
        for number, layer in enumerate(layers):
            if named and number == named[-1]:
                preset = self._presets[layer["preset"].value]
                laid.append((published and preset.published) or preset.layer)
            laid.append(layer)
        return laid


def _of_gram(settings: Layer) -> str:
    """The option, if one is written, that has a meaning for Gram matrices only: whoever writes it
    wants them; else empty."""
    written = (name for name in ("losses", "style_layers") if settings[name].value != RULES[name].default)
    return next(written, "")


def _flat(chain: Iterable[Layer]) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    for layer in chain:
        settings |= layer
    return settings


def _told(option: str, setting: Setting, chain: Sequence[Layer]) -> str:
    """Where a value came from, and over which others it won: the nearest of them first."""
    lost = [layer[option] for layer in chain[1:] if option in layer and layer[option] is not setting]
    told = [f"{_short(other.value)} of {other.origin}" for other in reversed(lost)]
    return ", over ".join([setting.origin, *told])


def _short(value: Any) -> str:
    return shorten("+".join(value) if isinstance(value, Mapping) else str(value), _SHOWN_LOSER)
