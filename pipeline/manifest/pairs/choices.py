"""The pictures that a pair or a matrix names.

They are plain names, patterns, names taken away by `!`, and blends of styles.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pipeline.clip_names import is_clip_name, is_numbered
from pipeline.job import StyleImage
from pipeline.manifest.options.rules import PICTURE_SUFFIXES
from pipeline.manifest.pairs.masks import Names, StyleMasks, read_style_masks
from pipeline.manifest.pairs.naming import picture_fields
from pipeline.manifest.pairs.pictures import PictureFinder, matches
from pipeline.manifest.yaml.problems import Place, Problems, shorten
from pipeline.manifest.yaml.tree import ListNode, MapNode, Node, ScalarNode
from pipeline.style_at import StyleAt
from pipeline.textures import TEXTURE
from pipeline.urls import fault, is_url, path_of, url_of

_NOT_EXPANDED = re.compile(r"^~|\$[A-Za-z_{(]")
_LOOKED_AT = 300  # characters after a name: longer than any, and a manifest may be one line of 2 MB
MOST_GATHERED = 100  # pictures of one style: each is measured at every size
_GATHERED = "styles"  # what they are called where their folder is the input folder
_PICTURE_IN_COMMENT = re.compile(rf"\s+#.*?({'|'.join(re.escape(suffix) for suffix in PICTURE_SUFFIXES)})\b", re.I)


@dataclass(frozen=True, slots=True)
class Picture:
    """A content, a style or a blend: names in the manifest, files, and fields of a pattern.

    `places` are those of the files that are written out, in words; a pattern's finds have none, but
    `homes`, the folders that they must stay in. `is_found`: a pattern found it, and its name says
    nothing that the manifest's author meant.
    """

    names: tuple[str, ...]
    images: tuple[StyleImage, ...]
    fields: Mapping[str, str]
    places: Mapping[str, str]
    homes: Mapping[str, str]
    masks: tuple[StyleMasks, ...] = ()  # of a blend's styles
    at: StyleAt = ()  # shares of the styles by frame, where they change
    is_found: bool = False

    @property
    def fault(self) -> str:
        """Why a picture that a pattern found cannot be painted, by its name; else empty."""
        if not (self.is_found and is_numbered(self.names[0])):
            return ""
        return (
            f"'{shorten(self.names[0])}' is a file, and its name stands for numbered frames; take '%' out of the name"
        )

    @property
    def named(self) -> list[Names]:
        """Its names, for those of masks."""
        return [Names(name, bool(self.homes) and not is_numbered(name)) for name in self.names]


WITHOUT_CONTENT = Picture((TEXTURE,), (), picture_fields((TEXTURE,), "content"), {}, {})
"""Stands for the content of a pair that has none."""


class Chosen(NamedTuple):
    """A pattern where it is written, with the `!` ones beside it."""

    place: Place
    pattern: str
    taken_away: tuple[str, ...]


class Chooser:
    """Reads the nodes of `content` and `style`. `role` is one of these two words.

    `nothing` are places where no picture was found today, each with what to say of it; `patterns`
    all patterns that were looked for, `named` all names that were written out.
    """

    def __init__(self, input_folder: Path, finder: PictureFinder, problems: Problems) -> None:
        self._input = input_folder
        self._finder = finder
        self._problems = problems
        self._known: dict[tuple[str, str, str, str, bool], Picture] = {}
        self.nothing: list[tuple[Place, str]] = []
        self.patterns: list[Chosen] = []
        self.named: set[str] = set()

    def found_nothing(self, place: Place, message: str) -> None:
        """Note that there is nothing to paint here today."""
        self.nothing.append((place, message))

    def of_pair(self, role: str, node: Node) -> Picture | None:
        """The one picture or blend of a pair, or None with the fault noted."""
        if isinstance(node, ListNode | MapNode):
            return self._blend(node)
        assert isinstance(node, ScalarNode)
        if is_url(node.text) and (wrong := fault(node.text)):
            self._problems.add(node.place, f"this address {wrong}")
            return None
        if self._is_meant_for_several(node, f"a pair has one {role}; put it into a 'matrix'"):
            return None
        return self._named(role, node)

    def _is_meant_for_several(self, node: ScalarNode, but: str) -> bool:
        """Whether a pattern stands where there is one picture; that is told then, with what to
        do."""
        is_pattern = ("*" in node.text or "?" in node.text) and self._finder.is_pattern(node.text)
        if is_pattern:
            self._problems.add(node.place, f"'{shorten(node.text)}' is a pattern, and {but}")
        return is_pattern

    def of_axis(self, role: str, node: Node) -> list[Picture] | None:
        """The pictures of an axis in its order, each once; None with every fault noted. None may be
        there today."""
        items = node.items if isinstance(node, ListNode) else [node]
        taken_away = tuple(item.text[1:] for item in items if isinstance(item, ScalarNode) and _is_negation(item))
        before = len(self.nothing), len(self.patterns)
        chosen: dict[tuple[str, ...], Picture] = {}
        is_sound = True
        for item in items:
            if _is_negation(item):
                continue
            pictures = self._of_entry(role, item, taken_away)
            is_sound = is_sound and pictures is not None
            for picture in pictures or ():
                shares = (str(image.weight) for image in picture.images)
                masks = (mask.text if mask else "" for of_style in picture.masks for mask in of_style)
                chosen.setdefault((*picture.names, *shares, *masks), picture)
        if is_sound and taken_away:
            self._look_at_negations(items)
        if is_sound and not chosen and before[0] == len(self.nothing):
            message = f"no {role} is left: '!' takes away from the names and patterns beside it"
            if before[1] == len(self.patterns):  # no other pictures will ever change that
                self._problems.add(node.place, message)
                return None
            self.found_nothing(node.place, message)
        return list(chosen.values()) if is_sound else None

    def _look_at_negations(self, items: Iterable[Node]) -> None:
        """Warn of a `!` that takes nothing away where it looks as if it should: one of a folder
        whose pictures are found, or of a name without the folders that it is found with."""
        written = [item for item in items if isinstance(item, ScalarNode)]
        names: list[str] = []
        for item in written:
            if not _is_negation(item):
                names += self._finder.find(item.text) if self._finder.is_pattern(item.text) else [_plain(item.text)]
        for item in written:
            pattern = item.text[1:].rstrip("/")
            if not _is_negation(item) or not pattern or any(matches(pattern, name) for name in names):
                continue
            for meant in (f"{pattern}/**", *([] if "/" in pattern else [f"**/{pattern}"])):
                if any(matches(meant, name) for name in names):
                    self._problems.warn(
                        item.place, f"'{shorten(item.text)}' takes nothing away; write '!{shorten(meant)}'"
                    )
                    break

    def _of_entry(self, role: str, item: Node, taken_away: tuple[str, ...]) -> list[Picture] | None:
        if isinstance(item, ListNode | MapNode):
            blend = self._blend(item)
            return None if blend is None else [blend]
        assert isinstance(item, ScalarNode)
        if not self._finder.is_pattern(item.text):
            named = self._named(role, item)
            if named is None:
                return None
            return [named] if is_left(item.text, taken_away) else []
        if not self._look_at(role, item):
            return None
        self.patterns.append(Chosen(item.place, item.text, taken_away))
        try:
            names = self._finder.find(item.text)
        except ValueError as error:
            self._problems.add(item.place, f"'{shorten(item.text)}' {error}")
            return None
        if not names:
            reason, folder = self._finder.why_nothing(item.text), url_of(self._input) or self._input
            self.found_nothing(
                item.place, f"'{shorten(item.text)}' matches no picture in the input folder {folder}{reason}"
            )
        home = self._finder.home(item.text)
        return [self._picture(role, name, home=home, is_found=True) for name in names if is_left(name, taken_away)]

    def _blend(self, node: ListNode | MapNode) -> Picture | None:
        """Several styles, each of them a picture or many as one; or one of these."""
        parts: list[Picture] = []
        called: list[str] = []
        for item in node.items if isinstance(node, ListNode) else [node]:
            assert isinstance(item, MapNode)
            of_style = read_style_masks(item, self._problems)
            if of_style is None:
                return None
            self.named |= {os.path.normpath(mask.text) for mask in of_style if mask}
            if "images" in item.entries:
                part, name = self._gathered(item)
            else:
                image = item.entries["image"].node
                assert isinstance(image, ScalarNode)
                if self._is_meant_for_several(image, "'image' is one picture; 'images' are many as one style"):
                    return None
                part, name = self._named("style", image), image.text
            if part is None:
                return None
            weight = item.entries["weight"].node if "weight" in item.entries else None
            share = float(weight.value) if isinstance(weight, ScalarNode) and weight.value is not None else 1.0
            shared = tuple(StyleImage(each.image, share * each.weight) for each in part.images)
            parts.append(replace(part, images=shared, masks=(of_style,) * len(shared)))
            called.append(name)
        return Picture(
            tuple(name for part in parts for name in part.names),
            tuple(image for part in parts for image in part.images),
            picture_fields(tuple(called), "style"),
            {path: place for part in parts for path, place in part.places.items()},
            {path: home for part in parts for path, home in part.homes.items()},
            tuple(masks for part in parts for masks in part.masks),
        )

    def _gathered(self, node: MapNode) -> tuple[Picture | None, str]:
        """All pictures that `images` names, with equal shares that sum to 1, and what they are
        called; None with the fault noted, or where there are none today."""
        images = node.entries["images"].node
        items = images.items if isinstance(images, ListNode) else [images]
        found = self.of_axis("style", ListNode(images.place, [self._whole(item) for item in items]))
        if not found:
            return None, ""
        if len(found) > MOST_GATHERED:
            self._problems.add(
                images.place, f"{len(found)} pictures are too many for one style; at most {MOST_GATHERED}"
            )
            return None, ""
        share = 1.0 / len(found)
        gathered = Picture(
            tuple(name for each in found for name in each.names),
            tuple(StyleImage(image.image, share) for each in found for image in each.images),
            {},
            {path: place for each in found for path, place in each.places.items()},
            {path: home for each in found for path, home in each.homes.items()},
        )
        return gathered, posixpath.basename(posixpath.dirname(gathered.names[0])) or _GATHERED

    def _whole(self, item: Node) -> Node:
        """A folder as the pattern of all that is in it; anything else as it is."""
        if isinstance(item, ScalarNode) and self._finder.is_folder(item.text):
            return replace(item, text=os.path.join(item.text, "*"))
        return item

    def _named(self, role: str, node: ScalarNode) -> Picture | None:
        if not self._look_at(role, node):
            return None
        self.named.add(os.path.normpath(node.text))
        home = self._finder.home(node.text) if is_numbered(node.text) else ""  # its files are found
        return self._picture(role, _plain(node.text), self._problems.at(node.place), home)

    def _picture(self, role: str, name: str, place: str = "", home: str = "", *, is_found: bool = False) -> Picture:
        key = (role, name, place, home, is_found)
        if key not in self._known:
            path = Path(path_of(self._input, name))
            places = {str(path): place} if place else {}
            homes = {str(path): home} if home else {}
            fields = picture_fields((name,), role)
            self._known[key] = Picture((name,), (StyleImage(path),), fields, places, homes, is_found=is_found)
        return self._known[key]

    def _look_at(self, role: str, node: ScalarNode) -> bool:
        """Warn of what is probably not meant; false, with the problem noted, for what cannot be."""
        if "\0" in node.text:
            self._problems.add(node.place, f"'{shorten(node.text)}' has a NUL in it; no file has such a name")
            return False
        if is_url(node.text) and (wrong := fault(node.text, pattern=True)):
            self._problems.add(node.place, f"this address {wrong}")
            return False
        if cut := cut_by_comment(node, self._problems):
            self._problems.add(node.place, cut)
            return False
        if role == "style" and is_clip_name(node.text):
            self._problems.add(node.place, f"'{shorten(node.text)}' is a clip, and a style is a picture; name one")
            return False
        if not is_url(node.text) and os.path.lexists(os.path.join(self._input, node.text)):
            return True
        warn_of_path(node, self._problems)
        if "\\" in node.text:
            self._problems.warn(node.place, f"'{shorten(node.text)}' has a backslash; write '/' between folders")
        return True


def _plain(name: str) -> str:
    """A name as patterns find it, so that one picture has one: `photos/a.jpg` for
    `./photos//a.jpg`."""
    if is_url(name):
        return name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return ("/" if name.startswith("/") else "") + "/".join(parts) or name


def _is_negation(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.text.startswith("!")


def is_left(name: str, taken_away: Iterable[str]) -> bool:
    """Whether no pattern takes a name away."""
    return not any(matches(pattern, name) for pattern in taken_away)


def warn_of_path(node: Node, problems: Problems) -> None:
    """Warn of `~` and `$`, which a shell would replace and nothing here does."""
    if isinstance(node, ScalarNode) and (match := _NOT_EXPANDED.search(node.text)):
        problems.warn(
            node.place,
            f"'{match.group()[0]}' in '{shorten(node.text)}' is taken as it stands, not expanded; write the path itself",
        )


def cut_by_comment(node: ScalarNode, problems: Problems) -> str | None:
    """What to say of an unquoted `photo #1.jpg`, of which YAML leaves only `photo`; else None."""
    if node.quoted or node.text.lower().endswith(PICTURE_SUFFIXES):
        return None
    after = node.place.column - 1 + len(node.text)
    rest = problems.line(node.place.line)[after : after + _LOOKED_AT]
    match = _PICTURE_IN_COMMENT.match(rest)
    if match is None:
        return None
    whole = node.text + rest[: match.end(1)]
    return f"' #' starts a comment, so this name is only '{shorten(node.text)}'; quote it: \"{shorten(whole)}\""
