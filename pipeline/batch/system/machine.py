"""The machine as Linux shows it: processors, GPUs, memory; and in what two settings differ."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.job import RunSettings
from pipeline.memory_limit import memory_left, memory_limit
from pipeline.processor import processor_flags

_GPUS = Path("/proc/driver/nvidia/gpus")  # a folder for each, named by its address on the bus


def gpus() -> list[str]:
    """The addresses of the NVIDIA GPUs that the driver shows."""
    return sorted(path.name for path in _GPUS.glob("*"))


def usable_processors() -> int:
    """How many of the machine's logical processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS binds no process to processors


def memory() -> tuple[int, int]:
    """The machine's memory in bytes, or what our control groups leave of it: all there is, and what
    is free for new programs."""
    import psutil  # which few ask for

    now, left = psutil.virtual_memory(), memory_left()
    return min(now.total, memory_limit() or now.total), now.available if left is None else min(now.available, left)


def devices(slots: int) -> list[str | None]:
    """One GPU per worker where there are several workers and GPUs, out of those that
    CUDA_VISIBLE_DEVICES leaves us; TensorFlow must find it set before it is imported."""
    if slots == 1:
        return [None]
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    ours = [str(i) for i in range(len(gpus()))] if given is None else [device for device in given.split(",") if device]
    return [ours[slot % len(ours)] if ours else None for slot in range(slots)]


def worker_threads(settings: RunSettings) -> int:
    """How many processor threads each worker gets."""
    return settings.threads or max(1, usable_processors() // settings.workers)


def processor() -> str:
    """The processor's name."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith("model name")).split(":", 1)[1].strip()
    return platform.processor()


# Instructions by which libraries choose their kernels, as Linux names them: x86-64's, then ARM's. A
# virtual machine may hide some of what its processor has.
_INSTRUCTIONS = (
    *("sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
    *("avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16"),
    *("asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2", "svebf16"),
)


def instructions() -> str:
    """Those that decide which kernels compute here: `avx avx2 fma`; `unknown` where the kernel does
    not say."""
    flags = processor_flags()
    return " ".join(name for name in _INSTRUCTIONS if name in flags) if flags else "unknown"


def differences_between(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In what the settings of two paintings differ, in words: `threads (4, now 2), device (...)`;
    empty if in nothing."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} ({before.get(name)}, now {now.get(name)})" for name in names)


def reset_peak_memory() -> None:
    """Let `peak_memory` count from now."""
    with suppress(OSError):  # Linux: proc(5), clear_refs: 5 resets the peak to the present size
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Peak resident memory in bytes since `reset_peak_memory`; where the kernel cannot tell, since
    the start."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    # kilobytes on Linux, bytes on macOS: getrusage(2) of either
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
