"""Settings of a manifest that have no effect on any of its pairs, and axes whose values paint one
picture."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import replace

from pipeline.idle_options import counts_only, with_effect, without_effect
from pipeline.manifest.options.precedence import Setting, Settled
from pipeline.manifest.pairs.matrix import Matrix
from pipeline.manifest.yaml.problems import WHOLE_FILE, Place, Problems
from pipeline.option_field import is_length
from pipeline.options import Options

_BY_DEFAULT = Options()


class IdleSettings:
    """Gathers which settings count in some pair. One that was written, in `defaults`, a preset or a
    pair, and counts in none of the pairs that have it, earns a warning."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._seen: dict[tuple[int, str], Settled] = {}
        self._counts: dict[tuple[str, str], bool] = {}
        self._settings: dict[tuple[str, str], Setting] = {}
        self._told: set[str] = set()

    def look_at(self, settled: Settled, output: str) -> None:
        """Note which of a pair's settings count; its output decides about `quality`."""
        suffix = posixpath.splitext(output)[1].lower()
        if (id(settled), suffix) in self._seen:
            return
        self._seen[id(settled), suffix] = settled  # which also keeps its id
        idle = without_effect(settled.options, suffix)
        if any(is_length(setting.value) for setting in settled.settings.values()):
            idle -= {"dpi"}  # so many pixels the length is
        for name, setting in settled.settings.items():
            written = setting.node is not None and counts_only(name)
            if written and setting.value != getattr(_BY_DEFAULT, name):
                which = (name, setting.origin)
                self._settings.setdefault(which, setting)
                self._counts[which] = self._counts.get(which, False) or name not in idle

    def look_at_axes(self, matrix: Matrix, options: Iterable[Settled], place: Place, suffix: str | None) -> None:
        """Warn where combinations of options would paint one picture; `place` is the matrix'."""
        found = list(options)
        pictures = {repr(_painted(settled.options, suffix)) for settled in found}
        if len(pictures) == len(found):
            return
        axes = [axis.name for axis in matrix.axes if len(axis.choices) > 1]
        idle = [name for name in axes if any(name in without_effect(settled.options, suffix) for settled in found)]
        self._told |= {
            name for name in idle if all(name in without_effect(settled.options, suffix) for settled in found)
        }
        reasons = "; ".join(f"'{name}' {_only(name)}" for name in idle)
        self._problems.warn(
            place,
            f"{len(found)} combinations of options make only {len(pictures)} different "
            f"{'picture' if len(pictures) == 1 else 'pictures'}" + (f": {reasons}" if reasons else ""),
        )

    def finish(self) -> None:
        """Warn of every setting that counts in no pair."""
        for (name, origin), counts in self._counts.items():
            setting = self._settings[name, origin]
            if counts or name in self._told or setting.node is None:
                continue
            here = self._problems.has_places and origin.startswith(self._problems.at(setting.node.place))
            told = f"'{name}'" if here else f"'{name}' ({origin})"
            if here or origin in _FROM_OUTSIDE:
                self._problems.warn(
                    setting.node.place if here else WHOLE_FILE, f"{told} has no effect; it {_only(name)}"
                )


_FROM_OUTSIDE = ("--set", "STYLIZE_SET")


def _painted(options: Options, suffix: str | None) -> Options:
    """What decides the picture: neither the name of a set of options nor tiles, which round."""
    return replace(with_effect(options, suffix), preset=_BY_DEFAULT.preset, tile=_BY_DEFAULT.tile)


def _only(name: str) -> str:
    return f"counts only {counts_only(name)}".replace("`", "'")
