"""A record of fields as a table of them."""

from __future__ import annotations

import dataclasses
from typing import Any


def flat(known: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, for values that are JSON's own. Nothing is copied:
    `dataclasses.asdict` copies every reading of a trace, and there are hundreds."""
    return {part.name: getattr(known, part.name) for part in dataclasses.fields(known)}
