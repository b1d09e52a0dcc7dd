"""Waiting for what another process does: as long as it takes, on however busy a machine, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds after which something hangs. The longest that is waited for, a night painted by TensorFlow, takes fifteen on two
# idle cores; setup.cfg gives a whole test twice as much.
PATIENCE = 900.0
_LOOK = 0.02  # seconds between two looks


def until(true: Callable[[], object]) -> None:
    """Return when it is true; AssertionError where it never comes to be."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "what was waited for does not come"
        time.sleep(_LOOK)
