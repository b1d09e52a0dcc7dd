"""How one option is declared: its default, what it means, and the rules it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from functools import cache
from typing import Any


def option(default: Any, meaning: str, **rules: Any) -> Any:
    """A field of `Options`.

    Rules (all optional): `ge`, `gt`, `le`: bounds; `choices`: the words allowed; `words`: the words
    that are not paths, of an option that may be a path, and `suffixes`: how such a path must end
    (left out: as a picture does); `lengths`: it may be a length on paper too, which becomes pixels
    when options are settled; `examples`: for hover help in editors and the README; `neutral`:
    of an option that came later, the value that paints as before it came (`options.NEUTRAL`);
    `frames`: the words of an option that names frames of a clip;
    `since`: the version it came with, of an option that what is stored leaves out at its neutral
    value (`Options.as_dict`), so that a picture painted as before has the same bytes as before.
    """
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"meaning": meaning, **rules})
    return field(default=default, metadata={"meaning": meaning, **rules})


def new_option(default: Any, meaning: str, **rules: Any) -> Any:
    """An option that came with version 0.2."""
    return option(default, meaning, since="0.2", **rules)


@cache
def neutral_values(options: type[Any], rule: str) -> Mapping[str, Any]:
    """The neutral values of those fields of a class of options that have this rule, by name."""
    return {field.name: field.metadata["neutral"] for field in fields(options) if rule in field.metadata}
