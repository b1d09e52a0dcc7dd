"""Who comes from another program: its names lead to ours, and its command line to a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from manifest_kit import Load, pair, project_with_pictures, refusal

from pipeline.errors import OptionError, UsageError
from pipeline.job import Job
from pipeline.manifest import load_manifest, manifest_for_command, options_from_python
from pipeline.manifest.options.foreign import foreign_options, named_by_others
from pipeline.manifest.options.rules import RULES
from pipeline.manifest.run_section import RunSection

OF_A_MANIFEST = {"content", "style", "output", "input", "--force"}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


def imported(folder: Path, line: str, **how: Any) -> tuple[Job, list[str]]:
    text, notes = manifest_for_command(line, **how)
    (folder / "imported.yaml").write_text(text)
    (job,) = load_manifest(folder / "imported.yaml").pairs
    return job, notes


# ------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("option", foreign_options(), ids=lambda option: option.name)
def test_every_name_leads_to_something_that_there_is(option):
    if not option.ours:
        assert option.note
        return
    name = option.ours.partition(":")[0].partition(",")[0]
    known = {*RULES, *OF_A_MANIFEST, *RunSection.model_fields, "save_every"}
    assert name in known


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("iterations: 3", "here it is 'steps'"),
        ("num_iterations: 3", "here it is 'steps' (our descent needs fewer; `optimizer: published` counts as the program "
         "does)"),
        ("image_size: 3", "here it is 'size' (content is only ever made smaller)"),
        ("end_scale: 3", "here it is 'size'"),
        ("tv-weight: 3", "here it is 'tv_weight' (in the unit of `tv_unit`; the preset has the program's own)"),
        ("step_size: 3", "here it is 'learning_rate' (of adam, in grey levels: 255 times the program's)"),
        ("gpu: 0", "there is no such option here: a GPU is used where TensorFlow finds one; the environment's "
         "CUDA_VISIBLE_DEVICES chooses"),
    ],
)  # fmt: skip
def test_a_name_of_another_program_is_told_by_the_table_and_not_by_spelling(load, written, message):
    name = written.partition(":")[0]
    assert refusal(load, pair(written))[0].endswith(f"error: unknown option '{name}'; {message}")
    with pytest.raises(OptionError, match="unknown option"):
        options_from_python({name: 3})


@pytest.mark.parametrize(
    ("written", "ours"), [("init: random", "noise"), ("init: image", "content"), ("pooling: average", "avg")]
)
def test_a_word_of_another_program_is_told_as_ours(load, written, ours):
    assert refusal(load, pair(written))[0].endswith(f"; that is '{ours}' here")


def test_our_own_names_are_nobody_elses():
    assert named_by_others("szie") is None
    assert all(named_by_others(name) is None or named_by_others(name).ours for name in RULES)


# --------------------------------------------------------------------------------------- command lines


def test_a_command_line_of_neural_style_becomes_its_preset_with_what_it_says_otherwise(tmp_path):
    job, notes = imported(
        tmp_path,
        "th neural_style.lua -style_image a.jpg,b.jpg -style_blend_weights 3,7 -content_image c.jpg -image_size 800 "
        "-num_iterations 500 -gpu -1 -original_colors 1 -init image -tv_weight 0.0001 -output_image res/x.png "
        "-content_layers relu4_2,relu3_2 -style_layers relu1_1,relu2_2 -seed -1 -lbfgs_num_correction 0",
    )
    assert (job.output, job.content.name) == ("x.png", "c.jpg")
    assert [(style.image.name, style.weight) for style in job.styles] == [("a.jpg", 3.0), ("b.jpg", 7.0)]
    options = job.options
    assert (options.preset, options.size, options.init, options.preserve_color) == (
        *("jcjohnson", 800, "content", "luminance"),
    )
    assert options.steps == 350  # 700 of ours for 1000 of its
    assert options.tv_weight == 5e-5  # half, as its gradient is that of half the sum
    assert options.content_layers == {"block3_conv2": 1.0, "block4_conv2": 1.0}
    assert options.style_layers == {"block1_conv1": 1 / 64**2, "block2_conv2": 1 / 128**2}
    assert (options.optimizer, options.history, options.seed) == ("lbfgs", "auto", 0)
    assert [note.partition(":")[0] for note in notes] == ["num_iterations 500", "gpu -1"]


def test_without_flags_it_is_the_preset_itself(tmp_path):
    job, notes = imported(tmp_path, "python3 neural_style.py -content_image c.jpg -style_image s.jpg")
    assert job.options == options_from_python({"preset": "neural-style-pt"})
    assert notes == []
    published, _ = imported(tmp_path, "neural-style -content_image c.jpg -style_image s.jpg", published=True)
    assert published.options == options_from_python({"preset": "neural-style-pt", "optimizer": "published"})


@pytest.mark.parametrize(
    ("line", "options"),
    [
        (
            "style_transfer c.jpg s.jpg -s 1024 -i 250 -tw 4 --init gray --pooling l2 -r 3 -o o.png",
            {"preset": "crowsonkb", "size": 1024, "steps": 125, "tv_weight": 13000.0, "init": "gray", "pooling": "l2",
             "seed": 3},
        ),
        (
            "python neural_style.py --content_img c.jpg --style_imgs s.jpg --max_size 600 --original_colors "
            "--style_layer_weights 1 1 1 1 1 --init_img_type random",
            {"preset": "cysmith", "size": 600, "preserve_color": "luminance", "init": "noise"},
        ),
        (
            "python neural_style.py --content c.jpg --styles s.jpg --output o.png --width 600 --preserve-colors",
            {"preset": "anishathalye", "size": 600, "preserve_color": "luminance"},
        ),
        (
            "python Network.py c.jpg s.jpg out/o --image_size 500 --num_iter 20 --pool_type ave --init_image noise",
            {"preset": "titu1994", "size": 500, "steps": 200, "pooling": "avg", "init": "noise"},
        ),
    ],
    ids=["crowsonkb", "cysmith", "anishathalye", "titu1994"],
)  # fmt: skip
def test_command_lines_of_other_programs(tmp_path, line, options):
    job, _notes = imported(tmp_path, line)
    assert job.options == options_from_python(options)
    assert (job.content.name, [style.image.name for style in job.styles]) == ("c.jpg", ["s.jpg"])


def test_a_rate_counts_with_the_programs_own_descent_alone(tmp_path):
    line = "style_transfer c.jpg s.jpg --step-size 0.04"
    ours, notes = imported(tmp_path, line)
    assert ours.options.learning_rate is None
    assert notes == ["step_size 0.04: our descent has no rate; --published asks for the program's"]
    theirs, notes = imported(tmp_path, line, published=True)
    assert (theirs.options.optimizer, theirs.options.learning_rate, notes) == ("adam", 0.04 * 255, [])


def test_normalized_gradients_are_each_programs_own(tmp_path):
    """jcjohnson's multiplies by the weight alone, whatever a layer's channels; neural-style-pt's squares weights."""
    flags = "-content_image c.jpg -style_image s.jpg -normalize_gradients"
    job, notes = imported(tmp_path, f"th neural_style.lua {flags} -style_layers relu1_1,relu3_1")
    assert (job.options.normalize_gradients, notes) == ("l1", [])
    assert job.options.style_layers == {"block1_conv1": 1.0, "block3_conv1": 1.0}
    job, _ = imported(tmp_path, f"th neural_style.lua {flags}")
    assert set(job.options.style_layers.values()) == {1.0}
    assert len(job.options.style_layers) == 5
    job, notes = imported(tmp_path, f"python neural_style.py {flags}")
    assert job.options == options_from_python({"preset": "neural-style-pt", "normalize_gradients": "squared"})
    assert notes == []


