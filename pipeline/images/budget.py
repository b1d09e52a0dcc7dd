"""How much processor time and memory the decoding of a file may take, and the kernel's means to
hold a process to it. Standard library only.

A picture within these limits is decoded several times over; a file that goes beyond them was made
to hold somebody up, or is damaged.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds of processor time. A header takes milliseconds. Of 24 million pixels the slowest kind took
# 0.16 us a pixel (a PNG with opacity, a profile and an orientation; JPEG 0.02 to 0.07, AVIF 0.08,
# WebP 0.09; AMD EPYC, 2.6 GHz); six times that, for slow machines.
HEADER_SECONDS = 5.0
_SECONDS, _SECONDS_PER_PIXEL = 10.0, 1e-6

# Bytes beside the file's own, which may be held twice. Of the same files the most was 24 a pixel
# (WebP with opacity); an orientation and a profile add up to 12.
_BYTES, _BYTES_PER_PIXEL = 256 * 2**20, 40
_STACK_BYTES = 8 * 2**20  # of each thread; AVIF is decoded by one per processor

# Of a clip, `clips/video.DECODED_PIXELS` are decoded: 100 s of the slowest coding (FFV1 in RGB, the
# same machine), six times that for slow ones. Its bytes are hashed and counted besides, at 500 MB/s
# and more.
_CLIP_SECONDS, _CLIP_SECONDS_PER_BYTE = 600.0, 1.2e-8
# Bytes for each pixel: 17 frames of 10 bits at 4:2:0 (H.264's and HEVC's 16 references and the one
# that is decoded), and the converted ones.
_CLIP_BYTES_PER_PIXEL = 17 * 3 + 3 * 4
_CLIP_HEADER_BYTES = 512 * 2**20  # its first frames are decoded before its size is known for sure

KEPT_SECONDS = 30.0
"""A process that was asked nothing for so long is not asked again; it ends by itself after twice
that."""

CLOCK_RAN_OUT = signal.SIGPROF
"""The signal that ends a process whose `processor_time` is up."""


def signal_name(number: int) -> str:
    """`SIGSEGV`; of a signal for which Python has no name (real-time ones, signal(7)) `signal
    35`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def decoding_seconds(pixels: int) -> float:
    """Seconds of processor time in which a picture of so many pixels is decoded."""
    return _SECONDS + _SECONDS_PER_PIXEL * pixels


def decoding_bytes(pixels: int, file_bytes: int) -> int:
    """Bytes in which a picture of so many pixels is decoded from a file of so many bytes; with no
    pixels, those in which its header is read."""
    return _BYTES + _STACK_BYTES * (os.cpu_count() or 1) + 2 * file_bytes + _BYTES_PER_PIXEL * pixels


def clip_seconds(file_bytes: int, still_pixels: int = 0) -> float:
    """Seconds of processor time in which it is found what a clip of so many bytes is; of numbered
    frames, which are all decoded, with so many pixels in all."""
    return _CLIP_SECONDS + _CLIP_SECONDS_PER_BYTE * file_bytes + _SECONDS_PER_PIXEL * still_pixels


def clip_bytes(pixels: int) -> int:
    """Bytes in which a clip of so many pixels a frame is decoded; with none, in which it is
    opened."""
    return decoding_bytes(0, 0) + (_CLIP_BYTES_PER_PIXEL * pixels if pixels else _CLIP_HEADER_BYTES)


def too_slow(shown: str, seconds: float) -> str:
    """What is said of a picture whose decoding took longer."""
    return (
        f"{shown} takes more than {seconds:.3g} s of processor time to decode, far more than pictures of its size;"
        " save it again with another program"
    )


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """End this process by CLOCK_RAN_OUT where the block takes more than so many seconds of
    processor time, all threads together. The kernel does it: a decoder in one long call hears no
    signal handler. For the main thread of a process of ours, never for a user's."""
    before = signal.signal(CLOCK_RAN_OUT, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(CLOCK_RAN_OUT, before)


@contextmanager
def memory_for(more: int) -> Iterator[None]:
    """Let the block raise MemoryError where it allocates more than so many bytes beside what this
    process has already; where the system cannot tell that (macOS), it is not held to it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if (present := _data_bytes()) is None:
        yield
        return
    wanted = present + more
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def die_before_the_driver() -> None:
    """Have the kernel end this process when the driver is killed (one that is stopped, or deep in a
    library, would not notice its closed pipe), and, when memory runs out, before the driver. Where
    the kernel cannot, as both are Linux' own, a closed pipe must do."""
    import ctypes  # not on the way of who only reads what a picture may cost

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OOM_SCORE = "800"  # of the kernel's OOM killer, -1000 to 1000: 0 is a process as any other
_MEMORY = "/proc/self/statm"


def _data_bytes() -> int | None:
    """What counts for RLIMIT_DATA: private memory that may be written (proc(5), statm)."""
    try:
        with open(_MEMORY, "rb") as file:
            return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return None
