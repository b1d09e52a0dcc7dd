"""Every option as a typed keyword of `stylize` and `Stylizer`. Made from `Options`: `python -m
docs.keywords`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict


class OptionKeywords(TypedDict, total=False):
    """What each option may be; docs/options.md says what they mean."""

    preset: str
    size: int | str | Sequence[int]
    enlarge: bool
    style_scale: float | Sequence[float]
    style_aspect: Literal["keep", "content"]
    steps: int | Literal["auto"]
    max_steps: int
    scales: int | Literal["auto"]
    optimizer: Literal["lbfgs", "adam", "gd", "published"]
    learning_rate: float | None
    learning_rate_decay: float
    beta_1: float
    beta_2: float
    preconditioner: Literal["auto", "none"]
    history: int | Literal["auto"]
    clip: Literal["always", "end"]
    average: float
    losses: Literal["normalized", "paper", "means", "sums", "roots", "per_pixel"]
    style_loss: Literal["gram", "moments", "histogram", "transport", "neighbours"] | Mapping[str, float]
    content_loss: Literal["features", "self_similarity"]
    content_weight: float
    coarse_content: float
    empty_areas: Literal["alike", "apart", "stroked"]
    coherence: float
    style_weight: float
    normalize_gradients: Literal["none", "l1", "squared"]
    tv_weight: float
    tv_kind: float | Literal["squares", "absolute"]
    tv_unit: Literal["losses", "normalized", "means", "sums"]
    content_layers: Mapping[str, float] | Sequence[str]
    style_layers: Mapping[str, float] | Sequence[str]
    network: Literal["vgg19", "vgg16"]
    normalize: Literal["none", "channels"]
    pooling: Literal["max", "avg", "l2"]
    border: Literal["mirror", "zero"]
    wrap: Literal["none", "x", "y", "both"]
    init: str | os.PathLike[str]
    noise_level: float
    noise_ratio: float
    seed: int
    preserve_color: Literal["none", "luminance", "histogram", "covariance"]
    match_color: Literal["none", "style", "before", "both", "tones", "palette"]
    match_strength: float
    strength: float
    temporal_weight: float
    steps_per_frame: int | Literal["auto"]
    precision: Literal["auto", "float32", "bfloat16"]
    patience: int
    tile: int | Literal["auto", "off"]
    weights: str | os.PathLike[str]
    sharpen_to: int | str | None
    depth: Literal[8, 16]
    dpi: int | Literal["auto"]
    quality: int
    frames: str | Sequence[int]
    loop: bool
