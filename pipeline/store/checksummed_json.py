"""JSON files that vouch for themselves: one that was damaged, or edited by hand, counts as missing.

The first line holds the SHA-256 of all that follows it, so that nobody who reads the content has to
doubt its shape.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.store.store import Store


def write_checksummed_json(store: Store, name: str, content: Any) -> None:
    """Write plain JSON values, whole or not at all. Raises as `Store.write_by` does."""
    body = b' "content": ' + json.dumps(content).encode() + b"}\n"
    store.write(name, _seal(body) + body)


def read_checksummed_json(store: Store, name: str) -> Any:
    """The content; None for a file that is missing, cannot be read, or is not as it was written."""
    try:
        data = store.read(name)
    except OSError:
        return None
    body = data[data.find(b"\n") + 1 :]
    return json.loads(data)["content"] if data == _seal(body) + body else None


def _seal(body: bytes) -> bytes:
    return b'{"seal": "' + hashlib.sha256(body).hexdigest().encode() + b'",\n'
