"""The tables of these pages that are made from the code: `python docs/tables.py` writes them anew.

Each stands between two comments, `<!-- options -->` and `<!-- /options -->`.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pipeline import Stylization, Stylizer, release, stylize
from pipeline.cli.arguments import RUNNING
from pipeline.cli.run import run
from pipeline.errors import EXITS
from pipeline.idle_options import EFFECTS, counts_only
from pipeline.manifest.options.foreign import foreign_options
from pipeline.manifest.options.presets import builtin_presets, usual_values
from pipeline.manifest.options.rules import RULES, OptionRule
from pipeline.manifest.pairs.naming import option_field
from pipeline.manifest.run_section import RunSection
from pipeline.options import STYLE_LOSSES

_HERE = Path(__file__).resolve().parent
_COLUMNS, _INDENT = 96, 4  # of a signature that takes more than a line


def option_table() -> str:
    """The options as a Markdown table: name, values, default, meaning. Defaults are those of a pair
    that says nothing, and beside them those that come with another style loss."""
    rows = ((f"`{rule.name}`", _values(rule), _default(rule), rule.meaning) for rule in RULES.values())
    return _table(("option", "values", "default", "meaning"), rows)


def effect_table() -> str:
    """The options that decide nothing in the company of some others: which, and when they do."""
    rows = [(", ".join(f"`{name}`" for name in effect.names), effect.when) for effect in EFFECTS]
    return _table(("option", "counts only"), [*rows, ("`quality`", counts_only("quality"))])


def foreign_table() -> str:
    """What other programs call our options: name, whose, what to write here, what else to know."""
    rows = (
        (f"`{option.name}`", option.programs, f"`{option.ours}`" if option.ours else "-", option.note)
        for option in foreign_options()
    )
    return _table(("there", "of", "here", "what else"), rows)


def preset_table() -> str:
    """The program's presets: name and summary."""
    return _table(("preset", "what"), ((f"`{name}`", preset.summary) for name, preset in builtin_presets().items()))


def run_table() -> str:
    """The keys of a manifest's `run`: name, meaning, an example, and the flag of `run` that stands
    over it, where there is one."""
    fields = RunSection.model_fields.items()
    named = (parameter.opts[-1] for parameter in run.params if parameter.name in RUNNING)
    flags = {flag.removeprefix("--").replace("-", "_"): f"`{flag}`" for flag in named}
    rows = (
        (f"`{key}`", field.description or "", f"`{_yaml(field.examples)}`", flags.get(key, "")) for key, field in fields
    )
    return _table(("key", "meaning", "example", "flag"), rows)


def exit_table() -> str:
    """The exit codes: number, meaning, what became of the run."""
    rows = ((str(int(code)), exits.summary, exits.sentence) for code, exits in EXITS.items())
    return _table(("exit code", "meaning", "in a sentence"), rows)


def python_text() -> str:
    """The example, and what the docstrings of the door for Python say."""
    example = (_HERE / "example.py").read_text(encoding="utf-8").partition("import annotations\n\n")[2]
    named = {"stylize": stylize, "Stylizer": Stylizer, "Stylizer.frames": Stylizer.frames}
    named |= {"Stylizer.close": Stylizer.close, "release": release, "Stylization.save": Stylization.save}
    entries = (
        f"### `{name}`\n\n```python\n{name}{_signature(thing)}\n```\n\n{inspect.getdoc(thing)}\n"
        for name, thing in named.items()
    )
    return "\n".join([f"```python\n{example}```\n\n## Reference\n", *entries])


def _signature(thing: Any) -> str:
    signature = inspect.signature(thing)
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    written = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return ("\n" + " " * _INDENT).join(textwrap.wrap(written, _COLUMNS - _INDENT))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _yaml(examples: list[Any] | None) -> str:
    """The first example as one would write it in a manifest."""
    example = (examples or [""])[0]
    return str(example).replace("'", '"')


def _values(rule: OptionRule) -> str:
    if rule.is_layers or rule.name == "preset":
        return rule.expects.replace("'", "`")
    words = " ".join(f"`{word}`" for word in rule.words)
    if rule.is_frames:
        return f"{words}, `every N`, `[first, last]`"
    if rule.is_path:
        return f"{words}, {rule.path_noun}"
    several = "a map of several `name: weight`" if rule.is_mixture else ""
    flag, length = "`true`, `false`" if rule.is_flag else "", "a length like `30cm`" if rule.is_length else ""
    sides = "`[width, height]`" if rule.is_sides else "a list of them" if rule.is_several else ""
    return ", ".join(part for part in (flag, rule.number_noun, words, length, sides, several) if part)


def _default(rule: OptionRule) -> str:
    usual = usual_values()
    others: dict[str, list[str]] = {}
    for style_loss in STYLE_LOSSES if rule.name != "style_loss" else ():
        if (value := usual_values(style_loss)[rule.name]) != usual[rule.name]:
            others.setdefault(_shown(rule, value), []).append(f"`{style_loss}`")
    also = (f"with {', '.join(losses)}: {value}" for value, losses in others.items())
    return "; ".join([_shown(rule, usual[rule.name]), *also])


def _shown(rule: OptionRule, value: Any) -> str:
    if value is None:
        return "see meaning"
    if rule.is_layers:
        weights = set(value.values())
        each = f", {option_field(weights.pop())} each" if len(weights) == 1 and len(value) > 1 else ""
        return ", ".join(f"`{layer}`" for layer in value) + each
    return f"`{option_field(value)}`"


TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "docs/options.md": {"options": option_table, "effects": effect_table},
    "docs/other-programs.md": {"names": foreign_table},
    "docs/presets.md": {"presets": preset_table},
    "docs/manifest.md": {"run": run_table},
    "docs/python.md": {"python": python_text},
    "README.md": {"exit codes": exit_table},
}
"""By page: its tables' names and what makes each."""


def with_tables(page: str, text: str) -> str:
    """The text of a page with its tables as they are now."""
    for name, table in TABLES[page].items():
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{table()}{end}{after}"
    return text


if __name__ == "__main__":
    for page in TABLES:
        path = Path(__file__).resolve().parent.parent / page
        path.write_text(with_tables(page, path.read_text(encoding="utf-8")), encoding="utf-8")
