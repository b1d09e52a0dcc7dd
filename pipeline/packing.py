"""Values of JSON that are much alike, in few bytes each: a night on a farm has a hundred thousand
outcomes, and as many rows of its report."""

from __future__ import annotations

import json
import zlib
from typing import Any

_FASTEST = 1  # of zlib; others find hardly more, as most of a value is in the pattern
_MOST_PATTERN = 2**15  # bytes of a pattern that zlib looks at


class Packer:
    """Packs values as JSON, less what the first of them had in the same words; what has no place in
    JSON becomes its text."""

    def __init__(self) -> None:
        self._pattern = b""

    def pack(self, value: Any) -> bytes:
        """The bytes that `unpack` makes an equal value of."""
        text = json.dumps(value, default=str).encode()
        self._pattern = self._pattern or text[-_MOST_PATTERN:]
        packer = zlib.compressobj(_FASTEST, zdict=self._pattern)
        return packer.compress(text) + packer.flush()

    def unpack(self, packed: bytes) -> Any:
        """The value again."""
        unpacker = zlib.decompressobj(zdict=self._pattern)
        return json.loads(unpacker.decompress(packed) + unpacker.flush())
