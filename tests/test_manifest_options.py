# ruff: noqa: E501 - what is written and what is said to it are read side by side
"""What the options, the settings of the run and the presets may be, and what is said to what they may not be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from manifest_kit import Load, matrix, pair, project_with_pictures, refusal

from pipeline.errors import OptionError
from pipeline.manifest import builtin_presets
from pipeline.manifest.options.keywords import options_from_python
from pipeline.manifest.options.rules import RULES
from pipeline.nst.network import NETWORKS


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


# --------------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("tile: 100", "'tile' must be a whole number, 256 or more, or one of auto, off; got 100"),
        ("style_scale: 1e300", "'style_scale' must be a number above 0 and at most 100, or a list of up to 8 such numbers; got 1e300"),
        ("optimizer: lbfsg", "'optimizer' must be one of lbfgs, adam, gd, published; got 'lbfsg'; did you mean 'lbfgs'?"),
        ("quality: 101", "'quality' must be a whole number from 1 to 100; got 101"),
        ("steps: 2.5", "'steps' must be a whole number, 1 or more, or 'auto'; got 2.5"),
        ("strength: [1]", "'strength' must be a number from 0 to 1; got [1]"),
        ("frames: [5, 2]", "'frames' must be one of auto, all, first, preview, 'every N', or [first, last] with numbers from 0 that do not fall; got [5, 2]"),
        ("style_scale: [1, 1, 1, 1, 1, 1, 1, 1, 1]", "'style_scale' must be a number above 0 and at most 100, or a list of up to 8 such numbers; got [1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        ("depth: '16'", "'depth' must be one of 8, 16; got \"16\" in quotes; write it without quotes"),
        ("learning_rate: 0", "'learning_rate' must be a number above 0; got 0"),
        ("learning_rate_decay: 1.5", "'learning_rate_decay' must be a number above 0 and at most 1; got 1.5"),
        ("beta_1: 1", "'beta_1' must be a number from 0 to 0.99999; got 1"),
        ("tv_kind: 1", "'tv_kind' must be a number from 2 to 4, or one of squares, absolute; got 1"),
        ("init: niose", "'init' must be one of content, blurred, noise, style, gray, or the path of a picture; got 'niose'; did you mean 'noise'?"),
        ("weights: vgg.pt", "'weights' must be one of auto, imagenet, imagenet-8bit, random, or the path of a .h5 file; got 'vgg.pt'"),
        ("content_layers: conv4_2", "'content_layers' must be a list of layers, or a map 'layer: weight'; got 'conv4_2'"),
        ("content_layers: [conv4_9]", "'content_layers': unknown layer 'conv4_9'; did you mean 'conv4_4'?"),
        ("content_layers: [relu4_2_linear]", "'content_layers': unknown layer 'relu4_2_linear'; did you mean 'conv4_2_linear'?"),
        ("content_layers: [conv4_2, relu4_2]", "'content_layers': layer 'relu4_2' is given twice ('block4_conv2'); keep one"),
        ("content_layers: {conv4_2: -1}", "'content_layers': the weight of layer 'conv4_2' must be a number, 0 or more; got -1"),
        ("content_layers: {conv4_2: 0}", "'content_layers': at least one layer with a weight above 0 is needed"),
        ("content_layers: []", "'content_layers': at least one layer with a weight above 0 is needed"),
    ],
)  # fmt: skip
def test_a_wrong_option_says_what_it_may_be(load: Load, option: str, message: str) -> None:
    assert [told.split(" error: ")[1] for told in refusal(load, pair(option))] == [message]


def test_paths_among_the_options_are_found_where_they_are_meant(load: Load, tmp_path: Path) -> None:
    options = load(pair("init: sketch.png, weights: ../vgg.h5")).pairs[0].options
    assert options.init == str(tmp_path / "input/sketch.png")
    assert Path(options.weights).resolve() == tmp_path / "vgg.h5"
    assert load(pair(), "weights=own.h5").pairs[0].options.weights == str(tmp_path / "own.h5")


def test_a_layer_before_its_relu_is_another_than_after_it(load: Load) -> None:
    text = pair("content_layers: [conv4_2, conv4_2_linear, block5_conv1_linear]")
    assert list(load(text).pairs[0].options.content_layers) == [
        "block4_conv2_linear",
        "block4_conv2",
        "block5_conv1_linear",
    ]


def test_layers_come_out_in_the_order_of_the_network(load: Load) -> None:
    assert list(load(pair("style_layers: [conv5_1, conv1_1]")).pairs[0].options.style_layers) == [
        "block1_conv1",
        "block5_conv1",
    ]


def test_keys_with_x_are_ignored_wherever_keys_are_fixed(load: Load) -> None:
    text = "x-a: 1\nrun: {x-b: 2}\npresets: {x-c: {nonsense: 3}}\n" + pair("x-d: 4", meta="{x-kept: 5}")
    assert load(text).pairs[0].meta == {"x-kept": 5}


@pytest.mark.parametrize(
    ("written", "kept"),
    [("90s", 90), ("45m", 2_700), ("7h", 25_200), ("1h30m", 5_400), ("2d", 172_800)],
)
def test_durations_have_units(load: Load, written: str, kept: float) -> None:
    assert load(f"run: {{pair_timeout: {written}}}\n" + pair()).run.pair_timeout == kept


def test_files_of_the_run_start_at_the_manifest_and_addresses_stay(load: Load, tmp_path: Path) -> None:
    run = load("run: {log_file: night.log, scheduler: farm.json, engine: dask}\n" + pair()).run
    assert (run.log_file, run.scheduler) == (str(tmp_path / "configs/night.log"), str(tmp_path / "configs/farm.json"))
    assert load("run: {scheduler: 'tcp://10.0.0.1:8786'}\n" + pair()).run.scheduler == "tcp://10.0.0.1:8786"


def test_a_file_of_the_run_that_only_a_shell_would_find_is_warned_of(load: Load) -> None:
    assert load("run: {log_file: ~/night.log, junit: $HOME/j.xml}\n" + pair()).warnings == (
        "configs/m.yaml:4:17: '~' in '~/night.log' is taken as it stands, not expanded; write the path itself",
        "configs/m.yaml:4:37: '$' in '$HOME/j.xml' is taken as it stands, not expanded; write the path itself",
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pair_timeout: 90", "'pair_timeout' must be a duration with its unit, like 90s, 45m, 7h or 1h30m; got 90"),
        ("pair_timeout: 0s", "'pair_timeout' must be a duration with its unit, like 90s, 45m, 7h or 1h30m; got '0s'"),
        ("max_memory: 6", "'max_memory' must be a size with its unit, like 700MiB or 6GiB; got 6"),
        ("deadline: 24:00", "'deadline' must be a time of day from 00:00 to 23:59, like 06:00; got '24:00'"),
        ("threads: 100000", "'threads' must be at most 1024; got 100000"),
        ("on_error: halt", "'on_error' must be one of 'continue' or 'stop'; got 'halt'"),
        ("on_start: ./wake.sh", "'on_start' must be a list; got './wake.sh'"),
        ("on_start: [./wake.sh, 1]", "an item of 'on_start' must be text; got 1; quote it"),
        ("jobs: true", "'jobs' must be a whole number of 1 or more, or 'auto'; got true"),
        ("jobs: 0", "'jobs' must be a whole number of 1 or more, or 'auto'; got 0"),
        ("jobs: all", "'jobs' must be a whole number of 1 or more, or 'auto'; got 'all'"),
    ],
)
def test_a_wrong_setting_of_the_run_says_what_it_may_be(load: Load, setting: str, message: str) -> None:
    told = refusal(load, f"run: {{{setting}}}\n" + pair())
    assert [line.split(" error: ")[1] for line in told] == [message]


# -------------------------------------------------------------------------------------------------------------- network

NO_SUCH_LAYER = "network vgg16 has no layer 'block3_conv4', which vgg19 has; did you mean 'block3_conv3'?"


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("network: vgg16, weights: own.h5, content_layers: [conv2_1, conv3_4]", "7:74"),
        ("network: vgg16, weights: own.h5, content_layers: {conv2_1: 1, relu3_4: 2}", "7:77"),
    ],
)
def test_a_layer_of_another_network_is_told_where_it_is_written(load: Load, options: str, place: str) -> None:
    assert refusal(load, pair(options)) == [f"{place}: error: 'content_layers': {NO_SUCH_LAYER}"]


def test_a_layer_of_another_network_is_told_at_its_preset_once(load: Load) -> None:
    text = "presets: {p: {style_layers: [conv3_4]}}\ndefaults: {preset: p, network: vgg16, weights: a.h5}\n"
    two = pair() + "  - {content: photos/dog.jpg, style: art/wave.jpg, output: two.png}\n"
    assert refusal(load, text + two) == [f"4:30: error: 'style_layers': {NO_SUCH_LAYER}"]


def test_a_layer_that_is_set_from_outside_is_told_at_the_pair(load: Load) -> None:
    told = refusal(load, pair("network: vgg16, weights: own.h5"), "style_layers=[conv3_4]")
    assert told == [f"5:5: error: 'style_layers' (--set): {NO_SUCH_LAYER}"]


def test_an_axis_of_networks_tells_every_fault_of_its_combinations(load: Load) -> None:
    axes = "content: photos/dog.jpg, style: art/*.jpg, network: [vgg19, vgg16], style_layers: [[conv1_1], [conv3_4]]"
    told = refusal(load, matrix(axes, options="{weights: random, content_layers: [conv4_4]}", output='"{index}.png"'))
    assert told == [
        f"5:109: error: 'style_layers': {NO_SUCH_LAYER}",
        "6:49: error: 'content_layers': network vgg16 has no layer 'block4_conv4', which vgg19 has; "
        "did you mean 'block4_conv3'?",
    ]


@pytest.mark.parametrize("loss", ["neighbours", "{gram: 1, neighbours: 2}"])
def test_neighbours_are_evaluated_in_tiles_of_any_side(load: Load, loss: str) -> None:
    assert load(pair(f"style_loss: {loss}, tile: 512")).pairs[0].options.tile == 512


# ------------------------------------------------------------------------------------------------------------- mixtures


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("gram", "gram"),
        ("{gram: 1}", "gram"),
        ("{neighbours: 1.0}", "neighbours"),
        ("{gram: 2}", {"gram": 2.0}),
        ("{neighbours: 1, gram: 1e-1}", {"gram": 0.1, "neighbours": 1.0}),
    ],
)
def test_a_mixture_of_one_is_its_name(load: Load, written: str, kept: object) -> None:
    options = load(pair(f"style_loss: {written}")).pairs[0].options
    assert options.style_loss == kept
    assert list(options.style_losses) == ([kept] if isinstance(kept, str) else list(kept))
    assert load(pair(), f"style_loss={written}").pairs[0].options == options


@pytest.mark.parametrize(
    ("written", "place", "message"),
    [
        ("grams", "5:15", "must be one of gram,"),
        ("[gram]", "5:15", "must be one of gram,"),
        ("{}", "5:15", "must be one of gram,"),
        ("{gram: 1, neighbors: 1}", "5:25", "unknown distance 'neighbors'; did you mean 'neighbours'?"),
        ("{gram: 0}", "5:16", "the weight of 'gram' must be a number above 0; got 0"),
        ("{gram: .inf}", "5:16", "the weight of 'gram' must be a number above 0; got inf"),
        ("{moments: true}", "5:16", "the weight of 'moments' must be a number above 0; got True"),
    ],
)
def test_a_wrong_mixture_is_told_where_it_is_written(load: Load, written: str, place: str, message: str) -> None:
    (told,) = refusal(load, f"defaults:\n  style_loss: {written}\n" + pair())
    assert told.startswith(f"{place}: error: 'style_loss'")
    assert message in told


def test_mixtures_can_be_an_axis(load: Load) -> None:
    axes = "content: photos/dog.jpg, style: art/wave.jpg, style_loss: [gram, {gram: 0.1, neighbours: 1}]"
    jobs = load(matrix(axes, output='"{style_loss}.png"')).pairs
    assert [job.output for job in jobs] == ["gram.png", "gram=0.1+neighbours=1.png"]


@pytest.mark.parametrize("weights", ["auto", "imagenet", "imagenet-8bit"])
def test_vgg16_needs_the_path_of_its_weights(load: Load, weights: str) -> None:
    assert refusal(load, pair(f"weights: {weights}, network: vgg16")) == [
        f"7:{35 + len(weights)}: error: 'network': vgg16 has no weights of its own here; "
        f"set 'weights' to the path of a VGG16 .h5 file; got '{weights}', which is VGG19's"
    ]
    assert load(pair(f"weights: {weights}, network: vgg16"), "weights=random").pairs[0].options.network == "vgg16"


def test_what_does_not_hold_together_in_python_says_so() -> None:
    with pytest.raises(OptionError) as caught:
        options_from_python({"network": "vgg16", "content_layers": ["conv3_4"]})
    layers, weights = str(caught.value).splitlines()
    assert layers == f"'content_layers': {NO_SUCH_LAYER}"
    assert weights.startswith("'network': vgg16 has no weights of its own here; set 'weights' to the path")
    assert options_from_python({"network": "vgg16", "weights": "random"}).network == "vgg16"


def test_the_networks_that_an_option_may_name_are_those_there_are() -> None:
    assert RULES["network"].words == tuple(NETWORKS)


# -------------------------------------------------------------------------------------------------------------- presets


def test_presets_extend_each_other_in_any_order(load: Load) -> None:
    text = "presets:\n  big: {extends: base, size: 900}\n  base: {extends: fine, steps: 50}\n"
    job = load(text + pair("preset: big")).pairs[0]
    assert (job.options.size, job.options.steps) == (900, 50)
    assert job.origins["steps"] == "configs/m.yaml:6:32 (preset base)"
    inherited = {name: origin for name, origin in job.origins.items() if origin.startswith("built-in")}
    assert set(inherited) == set(builtin_presets()["fine"].options) - {"size", "steps"}
    assert set(inherited.values()) <= {"built-in preset fine", "built-in preset balanced"}


def test_a_chain_of_a_thousand_presets_is_resolved(load: Load) -> None:
    chain = "".join(f"  p{n}: {{extends: p{n - 1}}}\n" for n in range(1000, 0, -1))
    job = load(f"presets:\n{chain}  p0: {{size: 99}}\n" + pair("preset: p1000")).pairs[0]
    assert job.options.size == 99


@pytest.mark.parametrize(
    ("presets", "message"),
    [
        (
            "{fine: {size: 99}}",
            "4:11: error: 'fine' is a preset of the program; choose another name, and 'extends: fine'",
        ),
        (
            "{p: {preset: fine}}",
            "4:15: error: unknown key 'preset' here; a preset starts from another one by 'extends'",
        ),
        ("{p: {extends: fnie}}", "4:24: error: unknown preset 'fnie'; did you mean 'fine'?"),
        ("{p: [1]}", "4:14: error: preset 'p' must be a map of 'key: value'; got a list"),
        (
            "{p: {size: 1}, q: {extends: p}}",
            "4:21: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got 1",
        ),
    ],
)
def test_a_wrong_preset_is_told_of_once(load: Load, presets: str, message: str) -> None:
    name = "q" if "q:" in presets else "p" if "p:" in presets else "fine"
    assert refusal(load, f"presets: {presets}\n" + pair(f"preset: {name}")) == [message]


def test_the_programs_presets_are_named_and_sourced() -> None:
    presets = builtin_presets()
    assert {"draft", "balanced", "fine", "gatys2016", "blog"} <= set(presets)
    for preset in presets.values():
        assert preset.summary.endswith(".")
        assert "\n" not in preset.summary
        assert preset.source
    assert presets["balanced"].options == {"style_loss": "neighbours"}


# ------------------------------------------------------------------------------------------------------------ published


@pytest.mark.parametrize(
    ("head", "options", "settings", "optimizer", "steps", "history"),
    [
        ("", "preset: gatys2016, optimizer: published", (), "lbfgs", 500, 100),
        ("", "optimizer: published, preset: gatys2016, steps: 20", (), "lbfgs", 20, 100),  # what is written beside it wins
        ("defaults: {preset: gatys2016}\n", "optimizer: published", (), "lbfgs", 500, 100),
        ("defaults: {optimizer: published, steps: 20}\n", "preset: gatys2016", (), "lbfgs", 500, 100),
        ("", "preset: gatys2016", ("optimizer=published",), "lbfgs", 500, 100),
        ("", "preset: gatys2016, optimizer: published", ("preset=anishathalye",), "adam", 1000, 100),
        ("", "preset: gatys2016, optimizer: published", ("optimizer=lbfgs",), "lbfgs", 350, "auto"),
        ("presets: {p: {extends: keras-io, steps: 20}}\n", "preset: p, optimizer: published", (), "gd", 20, 10),
        ("presets: {p: {published: {optimizer: adam, steps: 9}}}\n", "preset: p, optimizer: published", (), "adam", 9, "auto"),
        ("presets: {p: {published: {steps: 9}}}\n", "preset: p, optimizer: published", (), "lbfgs", 9, "auto"),
        ("presets: {p: {extends: gatys2016, optimizer: published}}\n", "preset: p", (), "lbfgs", 500, 100),
        ("presets: {p: {extends: keras-io, optimizer: published, steps: 9}}\n", "preset: p", (), "gd", 9, 10),
        ("presets: {p: {extends: keras-io}, q: {extends: p, optimizer: published}}\n", "preset: q", (), "gd", 4000, 10),
    ],
)  # fmt: skip
def test_published_is_the_descent_of_the_presets_program(
    load: Load, head: str, options: str, settings: tuple[str, ...], optimizer: str, steps: int, history: object
) -> None:
    found = load(head + pair(options), *settings).pairs[0].options
    assert (found.optimizer, found.steps, found.history) == (optimizer, steps, history)


def test_a_preset_with_a_descent_of_its_own_keeps_what_it_extends(load: Load) -> None:
    presets = "presets: {big: {size: 700}, p: {extends: big, steps: 20, published: {optimizer: adam}}}\n"
    ours, own = (load(presets + pair(f"preset: p{more}")).pairs[0].options for more in ("", ", optimizer: published"))
    assert (own.size, own.style_loss, own.steps, own.optimizer) == (700, "neighbours", 20, "adam")
    assert dataclasses.replace(own, optimizer="lbfgs") == ours


NO_PROGRAM = (
    "'optimizer': preset 'fine' has no descent of a program of its own; presets that have are gatys2016, jcjohnson, "
)


def test_published_needs_a_preset_of_a_program(load: Load) -> None:
    (told,) = refusal(load, pair("preset: fine, optimizer: published"))
    assert told.startswith(f"7:40: error: {NO_PROGRAM}")
    with pytest.raises(OptionError, match="preset 'balanced' has no descent of a program"):
        options_from_python({"optimizer": "published"})
    (told,) = refusal(load, "presets: {p: {published: {preset: fine}}}\n" + pair())
    assert told == "4:27: error: unknown key 'preset' here; a preset starts from another one by 'extends'"


def test_an_axis_paints_a_program_in_both_descents_under_two_names(load: Load) -> None:
    axes = "content: [photos/dog.jpg], style: [art/wave.jpg], optimizer: [lbfgs, published]"
    manifest = load(matrix(axes, options="{preset: gatys2016}", output='"{optimizer}.png"'))
    assert [(job.output, job.options.steps) for job in manifest.pairs] == [("lbfgs.png", 350), ("published.png", 500)]
