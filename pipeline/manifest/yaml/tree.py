"""YAML text to a tree of nodes that know their places.

The events of PyYAML's pure Python parser are taken one by one, so that a manifest that is too deep
or too large is refused at the event that makes it so, before anything is built or repeated. Nothing
here recurses, and nothing is constructed but text, numbers, true, false and nothing. The parser in
C is faster, but 200,000 open brackets end the process inside it: it is for our own files alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.manifest.yaml.problems import WHOLE_FILE, Place, Problems, shorten
from pipeline.manifest.yaml.scalars import ScalarValue, false_blank, plain_scalar
from pipeline.manifest.yaml.syntax import explain

MAX_DEPTH = 32  # levels of lists and maps; the deepest sensible manifest has 8
MAX_NODES = 200_000  # words, lists and maps, each alias counted as all it stands for
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")  # escapes can write them, but no file name and no report can hold them
_WHOLE_AND_COMMA = re.compile(r"([0-9]+),$")
_REST_OF_A_THOUSAND = re.compile(r"0[0-9][0-9]")  # text, as it has a leading zero
_LONGEST_NUMBER = 20  # digits before a comma that are looked at
_ENDS_IN_A_LIST = re.compile(r"[\],}]")
_MERGE_KEY = "<<"
_FASTEST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may have been built without the one in C
NUMBERED = frozenset({"style_at"})  # keys of maps whose own keys may be whole numbers


@dataclass(slots=True, eq=False)
class ScalarNode:
    """One word. `text` is as written (without quotes), `value` what it means."""

    place: Place
    value: ScalarValue
    text: str
    quoted: bool
    size: int = 1
    height: int = 0


@dataclass(slots=True, eq=False)
class ListNode:
    """A list. `size` counts the nodes below with aliases expanded, `height` the levels."""

    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(slots=True, eq=False)
class Entry:
    """One `key: value` of a map; a merged entry keeps the place where it is written."""

    place: Place
    node: Node


@dataclass(slots=True, eq=False)
class MapNode:
    """A map, with merge keys already merged in."""

    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 1


Node = ScalarNode | ListNode | MapNode


def compose(text: str, problems: Problems, *, ours: bool = False) -> Node | None:
    """The tree of one YAML document, or None if there is none or it cannot be read on. A text that
    is `ours` comes with the program.

    Every fault is noted in `problems`; after duplicate or unfit keys the reading goes on.
    """
    try:
        return _Composer(problems).compose(text, _FASTEST if ours else yaml.SafeLoader)
    except _StopError as stop:
        problems.add(stop.place, stop.message)
    except yaml.MarkedYAMLError as error:
        place, message = explain(error, problems)
        problems.add(place, message)
    except yaml.YAMLError as error:  # the reader's own, without a mark
        problems.add(WHOLE_FILE, f"not YAML: {str(error).splitlines()[0]}")
    return None


def plain(node: Node) -> Any:
    """The node as plain Python: dict, list, str, int, float, bool or None."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def describe(node: Node) -> str:
    """What a message says was got: `9`, `'lots'`, `nothing`, `a list`."""
    if isinstance(node, ListNode):
        return "a list" if node.items else "an empty list"
    if isinstance(node, MapNode):
        return "a map" if node.entries else "an empty map"
    if node.value is None:
        return "nothing"
    shown = shorten(node.text)
    if node.quoted:  # what is no space and shows as one, which `printable` leaves, is written out
        seen = "".join(each if each.isprintable() else repr(each)[1:-1] for each in shown)
        return f'"{seen}" in quotes'
    blank = false_blank(node.text)
    return (f"'{shown}'" if isinstance(node.value, str) else shown) + (f" with {blank}" if blank else "")


