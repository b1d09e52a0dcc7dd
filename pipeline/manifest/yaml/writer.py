"""Values to YAML, by the YAML library: nothing that stands in a text can end it or act on a
terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def yaml_text(value: Any) -> str:
    """A tree of maps, lists, texts, numbers and truth values as a YAML document.

    Every text is double-quoted, so that no reader takes it for a number, a date or a word of YAML's
    own; keys that are plain names stand bare. Characters that do not show are written out.
    """
    return str(
        yaml.dump(
            _with_names(value),
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=_shows(value),
            default_flow_style=False,
            width=1_000_000,  # no line is folded
        )
    )


def quoted(text: str) -> str:
    """A text as a word of YAML."""
    return yaml_text(text).removesuffix("\n")


class _Name(str):
    """A key that needs no quotes."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """No anchors: a value that stands twice is written twice."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


def _represent_name(dumper: yaml.SafeDumper, name: _Name) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(name))


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Name, _represent_name)


def _with_names(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_Name(key) if _NAME.fullmatch(key) else str(key): _with_names(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_names(item) for item in value]
    return value


def _shows(value: Any) -> bool:
    """Whether every text shows as itself; letters beyond ASCII are written as they are then."""
    if isinstance(value, Mapping):
        return all(_shows(part) for item in value.items() for part in item)
    if isinstance(value, list | tuple):
        return all(map(_shows, value))
    return not isinstance(value, str) or value.isprintable()
