"""The process that decodes files of unknown origin, so that nobody else has to.

Started by `reader`. It takes one question a line from stdin and says one answer a line on what was
its stdout, in JSON:

    {"ask": "size", "path": ..., "folder": ..., "home": ...}   {"size": [width, height]}
    {"ask": "inspect", ...}                         {"seconds": limit}, then {"facts": [...]}
    {"ask": "metadata", ...}                        {"metadata": {...}}
    {"ask": "colours", ...}                         {"seconds": limit}, then {"colours": [...]}
    {"ask": "small", ..., "box": [width, height]}   {"seconds": limit}, then {"small": [...]}
    {"ask": "clip", ...}                            {"seconds": limit}, then {"clip": {...}}

or `{"refused": reason}`, or `{"memory": bytes}` where decoding would have needed more than so many.
It is held to `budget` by the kernel, and ends when its pipe is closed, when nothing was asked for a
while, or after a want of memory.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple
from typing import Any

from pipeline.errors import BadImage, EnvironmentProblem, OutOfMemory
from pipeline.images.budget import (
    HEADER_SECONDS,
    KEPT_SECONDS,
    clip_bytes,
    clip_seconds,
    decoding_bytes,
    decoding_seconds,
    die_before_the_driver,
    memory_for,
    processor_time,
)
from pipeline.images.file_bytes import MAX_BYTES
from pipeline.images.inspection import image_size, inspect_image
from pipeline.images.metadata import read_metadata
from pipeline.images.region_colours import colours_in_file
from pipeline.images.small import small_picture
from pipeline.printable import printable

_WRITTEN_CLIPS = (".mp4", ".mov", ".mkv", ".webm", ".gif")  # those whose settings stand elsewhere than a picture's
_LARGEST_FILE = 16 * 2**20  # bytes that it may write to a file, which can only be its stderr

Answer = dict[str, Any]
Say = Callable[[Answer], None]
Home = str | None


def main() -> None:
    """Answer questions until there are no more."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever a library prints is no answer
    _confine()

    def say(answer: Answer) -> None:
        out.write(json.dumps(answer).encode() + b"\n")
        out.flush()

    with suppress(BrokenPipeError):
        say({"ready": True})
        while select.select([sys.stdin], [], [], 2 * KEPT_SECONDS)[0] and (line := sys.stdin.buffer.readline()):
            if not _answer(json.loads(line), say):
                return


def _confine() -> None:
    """Die with the driver, or when memory runs out; leave no core, fill no disk."""
    die_before_the_driver()
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _LARGEST_FILE)):
        with suppress(OSError, ValueError):  # the administrator's limit is lower
            resource.setrlimit(kind, (most, most))


def _answer(question: Answer, say: Say) -> bool:
    """Answer one question; False where this process should not answer another."""
    path = question["path"]
    if (folder := question["folder"]) is not None:
        with suppress(OSError):  # opening the file will say so
            os.chdir(folder)
    try:
        say(_ANSWERS[question["ask"]](path, question, say))
    except _OverrunError as error:
        say({"memory": error.budget})
        return False
    except EnvironmentProblem as error:
        say({"missing": str(error)})
    except BadImage as error:
        say({"refused": str(error)})
    except Exception as error:  # a bug of ours, which is this file's trouble alone
        say({"refused": f"{printable(path)} cannot be read: a bug ({printable(repr(error))[:300]}); please report it"})
    return True


def _size(path: str, asked: Answer, _say: Say) -> Answer:
    with _header(path):
        return {"size": image_size(path, asked["home"])}


def _metadata(path: str, asked: Answer, _say: Say) -> Answer:
    if path.lower().endswith(_WRITTEN_CLIPS):
        from pipeline.clips.reading import clip_settings

        with _within(HEADER_SECONDS, clip_bytes(0)):
            return {"metadata": clip_settings(path, asked["home"])}
    with _header(path):
        return {"metadata": read_metadata(path, asked["home"])}


def _inspect(path: str, asked: Answer, say: Say) -> Answer:
    with _decoding(path, asked["home"], say):
        return {"facts": astuple(inspect_image(path, asked["home"]))}


def _colours(path: str, asked: Answer, say: Say) -> Answer:
    with _decoding(path, asked["home"], say):
        return {"colours": colours_in_file(path, asked["home"])}


def _small(path: str, asked: Answer, say: Say) -> Answer:
    with _decoding(path, asked["home"], say):
        (width, height), pixels = small_picture(path, tuple(asked["box"]), asked["home"])
    return {"small": [width, height, base64.b64encode(pixels).decode("ascii")]}


def _clip(path: str, asked: Answer, say: Say) -> Answer:
    from pipeline.clips import facts, reading  # with FFmpeg, which few ask for

    home = asked["home"]
    size = reading.clip_file_bytes(path)
    seconds = clip_seconds(size)
    say({"seconds": seconds})
    with _within(seconds, clip_bytes(0)):
        pixels = reading.clip_pixels(path, home)
        seconds = clip_seconds(size, pixels * reading.count_of_stills(path))
    say({"seconds": seconds})
    with _within(seconds, clip_bytes(pixels)):
        return {"clip": facts.as_json(reading.clip_facts(path, home))}


@contextmanager
def _decoding(path: str, home: Home, say: Say) -> Iterator[None]:
    pixels = 0
    with suppress(BadImage), _header(path):  # decoding says what is wrong with it
        width, height = image_size(path, home)
        pixels = width * height
    seconds = decoding_seconds(pixels)
    say({"seconds": seconds})
    with _within(seconds, decoding_bytes(pixels, _file_bytes(path))):
        yield


_ANSWERS: dict[str, Callable[[str, Answer, Say], Answer]] = {
    "size": _size,
    "metadata": _metadata,
    "inspect": _inspect,
    "colours": _colours,
    "small": _small,
    "clip": _clip,
}


class _OverrunError(Exception):
    """Decoding wanted more than `budget` bytes."""

    def __init__(self, budget: int) -> None:
        super().__init__(budget)
        self.budget = budget


@contextmanager
def _header(path: str) -> Iterator[None]:
    with _within(HEADER_SECONDS, decoding_bytes(0, _file_bytes(path))):
        yield


@contextmanager
def _within(seconds: float, budget: int) -> Iterator[None]:
    try:
        with memory_for(budget), processor_time(seconds):
            yield
    except (OutOfMemory, MemoryError) as error:
        raise _OverrunError(budget) from error


def _file_bytes(path: str) -> int:
    with suppress(OSError, ValueError):
        return min(os.stat(path).st_size, MAX_BYTES)
    return 0


if __name__ == "__main__":
    main()