class _StopError(Exception):
    """The manifest is beyond a limit: reading on would cost what the limit is there to save."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


@dataclass(slots=True, eq=False)
class _Open:
    """A list or map whose end has not come yet."""

    node: ListNode | MapNode
    anchor: str | None
    key: ScalarNode | None = None
    awaits_value: bool = False
    merged: list[tuple[Place, Node]] = field(default_factory=list)
    has_numbers: bool = False  # keys may be whole numbers


class _Composer:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._anchors: dict[str, Node | None] = {}  # None while the anchored node is still open
        self._stack: list[_Open] = []
        self._count = 0
        self._root: Node | None = None

    def compose(self, text: str, loader: Any) -> Node | None:
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.MappingStartEvent):
                self._start(event, MapNode)
            elif isinstance(event, yaml.SequenceStartEvent):
                self._start(event, ListNode)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end()
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.DocumentStartEvent) and self._root is not None:
                raise _StopError(_place(event.start_mark), "a manifest is one YAML document; a second one starts here")
        return self._root

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = _place(event.start_mark)
        self._tally(1, place)
        if event.tag is not None:
            self._refuse_tag(event.tag, event.value, place)
        if event.style == '"' and (bad := _NO_CHARACTER.search(event.value)):
            raise _StopError(place, f"the escape of U+{ord(bad.group()):04X} is no character that a text can have")
        quoted = bool(event.style)  # else None, or of the parser in C an empty text
        value: ScalarValue = event.value if quoted else plain_scalar(event.value)
        node = ScalarNode(place, value, event.value, quoted)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._attach(node)

    def _start(self, event: yaml.CollectionStartEvent, kind: type[MapNode] | type[ListNode]) -> None:
        place = _place(event.start_mark)
        self._tally(1, place)
        if event.tag is not None:
            self._refuse_tag(event.tag, "", place)
        if len(self._stack) >= MAX_DEPTH:
            raise _StopError(place, f"nested deeper than {MAX_DEPTH} levels")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        around = self._stack[-1] if self._stack else None
        has_numbers = around is not None and around.key is not None and around.key.text in NUMBERED
        self._stack.append(_Open(kind(place), event.anchor, has_numbers=has_numbers))

    def _end(self) -> None:
        closed = self._stack.pop()
        node = closed.node
        if isinstance(node, MapNode):
            for place, source in closed.merged:
                self._merge(node, source, place)
        if closed.anchor is not None:
            self._anchors[closed.anchor] = node
        self._attach(node)

    def _alias(self, event: yaml.AliasEvent) -> None:
        place = _place(event.start_mark)
        name = event.anchor or ""
        if name not in self._anchors:
            raise _StopError(
                place,
                f"the alias '*{shorten(name)}' has no anchor '&{shorten(name)}' before it;"
                " a file pattern that starts with '*' must be quoted",
            )
        node = self._anchors[name]
        if node is None:
            raise _StopError(place, f"the alias '*{shorten(name)}' stands inside what it repeats")
        self._tally(node.size, place)
        if len(self._stack) + node.height > MAX_DEPTH:
            raise _StopError(place, f"nested deeper than {MAX_DEPTH} levels once this alias is expanded")
        self._attach(node)

    def _tally(self, nodes: int, place: Place) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            raise _StopError(place, f"more than {MAX_NODES:,} values once aliases are expanded; split the manifest")

    def _attach(self, node: Node) -> None:
        """Give a finished node to the list or map around it."""
        if not self._stack:
            self._root = node
            return
        around = self._stack[-1]
        parent = around.node
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if isinstance(parent, ListNode):
            parent.items.append(node)
        elif around.awaits_value:
            around.awaits_value = False
            self._enter(around, parent, node)
        else:
            around.awaits_value = True
            around.key = node if isinstance(node, ScalarNode) else None
            if not (around.has_numbers and _is_number(node)) and (fault := self._key_fault(node)):
                self._problems.add(node.place, f"a key must be text, got {describe(node)}; {fault}")
                around.key = None

    def _key_fault(self, key: Node) -> str:
        """What to do about a key that is none, as the 5 in `{style_weight: 0,5}` or the 000 in
        `{steps: 1,000}`; empty if it is one."""
        if not isinstance(key, ScalarNode):
            return "quote it if it is meant as text"
        if not key.quoted and (blank := false_blank(key.text[:1])):
            # What follows is no map of ours, and every fault found in it another's shadow.
            raise _StopError(key.place, f"{blank} stands before '{shorten(key.text[1:])}'; put spaces in its place")
        start = max(0, key.place.column - 1 - _LONGEST_NUMBER)
        cut = _WHOLE_AND_COMMA.search(self._problems.line(key.place.line)[start : key.place.column - 1])
        if isinstance(key.value, str):
            is_cut = cut and not key.quoted and _REST_OF_A_THOUSAND.fullmatch(key.text)
            return f"a number has no comma in it: {cut[1]}{key.text}" if cut and is_cut else ""
        if cut is None:
            return "quote it if it is meant as text"
        if len(key.text) == 3:
            return f"a number has no comma in it: {cut[1]}{key.text}, or {cut[1]}.{key.text} with decimals"
        return f"a decimal number has a point: {cut[1]}.{key.text}"

    def _enter(self, around: _Open, parent: MapNode, node: Node) -> None:
        key = around.key
        if key is None:
            return
        if key.text == _MERGE_KEY and not key.quoted:
            if around.merged:
                self._problems.add(key.place, "key '<<' is given twice; merge several maps as '<<: [*one, *two]'")
            around.merged.append((key.place, node))
        elif (first := parent.entries.get(key.text)) is not None:
            self._problems.add(
                key.place, f"key '{shorten(key.text)}' is given twice (first on line {first.place.line}); keep one"
            )
        else:
            parent.entries[key.text] = Entry(key.place, node)

    def _merge(self, target: MapNode, source: Node, place: Place) -> None:
        """Copy the entries that the map does not have; in a list of maps the first one wins."""
        for merged in source.items if isinstance(source, ListNode) else [source]:
            if not isinstance(merged, MapNode):
                self._problems.add(place, f"'<<' merges maps, got {describe(merged)}; write '<<: *anchor-of-a-map'")
                continue
            for key, entry in merged.entries.items():
                target.entries.setdefault(key, entry)

    def _refuse_tag(self, tag: str, value: str, place: Place) -> None:
        shown = shorten(tag.replace("tag:yaml.org,2002:", "!!"))
        if match := _ENDS_IN_A_LIST.search(shown):  # YAML takes the bracket after an unquoted `!x.jpg` for a part of it
            shown, value = shown[: match.start()], ""
        if shown.startswith("!!"):
            message = f"the tag '{shown}' is not allowed; a manifest holds plain text, numbers, lists and maps"
        else:
            whole = shorten(f"{shown} {value}".rstrip())
            message = f"'!' starts a YAML tag; quote it if it is meant as text: \"{whole}\""
        raise _StopError(place, message)


def _is_number(key: Node) -> bool:
    return isinstance(key, ScalarNode) and type(key.value) is int


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)
