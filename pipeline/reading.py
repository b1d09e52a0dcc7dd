"""Losses by name, and readings of a descent: one line of a trace, a report or a bar. Standard
library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Losses that every objective has, in the order in which reports name them; those of further terms
# follow.
_FIRST_LOSSES = ("total", "content", "style", "tv")
NO_LOSSES = ("step", "seconds", "side")  # the other entries of a reading's row
OF_LAYER = "/"  # between a term and a layer, in the name of that layer's share of the term's loss


class Losses(dict[str, float]):
    """Losses by the names of the objective's terms, and `total`; also as attributes:
    `losses.total`."""

    def __getattr__(self, name: str) -> float:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no loss named {name!r}; there are {', '.join(self)}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The losses of one step. `step` counts evaluations from 1 at this size; `seconds` count from
    the first of them; `side` is the longer side, in pixels, of the picture that was evaluated: the
    result's, or a coarser one of its pyramid; `final` tells the last stage's readings from those of
    the stages before it.

    `losses` are named by the terms of the objective, and one is `total`. Each is already multiplied
    by its weight, so that the others sum to `total` (Eq. 7). `layers` are the shares of layers in
    those that are sums over layers, named `style/block1_conv1`.
    """

    step: int
    seconds: float
    side: int = 0
    final: bool = field(default=True, compare=False)  # in no row: those of a trace are final
    losses: Mapping[str, float]
    layers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_evaluation(cls, found: Mapping[str, float], **about: Any) -> Reading:
        """The reading of an evaluation that gave losses and shares of layers by name."""
        losses, layers = split_by_layer(found)
        return cls(losses=losses, layers=layers, **about)

    @property
    def total(self) -> float:
        """The objective's value."""
        return self.losses["total"]

    @property
    def content(self) -> float:
        """The content term's loss; 0 where the objective has no such term."""
        return self.losses.get("content", 0.0)

    @property
    def style(self) -> float:
        """The style term's loss; 0 where the objective has no such term."""
        return self.losses.get("style", 0.0)

    @property
    def tv(self) -> float:
        """The total variation term's loss; 0 where the objective has no such term."""
        return self.losses.get("tv", 0.0)

    def as_row(self) -> dict[str, float]:
        """Flat, as in report.json's `trace`; `from_row` gives an equal reading back."""
        return {"step": self.step, "seconds": self.seconds, **self.losses, "side": self.side, **self.layers}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Reading:
        """The reading that `as_row` described. Raises KeyError where step, seconds or side is
        missing."""
        found = {name: value for name, value in row.items() if name not in NO_LOSSES}
        return cls.of_evaluation(found, step=row["step"], seconds=row["seconds"], side=row["side"])


def split_by_layer(found: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Losses by name, and the shares of layers in them with six digits: hundreds of rows of them
    are kept."""
    losses = {name: value for name, value in found.items() if OF_LAYER not in name}
    return losses, {name: float(f"{value:.6g}") for name, value in found.items() if OF_LAYER in name}


def loss_names(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The losses in rows of a trace, or in losses by name: total, content, style and tv first,
    whether they are there or not, then those of further terms as they come."""
    found = dict.fromkeys(_FIRST_LOSSES)
    for row in rows:
        found |= dict.fromkeys(row)
    return tuple(name for name in found if name not in NO_LOSSES and OF_LAYER not in name)
