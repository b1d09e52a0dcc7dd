"""Masks and region maps that a manifest names: where a style is painted, and what of it is looked
at.

A name may hold fields of its pair's pictures, `masks/{content.stem}-sky.png`, so that each
photograph of a matrix has its own. Files are looked for below the input folder, as pictures are.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from pipeline.clip_names import VIDEO_SUFFIXES, is_numbered
from pipeline.job import StyleImage
from pipeline.manifest.pairs.naming import FIELD
from pipeline.manifest.yaml.problems import Place, Problems, shorten, suggestion
from pipeline.manifest.yaml.tree import ListNode, MapNode, Node, ScalarNode
from pipeline.urls import fault as url_fault
from pipeline.urls import is_url, path_of

FIELDS = ("content.stem", "content.name", "content.parent", "style.stem", "style.name", "style.parent")
_OF_CONTENT = 3  # the first of them


@dataclass(frozen=True, slots=True)
class MaskName:
    """A name as it is written, with fields or without, and its place, in words too."""

    text: str
    place: Place
    where: str

    @property
    def has_fields(self) -> bool:
        """Whether it is another file for other pictures."""
        return FIELD.search(self.text) is not None


class StyleMasks(NamedTuple):
    """The masks of one style of a blend: on the content, and its own."""

    content: MaskName | None = None
    own: MaskName | None = None


class RegionMaps(NamedTuple):
    """The maps of the content and of the styles: one for each, or one name with fields for all."""

    place: Place
    content: MaskName
    styles: tuple[MaskName, ...]


class PairMasks(NamedTuple):
    """What a pair says beside its pictures."""

    content: MaskName | None = None
    maps: RegionMaps | None = None

    @property
    def names(self) -> list[str]:
        """All names, as they are written."""
        maps = () if self.maps is None else (self.maps.content, *self.maps.styles)
        return [mask.text for mask in (self.content, *maps) if mask is not None]


class Names(NamedTuple):
    """A picture as the manifest names it, and whether a pattern found it, which its masks must then
    not lead out of their folder."""

    name: str
    found: bool


@dataclass(slots=True)
class Resolved:
    """The masks of one pair as files; `places` and `homes` as a job has them."""

    images: tuple[StyleImage, ...]
    content: Path | None = None
    region_map: Path | None = None
    places: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)


def read_name(node: Node, problems: Problems, *, of_content: bool = False) -> MaskName | None:
    """The name in a node; None with the fault noted. What is `of_content` alone has no fields of
    a style."""
    assert isinstance(node, ScalarNode)
    if "\0" in node.text:
        problems.add(node.place, f"'{shorten(node.text)}' has a NUL in it; no file has such a name")
        return None
    if is_url(node.text) and (amiss := url_fault(node.text)):
        problems.add(node.place, f"this address {amiss}")
        return None
    if node.text.lower().endswith(VIDEO_SUFFIXES):
        problems.add(
            node.place, f"'{shorten(node.text)}' is a video; masks of a clip are numbered pictures, like masks/%04d.png"
        )
        return None
    parts, fields = FIELD.split(node.text), FIELDS[:_OF_CONTENT] if of_content else FIELDS
    if wrong := next((name for name in parts[1::2] if name not in fields), None):
        hint = suggestion(wrong, fields) or f"; a mask's are {', '.join(fields)}"
        hint = f"; a content's mask has {', '.join(fields)}" if wrong in FIELDS else hint
        problems.add(node.place, f"unknown field '{{{shorten(wrong)}}}'{hint}")
        return None
    if any(brace in text for text in parts[0::2] for brace in "{}"):
        problems.add(
            node.place, f"a brace stands alone in '{shorten(node.text)}'; braces hold a field, like {{content.stem}}"
        )
        return None
    return MaskName(node.text, node.place, problems.at(node.place))


def read_style_masks(node: MapNode, problems: Problems) -> StyleMasks | None:
    """The masks of a style of a blend; None with the fault noted."""
    if "mask" not in node.entries:
        return StyleMasks()
    mask = node.entries["mask"].node
    if isinstance(mask, ScalarNode):
        name = read_name(mask, problems)
        return None if name is None else StyleMasks(name)
    assert isinstance(mask, MapNode)
    given = {key: read_name(entry.node, problems) for key, entry in mask.entries.items() if key in ("content", "style")}
    if not given:
        problems.add(mask.place, "'mask' is empty; give 'content', 'style' or both, or a name")
    if not given or None in given.values():
        return None
    return StyleMasks(given.get("content"), given.get("style"))


def read_pair_masks(node: MapNode, problems: Problems) -> PairMasks | None:
    """What a pair says beside its pictures; None with the faults noted."""
    content, maps = None, None
    if "content_mask" in node.entries:
        content = read_name(node.entries["content_mask"].node, problems, of_content=True)
        if content is None:
            return None
    if "regions" in node.entries:
        section = node.entries["regions"].node
        assert isinstance(section, MapNode)
        styles = section.entries["style"].node
        nodes = styles.items if isinstance(styles, ListNode) else [styles]
        names = [read_name(section.entries["content"].node, problems, of_content=True)]
        names += [read_name(each, problems) for each in nodes]
        sound = [name for name in names if name is not None]
        if len(sound) < len(names):
            return None
        maps = RegionMaps(section.place, sound[0], tuple(sound[1:]))
    return PairMasks(content, maps)


def fault_of_masks(
    pair: PairMasks, styles: Sequence[StyleMasks], count: int, *, texture: bool
) -> tuple[Place, str] | None:
    """Why a pair with so many styles, which have these masks, cannot have its own, and where; or
    None. A `texture` has no content."""
    maps = pair.maps
    if texture and pair.content is not None:
        return pair.content.place, "'content_mask' says where the content is kept, and this pair has none; take it away"
    if maps is None:
        return None
    if any(any(masks) for masks in styles):
        return maps.place, "'regions' say where each style is painted; take them away, or the masks of the styles"
    if len(maps.styles) == count or (len(maps.styles) == 1 and maps.styles[0].has_fields):
        return None
    return (
        maps.place,
        f"'regions' has {len(maps.styles)} maps of styles and the pair {count} styles; give one map for each",
    )


class MaskResolver:
    """Names to files below the input folder."""

    def __init__(self, input_folder: Path, *, follow_links: bool = False) -> None:
        self._input, self._follow_links = os.fspath(input_folder), follow_links

    def resolve(
        self,
        pair: PairMasks,
        images: Sequence[StyleImage],
        masks: Sequence[StyleMasks],
        content: Names,
        styles: Sequence[Names],
    ) -> Resolved:
        """The masks of a pair of these pictures."""
        found = Resolved(tuple(images))

        def path_of(name: MaskName | None, style: Names | None = None) -> Path | None:
            return None if name is None else self._path(name, content, style, found)

        named = list(zip(images, masks or [StyleMasks()] * len(images), styles, strict=True))
        maps = pair.maps
        of_styles = () if maps is None else maps.styles * (len(images) if len(maps.styles) < len(images) else 1)
        found.images = tuple(
            replace(
                image,
                mask=path_of(own.content, style),
                own_mask=path_of(own.own, style),
                region_map=path_of(of_styles[number] if of_styles else None, style),
            )
            for number, (image, own, style) in enumerate(named)
        )
        found.content = path_of(pair.content)
        found.region_map = path_of(None if maps is None else maps.content)
        return found

    def _path(self, name: MaskName, content: Names, style: Names | None, found: Resolved) -> Path:
        fields = _fields("content", content.name) | (_fields("style", style.name) if style else {})
        used = [part for part in FIELDS if f"{{{part}}}" in name.text]
        text = FIELD.sub(lambda match: fields.get(match.group(1), match.group()), name.text)
        path = Path(path_of(self._input, text))
        found.places[str(path)] = name.where
        by_pattern = {"content": content.found, "style": style is not None and style.found}
        if any(by_pattern[part.partition(".")[0]] for part in used):
            fixed = posixpath.dirname(name.text[: name.text.index("{")])
            found.homes[str(path)] = os.path.realpath(path_of(self._input, fixed))
        elif is_numbered(path.name) and not self._follow_links:
            found.homes[str(path)] = os.path.realpath(path.parent)
        return path


def _fields(role: str, name: str) -> dict[str, str]:
    """The fields of a picture's name as it is: a mask's is no new name, but has to be found."""
    parent, base = posixpath.split(name)
    return {f"{role}.stem": posixpath.splitext(base)[0], f"{role}.name": base, f"{role}.parent": parent or "."}
