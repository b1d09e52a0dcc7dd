"""Writes pipeline/keywords.py, the types of every option as a keyword, from `Options`: `python -m
docs.keywords`."""

from __future__ import annotations

from pathlib import Path

from pipeline.manifest.options.rules import RULES, OptionRule

KEYWORDS = Path(__file__).resolve().parent.parent / "pipeline" / "keywords.py"

_HEAD = '''"""Every option as a typed keyword of `stylize` and `Stylizer`. Made from `Options`: `python -m
docs.keywords`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict


class OptionKeywords(TypedDict, total=False):
    """What each option may be; docs/options.md says what they mean."""

'''


def keywords_module() -> str:
    """The text of the module."""
    return _HEAD + "".join(f"    {rule.name}: {_type(rule)}\n" for rule in RULES.values())


def _type(rule: OptionRule) -> str:
    if rule.is_layers:
        return "Mapping[str, float] | Sequence[str]"
    parts = ["bool"] if rule.is_flag else []
    parts += [rule.number.__name__] if rule.number else []
    if rule.is_frames:
        return "str | Sequence[int]"
    if rule.is_path:
        parts += ["str", "os.PathLike[str]"]
    elif rule.is_length or not (parts or rule.words):
        parts += ["str"]
    elif rule.words:
        parts += [f"Literal[{', '.join(map(_quoted, rule.words))}]"]
    parts += ["Sequence[int]"] if rule.is_sides else ["Sequence[float]"] if rule.is_several else []
    parts += ["Mapping[str, float]"] if rule.is_mixture else []
    parts += ["None"] if rule.nullable else []
    return " | ".join(parts)


def _quoted(word: str | int) -> str:
    return f'"{word}"' if isinstance(word, str) else str(word)


if __name__ == "__main__":
    KEYWORDS.write_text(keywords_module(), encoding="utf-8")
