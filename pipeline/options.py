"""What each option of a pair may be. Standard library only.

`Options` is the only home of the defaults, of what each option may be and of its one-line
description: validation, JSON Schema, docs and `pipeline.stylize` read them from its fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.clip_names import FRAMES_WORDS
from pipeline.option_field import neutral_values
from pipeline.option_field import new_option as _new_option
from pipeline.option_field import option as _option
from pipeline.option_questions import INIT_WORDS, STYLE_LOSSES, LayerWeights, Mixture, Questions

DEFAULT_PRESET = "balanced"  # of pairs that name none
_BELOW_ONE = 0.99999  # Adam divides by 1 - β


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Questions):
    """Everything that decides how one pair is painted, with its defaults: those of `style_loss:
    gram`, the classic. `DEFAULTS_OF` has those of other style losses; `DEFAULT_PRESET` says which
    of them a pair has that names neither.

    Values here are final: `published` has become a program's own optimizer, layer names are Keras'
    own, lists of layers have become weights, numbers are in range. Numeric defaults without another
    source were chosen by eye (docs/method.md).
    """

    preset: str = _option(DEFAULT_PRESET, "named set of options to start from", examples=["draft", "fine"])
    size: int | Literal["original"] | tuple[int, int] = _option(
        512,
        "longer side of the result: pixels, a length on paper (`30cm`, `297mm`, `12in`) at `dpi`, or `original`; content is"
        " made larger by `enlarge` only; without a content width and height, or one number for both",
        ge=32,
        lengths=True,
        examples=[768, "30cm"],
    )
    enlarge: bool = _new_option(
        False, "enlarge content that is smaller than `size` before it is painted, by Lanczos' filter", neutral=False
    )
    style_scale: float | tuple[float, ...] = _option(
        1.0,
        "longer side of the style image as a factor of `size`; its aspect ratio is kept; a list looks at the style at several"
        " scales at once, with equal shares",
        gt=0,
        le=100,  # chosen by eye: a brush stroke fills the picture long before
        examples=[0.5, [0.5, 1]],
    )
    style_aspect: str = _option(
        "keep",
        "shape of the style image: `keep` its own, or squeeze it into the `content`'s, as some programs do",
        choices=("keep", "content"),
        neutral="keep",
    )
    steps: int | Literal["auto"] = _option(
        "auto",
        "evaluations of loss and gradient at full size, of `neighbours` those of the last pass; `auto` ends each size when"
        " the picture comes no nearer to its style to the eye, after `max_steps` at most",
        ge=1,
        examples=[200, 500],
    )
    max_steps: int = _new_option(
        200, "evaluations at full size after which `steps: auto` ends at the latest", ge=1, examples=[400], neutral=200
    )
    scales: int | Literal["auto"] = _option(
        "auto",
        "sizes of a coarse-to-fine pyramid, each half the next and the last being `size`; 1 turns it off, `auto` adds sizes"
        " until the coarsest is at most 724 pixels long, of `neighbours` and `transport` about 64",
        ge=1,
        examples=[2],
    )
    optimizer: str = _option(
        "lbfgs",
        "descent on the picture; `published`, of a preset of another program: that program's own, with its rate, history,"
        " clipping and steps",
        choices=("lbfgs", "adam", "gd", "published"),
    )
    learning_rate: float | None = _option(
        None,
        "step of adam (grey levels of 255) and factor of gd; left out: 10 for adam, and for gd the factor whose first step"
        " moves no pixel by more than 10 grey levels",
        gt=0,
        examples=[5.0],
    )
    learning_rate_decay: float = _option(
        1.0,
        "factor by which the rate of adam and gd shrinks in 100 steps, a little in each",
        gt=0,
        le=1,
        examples=[0.96],
        neutral=1.0,
    )
    beta_1: float = _option(0.9, "how long adam remembers gradients", ge=0, le=_BELOW_ONE, examples=[0.99], neutral=0.9)
    beta_2: float = _option(
        0.999, "how long adam remembers their squares", ge=0, le=_BELOW_ONE, examples=[0.99], neutral=0.999
    )
    preconditioner: str = _option(
        "auto",
        "what lbfgs starts from: `auto` is a guess at the curvature, which saves a third of the steps, `none` is plain lbfgs",
        choices=("auto", "none"),
        neutral="auto",
    )
    history: int | Literal["auto"] = _option(
        "auto",
        "steps that lbfgs remembers, two pictures each (in bfloat16 one): `auto` is 20, neighbours 10, fewer above 1500 x 1500",
        ge=1,
        le=200,
        examples=[100],
        neutral="auto",
    )
    clip: str = _option(
        "always",
        "when pixels are brought into 0..255: `always`, after each step, or only at the `end`, as most programs do",
        choices=("always", "end"),
        neutral="always",
    )
    average: float = _new_option(
        0.0,
        "running mean of the pictures of all steps as the result of each size, in which every step keeps this share of what was"
        " before; with 0 the picture of the lowest loss is the result",
        ge=0,
        le=_BELOW_ONE,
        examples=[0.99],
        neutral=0.0,
    )
    losses: str = _option(
        "normalized",
        "unit of the distances: `normalized` means the same at every size and layer, `paper` is Eq. 1 to 5 of Gatys et al.,"
        " `means` are means and `sums` plain sums of squares; `roots` is `paper` with the content divided by the root of its"
        " count, `per_pixel` is `sums` with Gram matrices per pixel of the picture",
        choices=("normalized", "paper", "means", "sums", "roots", "per_pixel"),
    )
    style_loss: Mixture = _new_option(
        "gram",
        "what is compared with the style: `gram` matrices, for brush strokes and textures; `moments`, the mean and"
        " covariance of features; the `histogram` of each feature, beside `gram`; optimal `transport` of sampled places; or"
        " nearest `neighbours`, for drawings, prints and flat colours; a map of several mixes them, each with its share of"
        " `style_weight`",
        choices=STYLE_LOSSES,
        examples=["neighbours", {"gram": 0.1, "neighbours": 1}],
        neutral="gram",
    )
    content_loss: str = _new_option(
        "features",
        "what is kept of the content: its `features`, or its `self_similarity`, which parts of it are alike and which differ",
        choices=("features", "self_similarity"),
        neutral="features",
    )
    content_weight: float = _option(1.0, "weight of the content distance, in `losses`", ge=0, examples=[2.0])
    coarse_content: float = _new_option(
        1.0,
        "by what `content_weight` is multiplied at each coarser size of the pyramid; with 2 it is 4 times as large at a quarter"
        " of `size`, which settles the composition early",
        ge=0,
        examples=[2.0],
        neutral=1.0,
    )
    empty_areas: str = _new_option(
        "alike",
        "what the photograph's empty areas (sky, walls) are painted from: `alike`, all of the style; `apart`, the style's own"
        " alone, without its figures (masks win over it); `stroked`, of `neighbours`: strokes where no style is as plain",
        choices=("alike", "apart", "stroked"),
        neutral="alike",
    )
    coherence: float = _new_option(
        0.0, "of `neighbours`, in stills: what whole strokes count beside likeness", ge=0, examples=[0.6], neutral=0.0
    )
    style_weight: float = _option(3e-2, "weight of the style distance, in the unit of `losses`", ge=0, examples=[5e-2])
    normalize_gradients: str = _new_option(
        "none",
        "bring the gradient of each layer's distance by its features to an absolute sum of 1 (`l1`, as jcjohnson's program), so"
        " that weights alone say how much a layer moves; `squared` is what neural-style-pt makes of that: weights of content"
        " and style are squared",
        choices=("none", "l1", "squared"),
        neutral="none",
    )
    tv_weight: float = _option(10.0, "weight of total variation, in `tv_unit`: smooths", ge=0, examples=[10.0])
    tv_kind: float | Literal["squares", "absolute"] = _option(
        "squares",
        "what total variation sums over neighbouring pixels: `squares` of their differences, `absolute` differences, or, for"
        " a number β, (down² + right²)^(β/2)",
        ge=2,
        le=4,
        examples=["absolute", 2.5],
        neutral="squares",
    )
    tv_unit: str = _option(
        "losses",
        "unit of total variation: that of `losses`, or `normalized`, `means` or `sums` on its own",
        choices=("losses", "normalized", "means", "sums"),
        neutral="losses",
    )
    content_layers: LayerWeights = _option(
        {"block4_conv2": 1.0},
        "layers whose features are kept: a list (equal weights that sum to 1) or layer: weight; `conv4_2` is after its ReLU,"
        " `conv4_2_linear` before it",
        examples=[["conv4_2"], {"relu4_2": 0.7, "relu5_2": 0.3}],
    )
    style_layers: LayerWeights = _option(
        {f"block{block}_conv1": 0.2 for block in (1, 2, 3, 4, 5)},
        "layers whose Gram matrices, moments or histograms are matched: a list (equal weights that sum to 1) or layer: weight",
        examples=[["conv1_1", "conv2_1", "conv3_1"], {"relu1_1": 1.0, "relu4_1": 0.25}],
    )
    network: str = _new_option(
        "vgg19", "network; `vgg16` wants the path of its `weights`", choices=("vgg19", "vgg16"), neutral="vgg19"
    )
    normalize: str = _new_option(
        "none",
        "`channels` rescales the network's filters so that each has a mean activation of 1, as Gatys et al. did",
        choices=("none", "channels"),
        neutral="none",
    )
    pooling: str = _option(
        "max",
        "how the network is made smaller from block to block: by maxima, means, or roots of sums of squares (`l2`)",
        choices=("max", "avg", "l2"),
    )
    border: str = _option(
        "mirror",
        "what the network sees outside the picture: its mirror image, or `zero` as it was trained (leaves a rim)",
        choices=("mirror", "zero"),
    )
    wrap: str = _new_option(
        "none",
        "edges at which the picture goes on from the other side, so that copies side by side show no seam: left and right"
        " (`x`), top and bottom (`y`) or `both`; such sides are multiples of 16 pixels",
        choices=("none", "x", "y", "both"),
        neutral="none",
    )
    init: str = _option(
        "content",
        "picture to start from: `content`, the content `blurred` beyond recognition, `noise`, `style`, middle `gray`, or the"
        " path of an image",
        words=INIT_WORDS,
        examples=["noise", "sketch.png"],
    )
    noise_level: float = _option(
        40.0,
        "standard deviation of `init: noise` around middle grey, in grey levels",
        ge=0,
        examples=[0.001],
        neutral=40.0,
    )
    noise_ratio: float = _option(
        1.0, "share of the noise in `init: noise`; the rest is the content", ge=0, le=1, examples=[0.6], neutral=1.0
    )
    seed: int = _option(
        0, "seed of this pair alone: of noise, and of places that are compared", ge=0, le=2**32 - 1, examples=[7]
    )
    preserve_color: str = _option(
        "none",
        "keep the content's colours: its chroma (`luminance`), or the style recoloured beforehand",
        choices=("none", "luminance", "histogram", "covariance"),
    )
    match_color: str = _new_option(
        "none",
        "bring mean and covariance of colours to the style's: of the result (`style`), of the photograph (`before`) or `both`;"
        " `tones` the result's lights and darks too: the style's paper, its ink; `palette` also each of its colours",
        choices=("none", "style", "before", "both", "tones", "palette"),
        neutral="none",
    )
    match_strength: float = _new_option(
        1.0, "how far `match_color` goes: 0 not at all, 1 the whole way", ge=0, le=1, examples=[0.5], neutral=1.0
    )
    strength: float = _option(1.0, "blend of content (0) and result (1)", ge=0, le=1, examples=[0.8])
    temporal_weight: float = _new_option(
        3e-3,
        "of a clip, how firmly frames hold on to earlier ones: the share of the loss that one grey level of difference counts",
        ge=0,
        neutral=3e-3,
        examples=[1e-2],
    )
    steps_per_frame: int | Literal["auto"] = _new_option(
        "auto",
        "of a clip, evaluations at full size of a frame that follows others",
        ge=1,
        neutral="auto",
        examples=[40],
    )
    precision: str = _option(
        "auto",
        "arithmetic of the descent; `auto`: bfloat16 where that is fast",
        choices=("auto", "float32", "bfloat16"),
    )
    patience: int = _option(
        0,
        "stop early when so many evaluations at full size did not lower the loss by a thousandth; 0 never does",
        ge=0,
        examples=[30],
        neutral=0,
    )
    tile: int | Literal["auto", "off"] = _option(
        "auto",
        "look at tiles of this many pixels, which bounds memory and changes rounding alone; `auto` where memory asks for it",
        ge=256,
        examples=["off", 1024],
    )
    weights: str = _option(
        "auto",
        "the network's: `imagenet` or `imagenet-8bit` (both of vgg19), `auto`, `random`, or the path of an .h5 file",
        words=("auto", "imagenet", "imagenet-8bit", "random"),
        suffixes=(".h5",),
    )
    sharpen_to: int | Literal["original"] | None = _new_option(
        None,
        "longer side to which a picture painted at `size` is enlarged with the photograph's own sharp edges: pixels, a"
        " length on paper at `dpi`, or `original`, the photograph's, beyond which nothing goes; left out: not at all",
        ge=32,
        lengths=True,
        examples=["original", 6000, "50cm"],
        neutral=None,
    )
    depth: Literal[8, 16] = _option(8, "bits per colour of the picture; 16 for .tif outputs only")
    dpi: int | Literal["auto"] = _new_option(
        "auto",
        "dots per inch that png, jpg and tif outputs say, for whoever prints them; `auto` is the content's own, and 300 where"
        " it has none or `size` or `sharpen_to` is a length",
        ge=1,
        le=10_000,
        examples=[300],
        neutral="auto",
    )
    quality: int = _option(95, "of jpg, webp and avif outputs, and of clips", ge=1, le=100, examples=[90])
    frames: str | tuple[int, int] = _new_option(
        "auto",
        "frames of a clip that are painted: `all`, `[first, last]` from 0, `every N`, a `preview` of three, or the `first` as a"
        " picture; `auto`: all of a video or of numbered frames, the first of an animated picture",
        frames=FRAMES_WORDS,
        examples=["all", "every 2", [0, 99]],
        neutral="auto",
    )
    loop: bool = _new_option(
        False, "a clip that is shown again and again: its end is painted to go over into its beginning", neutral=False
    )


OPTION_NAMES: tuple[str, ...] = tuple(f.name for f in dataclasses.fields(Options))

NEUTRAL: Mapping[str, Any] = neutral_values(Options, "neutral")
"""Options that came later, each with the value that paints as before: pairs keep their keys."""

LEFT_OUT: Mapping[str, Any] = neutral_values(Options, "since")
"""Options that `as_dict` leaves out at these values, their neutral ones; where one is missing, this
was its value."""
