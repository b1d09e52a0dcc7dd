"""Pictures as the page refers to them: inside it as data, or beside it by a relative address."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

# Up to this many pairs the small pictures stand in the page itself, so that one file can be mailed: 100 pairs of three
# pictures of about 15 kB (256 pixels, WebP) make 6 MB. Above it they are linked.
INLINE_PAIRS = 100
INLINE_BYTES = 64 * 2**10  # of one picture; a larger file is no thumbnail and is linked, which bounds the page


@dataclass(slots=True)
class Links:
    """Addresses for a page in the folder `folder`; pictures are put into the page if `inline`."""

    folder: Path
    thumbnails: Callable[[str], Mapping[str, Path]]
    inline: bool
    _encoded: dict[Path, str] = field(default_factory=dict)  # one style picture often serves many pairs

    def sources(self, output: str) -> dict[str, str]:
        """The address of each small picture there is of an output, by `content`, `style`, `result`."""
        return {kind: self._source(path) for kind, path in self.thumbnails(output).items()}

    def _source(self, path: Path) -> str:
        if path not in self._encoded:
            self._encoded[path] = (self.inline and _data_uri(path)) or relative(os.path.relpath(path, self.folder))
        return self._encoded[path]


def relative(name: str) -> str:
    """A quoted address relative to the page. The leading `./` keeps a name from being read as a scheme or a host."""
    try:
        raw = name.encode("utf-8", "surrogateescape")  # the bytes on the disk, also of a name that is not UTF-8
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogatepass")  # no file can be called so; the page is written all the same
    return "./" + quote(raw)


def _data_uri(path: Path) -> str | None:
    """The file as a data address, or None if it cannot be read or is too large to be a thumbnail."""
    try:
        data = path.read_bytes()
    except OSError:
        return None  # the link then shows as a picture that is missing; the report is still written
    if len(data) > INLINE_BYTES:
        return None
    return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}"
