"""What the processor says of itself, and TensorFlow's switch that follows from it."""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from pathlib import Path

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
"""TensorFlow's switch for oneDNN, which it reads once, when it is imported."""


@functools.cache
def processor_flags() -> frozenset[str]:
    """Instructions beyond the first ones, as Linux names them (`avx2`, `asimd`); none where they
    cannot be read."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return frozenset(line.split(":", 1)[1].split())
    return frozenset()


def lacks_long_vectors() -> bool:
    """Is it an x86 processor with AVX2 and without AVX-512?"""
    flags = processor_flags()
    return "avx2" in flags and "avx512f" not in flags


def onednn_switch() -> dict[str, str]:
    """What must stand in the environment while TensorFlow is imported: oneDNN on where there is
    AVX2. By itself TensorFlow uses it only on processors with instructions for neural networks. A
    switch that is set stays."""
    return {ONEDNN: "1"} if ONEDNN not in os.environ and "avx2" in processor_flags() else {}
