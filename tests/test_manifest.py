"""What a manifest means: the promised example, which layer wins, overrides, and that reading stays light."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from manifest_kit import CONTRACT, Load, matrix, outputs, pair, project_with_pictures, refusal, usual

from pipeline.errors import ManifestError
from pipeline.job import RunSettings, StyleImage
from pipeline.manifest import Override, builtin_presets, load_manifest
from pipeline.manifest import options as manifest_options
from pipeline.manifest.yaml.problems import Place, Problems
from pipeline.manifest.yaml.source import read_source
from pipeline.manifest.yaml.tree import compose
from pipeline.options import Options


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


# ---------------------------------------------------------------------------------------------------------- the example


def test_the_promised_example_is_read_as_promised(load: Load, tmp_path: Path) -> None:
    manifest = load(CONTRACT, whole=True)
    assert (manifest.name, manifest.input, manifest.output) == (
        "nightly-gallery",
        tmp_path / "input",
        tmp_path / "output",
    )
    assert manifest.file == tmp_path / "configs/m.yaml"
    assert manifest.warnings == ()
    assert manifest.run == RunSettings(
        deadline="06:00",
        max_duration=25_200.0,  # 7 * 3600
        pair_timeout=2_700.0,  # 45 * 60
        retries=1,
        max_memory=6_442_450_944,  # 6 * 1024**3
        workers=1,
        threads=2,
        on_error="continue",
        on_success=("./notify.sh", "ok"),
    )
    first, second, *product = manifest.pairs
    assert first.output == "amsterdam-starry.png"
    assert (first.content, first.priority) == (tmp_path / "input/photos/amsterdam.jpg", 10)
    assert first.styles == (StyleImage(tmp_path / "input/art/starry.jpg"),)
    assert first.where == "configs/m.yaml:26:5"
    assert first.options == usual(seed=7)
    assert second.output == "dog--kandinsky+wave.png"
    assert [(style.image.name, style.weight) for style in second.styles] == [("kandinsky.jpg", 2.0), ("wave.jpg", 1.0)]
    assert second.meta == {"credit": "City museum loan"}
    assert second.options == usual(preset="poster", size=1024, style_weight=0.03, tv_weight=30.0, seed=7)
    assert [job.output for job in product] == [
        f"{content}/{style}-{weight}.png"
        for content in ("amsterdam", "dog")
        for style in ("kandinsky", "mondrian", "starry", "wave")
        for weight in ("0.01", "0.05")
        if (content, style) != ("dog", "mondrian")
    ]


def test_every_value_tells_where_it_came_from(load: Load) -> None:
    origins = load(CONTRACT, "quality=90", whole=True).pairs[1].origins
    assert list(origins) == list(Options().all_values())
    assert {name: origin for name, origin in origins.items() if origin != "built in"} == {
        "style_loss": "built-in preset balanced",
        **dict.fromkeys(("max_steps", "init", "match_color"), "built in for style_loss neighbours"),
        "preset": "configs/m.yaml:34:23 (pair), over balanced of configs/m.yaml:18:20 (defaults)",
        "size": "configs/m.yaml:21:37 (preset poster)",
        "style_weight": "configs/m.yaml:21:57 (preset poster)",
        "tv_weight": "configs/m.yaml:34:42 (pair)",
        "seed": "configs/m.yaml:18:36 (defaults)",
        "quality": "--set",
    }
    in_matrix = load(CONTRACT, whole=True).pairs[3].origins
    assert in_matrix["style_weight"] == "configs/m.yaml:39:28 (matrix axis)"


def test_folders_left_out_lie_beside_the_manifest(load: Load, tmp_path: Path) -> None:
    manifest = load("version: 1\n" + pair(), whole=True)
    assert (manifest.input, manifest.output) == (tmp_path / "configs/input", tmp_path / "configs/output")
    assert manifest.name == "m"


def test_a_file_that_is_missing_is_left_to_its_own_pair(load: Load) -> None:
    assert len(load("pairs: [{content: gone.jpg, style: art/wave.jpg}]\n").pairs) == 1


def test_all_problems_are_told_at_once_in_the_order_of_the_file(load: Load) -> None:
    text = "run: {retries: -1, job: 2}\ndefaults: {szie: 3}\npresets: {p: {steps: 0}}\n"
    text += "pairs:\n  - {content: 3, style: a.jpg}\n  - {content: a.jpg, style: b.jpg, output: '{x}.png'}\n  - {}\n"
    assert refusal(load, text) == [
        "4:16: error: 'retries' must be 0 or more; got -1",
        "4:20: error: unknown key 'job'; did you mean 'jobs'?",
        "5:12: error: unknown option 'szie'; did you mean 'size'?",
        "6:22: error: 'steps' must be a whole number, 1 or more, or 'auto'; got 0",
        "8:15: error: 'content' must be text; got 3; quote it",
        "9:44: error: unknown field '{x}'; fields are content.stem, content.name, content.parent, style.stem, "
        "style.name, style.parent, index, date and the options",
        "10:5: error: 'style' is missing",
    ]


def test_a_problem_shows_its_line_and_a_caret_and_long_lines_are_cut_around_it(load: Load) -> None:
    with pytest.raises(ManifestError) as caught:
        load(f"pairs: [{{content: {'a' * 150}.jpg, stlye: b.jpg, meta: {{note: {'c' * 150}}}}}]\n")
    head, line, caret = str(caught.value).splitlines()
    assert head == "configs/m.yaml:4:175: error: unknown key 'stlye'; did you mean 'style'?"
    assert len(line) == len("    4 | ") + 100
    assert line.startswith("    4 | …aaa")
    assert line.endswith("ccc…")
    assert line[caret.index("^") :].startswith("stlye: b.jpg")


def test_a_thousand_problems_are_enough(load: Load) -> None:
    told = refusal(load, "pairs:\n" + "  - {}\n" * 2000)
    assert len(told) == 1001
    assert told[-1] == "configs/m.yaml: error: more than 1,000 problems; the rest was not looked at".removeprefix(
        "configs/m.yaml:"
    )


def test_fifty_problems_are_shown_and_the_others_counted(load: Load) -> None:
    with pytest.raises(ManifestError) as caught:
        load("pairs:\n" + "  - 0\n" * 52)
    assert str(caught.value).count(" error: ") == 50
    assert str(caught.value).splitlines()[-1] == "configs/m.yaml: and 2 more problems"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("defaults: {style_layers: [" + "conv9_9, " * 3000 + "]}\n", 20),
        ("defaults: {style_layers: [" + "conv1_1, " * 3000 + "]}\n", 20),
        ("defaults: {" + "".join(f"stepz{n}: 1, " for n in range(3000)) + "}\n", 1001),
        ("run: {on_start: [" + "1, " * 3000 + "]}\n", 1001),
    ],
    ids=["unknown layers", "layers given twice", "unknown options", "items of a list"],
)
def test_what_is_said_of_a_long_list_is_bounded(
    load: Load, monkeypatch: pytest.MonkeyPatch, text: str, told: int
) -> None:
    looked_up: list[str] = []
    for module in ("pipeline.manifest.check", "pipeline.manifest.options.rules"):
        name = "did_you_mean" if module.endswith("check") else "suggestion"
        monkeypatch.setattr(f"{module}.{name}", lambda word, known: looked_up.append(word) or "")
    assert len(refusal(load, text + pair())) == told
    assert len(looked_up) <= 2 * 1001


def test_a_problem_in_a_line_of_two_megabytes_looks_at_what_it_shows_of_it() -> None:
    class Line(str):
        """Cut, and not gone through."""

        def __iter__(self) -> Iterator[str]:
            raise AssertionError

    problems = Problems("m.yaml")
    problems._lines = [Line("x" * 2_000_000)]
    problems.add(Place(1, 1_000_000), "wrong")
    assert len(problems.found[0].source_line) == 100


def test_warnings_are_bounded_too(load: Load) -> None:
    pairs = "".join(f"  - {{content: ~/{n}.jpg, style: art/wave.jpg}}\n" for n in range(60))
    warnings = load("pairs:\n" + pairs).warnings
    assert (len(warnings), warnings[-1]) == (51, "configs/m.yaml: and 10 more warnings")


# ----------------------------------------------------------------------------------------------------------- precedence


def test_each_layer_wins_over_those_below_it(load: Load) -> None:
    """built in < defaults < preset of the axis < axis < pair < flag."""
    layers = "defaults: {steps: 11, seed: 11, size: 111, scales: 2, quality: 11}\n"
    layers += "presets: {p: {steps: 22, seed: 22, size: 222}}\n"
    text = layers + matrix(
        "content: [photos/dog.jpg], style: [art/wave.jpg], preset: [p], steps: [33], seed: [33]",
        options="{tv_weight: 44}",
    )
    job = load(text, "steps=55").pairs[0]
    assert job.options == usual(preset="p", steps=55, seed=33, size=222, scales=2, quality=11, tv_weight=44.0)


PRESETS = "presets: {p: {size: 640, steps: 64}, q: {size: 960}}\n"


@pytest.mark.parametrize(
    ("defaults", "options", "settings", "size", "steps"),
    [
        ("preset: p, size: 300", "", (), 300, 64),  # what is written beside a preset wins over it
        ("size: 300, preset: p", "", (), 300, 64),  # wherever it stands
        (
            "preset: p, size: 300",
            "preset: q",
            (),
            960,
            "auto",
        ),  # a nearer preset wins, and replaces the other as a whole
        ("preset: p, size: 300, steps: 30", "preset: q", (), 960, 30),  # over defaults only what it sets itself
        ("preset: p, size: 300", "preset: p", (), 640, 64),
        ("preset: p", "preset: q, size: 99", (), 99, "auto"),
        ("size: 300", "preset: q, size: 99", ("size=55",), 55, "auto"),
        ("size: 300", "size: 99, steps: 9", ("preset=q",), 960, 9),  # a preset by flag is nearer than the pair
        ("size: 300", "preset: p, size: 99", ("preset=q", "size=55"), 55, "auto"),
        ("size: 300", "preset: p, size: 99", ("size=55", "preset=q"), 55, "auto"),
    ],
)
def test_the_nearer_value_wins(
    load: Load, defaults: str, options: str, settings: tuple[str, ...], size: int, steps: int
) -> None:
    won = load(f"{PRESETS}defaults: {{{defaults}}}\n{pair(options)}", *settings).pairs[0].options
    assert (won.size, won.steps) == (size, steps)


def test_what_is_left_out_comes_with_the_style_loss(load: Load) -> None:
    """Steps, start, colours and weight of matching are none for Gram matrices."""
    gram = {"empty_areas": "apart", "match_color": "both"}
    assert load(pair("seed: 1")).pairs[0].options == usual(seed=1)
    assert load(pair("style_loss: gram")).pairs[0].options == Options(**gram)
    assert load(pair("preset: gatys2016")).pairs[0].options.init == "content"
    assert load(pair("style_loss: gram, init: blurred")).pairs[0].options == Options(init="blurred", **gram)
    own = "presets: {mine: {size: 99}, classical: {style_loss: gram}}\n"
    assert load(own + pair("preset: mine")).pairs[0].options == usual(preset="mine", size=99)
    assert load(own + pair("preset: classical")).pairs[0].options == Options(preset="classical", **gram)
    assert load("defaults: {style_loss: gram}\n" + pair("style_loss: neighbours")).pairs[0].options == usual()
    assert load(pair("seed: 1"), "style_loss=gram").pairs[0].options == Options(seed=1, **gram)


@pytest.mark.parametrize("mixture", ["{gram: 0.1, neighbours: 1}", "{neighbours: 1, gram: 0.1}"])
def test_a_mixture_has_what_comes_with_neighbours_before_what_comes_with_others(load: Load, mixture: str) -> None:
    found = load(pair(f"style_loss: {mixture}")).pairs[0].options
    assert (found.match_color, found.empty_areas, found.max_steps) == ("tones", "apart", 50)


def test_whoever_writes_what_is_of_gram_matrices_gets_them(load: Load) -> None:
    """Units and layers of Gram matrices mean nothing to neighbours: manifests that have them are
    painted as before neighbours came."""
    paper = load("defaults: {losses: paper}\n" + pair("style_weight: 3")).pairs[0]
    assert paper.options == Options(losses="paper", style_weight=3.0)
    assert paper.origins["style_loss"].startswith("built in, as 'losses' is written")
    own = "presets: {mine: {extends: fine, style_layers: [conv1_1]}}\n" + pair("preset: mine")
    assert load(own).pairs[0].options.style_loss == "gram"
    assert load(pair("losses: normalized")).pairs[0].options == usual()
    assert load(pair("losses: paper, style_loss: neighbours")).pairs[0].options == usual(losses="paper")


def test_an_axis_wins_over_the_preset_beside_it(load: Load) -> None:
    text = PRESETS + matrix(
        "content: [photos/dog.jpg], style: [art/wave.jpg], size: [100, 200]",
        options="{preset: p}",
        output='"{size}.png"',
    )
    assert [(job.options.size, job.options.steps) for job in load(text).pairs] == [(100, 64), (200, 64)]
    assert outputs(load(text, "preset=q")) == ["960.png"]  # one choice is left of an axis that it sets


def test_a_flag_wins_over_the_environment_and_each_has_its_preset(load: Load) -> None:
    load(PRESETS + pair("size: 99"))

    def won(*settings: tuple[str, str, str]) -> Options:
        overrides = [Override(option, text, origin) for origin, option, text in settings]
        return load_manifest("configs/m.yaml", overrides=overrides).pairs[0].options

    assert won(("STYLIZE_SET", "preset", "p"), ("STYLIZE_SET", "size", "77")).size == 77
    assert won(("STYLIZE_SET", "size", "77"), ("--set", "preset", "q")).size == 960
    assert won(("STYLIZE_SET", "preset", "q"), ("--set", "preset", "p")).size == 640
    assert won(("STYLIZE_SET", "preset", "p"), ("--set", "size", "55")) == usual(preset="p", size=55, steps=64)


def test_what_was_set_goes_with_the_manifest_in_a_command_for_any_folder(load: Load) -> None:
    Path("net.h5").touch()
    manifest = load(pair("size: 99"), "size=55", "weights=net.h5")
    assert manifest.arguments == ("--set", "size=55", "--set", f"weights={Path('net.h5').absolute()}")
    assert load(pair("size: 99")).arguments == ()


def test_what_a_value_won_over_is_told_with_it(load: Load) -> None:
    text = "presets: {p: {size: 640}}\ndefaults: {preset: p, size: 300}\n" + pair("size: 99")
    assert load(text, "size=55").pairs[0].origins["size"] == (
        "--set, over 99 of configs/m.yaml:9:21 (pair), over 300 of configs/m.yaml:5:29 (defaults),"
        " over 640 of configs/m.yaml:4:21 (preset p)"
    )


@pytest.mark.parametrize(
    ("text", "settings", "preset"),
    [
        ("defaults: {preset: fine}\n" + pair(), (), "fine"),
        ("defaults: {preset: fine}\n" + pair("preset: draft"), (), "draft"),
        ("defaults: {preset: fine}\n" + pair("preset: draft"), ("preset=blog",), "blog"),
        ("defaults: {preset: fine}\n" + matrix("content: [a.jpg], style: [b.jpg], preset: [draft]"), (), "draft"),
        (pair(), (), "balanced"),
    ],
)
def test_a_preset_can_be_chosen_in_every_layer(load: Load, text: str, settings: tuple[str, ...], preset: str) -> None:
    options = load(text, *settings).pairs[0].options
    assert options.preset == preset
    given = builtin_presets()[preset].options
    assert {name: getattr(options, name) for name in given} == given


def test_an_option_cannot_be_an_axis_and_set_beside_it(load: Load) -> None:
    text = matrix("content: [a.jpg], style: [b.jpg], size: [256]", options="{size: 300}")
    assert refusal(load, text) == [
        "5:48: error: 'size' is an axis of this matrix and also one of its 'options'; remove one"
    ]


# ------------------------------------------------------------------------------------------------------------ overrides


def test_overrides_are_read_as_yaml(load: Load) -> None:
    settings = (
        "style_weight=1e4",
        "style_layers=[conv1_1, relu2_1]",
        "content_layers={conv4_2: 0.5}",
        "tile=off",
        "seed=8",
    )
    options = load(pair("seed: 3"), *settings).pairs[0].options
    assert options.style_weight == 10_000.0
    assert options.style_layers == {"block1_conv1": 0.5, "block2_conv1": 0.5}
    assert options.content_layers == {"block4_conv2": 0.5}
    assert (options.tile, options.seed) == ("off", 8)


def test_a_later_override_wins(load: Load) -> None:
    assert load(pair(), "seed=1", "seed=2").pairs[0].options.seed == 2


def test_wrong_overrides_are_told_first_and_name_their_origin(load: Load) -> None:
    told = refusal(load, pair("size: 1"), "szie=3", "size=abc", "preset=drft", "steps=", "style_layers=[")
    assert told == [
        "--set: error: unknown option 'szie'; did you mean 'size'?",
        "--set: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', "
        "or [width, height]; got 'abc'",
        "--set: error: unknown preset 'drft'; did you mean 'draft'?",
        "--set: error: 'steps' must be a whole number, 1 or more, or 'auto'; got nothing",
        "--set: error: expected a value here; quote it if it is meant as text",
        "7:21: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', "
        "or [width, height]; got 1",
    ]


def test_dots_per_inch_that_come_of_a_length_are_told_so(load: Load) -> None:
    job = load(pair("size: 30cm")).pairs[0]
    assert (job.options.dpi, job.origins["dpi"]) == (300, "built in, as 'size' is a length")
    job = load(pair("size: 30cm, dpi: 100")).pairs[0]
    assert (job.options.dpi, job.origins["dpi"]) == (100, "configs/m.yaml:7:32 (pair)")


def test_a_key_that_a_manifest_ignores_is_no_option_to_set(load: Load) -> None:
    assert refusal(load, pair(), "x-size=300") == ["--set: error: unknown option 'x-size'"]


def test_a_preset_with_a_fault_that_is_set_is_told_of_once(load: Load) -> None:
    assert refusal(load, "presets: {p: {seed: -1}}\n" + pair(), "preset=p") == [
        "4:21: error: 'seed' must be a whole number from 0 to 4294967295; got -1"
    ]


def test_an_axis_that_an_override_overrules_has_one_value_left(load: Load) -> None:
    text = matrix("content: [a.jpg], style: [b.jpg], size: [256, 512], seed: [1, 2]", output='"{size}-{seed}.png"')
    assert outputs(load(text, "size=64")) == ["64-1.png", "64-2.png"]


# ---------------------------------------------------------------------------------------------------------------- light


@pytest.mark.slow
def test_reading_a_manifest_loads_neither_numpy_nor_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("pairs: [{content: a.jpg, style: b.jpg}]\n")
    code = (
        "import sys; from pipeline.manifest import load_manifest, schema_text; load_manifest('m.yaml'); schema_text();"
        "print(sorted({'numpy', 'tensorflow', 'keras', 'PIL', 'jinja2'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["presets.yaml", "foreign.yaml"])
def test_our_own_files_are_the_same_by_the_fast_parser(name):
    file = Path(manifest_options.__file__).with_name(name)
    text, problems = read_source(file, name)
    fast, slow = (compose(text, problems, ours=ours) for ours in (True, False))
    assert repr(fast) == repr(slow)
