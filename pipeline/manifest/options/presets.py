"""Presets: named sets of options to start from, with everything they extend.

Some are the program's, others the manifest's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.manifest.check import check
from pipeline.manifest.options.precedence import PUBLISHED, Folders, Layer, LayerReader, Layers, Origin, Setting
from pipeline.manifest.section import IGNORED_PREFIX, Section
from pipeline.manifest.sections import PresetSection
from pipeline.manifest.yaml.problems import Problems, shorten, suggestion
from pipeline.manifest.yaml.source import read_source
from pipeline.manifest.yaml.tree import MapNode, compose
from pipeline.options import DEFAULT_PRESET

_DEFAULTS = ""  # stands at the end of every chain; no preset can have this name
_BUILT_IN_FILE = Path(__file__).with_name("presets.yaml")


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset with everything it extends.

    `layer` holds its options with where each value came from, `published` the same under
    `optimizer: published`: with the descent of the program that it is of, or None if it is of none.
    """

    name: str
    summary: str
    source: str
    notes: str
    layer: Layer
    published: Layer | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options that the preset sets, own and inherited, by name."""
        return {name: setting.value for name, setting in self.layer.items()}

    @property
    def published_descent(self) -> dict[str, Any]:
        """The options that `optimizer: published` sets otherwise, by name; empty if it is of no
        program."""
        ours = self.options
        return {name: s.value for name, s in (self.published or {}).items() if ours.get(name) != s.value}


_NONE = Preset(name="", summary="", source="", notes="", layer={})


@functools.cache
def builtin_presets() -> Mapping[str, Preset]:
    """The presets that come with the program, by name, in the order of their file."""
    text, problems = read_source(_BUILT_IN_FILE, _BUILT_IN_FILE.name)
    tree = compose(text, problems, ours=True)
    assert isinstance(tree, MapNode)
    top = check(_PresetFile, tree, problems, _BUILT_IN_FILE.name)
    problems.raise_found()
    assert top is not None
    node = tree.entries["presets"].node
    assert isinstance(node, MapNode)
    nowhere = Folders(Path(), Path(), Path())  # no built-in preset names a path
    presets = _resolve(node, {}, problems, nowhere, lambda name: lambda _: f"built-in preset {name}")
    problems.raise_found()
    return presets


@functools.cache
def usual_values(style_loss: str | None = None) -> Mapping[str, Any]:
    """The value of every option of a pair that says nothing, or nothing but its style loss."""
    asked = {} if style_loss is None else {"style_loss": Setting(style_loss, "asked for")}
    settings = Layers(builtin_presets()).settle(pair=asked).settings
    return {name: setting.value for name, setting in settings.items()}


def all_presets(node: MapNode | None, problems: Problems, folders: Folders) -> Mapping[str, Preset]:
    """The program's presets and the manifest's own ones, which stand in `node`.

    Faulty ones are noted and left out.
    """
    if node is None:
        return builtin_presets()
    return _resolve(
        node,
        builtin_presets(),
        problems,
        folders,
        lambda name: lambda place: f"{problems.at(place)} (preset {name})",
    )


class _PresetFile(Section):
    """The file of the presets that come with the program."""

    version: int
    presets: dict[str, Any]


def _resolve(
    node: MapNode,
    given: Mapping[str, Preset],
    problems: Problems,
    folders: Folders,
    origin: Callable[[str], Origin],
) -> dict[str, Preset]:
    """`given` and the presets of `node`, each with what it extends laid in: a manifest's own one
    the default preset, if it names no other."""
    base = DEFAULT_PRESET if DEFAULT_PRESET in given else _DEFAULTS
    sections = _sections(node, given, problems)
    faulty = set(node.entries) - set(sections)  # these were already told of, and so nobody is blamed for extending them
    presets = dict(given)
    reader = LayerReader(folders, problems, presets=())
    for name in sections:
        # Walked without recursion: nothing limits how long a chain of presets may be.
        chain: dict[str, MapNode] = {}
        step = name
        while step not in presets and step not in faulty and step in sections and step not in chain:
            section, chain[step] = sections[step]
            step = section.extends if "extends" in section.given else base
        if step not in presets and step != _DEFAULTS:
            if step not in faulty:
                place = chain[list(chain)[-1]].entries["extends"].node.place
                problems.add(place, _no_such_base(step, chain, [*given, *sections]))
            faulty.update(chain)
            continue
        for link, link_node in reversed(chain.items()):
            section = sections[link][0]
            own = reader.layer(section.given, link_node, origin(link)) or {}
            below = presets.get(section.extends if "extends" in section.given else base, _NONE)
            presets[link] = Preset(
                name=link,
                summary=section.summary,
                source=section.source,
                notes=section.notes,
                layer={**below.layer, **own},
                published=_with_descent(below, own, _published(section, link_node, reader, origin(link))),
            )
    return presets


def _with_descent(below: Preset, own: Layer, published: Layer | None) -> Layer | None:
    """A preset's options with the descent of its program, its own section's or that of what it
    extends; None if it is of none. `optimizer: published` asks for that descent, and is none."""
    if published is None and below.published is None:
        return None
    base = below.layer if below.published is None else below.published
    layers = (base, own, published or {})
    return {
        name: setting for layer in layers for name, setting in layer.items() if (name, setting.value) != _ASKS_FOR_IT
    }


_ASKS_FOR_IT = ("optimizer", PUBLISHED)


def _published(section: Any, node: MapNode, reader: LayerReader, origin: Origin) -> Layer | None:
    """The descent that a preset's own section gives; None if it gives none."""
    if "published" not in section.given:
        return None
    return reader.layer(section.published.given, node.entries["published"].node, origin)


def _sections(node: MapNode, given: Mapping[str, Preset], problems: Problems) -> dict[str, tuple[Any, MapNode]]:
    sections: dict[str, tuple[Any, MapNode]] = {}
    for name, entry in node.entries.items():
        if name.startswith(IGNORED_PREFIX):
            continue
        if name in given:
            problems.add(
                entry.place, f"'{name}' is a preset of the program; choose another name, and 'extends: {name}'"
            )
        elif not name:
            problems.add(entry.place, "a preset needs a name")
        elif (section := check(PresetSection, entry.node, problems, f"preset '{shorten(name)}'")) is not None:
            assert isinstance(entry.node, MapNode)
            sections[name] = (section, entry.node)
    return sections


def _no_such_base(name: str, chain: Mapping[str, MapNode], known: list[str]) -> str:
    if name not in chain:
        return f"unknown preset '{shorten(name)}'{suggestion(name, known)}"
    names = list(chain)
    circle = [shorten(link) for link in names[names.index(name) :]]
    shown = circle if len(circle) <= 4 else [*circle[:3], "..."]  # enough to see where it turns
    return f"preset '{circle[0]}' extends itself ({' -> '.join([*shown, circle[0]])})"
