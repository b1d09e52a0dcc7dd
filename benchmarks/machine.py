"""What a figure was measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.processor import processor_flags

REPOSITORY = Path(__file__).resolve().parent.parent
# What decides the speed of a convolution: the width of vectors, and whether they take bfloat16.
_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "bf16", "sve")


def description() -> dict[str, str]:
    """Processor, memory, versions and commit, by name."""
    model, flags = _processor()
    return {
        "on": f"{model}, {len(os.sched_getaffinity(0))} cores ({' '.join(flags)})",
        "with": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "Python": platform.python_version(),
        "TensorFlow": _version("tensorflow", "tensorflow-cpu"),
        "Keras": _version("keras"),
        "NumPy": _version("numpy"),
        "at commit": _commit(),
        "of": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def kind() -> str:
    """What decides which figures compare: the best instructions for convolutions, as a folder's name."""
    flags = processor_flags()
    return next((name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in flags), platform.machine())


def time_of_others() -> Callable[[], str]:
    """Called now and at the end: the share of the processors that other programs took in between, `3 % of the processors`. A
    figure measured while others worked is worth little."""

    def used() -> tuple[float, float]:
        times, own = psutil.cpu_times(), os.times()
        busy = times.user + times.nice + times.system
        return busy, own.user + own.system + own.children_user + own.children_system

    busy_before, own_before = used()
    began = time.perf_counter()

    def share() -> str:
        busy, own = used()
        whole = (time.perf_counter() - began) * (os.cpu_count() or 1)
        others = (busy - busy_before) - (own - own_before)
        return f"{max(0.0, others / whole):.0%} of the processors".replace("%", " %")

    return share


def _processor() -> tuple[str, list[str]]:
    """The processor's name and those of its flags that matter."""
    facts = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    present = (facts.get("flags") or facts.get("Features") or "").split()
    name = facts.get("model name", platform.machine())
    if speed := facts.get("cpu MHz"):
        name += f" at {float(speed) / 1000:.1f} GHz"
    return name, [flag for flag in _FLAGS if flag in present]


def _version(*packages: str) -> str:
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return "none"


def _commit() -> str:
    """The commit, marked with + where the engine was changed after it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "pipeline"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")
