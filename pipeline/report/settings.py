"""A pair's options as the page shows them: those that differ from what is built in, to read and to
copy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.option_questions import DEFAULTS_OF, STYLE_LOSSES
from pipeline.options import LEFT_OUT, Options
from pipeline.printable import printable

_BUILT_IN = Options().all_values()
# What YAML takes for text without quotes, and for nothing else.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})  # that mean something


def changed_options(options: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """The style loss, and options that differ from what is built in for it; weights only if they
    are not the run's."""
    given = {**LEFT_OUT, **options}
    asked = given["style_loss"]
    parts = asked if isinstance(asked, Mapping) else [asked]  # it may be anybody's report
    built_in = {**_BUILT_IN, "style_loss": None}
    for style_loss in STYLE_LOSSES:
        built_in.update(DEFAULTS_OF.get(style_loss, {}) if style_loss in parts else {})
    return {
        name: value
        for name, value in given.items()
        if value != built_in.get(name) and (name, value) != ("weights", weights)
    }


def as_yaml(options: Mapping[str, Any]) -> str:
    """Lines for a manifest, one an option; nothing in them acts or hides."""
    return "\n".join(f"{_yaml(name)}: {_yaml(value)}" for name, value in options.items())


def shown(value: Any) -> str:
    """A value as a person writes it: `0.05`, `conv1_1, conv2_1`, `conv1_1 0.7, conv2_1 0.3`."""
    if isinstance(value, Mapping):
        shares = set(map(str, value.values()))
        words = value if len(shares) == 1 else (f"{key} {shown(item)}" for key, item in value.items())
        return ", ".join(words)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(shown, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What two pictures' options differ in, the older first: `seed 1 -> 2`."""
    return [
        printable(f"{name} {shown(before[name])} -> {shown(now[name])}")
        for name in now
        if name in before and before[name] != now[name] and name != "preset"
    ]


def _yaml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_yaml(name)}: {_yaml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    text = json.dumps(value)
    if isinstance(value, float) and "." not in text:
        return text.replace("e", ".0e")  # for YAML 1.1 1e-06 is a word
    return text
