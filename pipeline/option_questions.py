"""What follows from the options of a pair, for all who ask. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pipeline.clip_names import is_clip
from pipeline.option_field import GROUPS, neutral_values

LayerWeights = Mapping[str, float]
Mixture = str | Mapping[str, float]
"""One distance by its name, or several, each with its weight: a map only where a name would not
do."""

STYLE_LOSSES = ("gram", "moments", "histogram", "transport", "neighbours")
INIT_WORDS = ("content", "blurred", "noise", "style", "gray")

DEFAULTS_OF: Mapping[str, Mapping[str, Any]] = {
    # Kolkin et al. (arXiv 2203.13215) start from the photograph without its detail, and bring the
    # style's colours at the end, as cosines know no brightness. 50 evaluations at full size are ten
    # rounds of the last pass, after which the loss hardly falls. Weights by the study in
    # docs/method.md.
    "neighbours": {
        "style_weight": 1.25e-2,
        "tv_weight": 3.0,
        "max_steps": 50,
        "init": "blurred",
        "match_color": "tones",
    },
    # What is typical of a style is not so of its empty areas; and hues stay that a grey style has
    # not, the photograph's and those that a descent makes (docs/method.md).
    **{statistics: {"empty_areas": "apart", "match_color": "both"} for statistics in ("gram", "moments", "histogram")},
}
"""Defaults that are other ones with a `style_loss`; in a mixture, with one of its parts, those of
`neighbours` before others, as a mixture walks as they do."""


def parts_of(style_loss: Mixture) -> list[str]:
    """The distances of a `style_loss`, in the order of `STYLE_LOSSES`."""
    return [style_loss] if isinstance(style_loss, str) else sorted(style_loss, key=STYLE_LOSSES.index)


class Questions:
    """The questions to `options.Options`, which has the values."""

    __slots__ = ()
    style_loss: Mixture
    content_loss: str
    content_weight: float
    empty_areas: str
    init: str
    steps: int | str
    max_steps: int
    wrap: str
    size: int | str | tuple[int, int]
    style_scale: float | tuple[float, ...]
    frames: str | tuple[int, int]

    def group(self, name: str) -> tuple[object, ...]:
        """The values of one of `GROUPS`, to keep something by that depends on all of them."""
        values = (getattr(self, option) for option in GROUPS[name])
        return tuple(tuple(v.items()) if isinstance(v, Mapping) else v for v in values)

    @property
    def most_steps(self) -> int:
        """Evaluations at full size, at most."""
        return self.max_steps if self.steps == "auto" else int(self.steps)

    @property
    def style_losses(self) -> Mapping[str, float]:
        """The distances of `style_loss` with their weights, one or several."""
        return {self.style_loss: 1.0} if isinstance(self.style_loss, str) else self.style_loss

    @property
    def style_scales(self) -> tuple[float, ...]:
        """The scales at each of which every style is looked at: one or several."""
        return self.style_scale if isinstance(self.style_scale, tuple) else (self.style_scale,)

    @property
    def samples(self) -> bool:
        """Is something compared at sampled places alone, which are new in every round?"""
        return self.samples_style or (self.content_loss == "self_similarity" and self.content_weight > 0)

    @property
    def samples_style(self) -> bool:
        """Is the style's distance taken there?"""
        return "transport" in self.style_losses

    @property
    def starts_from_file(self) -> bool:
        """Is `init` the path of an image, and not one of its words?"""
        return self.init not in INIT_WORDS

    @property
    def is_texture(self) -> bool:
        """Is the picture one without a content, which alone has two sides to ask for?"""
        return isinstance(self.size, tuple)

    @property
    def areas(self) -> str:
        """How empty areas are painted, as far as options say: `alike` where there is no content, or
        where strokes are to grow by nearest neighbours and none are looked for."""
        nothing = self.is_texture or (self.empty_areas == "stroked" and "neighbours" not in self.style_losses)
        return "alike" if nothing else self.empty_areas

    @property
    def is_clip(self) -> bool:
        """Are several frames painted? Of a pair, whose `frames` are as its content has them
        (`clip_names.settled_frames`)."""
        return is_clip(self.frames)

    @property
    def wraps(self) -> tuple[bool, bool]:
        """Does the picture go on from its other end, from top to bottom, and from left to right?"""
        return self.wrap in ("y", "both"), self.wrap in ("x", "both")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the fields, as pictures, records and the report store
        them: without the options that are `LEFT_OUT`."""
        values, kind = self.all_values(), cast("Any", type(self))
        for name, neutral in neutral_values(kind, "since").items():
            if values[name] == neutral:
                del values[name]
        return values

    def all_values(self) -> dict[str, Any]:
        """Plain JSON values of every option, in the order of the fields."""
        # Ten times as fast as `dataclasses.asdict`, which a plan of ten thousand pairs would feel.
        names: tuple[str, ...] = type(self).__slots__  # those of Options, which has no others
        return {name: plain_value(getattr(self, name)) for name in names}


def plain_value(value: Any) -> Any:
    """A value of an option as JSON has it."""
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
