"""Layers of settings, and which wins.

Built in < defaults < preset < matrix axis < pair < override.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.manifest.options.rules import RULES
from pipeline.manifest.pairs.choices import warn_of_path
from pipeline.manifest.yaml.problems import Place, Problems, shorten, suggestion
from pipeline.manifest.yaml.tree import MapNode, Node
from pipeline.options import Options


class Setting(NamedTuple):
    """A value of an option and where it came from, in words; `node` is how it was written, None if
    it is built in."""

    value: Any
    origin: str
    node: Node | None = None


Layer = Mapping[str, Setting]
NOTHING: Layer = {}


@dataclass(frozen=True, slots=True)
class Folders:
    """Where relative paths start: pictures, results and weights each have their folder."""

    input: Path
    output: Path
    weights: Path


@dataclass(frozen=True, slots=True)
class Settled:
    """The options of a pair, where each came from, and the settings that won."""

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
        if (resolved := self.resolve(name, value)) is not value:
            warn_of_path(node, self._problems)
        return Setting(resolved, origin(node.place), node)

    def resolve(self, option: str, value: Any) -> Any:
        """The value of an option, made absolute if it is a path."""
        rule = RULES[option]
        if not rule.is_path or value in rule.words:
            return value
        return os.path.join(self._folders.weights if option == "weights" else self._folders.input, value)


class Layers:
    """All layers but those of a pair and its matrix, ready to settle pair after pair."""

    def __init__(self, presets: Mapping[str, Layer], defaults: Layer = NOTHING, overrides: Layer = NOTHING) -> None:
        self._presets = presets
        self.overrides = overrides
        built_in = {name: Setting(rule.default, "built in") for name, rule in RULES.items()}
        self._base = {**built_in, **defaults}
        self._of_preset: dict[str, dict[str, Setting]] = {}
        self._plain: Settled | None = None

    def settle(self, axis: Layer = NOTHING, pair: Layer = NOTHING) -> Settled:
        """The options of a pair. Every preset named in the layers must exist."""
        if axis or pair:
            return self._lay(axis, pair)
        if self._plain is None:  # thousands of pairs may have no options of their own
            self._plain = self._lay(axis, pair)
        return self._plain

    def _lay(self, axis: Layer, pair: Layer) -> Settled:
        chosen = next(layer["preset"] for layer in (self.overrides, pair, axis, self._base) if "preset" in layer)
        if chosen.value not in self._of_preset:
            self._of_preset[chosen.value] = {**self._base, **self._presets[chosen.value]}
        settings = {**self._of_preset[chosen.value], **axis, **pair, **self.overrides}
        return Settled(
            Options(**{name: setting.value for name, setting in settings.items()}),
            {name: setting.origin for name, setting in settings.items()},
            settings,
        )
