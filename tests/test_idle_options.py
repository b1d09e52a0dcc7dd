"""What has no effect: it is not in the key, its writer is told, and the table that says so is true both ways."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_kit import HEAD, Load, matrix, pair, project_with_pictures

from pipeline.idle_options import EFFECTS, WITH_QUALITY, counts_only, with_effect, without_effect
from pipeline.manifest import Override, load_folder, load_manifest, options_from_python, starter_manifest
from pipeline.manifest.options.rules import RULES
from pipeline.options import INIT_WORDS, OPTION_NAMES, Options
from pipeline.schedule import Machine, Sized, Stage, finished_size, schedule
from pipeline.textures import as_texture

CONFIGS = sorted((Path(__file__).resolve().parent.parent / "configs").glob("*.yaml"))


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


def warnings(load: Load, text: str, *overrides: str) -> list[str]:
    return [warning.removeprefix("configs/m.yaml:").strip() for warning in load(text, *overrides).warnings]


# ------------------------------------------------------------------------------------ its writer is told


@pytest.mark.parametrize(
    ("options", "when"),
    [
        ("learning_rate: 3", "with 'optimizer: adam' or 'gd'"),
        ("optimizer: adam, history: 30", "with 'optimizer: lbfgs'"),
        ("noise_level: 10", "with 'init: noise' and a 'noise_ratio' above 0"),
        (
            "style_layers: [conv1_1], style_weight: 0",
            "with 'style_loss: gram', 'moments' or 'histogram' and a 'style_weight' above 0",
        ),
        (
            "empty_areas: stroked, style_loss: gram",
            "with a content and a 'style_weight' above 0 or a 'match_color', 'stroked' only with 'style_loss: neighbours'",
        ),
        ("quality: 80", "in .avif, .jpeg, .jpg, .mov, .mp4, .webm, .webp outputs"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_named_at_its_place_with_when_it_counts(load, options, when):
    name = options.split(", ")[0 if "adam" not in options else 1].split(":")[0]
    (warning,) = warnings(load, pair(options, output="a.png"))
    assert warning == f"{warning.split(': ')[0]}: '{name}' has no effect; it counts only {when}"
    line, column = map(int, warning.split(": ")[0].split(":"))
    written = (HEAD + pair(options, output="a.png")).splitlines()[line - 1]
    assert written[: column - 1].endswith(f"{name}: ")


def test_an_option_set_by_a_flag_without_effect_is_named_with_the_flag(load):
    assert warnings(load, pair(), "learning_rate=3") == [
        "'learning_rate' (--set) has no effect; it counts only with 'optimizer: adam' or 'gd'"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "defaults: {seed: 5}\n" + pair("style_loss: gram") + pair("init: noise", output="b.png").removeprefix("pairs:\n"),
        "defaults: {quality: 80}\n" + pair(output="a.png") + pair(output="a.jpg").removeprefix("pairs:\n"),
        "presets:\n  mine: {style_loss: gram, seed: 5, init: noise}\n" + pair("preset: mine"),
        pair("preset: jcjohnson"),
        pair("style_loss: gram, seed: 0"),
        pair("style_loss: gram, empty_areas: alike") + pair("empty_areas: stroked", output="b.png").removeprefix("pairs:\n"),
    ],
    ids=["defaults", "quality", "own preset", "the program's preset", "the default value", "strokes"],
)  # fmt: skip
def test_what_counts_for_some_pair_or_was_not_chosen_by_the_writer_earns_no_warning(load, text):
    assert warnings(load, text) == []


def test_an_own_preset_is_told_what_has_no_effect_in_it(load):
    (warning,) = warnings(load, "presets:\n  mine: {style_loss: gram, seed: 5}\n" + pair("preset: mine"))
    assert warning == (
        "5:34: 'seed' has no effect; it counts only with 'init: noise', 'style_loss: neighbours' or 'transport', "
        "or 'content_loss: self_similarity'"
    )


def test_an_axis_of_seeds_that_paints_one_picture_twice_is_told_once(load):
    text = matrix("content: [photos/dog.jpg], style: [art/wave.jpg], seed: [1, 2]", output='"{seed}.png"')
    assert warnings(load, text + "    options: {style_loss: gram}\n") == [
        "5:5: 2 combinations of options make only 1 different picture: 'seed' counts only with 'init: noise', "
        "'style_loss: neighbours' or 'transport', or 'content_loss: self_similarity'"
    ]
    assert warnings(load, text + "    options: {style_loss: gram, init: noise}\n") == []
    assert warnings(load, text) == []


def test_an_axis_that_counts_for_some_values_of_another_is_told_by_number(load):
    axes = "content: [photos/dog.jpg], style: [art/wave.jpg], init: [content, noise], noise_level: [10, 30]"
    assert warnings(load, matrix(axes, output='"{init}-{noise_level}.png"')) == [
        "5:5: 4 combinations of options make only 3 different pictures: 'noise_level' counts only with 'init: noise' "
        "and a 'noise_ratio' above 0"
    ]


def test_presets_that_paint_the_same_are_told_as_one_picture(load):
    text = "presets:\n  one: {extends: draft}\n"
    text += matrix("content: [photos/dog.jpg], style: [art/wave.jpg], preset: [one, draft]", output='"{preset}.png"')
    assert warnings(load, text) == ["7:5: 2 combinations of options make only 1 different picture"]


# --------------------------------------------------------------------------- what comes with the program


def test_the_manifest_that_init_writes_has_nothing_without_effect(load, tmp_path):
    for name in ("content/dog.jpg", "style/wave.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        (tmp_path / "photos" / name).touch()
    file = tmp_path / "written.yaml"
    file.write_text(starter_manifest(tmp_path / "photos", file))
    assert not load_manifest(file).warnings
    gram = Override("style_loss", "gram", "--set")  # of a folder nobody wrote the seed
    assert not load_folder(tmp_path / "photos", overrides=[gram]).warnings


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_the_manifests_that_come_with_the_program_have_nothing_without_effect(file):
    assert not load_manifest(file).warnings


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_comments_of_manifests_name_the_usual_value_as_it_is(file):
    """`tv_weight: 10  # ... than the usual 3`: the usual one is what a pair has that says nothing."""
    for line in file.read_text().splitlines():
        if told := re.search(r"(\w+): [^#]*# .*the usual ([\d.e-]+)", line):
            name, value = told.groups()
            assert float(value.rstrip(".")) == _usual_values()[name]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_axes_of_weights_in_the_manifests_that_come_with_the_program_lie_around_the_usual_value(file):
    for job in load_manifest(file).pairs:
        if "matrix axis" in job.origins["style_weight"]:
            assert 0.1 <= job.options.style_weight / _usual_values()["style_weight"] <= 10


def _usual_values() -> dict[str, Any]:
    from pipeline.manifest.options.presets import usual_values

    return dict(usual_values())


# --------------------------------------------------------------------------------- true in both directions

# What options can be set to, beside their words and examples.
_VALUES: dict[str, list[Any]] = {
    "content_layers": [{"block4_conv2": 1.0}, {"block1_conv1": 0.5, "block2_conv2": 0.5}],
    "style_layers": [{"block1_conv1": 1.0}, {"block2_conv1": 0.5}],
    "style_loss": ["gram", "moments", "histogram", "transport", "neighbours", {"gram": 0.5, "neighbours": 1.0}],
    "init": [*INIT_WORDS],
    "content_weight": [0.0, 1.0, 5.0],
    "style_weight": [0.0, 0.01, 3.0],
    "tv_weight": [0.0, 10.0],
    "strength": [0.3, 1.0],  # with 0 the result is the content, however it was painted
    "noise_ratio": [0.0, 0.6, 1.0],
    "depth": [8, 16],
    "optimizer": ["lbfgs", "adam", "gd"],  # `published` becomes one of these
    "steps": ["auto", 20, 50],
    "size": [1024, "original", (1536, 1024)],
    "sharpen_to": [None, "original", 600, 1500],
    "style_scale": [1.0, 0.5, (0.5, 1.0)],
    "scales": [1, 2, 3],
}
# A name, a file whose hash is in the key, and what decides rounding alone.
_OF_FORMATS = ("quality", "dpi")  # the output's format decides about them
_NAMES = [name for name in OPTION_NAMES if name not in ("preset", "weights", "tile")]


def _values(name: str) -> list[Any]:
    rule = RULES[name]
    return _VALUES.get(name) or [rule.default, *(value for value in rule.examples if value != rule.default)]


_options = st.fixed_dictionaries({name: st.sampled_from(_values(name)) for name in _NAMES}).map(
    lambda values: Options(**values)
)
_PHOTOGRAPH = np.random.default_rng(1).uniform(0, 255, (8, 8, 3)).astype(np.float32)
_STYLE = 255 - _PHOTOGRAPH
_PICTURES = SimpleNamespace(start=None, plain=None, scaled=lambda _options: SimpleNamespace(styles=[(None, 1.0)]))


@pytest.fixture(scope="module")
def made_of() -> Callable[[Options], Any]:
    """All that a painting is made from, as the painting code reads it from options: stages, terms with a weight, optimizer,
    beginning, network, colours. Nothing is evaluated. A term without weight adds 0 to the loss and to its gradient."""
    from pipeline.nst import engine, terms
    from pipeline.nst.terms.neighbours import Neighbours
    from pipeline.nst.terms.part import Part
    from pipeline.nst.terms.self_similarity import SelfSimilarity
    from pipeline.nst.terms.transport import Transport
    from pipeline.stage_inputs import initial_image

    def weighted(options: Options) -> list[Any]:
        made = [make(options) for make in terms.TERMS]
        return [term for each in made for term in (each if isinstance(each, list) else [each]) if term.weight > 0]

    def optimizer(options: Options, stage: Stage) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("Lbfgs", "Adam", "GradientDescent", "SpectralPreconditioner"):
                patch.setattr(
                    engine, name, lambda *given, name=name, **named: (name, given, tuple(sorted(named.items())))
                )
            setting = engine.Setting(options, stage.precision, stage.tiling)
            return engine._optimizer(setting, (8, 8, 3), stage.history)

    def read(options: Options) -> Any:
        options = as_texture(options) if options.is_texture else options
        planned = [
            stage
            for size in ((1700, 1500), (400, 300))
            for stage in schedule(
                options, Sized("c", size), [Sized("s", (1600, 1650))], Machine(precision="float32")
            ).stages
        ]
        looked_at = [(each.term, each.weight, tuple(each.layers.items()), each.last_pass) for each in weighted(options)]
        terms_of_places = (Neighbours, Transport, SelfSimilarity)
        of_places = any(
            isinstance(term.term if isinstance(term, Part) else term, terms_of_places) for term, *_rest in looked_at
        )
        recolours = options.match_color != "none" and options.match_strength > 0
        start = initial_image(_PICTURES, SimpleNamespace(photograph=_PHOTOGRAPH, style_images=[_STYLE]), options, None)
        return (
            [replace(stage, history=0) for stage in planned],
            looked_at,
            options.seed if of_places else None,
            [optimizer(options, stage) for stage in planned],
            (start.tobytes(), options.init == "content"),  # which a finer stage looks at
            (options.network, options.normalize, options.pooling, options.border, options.wrap),
            (
                options.areas if options.style_weight > 0 or recolours else None,
                options.seed if options.areas == "stroked" and options.init == "blurred" else None,  # of grain
                options.normalize_gradients == "l1" and (options.content_weight > 0 or options.style_weight > 0),
                options.patience,
                options.average,
                options.preserve_color,
                options.strength,
                options.depth,
            ),
            finished_size(options, Sized("c", (1700, 1500))),
            # as far as `images.colour.match_colours` goes
            (options.match_color, options.match_strength)
            if options.match_color != "none" and options.match_strength
            else None,
            # as `sequence` and the walk of a clip go
            (options.frames, options.loop, options.temporal_weight, options.steps_per_frame)
            if options.is_clip
            else None,
        )

    return read


@pytest.mark.slow
@settings(max_examples=150)
@given(options=_options, name=st.sampled_from(_NAMES))
def test_the_table_of_what_counts_is_true_in_both_directions(made_of, options, name):
    before = made_of(options)
    others = [replace(options, **{name: value}) for value in _values(name)]
    if name in _OF_FORMATS:
        assert all(made_of(other) == before for other in others)
    elif name in without_effect(options):
        idle = [other for other in others if name in without_effect(other)]  # of `empty_areas` one value alone
        assert all(made_of(other) == before for other in idle)
        assert all(with_effect(other) == with_effect(options) for other in idle)
    else:
        assert any(made_of(other) != before for other in others)


@pytest.mark.slow
@pytest.mark.parametrize("name", _NAMES)
def test_every_option_counts_in_some_company_and_has_none_in_others_only_if_the_table_says_so(made_of, name):
    """The same, option by option, in the company in which it counts."""
    companies = [
        Options(),
        Options(optimizer="adam"),
        Options(init="noise"),
        Options(style_loss="neighbours"),
        Options(match_color="style"),
        Options(frames="all"),
    ]
    counting = [company for company in companies if name not in without_effect(company, ".jpg")]
    assert counting
    if name not in _OF_FORMATS:
        assert any(
            made_of(replace(company, **{name: value})) != made_of(company)
            for company in counting
            for value in _values(name)
        )
    assert bool(counts_only(name)) == any(name in effect.names for effect in EFFECTS) or name in _OF_FORMATS


def test_empty_areas_count_without_a_style_where_colours_are_theirs_or_grain_is_the_beginning():
    bare = Options(style_weight=0.0, empty_areas="apart")
    assert "empty_areas" in without_effect(bare)
    assert "empty_areas" not in without_effect(replace(bare, match_color="style"))
    grain = replace(bare, style_loss="neighbours", empty_areas="stroked", init="blurred")
    assert not {"empty_areas", "seed"} & without_effect(grain)


@pytest.mark.parametrize(
    ("size", "texture", "dpi"), [(512, False, 300), ("original", False, "auto"), ([64, 64], True, "auto")]
)
def test_a_length_that_has_no_effect_decides_no_dots_per_inch(size, texture, dpi):
    options = options_from_python({"size": size, "sharpen_to": "50cm"}, texture=texture)
    assert ("sharpen_to" in without_effect(options)) == (dpi == "auto")
    assert options.dpi == dpi


def test_quality_counts_by_the_format_alone():
    assert all("quality" not in without_effect(Options(), suffix) for suffix in WITH_QUALITY)
    assert "quality" in without_effect(Options(), ".png")
    assert "quality" not in without_effect(Options())
