"""Results that the next run would find as pictures: where the input folder lies in the output
folder, patterns look among results too. Said once for each pattern."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import islice

from pipeline.manifest.options.precedence import Folders
from pipeline.manifest.pairs.choices import Chosen, is_left
from pipeline.manifest.pairs.pictures import found_suffixes, matches
from pipeline.manifest.yaml.problems import Problems, shorten

_LOOKED_AT = 1000  # outputs: a pattern that finds any of a matrix' mostly finds its first


def tell_found_again(patterns: Sequence[Chosen], outputs: Iterable[str], folders: Folders, problems: Problems) -> None:
    """Warn of each pattern that finds what is painted for this manifest, these outputs."""
    root, start = os.path.realpath(folders.output), os.path.realpath(folders.input)
    if not (start + "/").startswith(root + "/"):  # nothing below the output folder is found then
        return
    paths = [os.path.join(root, name) for name in islice(outputs, _LOOKED_AT)]
    for chosen in patterns:
        names = paths
        if not chosen.pattern.startswith("/"):
            names = [path[len(start) + 1 :] for path in paths if path.startswith(start + "/")]
        found = next((name for name in names if _is_found(chosen, name)), None)
        if found is not None:
            problems.warn(
                chosen.place,
                f"'{shorten(chosen.pattern)}' will find results as pictures in the next run ({shorten(found)}); give them"
                f" a folder of their own, or take them away by '!'",
            )


def _is_found(chosen: Chosen, name: str) -> bool:
    is_picture = name.lower().endswith(found_suffixes(chosen.pattern))
    return is_picture and matches(chosen.pattern, name) and is_left(name, chosen.taken_away)
