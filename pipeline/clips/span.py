"""The part of a clip that is kept."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class Span(NamedTuple):
    """From `begin` to `end`, seconds from the clip's beginning; None: from its beginning, to its
    end. What begins in between is kept, and is shifted so that `begin` becomes 0."""

    begin: Fraction | None = None
    end: Fraction | None = None


WHOLE = Span()
"""All of a clip."""
