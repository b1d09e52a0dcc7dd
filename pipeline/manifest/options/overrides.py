"""Options set from outside of the manifest, by `--set option=value` or STYLIZE_SET.

They win over everything in the manifest.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import Problem
from pipeline.manifest.check import check
from pipeline.manifest.options.precedence import Folders, Layer, LayerReader, Setting
from pipeline.manifest.options.presets import Preset
from pipeline.manifest.section import IGNORED_PREFIX
from pipeline.manifest.sections import OptionsSection
from pipeline.manifest.yaml.problems import Place, Problems, shorten
from pipeline.manifest.yaml.tree import Entry, MapNode, ScalarNode, compose

_START = Place(1, 1)


@dataclass(frozen=True, slots=True)
class Override:
    """One option for every pair.

    `text` is read as a value in YAML; `origin` is how messages name it, like `--set`.
    """

    option: str
    text: str
    origin: str


def as_flags(overrides: Sequence[Override]) -> tuple[str, ...]:
    """The same as words of a command line, for any folder: weights by their whole path."""
    words: list[str] = []
    for override in overrides:
        is_file = override.option == "weights" and os.path.isfile(override.text)
        words += ["--set", f"{override.option}={os.path.abspath(override.text) if is_file else override.text}"]
    return tuple(words)


def read_overrides(
    overrides: Sequence[Override], folders: Folders, presets: Mapping[str, Preset], faulty: Collection[str] = ()
) -> tuple[tuple[Layer, ...], list[Problem]]:
    """The layers of all overrides, one for each origin, and everything wrong with them. A later one
    wins. Faults of the `faulty` presets were already noted.

    A relative path of `weights` starts at the working directory, where it was typed; one of `init`
    at the input folder.
    """
    layers: dict[str, dict[str, Setting]] = {}
    found: list[Problem] = []
    for override in overrides:
        problems = Problems(override.origin, override.text, has_places=False)
        layer = layers.setdefault(override.origin, {})
        reader = LayerReader(replace(folders, weights=Path.cwd()), problems, presets, faulty)
        layer.update(_read(override, reader, problems))
        found.extend(problems.found)
    return tuple(layers.values()), found


def _read(override: Override, reader: LayerReader, problems: Problems) -> Layer:
    if override.option.startswith(IGNORED_PREFIX):  # a manifest's place for anchors, and nothing here
        problems.add(_START, f"unknown option '{shorten(override.option)}'")
    value = compose(override.text, problems)
    if problems.found:
        return {}
    node = MapNode(_START, {override.option: Entry(_START, value or ScalarNode(_START, None, "", quoted=False))})
    section: Any = check(OptionsSection, node, problems, override.origin)
    if section is None:
        return {}
    return reader.layer(section.given, node, lambda _: override.origin) or {}
