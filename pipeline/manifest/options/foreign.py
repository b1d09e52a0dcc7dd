"""What other programs call our options: for messages, the docs, and who brings a command line."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.manifest.yaml.problems import Problems
from pipeline.manifest.yaml.source import read_source
from pipeline.manifest.yaml.tree import compose, plain

_FILE = Path(__file__).with_name("foreign.yaml")
_WORDS = "words"


class Foreign(NamedTuple):
    """An option of other programs. `ours` is what to write here, empty where there is no such
    option; `note` is what else there is to know, or what to do instead."""

    programs: str
    name: str
    ours: str
    note: str

    @property
    def here(self) -> str:
        """As the rest of a message."""
        if self.ours:
            return f"here it is '{self.ours}'" + (f" ({self.note})" if self.note else "")
        return f"there is no such option here: {self.note}"


@functools.cache
def _read() -> Mapping[str, Any]:
    text, problems = read_source(_FILE, _FILE.name)
    tree = compose(text, problems, ours=True)
    Problems.raise_found(problems)
    assert tree is not None
    found: Mapping[str, Any] = plain(tree)
    return found


@functools.cache
def foreign_options() -> tuple[Foreign, ...]:
    """All of them, program by program."""
    return tuple(
        Foreign(programs, name, entry.get("ours", ""), entry.get("note", ""))
        for programs, options in _read().items()
        if programs != _WORDS
        for name, entry in options.items()
    )


def named_by_others(name: str) -> Foreign | None:
    """The option of another program that is called so, with dashes or without; None if none is."""
    plain_name = name.strip().lstrip("-").replace("-", "_").lower()
    return next((option for option in foreign_options() if option.name == plain_name), None)


def word_of_others(option: str, word: str) -> str | None:
    """Our word of an option for another program's; None if there is none."""
    found = _read()[_WORDS].get(option, {}).get(word.lower())
    return None if found is None else str(found)