def test_a_running_mean_is_average_with_either_descent(tmp_path):
    line = "style_transfer c.jpg s.jpg --avg-decay 0.9"
    for published in (False, True):
        job, notes = imported(tmp_path, line, published=published)
        assert (job.options.average, notes) == (0.9, [])
    assert imported(tmp_path, "style_transfer c.jpg s.jpg -ad 0.95")[0].options.average == 0.95
    assert imported(tmp_path, "style_transfer c.jpg s.jpg")[0].options.average == 0.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rm -rf /", "no program is known of this command line; known are those of jcjohnson/neural-style,"),
        ("th neural_style.lua -content_image 'a", "this is no command line: No closing quotation"),
        ("th neural_style.lua -style_image s.jpg", "the command line names no content_image"),
        ("th neural_style.lua -content_image c.jpg -style_image s.jpg -image_size big", "image_size must be a number"),
        ("th neural_style.lua -content_image c.jpg -style_image s.jpg -init /etc/passwd", "'init' must be one of"),
        ("th neural_style.lua -content_image c.jpg -style_image s.jpg -content_layers relu9_9", "unknown layer 'relu9_9'"),
        ("th neural_style.lua -content_image c.jpg -style_image a.jpg,b.jpg -style_blend_weights 1", "1 weights for 2 styles"),
        ("th neural_style.lua -content_image", "expected one argument"),
        ("th neural_style.lua -content_image c.jpg -style_image s.jpg -image_size inf", "image_size must be a number"),
        ("th neural_style.lua -content_image c.jpg -style_image s.jpg -num_iterations nan", "num_iterations must be a number"),
        ("Network.py c.jpg s.jpg out --num_iter 1e308", "num_iter must be a number"),
        ("th neural_style.lua -content_image c.jpg -style_image s.jpg -image_size 9", "this command line: 'size' must"),
        ("neural_style.py --content_img c.jpg --style_imgs s.jpg --style_layer_weights 0 0 0 0 0", "weight above 0 is needed"),
        (f"th neural_style.lua -content_image {'c' * 100_000}.jpg", "it has more than 100,000 characters"),
    ],
)  # fmt: skip
def test_a_command_line_that_cannot_be_is_refused_in_a_sentence(line, message):
    with pytest.raises(UsageError) as refused:
        manifest_for_command(line)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_of_several_numbers_where_there_is_one_here_the_others_are_noted():
    line = "neural_style.py --content c.jpg --styles s.jpg t.jpg --output o.jpg --style-scales"
    text, notes = manifest_for_command(f"{line} 0.5 1.0")
    assert "style_scale: 0.5" in text
    assert notes == ["style_scales 0.5 1.0: 'style_scale' is one for all styles, and is 0.5 here"]
    assert manifest_for_command(f"{line} 0.5 0.5")[1] == []


def test_nothing_that_a_command_line_says_ends_its_comment(tmp_path):
    job, _ = imported(
        tmp_path, "th neural_style.lua -content_image 'c\n.jpg' -style_image s.jpg -gpu '0\nrun: {jobs: 9}'"
    )
    assert job.content.name == "c\n.jpg"
    text, _ = manifest_for_command(
        "th neural_style.lua -content_image c.jpg -style_image s.jpg -gpu '0\nrun: {jobs: 9}'"
    )
    assert "\nrun:" not in text
