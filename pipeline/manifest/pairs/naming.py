"""Names of outputs: patterns like `{content.stem}--{style.stem}.png`, and what is no name.

The fields are read here and not by `str.format`, so that a pattern can reach nothing but the
fields.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.clip_names import OUTPUT_SUFFIXES as CLIP_SUFFIXES
from pipeline.clip_names import count_of_numbers, is_numbered, numbered_stem
from pipeline.manifest.yaml.problems import shorten, suggestion
from pipeline.options import OPTION_NAMES

OUTPUT_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".avif")
DEEP_SUFFIXES = (".tif", ".tiff")  # of formats that can have 16 bits per colour
DEFAULT_PATTERN = "{content.stem}--{style.stem}.png"
DEFAULT_CLIP_PATTERN = "{content.stem}--{style.stem}.mp4"
PICTURE_FIELDS = ("content.stem", "content.name", "content.parent", "style.stem", "style.name", "style.parent", "index")
DATE = "date"
FIELDS = (*PICTURE_FIELDS, DATE, *OPTION_NAMES)

# The run's own files, also those of a shard; a folder of that name would be in their way.
_RESERVED = re.compile(r"report(?:\.[0-9]+-of-[0-9]+)?\.(?:json|html|txt)", re.IGNORECASE)
MAX_COMPONENT_BYTES = 240  # file systems hold 255; the rest is for the temporary file beside it
_MAX_NAME_BYTES = 2000  # Linux opens paths up to 4096 bytes, and the output folder needs its part
_MAX_STEM_BYTES = 100  # two of them and some options still fit into one component
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern in parts: literal text and field names in turn, starting and ending with text."""

    parts: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it names."""
        return self.parts[1::2]

    def render(self, value_of: Callable[[str], str]) -> str:
        """The name with every field's value, without empty and `.` folders."""
        parts = list(self.parts)
        parts[1::2] = map(value_of, self.fields)
        name = "".join(parts)
        if "//" in name or "./" in name:
            lead = "/" if self.parts[0].startswith("/") else ""  # written so, and not by an empty field
            name = lead + "/".join(part for part in name.split("/") if part not in ("", "."))
        return name


def parse_pattern(text: str) -> Pattern:
    """The pattern of an `output`.

    Raises ValueError with a sentence for an unknown field or a stray brace.
    """
    parts = FIELD.split(text)
    for field in parts[1::2]:
        if field not in FIELDS:
            hint = (
                suggestion(field, PICTURE_FIELDS if "." in field else FIELDS)
                or f"; fields are {', '.join(PICTURE_FIELDS)}, {DATE} and the options"
            )
            raise ValueError(f"unknown field '{{{shorten(field)}}}'{hint}")
    if any(brace in text for text in parts[0::2] for brace in "{}"):
        raise ValueError(f"a brace stands alone in '{shorten(text)}'; braces hold a field, like {{content.stem}}")
    return Pattern(tuple(parts))


def suffix_of(pattern: Pattern) -> str | None:
    """The suffix of all names of a pattern; None where they may have several."""
    ends_in_a_field = pattern.parts and not pattern.parts[-1]
    return None if ends_in_a_field else posixpath.splitext(pattern.render(harmless))[1]


def harmless(field: str) -> str:
    """A value for a field with which nothing is wrong: what is wrong then is the pattern."""
    return f"x{DEEP_SUFFIXES[0]}" if field.endswith(".name") else "x"


def today() -> str:
    """The day in local time, as the field `date` has it: 2026-11-26 (ISO 8601)."""
    return datetime.date.today().isoformat()


def on_other_days(name: str, day: str) -> Iterator[str]:
    """What an output of some other day is called on `day`: one name for each date in it."""
    for date in dict.fromkeys(_DATE.findall(name)):
        yield name.replace(date, day)


