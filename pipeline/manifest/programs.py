"""Command lines of other programs: which arguments and flags each has, and what our options are in
them.

Sources: options/foreign.yaml names each program's version, presets.yaml what its defaults compute.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import UsageError

ADAM = "adam"
EACH_LAYER = "l1"
"""What brings the gradient of each layer to one length: `StyleLoss:updateGradInput` of
neural_style.lua divides it by its absolute sum and multiplies it by the weight alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Another program's command line. `places` are its arguments without a flag, the last `+` for
    several; flags by what they are: one word, several, or none. `numbers` are flags that are our
    options, with a factor; `rate` is the flag of adam's rate with its factor, `counted` how many
    evaluations one of `steps` is, `normalized` what `normalize_gradients` is here."""

    preset: str
    content: str
    styles: str
    output: str
    steps: str
    counted: int = 1
    places: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    short: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    shares: str = ""
    normalized: str = ""
    rate: tuple[str, float] = ("learning_rate", 1.0)
    optimizer: str = "lbfgs"
    dashes: str = "--"
    commas: bool = False  # several are one word with commas


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_USUAL = {"content_weight": ("content_weight", 1.0), "style_weight": ("style_weight", 1.0)}
_NEURAL_STYLE = Program(
    preset="jcjohnson",
    content="content_image",
    styles="style_image",
    output="output_image",
    steps="num_iterations",
    single=_words(
        "content_image style_image style_blend_weights image_size gpu multigpu_strategy content_weight style_weight "
        "tv_weight num_iterations init init_image optimizer learning_rate seed lbfgs_num_correction print_iter "
        "save_iter output_image style_scale original_colors pooling proto_file model_file backend content_layers "
        "style_layers"
    ),
    switches=("normalize_gradients", "cudnn_autotune"),
    numbers={
        **_USUAL,
        "image_size": ("size", 1),
        "tv_weight": ("tv_weight", 0.5),  # its gradient is that of half the sum
        "style_scale": ("style_scale", 1.0),
        "lbfgs_num_correction": ("history", 1),
        "seed": ("seed", 1),
    },
    shares="style_blend_weights",
    normalized=EACH_LAYER,
    dashes="-",
    commas=True,
)
_NEURAL_STYLE_PT = Program(
    **{
        **{name: getattr(_NEURAL_STYLE, name) for name in Program.__dataclass_fields__},
        "preset": "neural-style-pt",
        "single": (*_NEURAL_STYLE.single, "multidevice_strategy"),
        "switches": (*_NEURAL_STYLE.switches, "normalize_weights", "disable_check"),
        "numbers": {**_NEURAL_STYLE.numbers, "tv_weight": ("tv_weight", 1.0)},
        "normalized": "squared",
    }
)
_CROWSONKB = Program(
    preset="crowsonkb",
    content="content",
    styles="styles",
    output="output",
    steps="iterations",
    places=("content", "styles+"),
    single=_words(
        "output random_seed content_weight tv_weight optimizer min_scale end_scale iterations initial_iterations "
        "save_every step_size avg_decay init style_scale_fac style_size pooling proof host port browser"
    ),
    several=("style_weights", "devices"),
    switches=("web",),
    short={
        **{"-o": "output", "-sw": "style_weights", "-r": "random_seed", "-cw": "content_weight", "-tw": "tv_weight"},
        **{"-ms": "min_scale", "-s": "end_scale", "-i": "iterations", "-ii": "initial_iterations"},
        **{"-ss": "step_size", "-ad": "avg_decay"},
    },
    numbers={
        "content_weight": ("content_weight", 1.0),
        "tv_weight": ("tv_weight", 3250.0),  # as the preset has it: its 2 is 6500 here
        "end_scale": ("size", 1),
        "style_scale_fac": ("style_scale", 1.0),
        "random_seed": ("seed", 1),
        "avg_decay": ("average", 1.0),
    },
    shares="style_weights",
    rate=("step_size", 255.0),  # its pixels are 0..1
    optimizer=ADAM,
)
_CYSMITH = Program(
    preset="cysmith",
    content="content_img",
    styles="style_imgs",
    output="img_name",
    steps="max_iterations",
    single=_words(
        "img_name content_img style_imgs_dir content_img_dir init_img_type max_size content_weight style_weight "
        "tv_weight temporal_weight content_loss_function color_convert_type noise_ratio seed model_weights "
        "pooling_type device img_output_dir optimizer learning_rate max_iterations print_iterations"
    ),
    several=(
        *("style_imgs", "style_imgs_weights", "content_layers", "style_layers", "content_layer_weights"),
        *("style_layer_weights", "style_mask_imgs"),
    ),
    switches=("verbose", "original_colors", "style_mask", "video"),
    numbers={
        **_USUAL,
        "max_size": ("size", 1),
        "tv_weight": ("tv_weight", 1.0),
        "noise_ratio": ("noise_ratio", 1.0),
        "seed": ("seed", 1),
    },
    shares="style_imgs_weights",
)
_ANISHATHALYE = Program(
    preset="anishathalye",
    content="content",
    styles="styles",
    output="output",
    steps="iterations",
    single=_words(
        "content output iterations print_iterations checkpoint_output checkpoint_iterations width network "
        "content_weight_blend content_weight style_weight style_layer_weight_exp tv_weight learning_rate beta1 "
        "beta2 epsilon initial initial_noiseblend pooling"
    ),
    several=("styles", "style_scales", "style_blend_weights"),
    switches=("progress_write", "progress_plot", "preserve_colors", "overwrite"),
    numbers={
        **_USUAL,
        "width": ("size", 1),
        "tv_weight": ("tv_weight", 1.0),
        "style_scales": ("style_scale", 1.0),
        "initial_noiseblend": ("noise_ratio", 1.0),
    },
    shares="style_blend_weights",
    optimizer=ADAM,
)
_TITU1994 = Program(
    preset="titu1994",
    content="base_image_path",
    styles="style_image_paths",
    output="result_prefix",
    steps="num_iter",
    counted=20,  # evaluations of SciPy's L-BFGS-B in one of its iterations
    places=("base_image_path", "style_image_paths+", "result_prefix"),
    single=_words(
        "image_size content_weight style_scale total_variation_weight num_iter model content_layer "
        "content_loss_type rescale_image rescale_method maintain_aspect_ratio init_image pool_type preserve_color "
        "min_improvement content_mask color_mask"
    ),
    several=("style_weight", "style_masks"),
    numbers={
        **_USUAL,
        "image_size": ("size", 1),
        "style_scale": ("style_scale", 1.0),
        "total_variation_weight": ("tv_weight", 1.0),
    },
)
PROGRAMS: Mapping[str, Program] = {
    "jcjohnson/neural-style": _NEURAL_STYLE,
    "ProGamerGov/neural-style-pt": _NEURAL_STYLE_PT,
    "crowsonkb/style-transfer-pytorch": _CROWSONKB,
    "cysmith/neural-style-tf": _CYSMITH,
    "anishathalye/neural-style": _ANISHATHALYE,
    "titu1994/Neural-Style-Transfer": _TITU1994,
}


def program_of(words: Sequence[str]) -> tuple[Program, Sequence[str]]:
    """Whose command line it is, and its arguments."""
    for place, word in enumerate(words):
        arguments = words[place + 1 :]
        if program := _named(posixpath.basename(word), arguments):
            return program, arguments
    raise UsageError(f"no program is known of this command line; known are those of {', '.join(PROGRAMS)}")


def _named(script: str, arguments: Sequence[str]) -> Program | None:
    flags = {word.partition("=")[0] for word in arguments}
    if script == "neural_style.lua":
        return _NEURAL_STYLE
    if script in ("Network.py", "INetwork.py"):
        return _TITU1994
    if script in ("style_transfer", "style-transfer-pytorch"):
        return _CROWSONKB
    if script not in ("neural_style.py", "neural-style", "neural_style"):
        return None
    if flags & {"-content_image", "-style_image"}:
        return _NEURAL_STYLE_PT
    return _CYSMITH if flags & {"--content_img", "--style_imgs"} else _ANISHATHALYE
