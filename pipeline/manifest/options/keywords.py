"""Options as keywords in Python, by the rules and with the messages of a manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from pipeline.errors import OptionError
from pipeline.manifest.check import check
from pipeline.manifest.options.agreement import disagreements
from pipeline.manifest.options.precedence import Folders, LayerReader, Layers
from pipeline.manifest.options.presets import builtin_presets
from pipeline.manifest.options.rules import RULES
from pipeline.manifest.section import IGNORED_PREFIX
from pipeline.manifest.sections import OptionsSection
from pipeline.manifest.yaml.problems import Place, Problems, shorten
from pipeline.manifest.yaml.scalars import LARGEST_INTEGER
from pipeline.manifest.yaml.tree import Entry, ListNode, MapNode, Node, ScalarNode
from pipeline.options import Options
from pipeline.textures import as_texture

_NOWHERE = Place(0, 0)
_MAX_DEPTH = 4  # no option is deeper than a map or a list in a list


def options_from_python(mapping: Mapping[str, Any], *, texture: bool | None = None) -> Options:
    """The options of keywords like `size=512, preset="fine"`.

    What is left out comes from the preset and the defaults. Tuples count as lists, NumPy's numbers
    as numbers, `pathlib` paths as text; relative paths start at the working directory. `texture`
    says whether there is a content, where that is known. Raises OptionError naming every wrong
    option and what it may be.
    """
    problems = Problems("", has_places=False)
    node = MapNode(_NOWHERE)
    for name, value in mapping.items():
        if name.startswith(IGNORED_PREFIX):  # a manifest's place for anchors, and nothing in Python
            problems.add(_NOWHERE, f"unknown option '{shorten(name)}'")
            continue
        try:
            node.entries[name] = Entry(_NOWHERE, _node(name, value))
        except OptionError as error:
            problems.add(_NOWHERE, str(error))
    section: Any = check(OptionsSection, node, problems, "options")
    here = Path.cwd()
    presets = builtin_presets()
    layer = None
    if section is not None:
        reader = LayerReader(Folders(input=here, output=here, weights=here), problems, presets)
        layer = reader.layer(section.given, node, lambda _: "Python")
    if layer is None or problems.found:
        raise OptionError("\n".join(problem.message for problem in problems.found))
    options = Layers(presets).settle(pair=layer, texture=bool(texture)).options
    if wrong := [f"'{option}': {message}" for option, message, _layer in disagreements(options, texture=texture)]:
        raise OptionError("\n".join(wrong))
    return as_texture(options) if options.is_texture else options


def _node(option: str, value: Any, depth: int = 0) -> Node:
    """A value of Python's as the node that a manifest would have for it."""
    if depth > _MAX_DEPTH:
        raise OptionError(_refusal(option, "a value that is nested too deeply"))
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        value = bool(value)  # which is neither Python's nor a number
    if value is None or isinstance(value, bool | str):
        return ScalarNode(_NOWHERE, value, str(value), quoted=False)
    if isinstance(value, os.PathLike):
        path = os.fsdecode(value)
        return ScalarNode(_NOWHERE, path, path, quoted=False)
    if isinstance(value, Integral):
        if abs(int(value)) > LARGEST_INTEGER:
            raise OptionError(_refusal(option, "a whole number beyond 64 bits"))
        return ScalarNode(_NOWHERE, int(value), str(value), quoted=False)
    if isinstance(value, Real):
        try:
            return ScalarNode(_NOWHERE, float(value), str(value), quoted=False)
        except OverflowError:  # a fraction of whole numbers of hundreds of digits
            raise OptionError(_refusal(option, "a number beyond floating point")) from None
    if isinstance(value, list | tuple):
        return ListNode(_NOWHERE, [_node(option, item, depth + 1) for item in value])
    if isinstance(value, Mapping):
        return MapNode(
            _NOWHERE, {str(key): Entry(_NOWHERE, _node(option, item, depth + 1)) for key, item in value.items()}
        )
    raise OptionError(_refusal(option, f"a value of the type {type(value).__name__}"))


def _refusal(option: str, got: str) -> str:
    expects = RULES[option].expects if option in RULES else "one of the options"
    return f"'{shorten(option)}' must be {expects}; got {got}"
