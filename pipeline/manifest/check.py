"""A section's node against its model: its values, or each fault in our words at its own place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import ValidationError

from pipeline.manifest.options.foreign import named_by_others
from pipeline.manifest.options.rules import RULES
from pipeline.manifest.options.types import FaultyValueError
from pipeline.manifest.run_section import RunSection, TopSection
from pipeline.manifest.section import Section
from pipeline.manifest.sections import (
    AxesSection,
    MatrixSection,
    PairSection,
    PresetSection,
    PublishedSection,
)
from pipeline.manifest.yaml.problems import MAX_PROBLEMS, Place, Problems, did_you_mean, shorten
from pipeline.manifest.yaml.scalars import false_blank, number_meant
from pipeline.manifest.yaml.tree import NUMBERED, ListNode, MapNode, Node, ScalarNode, describe, plain

S = TypeVar("S", bound=Section)
_RUN_KEYS = frozenset(RunSection.model_fields)
_PAIR_KEYS = frozenset((*PairSection.model_fields, *MatrixSection.model_fields)) - RULES.keys()


class SectionFault(NamedTuple):
    """A fault and its place.

    `key` is the first key of the section that it lies under; "" is the section itself.
    """

    key: str
    place: Place
    message: str


def check(model: type[S], node: Node, problems: Problems, name: str) -> S | None:
    """The section as `model`, or None with every fault noted in `problems`.

    `name` says what the section is.
    """
    values, faults = find_faults(model, node, name)
    for fault in faults:
        problems.add(fault.place, fault.message)
    return values


def find_faults(model: type[S], node: Node, name: str) -> tuple[S | None, list[SectionFault]]:
    """The values of a section, or None and its faults."""
    if not isinstance(node, MapNode):
        return None, [SectionFault("", node.place, f"{name} must be a map of 'key: value'; got {describe(node)}")]
    try:
        return model.model_validate(plain(node)), []
    except ValidationError as error:
        # one more than can be told, so that the limit is passed
        details: Sequence[Mapping[str, Any]] = error.errors(include_url=False)[: MAX_PROBLEMS + 1]
    unknown = [detail for detail in details if detail["type"] == "extra_forbidden"]
    misspelt = {_meant(_locate(model, node, detail["loc"]).section, str(detail["loc"][-1])) for detail in unknown}
    faults = [fault for detail in details for fault in _faults(model, node, detail, misspelt)]
    return None, list(dict.fromkeys(faults))


class _Where(NamedTuple):
    """Where a path of pydantic's ends in the tree."""

    section: type[Section]
    node: Node
    key: str
    is_item: bool


def _locate(section: type[Section], node: Node, loc: Iterable[str | int]) -> _Where:
    """Follow the path as far as the tree goes; skip names of union branches and unknown keys."""
    key, is_item = "", False
    for step in loc:
        if (
            isinstance(step, str)
            and isinstance(node, MapNode)
            and step in node.entries
            and step in section.model_fields
        ):
            key, is_item = step, False
            node = node.entries[step].node
            section = _section_in(section.model_fields[step].annotation) or section
        elif key in NUMBERED and str(step).isdigit() and isinstance(node, MapNode) and step in node.entries:
            node = node.entries[str(step)].node  # a frame of `style_at`
        elif isinstance(step, int) and isinstance(node, ListNode):
            node, is_item = node.items[step], True
    return _Where(section, node, key, is_item)


