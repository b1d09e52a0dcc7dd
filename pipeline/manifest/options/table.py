"""The table of the options for the README."""

from __future__ import annotations

from typing import Any

from pipeline.manifest.options.rules import RULES, OptionRule
from pipeline.manifest.pairs.naming import option_field


def option_table() -> str:
    """The options as a Markdown table: name, values, default, meaning."""
    rows = [(f"`{rule.name}`", _values(rule), _default(rule), rule.meaning) for rule in RULES.values()]
    lines = ["| option | values | default | meaning |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _values(rule: OptionRule) -> str:
    if rule.is_layers or rule.name == "preset":
        return rule.expects.replace("'", "`")
    words = " ".join(f"`{word}`" for word in rule.words)
    if rule.is_path:
        return f"{words}, {rule.path_noun}"
    return ", ".join(part for part in (rule.number_noun, words) if part)


def _default(rule: OptionRule) -> str:
    value: Any = rule.default
    if value is None:
        return "see meaning"
    if rule.is_layers:
        weights = set(value.values())
        each = f", {option_field(weights.pop())} each" if len(weights) == 1 and len(value) > 1 else ""
        return ", ".join(f"`{layer}`" for layer in value) + each
    return f"`{option_field(value)}`"
