"""YAML's syntax errors, said so that someone who never read its specification can mend them."""

from __future__ import annotations

import re

import yaml

from pipeline.manifest.yaml.problems import WHOLE_FILE, Place, Problems
from pipeline.manifest.yaml.scalars import FALSE_BLANKS, false_blank

_CONFLICT_MARKERS = ("<<<<<<< ", ">>>>>>> ")
# In the indentation, or after the sign of a key or an item, where YAML wants a space.
_FALSE_BLANK_BETWEEN = re.compile(rf"(?:^[ -]*|[:,\[{{-] *)([{FALSE_BLANKS}])")
_LOOKED_AT = 1000  # characters of a line
_QUOTE_IT = "; quote it if it is meant as text"
# A part of what PyYAML says (its context and problem), and what we say instead.
_EXPLAINED: tuple[tuple[str, str], ...] = (
    (r"scanning an alias", "'*' starts a YAML alias; quote a file pattern: \"*.jpg\""),
    (r"scanning an anchor", "'&' starts a YAML anchor" + _QUOTE_IT),
    (r"scanning a tag|parsing a tag|tag handle", "'!' starts a YAML tag" + _QUOTE_IT),
    (r"found character '\\t'", "a tab cannot be used to indent; use spaces"),
    (r"found character '@'|found character '`'", "'@' and '`' cannot start a word" + _QUOTE_IT),
    (r"found character '%'", "'%' cannot start a word" + _QUOTE_IT),
    (
        r"unknown escape character|hexadecimal",
        "in double quotes a backslash starts an escape; use single quotes, or '/' between folders",
    ),
    (r"while scanning a quoted scalar", "a quote is opened and never closed"),
    (r"mapping values are not allowed", "a second ': ' in one line; quote the value if it is meant as text"),
    (r"parsing a flow sequence", "expected ',' or ']' in a list that opened with '['" + _QUOTE_IT),
    (r"parsing a flow mapping", "expected ',' or '}' in a map that opened with '{'" + _QUOTE_IT),
    (r"parsing a block mapping", "expected 'key: value' at this indentation" + _QUOTE_IT),
    (r"parsing a block collection", "expected '- ' at this indentation"),
    (r"could not find expected ':'", "expected 'key: value'; a ':' is missing"),
    (r"expected '<document start>'|expected the node content", "expected a value here" + _QUOTE_IT),
    (r"incompatible YAML document|duplicate YAML directive", "the %YAML line is not one of YAML 1.1 or 1.2; remove it"),
    (r"scanning a block scalar", "the text after '|' or '>' is not indented as YAML wants it"),
)


def explain(error: yaml.MarkedYAMLError, problems: Problems) -> tuple[Place, str]:
    """The place of a syntax error and one sentence for it."""
    place, opened = _place(error.problem_mark), _place(error.context_mark)
    for number in range(1, place.line + 1):
        if problems.line(number).startswith(_CONFLICT_MARKERS):
            return Place(number, 1), "a merge-conflict marker; keep one side and remove the markers"
    for line in dict.fromkeys((place.line, place.line - 1, opened.line)):
        text = problems.line(line)[:_LOOKED_AT]
        if match := _FALSE_BLANK_BETWEEN.search(text):
            blank = false_blank(match[1])
            return Place(line, match.start(1) + 1), f"{blank} is no space in YAML; put spaces in its place"
    sign = problems.line(opened.line)[opened.column - 1 : opened.column]
    if sign in ("[", "{", '"', "'") and not problems.line(place.line).strip():  # at the end: what was opened helps more
        return opened, f"{sign} is opened here and never closed"
    if problems.line(place.line)[: place.column - 1].rstrip().endswith(("}", "]")):
        return place, "a value that starts with '{' or '[' is a map or a list and ends with its bracket" + _QUOTE_IT
    if error.context and "scanning an a" in error.context:  # an alias or anchor: its sign, not what follows it
        place = opened
    if sign in ("[", "{") and error.context and "flow" in error.context and opened.line < place.line:
        return opened, f"{sign} is opened here and not closed before line {place.line}"
    said = f"{error.context or ''} {error.problem or ''}"
    for pattern, ours in _EXPLAINED:
        if re.search(pattern, said):
            return place, ours
    return place, f"not YAML: {error.problem or error.context}"


def _place(mark: yaml.Mark | None) -> Place:
    return WHOLE_FILE if mark is None else Place(mark.line + 1, mark.column + 1)
