"""Which outputs a browser shows, so that the site has an address for them; another is its user's to
open."""

from __future__ import annotations

import os

_KINDS = {
    **{".png": "image/png", ".apng": "image/apng", ".gif": "image/gif", ".webp": "image/webp"},
    **{".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".avif": "image/avif"},
}


def kind_of(output: str) -> str | None:
    """The type of an output's file (RFC 9110: Content-Type) by the end of its name; None of what is
    not shown."""
    return _KINDS.get(os.path.splitext(output)[1].lower())
