"""Pictures as the page refers to them: inside it as data, or beside it by a relative address."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from pipeline.store.layout import thumbnail_name
from pipeline.store.store import Store

# Up to this many pairs the small pictures stand in the page itself, so that one file can be mailed:
# 100 results of about 40 kB (448 pixels, WebP) make 5 MB. Above it they are linked.
INLINE_PAIRS = 100
# Of one picture; a larger file is no thumbnail and is linked, which bounds the page.
INLINE_BYTES = 128 * 2**10


@dataclass(slots=True)
class Links:
    """Addresses for a page; pictures are put into it if `inline`. `up` leads from its folder to the
    top of `store`: empty there, else `../` for each folder."""

    store: Store
    thumbnails: Callable[[str], Mapping[str, str]]
    inline: bool
    up: str = ""
    # Which there are of each output, where they are called as they are by us; many have the same.
    _usual: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _others: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _sets: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    # One style picture often serves many pairs.
    _encoded: dict[str, str | None] = field(default_factory=dict)

    def names(self, output: str) -> Mapping[str, str]:
        """The names of the small pictures of an output, by `content`, `style`, `result`."""
        if (which := self._usual.get(output)) is not None:
            return {one: thumbnail_name(output, one) for one in which}
        if (names := self._others.get(output)) is None:
            names = self.thumbnails(output)
            which = tuple(names)
            if names == {one: thumbnail_name(output, one) for one in which}:
                self._usual[output] = self._sets.setdefault(which, which)
            else:
                self._others[output] = names
        return names

    def source(self, name: str) -> str:
        """The address of a small picture."""
        if self.inline and name not in self._encoded:
            self._encoded[name] = _data_uri(self.store, name)
        return self._encoded.get(name) or self.to(name)

    def to(self, name: str) -> str:
        """The address of any file, by its name from the top of the store."""
        return relative(self.up + name)


def relative(name: str) -> str:
    """A quoted address relative to the page. The leading `./` keeps a name from being read as a
    scheme or a host."""
    try:
        # The bytes on the disk, also of a name that is not UTF-8.
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # No file can be called so; the page is written all the same.
        raw = name.encode("utf-8", "surrogatepass")
    return "./" + quote(raw)


def _data_uri(store: Store, name: str) -> str | None:
    """The file as a data address; None if it cannot be read or is too large for a thumbnail."""
    try:
        data = store.read(name, at_most=INLINE_BYTES)
    except OSError:
        return None  # the link then shows as a picture that is missing; the report is still written
    if not is_thumbnail(data):
        return None  # whoever planted it wants it mailed
    return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}"


def is_thumbnail(data: bytes) -> bool:
    """Are these the bytes of a small picture as we write them: WebP?"""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"
