"""Photographs and styles as the page shows them: each once, whatever many pairs they serve.

Files that do not lie below the input folder are called by their own names alone, which several may
have (`a/IMG_1.jpg`, `b/IMG_1.jpg`): what they look like tells them apart.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from pipeline.printable import printable
from pipeline.report.axes import STYLE, key_of, shares_of
from pipeline.report.links import INLINE_BYTES, Links
from pipeline.report.quantities import percent
from pipeline.report.views import Picture
from pipeline.store.layout import style_thumbnail
from pipeline.textures import TEXTURE
from pipeline.urls import is_url


class Sources:
    """Of a report's `pairs`; `below` is the input folder from the page, where that is known."""

    def __init__(self, pairs: list[Mapping[str, Any]], links: Links, below: str | None) -> None:
        self._links, self._below = links, None if not below or is_url(below) else below
        self._keys: dict[tuple[str, str], str] = {}
        self._thumbnails: dict[str, str] = {}  # of inputs, by key
        self._elsewhere: dict[str, bool] = {}
        self._looks: dict[tuple[str, str], str] = {}  # of inputs that lie elsewhere, by output and name
        self._looks_of: dict[str, set[str]] = {}  # of all that are called so
        for pair in pairs:
            self._look_at(pair)
        for pair in pairs:
            keys = [(which, self._key(kind, self._known(pair, name))) for which, kind, name in _inputs(pair)]
            wanted = [(which, key) for which, key in keys if key not in self._thumbnails]
            thumbnails = links.names(pair["output"]) if wanted else {}  # a look at the disk for each
            for which, key in wanted:
                if which in thumbnails:
                    self._thumbnails.setdefault(key, thumbnails[which])

    def content(self, pair: Mapping[str, Any]) -> Picture:
        """A pair's photograph; of a texture there is none."""
        if not pair["content"]:
            return Picture(caption=TEXTURE, alt=TEXTURE, source=None, key=self._key("c", ""))
        return self._picture("photograph", "c", pair, pair["content"], printable(pair["content"]))

    def styles(self, pair: Mapping[str, Any]) -> list[Picture]:
        """A pair's styles, of a blend each with its share."""
        names, shares = pair["style"], shares_of(pair)
        captions = [
            printable(name) + (f" {percent(share)}" if len(names) > 1 else "")
            for name, share in zip(names, shares, strict=True)
        ]
        return [self._picture("style", "s", pair, name, text) for name, text in zip(names, captions, strict=True)]

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
        return [
            (words, [self._picture("mask", "m", pair, name, printable(name)) for name in names])
            for words, names in rows
        ]

    def keys(self, pair: Mapping[str, Any]) -> tuple[str, str]:
        """Short names of a pair's photograph and of its style or blend."""
        styles = "/".join(self._known(pair, name) for name in pair["style"])
        return self._key("c", self._known(pair, pair["content"])), self._key("b", key_of(STYLE, pair) + styles)

    def _is_elsewhere(self, name: str) -> bool:
        """Whether a file is known not to lie below the input folder, or not any more."""
        if not name or "/" in name or self._below is None:
            return False
        if name not in self._elsewhere:
            path = os.path.join(self._links.store.home, self._below, name)
            self._elsewhere[name] = not os.path.lexists(path)
        return self._elsewhere[name]

    def _look_at(self, pair: Mapping[str, Any]) -> None:
        """Digests of a pair's own thumbnails of what lies elsewhere."""
        for which, _kind, name in _inputs(pair):
            if self._is_elsewhere(name):
                with suppress(OSError, KeyError):
                    thumbnail = self._links.store.read(self._links.names(pair["output"])[which], at_most=INLINE_BYTES)
                    look = self._looks[pair["output"], name] = hashlib.sha256(thumbnail).hexdigest()
                    self._looks_of.setdefault(name, set()).add(look)

    def _known(self, pair: Mapping[str, Any], name: str) -> str:
        """What an input is known by: its name, and its look where several are called so."""
        looks = self._looks_of.get(name, ())
        return f"{name}/{self._looks.get((pair['output'], name), '')}" if len(looks) > 1 else name

    def _key(self, kind: str, name: str) -> str:
        return self._keys.setdefault((kind, name), f"{kind}{len(self._keys)}")

    def _picture(self, noun: str, kind: str, pair: Mapping[str, Any], name: str, caption: str) -> Picture:
        key = self._key(kind, self._known(pair, name))
        thumbnail = self._thumbnails.get(key)
        below = self._below is not None and not PurePosixPath(name).is_absolute() and not is_url(name)
        below = below and not self._is_elsewhere(name)
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
