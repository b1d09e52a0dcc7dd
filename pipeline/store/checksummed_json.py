"""JSON files that vouch for themselves: one that was damaged, or edited by hand, counts as missing.

The first line holds the SHA-256 of all that follows it. That is no signature: whoever may write to
the output folder can make one (docs/security.md says why there is no key). So content is bounded
here, and its shape is looked at by whoever reads it (store/shapes).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.errors import StylizeError
from pipeline.store.store import Store

# Of a record: the demo's have 9 kB, of which the trace is most. A plan holds those of all its
# pairs, and half a megabyte of memory can come of this; more of `meta` is not worth it.
MOST_BYTES = 2**16
# Bytes for one list or table: what we write has far more, and what unpacks to more is not ours.
_BYTES_OF_A_CONTAINER = 64


def write_checksummed_json(store: Store, name: str, content: Any) -> None:
    """Write plain JSON values, whole or not at all. Raises as `Store.write_by` does."""
    store.write(name, checksummed(content))


def checksummed(content: Any) -> bytes:
    """The bytes of such a file."""
    return sealed(json.dumps(content))


def sealed(text: str) -> bytes:
    """The same, of content that is JSON already."""
    body = b' "content": ' + text.encode() + b"}\n"
    return _seal(body) + body


def read_checksummed_json(store: Store, name: str, at_most: int = MOST_BYTES) -> Any:
    """The content; None for a file that is missing, cannot be read, has more than `at_most` bytes,
    or is not as it was written."""
    try:
        data = store.read(name, at_most=at_most)
    except (OSError, StylizeError):
        return None
    body = data[data.find(b"\n") + 1 :]
    if data != _seal(body) + body or _has_too_many_parts(body, at_most):
        return None
    try:
        return json.loads(data)["content"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def is_read_again(data: bytes, at_most: int = MOST_BYTES) -> bool:
    """Is such a file, of plain JSON values, small enough to be read?"""
    return len(data) <= at_most and not _has_too_many_parts(data[data.find(b"\n") + 1 :], at_most)


def _has_too_many_parts(body: bytes, at_most: int) -> bool:
    """Brackets in texts count too: this is asked before anything is unpacked."""
    return body.count(b"[") + body.count(b"{") > at_most // _BYTES_OF_A_CONTAINER


def _seal(body: bytes) -> bytes:
    return b'{"seal": "' + hashlib.sha256(body).hexdigest().encode() + b'",\n'
