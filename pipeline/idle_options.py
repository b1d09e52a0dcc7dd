"""Which options decide nothing in the company of the others. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from pipeline.clip_names import LOSSLESS_SUFFIXES, OUTPUT_SUFFIXES
from pipeline.options import Options
from pipeline.textures import STARTS_OF_CONTENT

WITH_QUALITY = frozenset({".jpg", ".jpeg", ".webp", ".avif"})  # formats that lose something
CLIPS_WITH_QUALITY = frozenset(OUTPUT_SUFFIXES) - set(LOSSLESS_SUFFIXES)
WITHOUT_DPI = frozenset({".webp", ".avif"})  # formats that have no place for it


class Effect(NamedTuple):
    """When some options decide anything: in words that follow "counts only", and as a question to a
    pair's options."""

    names: tuple[str, ...]
    when: str
    decides: Callable[[Options], bool]


def without_effect(options: Options, suffix: str | None = None) -> frozenset[str]:
    """Options that decide nothing in the company of the others, as `seed` where nothing is noise,
    and in an output with this suffix (`.png`), where it is known: whatever they are, the picture is
    the same."""
    idle = frozenset(name for effect in EFFECTS if not effect.decides(options) for name in effect.names)
    if suffix is not None and suffix.lower() not in WITH_QUALITY | CLIPS_WITH_QUALITY:
        idle |= {"quality"}
    return idle | {"dpi"} if suffix is not None and suffix.lower() in WITHOUT_DPI | set(OUTPUT_SUFFIXES) else idle


def with_effect(options: Options, suffix: str | None = None) -> Options:
    """The options as they count: those without effect are as if they were left out."""
    left_out = Options()
    return replace(options, **{name: getattr(left_out, name) for name in without_effect(options, suffix)})


def counts_only(name: str) -> str:
    """When an option decides something, in words, such as "with `optimizer: adam`"; empty where it
    always does."""
    if name == "quality":
        return f"in {', '.join(sorted(WITH_QUALITY | CLIPS_WITH_QUALITY))} outputs"
    if name == "dpi":
        return "in png, jpg and tif outputs"
    return next((effect.when for effect in EFFECTS if name in effect.names), "")


def _keeps_content(options: Options) -> bool:
    return options.content_weight > 0 and not options.is_texture


def _keeps_features(options: Options) -> bool:
    return _keeps_content(options) and options.content_loss == "features"


def _looks_at_style_layers(options: Options) -> bool:
    return options.style_weight > 0 and not _OF_THEIR_OWN.issuperset(options.style_losses)


def _chooses_places(options: Options) -> bool:
    of_style = options.style_weight > 0 and not _OF_THEIR_OWN.isdisjoint(options.style_losses)
    return of_style or (_keeps_content(options) and options.content_loss == "self_similarity")


def _starts_from_noise(options: Options) -> bool:
    return options.init == "noise" or (options.is_texture and options.init in STARTS_OF_CONTENT)


def _has_noise(options: Options) -> bool:
    return _starts_from_noise(options) and options.noise_ratio > 0


def _paints_by_areas(options: Options) -> bool:
    """Areas have a style and a palette of their own, or grain to begin with."""
    recolours = options.match_color != "none" and options.match_strength > 0
    return options.style_weight > 0 or recolours or _has_grain(options)


def _has_grain(options: Options) -> bool:
    return options.areas == "stroked" and options.init == "blurred"


def _strokes_nothing(options: Options) -> bool:
    return options.empty_areas != options.areas


def _matches_colours(options: Options) -> bool:
    return options.match_color != "none" and not (options.is_texture and options.match_color == "before")


# Distances of the style that look at layers of their own, in no unit of `losses`, at places that
# the seed chooses.
_OF_THEIR_OWN = frozenset({"transport", "neighbours"})
_AT_LAYERS = "`style_loss: gram`, `moments` or `histogram`"

# Options and when they decide something; those not named here always do, but for `quality` and
# `dpi`, which the output's format decides about.
EFFECTS: tuple[Effect, ...] = (
    Effect(
        ("learning_rate", "learning_rate_decay"),
        "with `optimizer: adam` or `gd`",
        lambda options: options.optimizer != "lbfgs",
    ),
    Effect(("max_steps",), "with `steps: auto`", lambda options: options.steps == "auto"),
    Effect(("beta_1", "beta_2"), "with `optimizer: adam`", lambda options: options.optimizer == "adam"),
    Effect(("preconditioner", "history"), "with `optimizer: lbfgs`", lambda options: options.optimizer == "lbfgs"),
    Effect(("noise_ratio",), "with `init: noise`", _starts_from_noise),
    Effect(("noise_level",), "with `init: noise` and a `noise_ratio` above 0", _has_noise),
    Effect(
        ("seed",),
        "with `init: noise`, `style_loss: neighbours` or `transport`, or `content_loss: self_similarity`",
        lambda options: _has_noise(options) or _chooses_places(options) or _has_grain(options),
    ),
    Effect(("content_weight", "preserve_color", "strength"), "with a content", lambda options: not options.is_texture),
    Effect(
        ("coarse_content",),
        "with `scales` other than 1 and a `content_weight` above 0",
        lambda options: options.scales != 1 and _keeps_content(options),
    ),
    Effect(
        ("empty_areas",),
        "with a content and a `style_weight` above 0 or a `match_color`, `stroked` only with `style_loss: neighbours`",
        lambda options: _paints_by_areas(options) and not options.is_texture and not _strokes_nothing(options),
    ),
    Effect(
        ("coherence",),
        "with `style_loss: neighbours` and a `style_weight` above 0, not in a clip",
        lambda options: options.style_weight > 0 and "neighbours" in options.style_losses and not options.is_clip,
    ),
    Effect(("content_loss",), "with a `content_weight` above 0", _keeps_content),
    Effect(("content_layers",), "with `content_loss: features` and a `content_weight` above 0", _keeps_features),
    Effect(("style_layers",), f"with {_AT_LAYERS} and a `style_weight` above 0", _looks_at_style_layers),
    Effect(
        ("losses",),
        f"with {_AT_LAYERS}, `content_loss: features` or `tv_unit: losses`, and a weight of that above 0",
        lambda options: (
            _keeps_features(options)
            or _looks_at_style_layers(options)
            or (options.tv_weight > 0 and options.tv_unit == "losses")
        ),
    ),
    Effect(
        ("normalize_gradients",),
        "with a `content_weight` or `style_weight` above 0",
        lambda options: _keeps_content(options) or options.style_weight > 0,
    ),
    Effect(("tv_kind", "tv_unit"), "with a `tv_weight` above 0", lambda options: options.tv_weight > 0),
    Effect(
        ("enlarge",),
        "with a `size` in numbers and a content",
        lambda options: options.size != "original" and not options.is_texture,
    ),
    Effect(
        ("sharpen_to",),
        "with a content and a `size` in numbers",
        lambda options: isinstance(options.size, int),  # of a texture it is two
    ),
    Effect(("match_color",), "with a `match_strength` above 0", lambda options: options.match_strength > 0),
    Effect(("match_strength",), "with a `match_color`", _matches_colours),
    Effect(("loop", "temporal_weight", "steps_per_frame"), "with a clip", lambda options: options.is_clip),
)
