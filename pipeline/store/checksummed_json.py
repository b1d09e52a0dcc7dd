"""JSON files that vouch for themselves: what was damaged on the disk, or edited by hand, counts as not there.

The first line holds the SHA-256 of all that follows it, so that nobody who reads the content has to doubt its shape.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline.store.disk import write_whole


def write_checksummed_json(path: Path, content: Any) -> None:
    """Write plain JSON values, whole or not at all. Raises as `write_whole` does."""
    body = b' "content": ' + json.dumps(content).encode() + b"}\n"
    write_whole(path, _seal(body) + body)


def read_checksummed_json(path: Path) -> Any:
    """The content, exactly as written; None for a file that is missing, cannot be read, or is not as it was written."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body = data[data.find(b"\n") + 1 :]
    return json.loads(data)["content"] if data == _seal(body) + body else None


def _seal(body: bytes) -> bytes:
    return b'{"seal": "' + hashlib.sha256(body).hexdigest().encode() + b'",\n'
