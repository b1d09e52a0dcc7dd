"""Pairs without a content: textures of the style alone, in a manifest, in Python, in reports and in pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from manifest_kit import Load, project_with_pictures
from PIL import Image

from pipeline.errors import ManifestError, OptionError
from pipeline.idle_options import without_effect
from pipeline.job import Job
from pipeline.manifest import options_from_python
from pipeline.manifest.from_picture import manifest_for_settings
from pipeline.schedule import Machine, Sized, painted_size, schedule
from pipeline.store.keys import pair_key


@pytest.fixture
def load(tmp_path, monkeypatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


def texture(options: str, more: str = "") -> str:
    return f"pairs:\n  - style: art/wave.jpg\n    options: {{{options}}}\n{more}"


def job_of(load: Load, options: str, more: str = "") -> Job:
    (job,) = load(texture(options, more)).pairs
    return job


# ------------------------------------------------------------------------------------- the manifest


def test_a_pair_without_content_has_the_size_that_it_asks_for_and_the_defaults_of_a_texture(load):
    job = job_of(load, "size: [300, 200]")
    options = job.options
    assert job.output == "texture--wave.png"
    assert job.content_name == "texture"
    assert job.content == job.styles[0].image
    assert (options.size, options.init, options.content_weight) == ((300, 200), "noise", 0)
    assert (options.style_loss, options.style_weight, options.match_color) == ("neighbours", 1.25e-2, "tones")
    assert job.origins["init"] == "built in for a pair without content"
    assert painted_size(options, Sized("texture", (1, 1))) == (300, 200)
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_one_number_is_a_square_and_whatever_is_written_wins(load):
    job = job_of(load, "size: 96, style_loss: gram, init: style")
    assert job.options.size == (96, 96)
    assert (job.options.style_loss, job.options.init) == ("gram", "style")
    assert job_of(load, "size: 10cm").options.size == (1181, 1181)  # at 300 dots per inch


def test_what_would_be_asked_of_a_content_is_left_out_and_told(load):
    asked = "size: [96, 64], strength: 0.5, content_weight: 3, preserve_color: luminance, init: content"
    manifest = load(texture(asked))
    (job,) = manifest.pairs
    assert (job.options.strength, job.options.content_weight, job.options.preserve_color) == (1.0, 0.0, "none")
    assert job.options.init == "noise"
    told = [warning.split("'")[1] for warning in manifest.warnings]
    assert sorted(told) == ["content_weight", "preserve_color", "strength"]
    assert {"strength", "content_weight", "content_layers", "preserve_color"} <= without_effect(job.options)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("pairs:\n  - style: art/wave.jpg\n", "'content' is missing; a texture, of the style alone, has its own"),
        (
            texture("size: original"),
            "'size': 'original' is the content's, and this pair has none; give [width, height]",
        ),
        (
            "pairs:\n  - {content: photos/dog.jpg, style: art/wave.jpg, options: {size: [96, 64]}}\n",
            "'size': is a width and a height, for pairs without content; give the longer side",
        ),
        (texture("size: [96, 16]"), "'size' must be a whole number, 32 or more"),
        (texture("size: [96]"), "'size' must be a whole number, 32 or more"),
        (texture("size: [96, 96, 96]"), "'size' must be a whole number, 32 or more"),
    ],
)
def test_what_cannot_be_a_texture_is_told_at_its_place(load, text, complaint):
    with pytest.raises(ManifestError) as caught:
        load(text)
    assert any(complaint in str(problem) for problem in caught.value.problems), caught.value.problems


def test_a_matrix_without_content_makes_a_texture_of_every_style(load):
    text = 'pairs:\n  - matrix: {style: ["art/*.jpg"], size: [[96, 64], 48]}\n    output: "{style.stem}-{size}.png"\n'
    jobs = load(text).pairs
    assert {job.options.size for job in jobs} == {(96, 64), (48, 48)}
    assert len(jobs) == 2 * len({job.styles for job in jobs})
    assert jobs[0].output.endswith("-96x64.png")


def test_sides_that_wrap_are_multiples_of_16_for_textures_too(load):
    options = job_of(load, "size: [300, 200], wrap: x, style_loss: neighbours").options
    stages = schedule(
        options, Sized("texture", (1, 1)), [Sized("art", (500, 400))], Machine(precision="float32")
    ).stages
    assert [stage.size for stage in stages] == [(64, 50), (144, 100), (288, 200), (288, 200)]


def test_a_texture_is_another_picture_than_its_style_in_that_style(load):
    """And has no content in its key: a content of the same bytes is another pair."""

    def key(job):
        return pair_key(job, lambda path: path.name, "weights")

    job = job_of(load, "size: [96, 64]")
    assert key(job) != key(job_of(load, "size: [64, 96]"))
    assert key(job) == key(job_of(load, "size: [96, 64], strength: 0.5"))


def test_options_in_python_are_those_of_a_texture_where_there_is_no_content():
    assert options_from_python({"size": (96, 64)}, texture=True).init == "noise"
    assert options_from_python({"size": 96}, texture=True).size == (96, 96)
    with pytest.raises(OptionError, match="'size': is a width and a height, for pairs without content"):
        options_from_python({"size": (96, 64)}, texture=False)


def test_the_settings_of_a_texture_are_a_manifest_without_content(load):
    job = job_of(load, "size: [96, 64]")
    settings = {
        "content": "",
        "style": [{"image": "art/wave.jpg", "weight": 1.0}],
        "output": job.output,
        "options": job.options.as_dict(),
    }
    text = manifest_for_settings(settings)
    assert "- content:" not in text
    (again,) = load(text.replace("version: 1\n", "").split("\n", 1)[1] if text.startswith("#") else text).pairs
    assert again.options == job.options


# -------------------------------------------------------------------------------------- the pictures


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_a_texture_is_painted_from_python_with_and_without_a_seam():
    pytest.importorskip("tensorflow")
    from pipeline import stylize

    random = np.random.default_rng(3)
    style = Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).resize((96, 80))
    options = {
        "weights": "random",
        "steps": 4,
        "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5},
        "history": 4,
    }
    result = stylize(None, style, size=(80, 48), wrap="both", seed=3, **options)
    assert result.image.size == (80, 48)
    assert result.image.mode == "RGB"
    assert result.settings["content"] == ""
    assert result.first.content == result.last.content == 0
    assert result.last.style < result.first.style
    again = stylize(
        None, style, size=(80, 48), wrap="both", seed=3, strength=0.2, preserve_color="luminance", **options
    )
    np.testing.assert_array_equal(again.pixels, result.pixels)


def test_a_run_paints_a_texture_shows_it_and_has_nothing_to_do_the_next_time(project, rehearse, tmp_path):
    (project / "m.yaml").write_text(
        "version: 1\ninput: input\noutput: out\npairs:\n"
        "  - {style: style/wave.png, options: {size: [64, 48], steps: 3}}\n"
        "  - {content: content/dog.png, style: style/wave.png, options: {size: 48, steps: 3, style_loss: gram}}\n"
    )
    run = rehearse("run", "m.yaml", cwd=project)
    assert run.returncode == 0, run.stderr
    with Image.open(project / "out/texture--wave.png") as picture:
        assert picture.size == (64, 48)
    pairs = {pair["output"]: pair for pair in json.loads((project / "out/report.json").read_text())["pairs"]}
    row = pairs["texture--wave.png"]
    assert (row["content"], row["style"], row["size"]) == ("", ["style/wave.png"], [64, 48])
    assert row["options"]["size"] == [64, 48]
    page = (project / "out/report.html").read_text()
    assert "texture in the style of style/wave.png" in page
    again = rehearse("run", "m.yaml", cwd=project)
    assert "2 up to date" in again.stdout + again.stderr
    shown = rehearse("show", "--manifest", "out/texture--wave.png", cwd=project)
    assert shown.returncode == 0, shown.stderr
    assert "- content:" not in shown.stdout
