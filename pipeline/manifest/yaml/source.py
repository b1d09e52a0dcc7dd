"""A manifest's file to its text, or the reason why not.

Guards that cost nothing come before anything is parsed.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from pathlib import Path

import yaml

from pipeline.manifest.yaml.problems import LINE_ENDS, WHOLE_FILE, Place, Problems, did_you_mean

MAX_BYTES = 2_000_000  # 2 MB: some 25,000 pairs written out; what is larger is a `matrix`, or no manifest
ENDINGS = (".yaml", ".yml")
# What YAML does not call printable (1.2, section 5.1).
_NOT_PRINTABLE: re.Pattern[str] = yaml.reader.Reader.NON_PRINTABLE


def read_source(path: Path, display: str) -> tuple[str, Problems]:
    """The text of a manifest and the list its problems go to.

    Raises ManifestError if the file cannot be read as UTF-8 text, naming it as `display`.
    """
    problems = Problems(display)
    data = _read_bytes(path, problems)
    problems.raise_found()
    text = _decode(data, display)
    problems = Problems(display, text)
    if match := _NOT_PRINTABLE.search(text):
        problems.add(
            _place_of(text, match.start()),
            f"the character U+{ord(match.group()):04X} is not allowed in YAML; remove it",
        )
        problems.raise_found()
    return text, problems


def _read_bytes(path: Path, problems: Problems) -> bytes:
    try:
        # A FIFO without a writer would block an ordinary open for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        hint = _file_meant(path) if isinstance(error, FileNotFoundError) else ""
        problems.add(WHOLE_FILE, f"cannot be read: {reason[:1].lower() + reason[1:]}{hint}")
        return b""
    try:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            problems.add(WHOLE_FILE, "is a folder; name the manifest in it")
        elif not stat.S_ISREG(facts.st_mode):
            problems.add(WHOLE_FILE, "is not a regular file")
        elif facts.st_size > MAX_BYTES:
            problems.add(WHOLE_FILE, f"is {facts.st_size / 1e6:.1f} MB; a manifest may be {MAX_BYTES / 1e6:.0f} MB")
        else:
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_BYTES)
    finally:
        os.close(descriptor)
    return b""


def _file_meant(path: Path) -> str:
    """`; did you mean 'configs/night.yaml'?`, or nothing."""
    try:
        # By their stems: the ending that all have in common would make all alike.
        beside = {Path(name).stem: name for name in sorted(os.listdir(path.parent)) if name.endswith(ENDINGS)}
    except OSError:
        return f"; there is no folder {path.parent}"
    meant = did_you_mean(path.stem, beside)
    return f"; did you mean '{path.parent / beside[meant]}'?" if meant else ""


def _decode(data: bytes, display: str) -> str:
    """The text without a byte order mark. Raises ManifestError where it is not UTF-8."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        problems = Problems(display, data.decode("utf-8", "replace"))
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            problems.add(WHOLE_FILE, "is UTF-16; save it as UTF-8")
        else:
            problems.add(
                _place_of(before, len(before)), f"the byte 0x{data[error.start]:02X} is not UTF-8; save it as UTF-8"
            )
        problems.raise_found()
        raise


def _place_of(text: str, index: int) -> Place:
    ends = [match.end() for match in LINE_ENDS.finditer(text, 0, index)]
    return Place(len(ends) + 1, index - (ends[-1] if ends else 0) + 1)