def _section_in(annotation: Any) -> type[Section] | None:
    """The section's class that a field's annotation speaks of, however wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def _faults(
    model: type[Section], node: MapNode, detail: Mapping[str, Any], misspelt: set[str | None]
) -> Iterator[SectionFault]:
    loc = detail["loc"]
    where = _locate(model, node, loc)
    first = str(loc[0]) if loc else ""
    if detail["type"] == "missing":
        key = str(loc[-1])
        # A misspelt key is one fault, not also the lack of the key that was meant.
        if key not in misspelt and not ("matrix" in misspelt and model is PairSection):
            yield SectionFault(first, where.node.place, _missing_key(model, key))
    elif detail["type"] == "extra_forbidden":
        key = str(loc[-1])
        assert isinstance(where.node, MapNode)
        yield SectionFault(first, where.node.entries[key].place, _unknown_key(where.section, key))
    elif isinstance(error := detail.get("ctx", {}).get("error"), FaultyValueError):
        for path, message in error.faults:
            told = f"'{where.key}': {message}" if message else _wrong_value(where, detail)
            yield SectionFault(first, _place_inside(where.node, path), told)
    else:
        yield SectionFault(first, where.node.place, _wrong_value(where, detail))


def _place_inside(node: Node, path: tuple[str | int, ...]) -> Place:
    for step in path:
        if isinstance(node, MapNode) and isinstance(step, str):
            return node.entries[step].place
        if isinstance(node, ListNode) and isinstance(step, int):
            return node.items[step].place
    return node.place


# --------------------------------------------------------------------------------------------- keys


def _missing_key(model: type[Section], key: str) -> str:
    if model is TopSection:
        return f"'{key}' is missing; list what to paint, like 'pairs: [{{content: photo.jpg, style: art.jpg}}]'"
    return f"'{key}' is missing"


def _meant(section: type[Section], key: str) -> str | None:
    known = [*section.model_fields, *(["matrix"] if section is PairSection else [])]
    return None if _home(section, key) else did_you_mean(key, known)


def _unknown_key(section: type[Section], key: str) -> str:
    if home := _home(section, key):
        return f"unknown key '{key}' here; {home}"
    what = "option" if _has_options(section) and section is not AxesSection else "key"
    if blank := false_blank(key):
        return f"unknown {what} '{shorten(key)}' with {blank}; put a space in its place"
    if what == "option" and (foreign := named_by_others(key)) and foreign.ours != key:
        return f"unknown option '{shorten(key)}'; {foreign.here}"
    meant = _meant(section, key)
    return f"unknown {what} '{shorten(key)}'" + (f"; did you mean '{meant}'?" if meant else _known(section))


def _known(section: type[Section]) -> str:
    names = list(section.model_fields)
    return f"; known are {', '.join(names)}" if len(names) <= 12 else ""  # what fits the line beside the message


def _home(section: type[Section], key: str) -> str:
    """Where a key belongs that is known, but not in this section."""
    if key == "preset" and issubclass(section, PresetSection | PublishedSection):
        return "a preset starts from another one by 'extends'"
    if key == "style_at":
        return "it belongs to a pair without a matrix, in the place of 'style'"
    if key in RULES:
        return f"it is an option: put it under '{'options' if 'options' in section.model_fields else 'defaults'}'"
    if key in _RUN_KEYS:
        return "put it under 'run' at the top of the manifest"
    if key in _PAIR_KEYS and _has_options(section):
        return "it belongs to the pair, beside 'options'"
    return ""


def _has_options(section: type[Section]) -> bool:
    """Whether the options are keys of the section itself."""
    return RULES.keys() - {"preset"} <= section.model_fields.keys()


# ------------------------------------------------------------------------------------------- values

_RULES_BY_TYPE = {
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_short": "must have at least one item",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
}
_LEADING_ZERO = re.compile(r"0[0-9]{1,18}")
_MAP = "must be a map of 'key: value'"


def _wrong_value(where: _Where, detail: Mapping[str, Any]) -> str:
    node = where.node
    text = node.text if isinstance(node, ScalarNode) and isinstance(node.value, str) and not node.quoted else ""
    return _refusal(where, detail) + _number_hint(text)


def _number_hint(text: str) -> str:
    """What to write in the place of a word that is a number to its writer."""
    if number := number_meant(text):
        return f"; write {number}"
    return "; a number has no comma and no leading zeros" if _LEADING_ZERO.fullmatch(text) else ""


def _refusal(where: _Where, detail: Mapping[str, Any]) -> str:
    key, got = where.key, describe(where.node)
    value = where.node.value if isinstance(where.node, ScalarNode) else None
    if key in RULES:
        if where.section is AxesSection and not where.is_item:
            example = ", ".join(str(value) for value in RULES[key].examples[:2])
            return f"'{key}' is an axis here and must be a list of values, like [{example}]; got {got}"
        return RULES[key].refusal(value, _written(where.node) or got)
    if special := _special(where, detail["type"], got):
        return special
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return f"'{key}' {context['error']}; got {got}"
    subject = f"an item of '{key}'" if where.is_item else f"'{key}'"
    rule = _RULES_BY_TYPE.get(detail["type"], _MAP).format(**context)
    quote = "; quote it" if detail["type"] == "string_type" and value is not None else ""
    return f"{subject} {rule}; got {got}{quote}"


def _written(node: Node) -> str:
    """A list of words as it is written, `[5, 2]`; empty for anything else."""
    if not isinstance(node, ListNode) or not node.items:
        return ""
    words = [item.text for item in node.items if isinstance(item, ScalarNode)]
    return shorten(f"[{', '.join(words)}]") if len(words) == len(node.items) else ""


def _special(where: _Where, kind: str, got: str) -> str:
    """Sentences for the mistakes that a general rule would not help to mend."""
    if where.section is TopSection and where.key == "version":
        return f"'version' must be 1, the only one there is; got {got}"
    if where.section is TopSection and where.key == "pairs" and (kind == "too_short" or got == "nothing"):
        return "no pairs: list what to paint below 'pairs', like '- {content: photo.jpg, style: art.jpg}'"
    if where.key == "jobs":
        return f"'jobs' must be a whole number of 1 or more, or 'auto'; got {got}"
    if where.key == "style" and kind == "string_type" and not isinstance(where.node, ScalarNode):
        return f"'style' must be a picture, or a list of '{{image: ..., weight: ...}}' to blend; got {got}"
    if where.key == "style" and where.is_item and kind == "model_type":
        return f"a style of a blend is '{{image: ..., weight: ...}}'; got {got}; for one picture of each style use 'matrix'"
    return ""