def output_fault(name: str, *, clip: bool | None = None) -> str | None:
    """Why a name cannot be an output's, as the rest of a sentence, or None. `clip` says whether it
    is a clip's, where that is known."""
    if name.startswith("/"):
        return "is an absolute path; outputs are named below the output folder"
    if not name.isprintable():
        bad = next(character for character in name if not character.isprintable())
        return f"has the character U+{ord(bad):04X} in its name; use printable ones"
    if "\\" in name:
        return "has a backslash in its name; write '/' between folders"
    components = name.split("/")
    if _RESERVED.fullmatch(components[0]):
        return "is a name that the run itself writes; choose another one"
    for component in components:
        if component == "..":
            return "leads out of a folder with '..'; outputs stay below the output folder"
        if component.startswith((".", "-")):
            return f"has a part that starts with '{component[0]}'; start it with another character"
        if len(component) * 4 > MAX_COMPONENT_BYTES and len(os.fsencode(component)) > MAX_COMPONENT_BYTES:
            return f"has a part of {len(os.fsencode(component))} bytes; the limit is {MAX_COMPONENT_BYTES}"
    if len(name) * 4 > _MAX_NAME_BYTES and len(os.fsencode(name)) > _MAX_NAME_BYTES:
        return f"has {len(os.fsencode(name))} bytes; the limit is {_MAX_NAME_BYTES}"
    if is_numbered(name):
        return _numbered_fault(name, clip)
    suffixes = {True: CLIP_SUFFIXES, False: OUTPUT_SUFFIXES, None: (*OUTPUT_SUFFIXES, *CLIP_SUFFIXES)}[clip]
    if not components[-1].lower().endswith(suffixes):
        return f"must end in one of {', '.join(suffixes)}" + (_TO_BE_A_CLIP if clip else "")
    return None


_TO_BE_A_CLIP = ", or have a number in it (%05d.png), to be a clip"


def _numbered_fault(name: str, clip: bool | None) -> str | None:
    """The same of a name that stands for the numbered frames of a clip."""
    if clip is False:
        return "stands for the frames of a clip, and this is one picture; take the number out of it"
    if count_of_numbers(name) > 1:
        return "has two numbers in it; a frame has one"
    if not name.lower().endswith(OUTPUT_SUFFIXES):
        return f"must end in one of {', '.join(OUTPUT_SUFFIXES)} to be numbered frames"
    return None


def identity(name: str) -> str:
    """Equal for names that some file system takes for one: case and Unicode form do not count."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def picture_fields(names: tuple[str, ...], role: str) -> dict[str, str]:
    """The fields of `content` or `style` for a name, or for those of a blend, joined by `+`."""
    stems, bases, parents = [], [], []
    for name in names:
        parent, base = posixpath.split(name)
        stem, suffix = posixpath.splitext(base)
        stem = numbered_stem(name) if is_numbered(name) else stem
        stems.append(_tidy(stem))
        bases.append(_tidy(stem) + suffix if stem else _tidy(base))
        # Outside of the input folder only the last folder's name is kept: a name cannot hold '..'
        # or a root.
        inside = not posixpath.isabs(parent) and ".." not in parent.split("/")
        folders = parent.split("/") if inside else [posixpath.basename(parent.rstrip("/."))]
        parents.append("/".join(_tidy(folder) for folder in folders if folder not in ("", ".")) or ".")
    return {
        f"{role}.stem": "+".join(stems),
        f"{role}.name": "+".join(bases),
        f"{role}.parent": "+".join(dict.fromkeys(parents)),
    }


def option_field(value: Any) -> str:
    """An option's value as a part of a name: numbers as short as possible, layers joined by `+`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, tuple):
        return ("x" if all(isinstance(each, int) for each in value) else "+").join(map(option_field, value))
    if isinstance(value, Mapping):
        equal = len(set(value.values())) == 1
        return "+".join(layer if equal else f"{layer}={option_field(weight)}" for layer, weight in value.items())
    if isinstance(value, str) and "/" in value:
        return _tidy(posixpath.splitext(posixpath.basename(value))[0])
    return "default" if value is None else _tidy(str(value))


def _tidy(text: str) -> str:
    """A file's name, fit to be a part of an output's: no unlucky picture stops the manifest."""
    if not text.isprintable() or "/" in text or "\\" in text:
        text = "".join("_" if c in "/\\" or not c.isprintable() else c for c in text)
    if text.startswith((".", "-")):
        text = "_" + text[1:]
    if len(text) * 4 > _MAX_STEM_BYTES and len(encoded := text.encode()) > _MAX_STEM_BYTES:
        digest = hashlib.sha256(encoded).hexdigest()[:8]
        text = encoded[: _MAX_STEM_BYTES - len(digest) - 1].decode(errors="ignore") + "-" + digest
    return text
