"""Photographs and styles as the page shows them: each once, whatever many pairs they serve."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pipeline.printable import printable
from pipeline.report.axes import STYLE, key_of, shares_of
from pipeline.report.links import Links
from pipeline.report.quantities import percent
from pipeline.report.views import Picture
from pipeline.store.layout import style_thumbnail
from pipeline.urls import is_url

_TEXTURE = "texture"  # what stands for a photograph that there is none of


class Sources:
    """Of a report's `pairs`; `below` is the input folder from the page, where that is known."""

    def __init__(self, pairs: list[Mapping[str, Any]], links: Links, below: str | None) -> None:
        self._links, self._below = links, None if not below or is_url(below) else below
        self._keys: dict[tuple[str, str], str] = {}
        self._thumbnails: dict[str, str] = {}  # of inputs, by key
        for pair in pairs:
            keys = [(which, self._key(kind, name)) for which, kind, name in _inputs(pair)]
            wanted = [(which, key) for which, key in keys if key not in self._thumbnails]
            thumbnails = links.names(pair["output"]) if wanted else {}  # a look at the disk for each
            for which, key in wanted:
                if which in thumbnails:
                    self._thumbnails.setdefault(key, thumbnails[which])

    def content(self, pair: Mapping[str, Any]) -> Picture:
        """A pair's photograph; of a texture there is none."""
        if not pair["content"]:
            return Picture(caption=_TEXTURE, alt=_TEXTURE, source=None, key=self._key("c", ""))
        return self._picture("photograph", "c", pair["content"], printable(pair["content"]))

    def styles(self, pair: Mapping[str, Any]) -> list[Picture]:
        """A pair's styles, of a blend each with its share."""
        names, shares = pair["style"], shares_of(pair)
        captions = [
            printable(name) + (f" {percent(share)}" if len(names) > 1 else "")
            for name, share in zip(names, shares, strict=True)
        ]
        return [self._picture("style", "s", name, text) for name, text in zip(names, captions, strict=True)]

    def masks(self, pair: Mapping[str, Any]) -> list[tuple[str, list[Picture]]]:
        """A pair's masks by name, with links to their files: what each is of, in words."""
        found = pair.get("masks") or {}
        rows: list[tuple[str, list[str]]] = []
        for number, masks in (found.get("mask") or {}).items():
            given = {"content": masks} if isinstance(masks, str) else masks
            style = printable(pair["style"][int(number)])
            if "content" in given:
                rows.append((f"{style} is painted where", [given["content"]]))
            if "style" in given:
                rows.append((f"of {style} is looked at", [given["style"]]))
        if "content_mask" in found:
            rows.append(("the photograph is kept where", [found["content_mask"]]))
        if regions := found.get("regions"):
            of_styles = regions["style"] if isinstance(regions["style"], list) else [regions["style"]]
            rows.append(("regions by the colours of", [regions["content"], *of_styles]))
        return [(words, [self._picture("mask", "m", name, printable(name)) for name in names]) for words, names in rows]

    def keys(self, pair: Mapping[str, Any]) -> tuple[str, str]:
        """Short names of a pair's photograph and of its style or blend."""
        return self._key("c", pair["content"]), self._key("b", key_of(STYLE, pair))

    def _key(self, kind: str, name: str) -> str:
        return self._keys.setdefault((kind, name), f"{kind}{len(self._keys)}")

    def _picture(self, noun: str, kind: str, name: str, caption: str) -> Picture:
        key = self._key(kind, name)
        thumbnail = self._thumbnails.get(key)
        below = self._below is not None and not PurePosixPath(name).is_absolute() and not is_url(name)
        return Picture(
            caption=caption,
            alt=f"{noun}: {caption}",
            source=self._links.source(thumbnail) if thumbnail is not None else None,
            link=self._links.to(str(PurePosixPath(self._below or "", name))) if below else None,
            key=key,
        )


def _inputs(pair: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Which thumbnail, its kind, and the name of each input of a pair."""
    styles = [(style_thumbnail(number), "s", name) for number, name in enumerate(pair["style"])]
    return [("content", "c", pair["content"]), *styles]
