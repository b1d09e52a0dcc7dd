"""Pictures are opened in one way, whoever asks: a path, a Pillow image and an array give the same pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from night_kit import Nights, tensorflow_here
from PIL import Image

from pipeline.batch.plan import make_plan
from pipeline.cli.rendering import plan_rows, plan_text
from pipeline.finishing import coloured_as_asked, notes_of
from pipeline.manifest import load_manifest
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.schedule import Machine
from pipeline.stage_inputs import stage_inputs
from pipeline.store.disk import LocalStore
from pipeline.store.records import State

SOURCES = {
    "path": Path,
    "name": str,
    "Pillow image": Image.open,
    "array": lambda path: np.asarray(Image.open(path)),
}


def noise(path, seed, width, height):
    """A file with detail at every scale that is lost in making it smaller."""
    random = np.random.default_rng(seed)
    Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return noise(folder / "photo.png", 1, 900, 600), noise(folder / "art.png", 2, 750, 800)


def opened(source, files, options):
    photograph, style_image = (SOURCES[source](path) for path in files)
    return open_pictures(photograph, [(style_image, 1.0)], options)


@pytest.mark.parametrize(
    "options",
    [
        Options(size=500, scales=2),
        Options(size="original", scales=2, style_scale=0.5),
        Options(size=400, scales=2, style_aspect="content", preserve_color="covariance"),
    ],
    ids=["smaller", "original", "squeezed and recoloured"],
)
@pytest.mark.parametrize("source", ["name", "Pillow image", "array"])
def test_every_stage_has_the_same_pixels_whatever_was_opened(files, source, options):
    found, expected = opened(source, files, options), opened("path", files, options)
    schedule = expected.schedule(options, Machine(precision="float32"))
    assert len(schedule.stages) == 2
    for stage in (*schedule.stages, schedule.finish):
        ours, theirs = stage_inputs(found, options, stage), stage_inputs(expected, options, stage)
        assert ours.photograph.shape == (stage.size[1], stage.size[0], 3)
        assert np.array_equal(ours.photograph, theirs.photograph)
        for mine, other, (width, height) in zip(ours.style_images, theirs.style_images, stage.style_sizes, strict=True):
            assert mine.shape == (height, width, 3)
            assert np.array_equal(mine, other)


def test_a_photograph_recoloured_beforehand_has_the_styles_mean_and_its_result_blends_with_its_own_colours():
    random = np.random.default_rng(4)
    photograph, style = (
        random.integers(low, high, (40, 48, 3), dtype=np.uint8) for low, high in ((90, 220), (40, 100))
    )
    options = Options(match_color="before", strength=0.25)
    pictures = open_pictures(photograph, [(style, 1.0)], options)
    (stage,) = pictures.schedule(options, Machine(precision="float32")).stages
    inputs = stage_inputs(pictures, options, stage)
    np.testing.assert_allclose(inputs.photograph.mean((0, 1)), style.mean((0, 1)), atol=0.1)
    black = np.zeros((40, 48, 3), np.float32)
    blended = coloured_as_asked(pictures, inputs, options, black)
    np.testing.assert_allclose(blended, 0.75 * photograph.astype(np.float32), atol=1e-3)


@pytest.mark.parametrize("source", SOURCES)
def test_pictures_are_opened_at_the_sizes_of_the_schedule(files, source):
    options = Options(size=500, scales=2, style_scale=0.5)
    pictures = opened(source, files, options)
    # 900 x 600 and 750 x 800, their longer sides made 500 and 250: 250 * 750 / 800 is 234.375
    assert [picture.size for picture in pictures.all] == [(500, 333), (234, 250)]
    assert pictures.schedule(options, Machine(precision="float32")).opened == ((500, 333), (234, 250))


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_a_call_paints_the_pixels_of_a_night_also_of_a_large_file(tmp_path):
    """Two stages, 370 and 740 pixels, of files twice as large."""
    pytest.importorskip("tensorflow")
    from pipeline import stylize as paint

    options = {"size": 740, "steps": 1, "weights": "random", "precision": "float32", "style_loss": "gram", "history": 1}
    options |= {"content_layers": ["block2_conv1"], "style_layers": ["block1_conv1", "block2_conv1"]}  # quick
    photograph, style_image = noise(tmp_path / "photo.png", 1, 1480, 260), noise(tmp_path / "art.png", 2, 260, 1480)
    nights = Nights(tmp_path)
    (tmp_path / "night.yaml").write_text(
        f"version: 1\ninput: .\noutput: out\npairs:\n  - {{content: photo.png, style: art.png, output: a.png,"
        f" options: {json.dumps(options)}}}\n"
    )
    assert nights.run_with(tensorflow_here())["run"]["exit_code"] == 0
    night = np.asarray(Image.open(tmp_path / "out/a.png"))
    called = paint(np.asarray(Image.open(photograph)), Image.open(style_image), **options)
    assert np.array_equal(called.pixels, night)


@pytest.mark.parametrize(
    ("size", "note"),
    [
        (512, ["photo.png: 96 px long, and so is the picture, not 512; 'enlarge: true' enlarges it"]),
        (96, []),
        (64, []),
        ("original", []),
    ],
)
def test_a_picture_that_becomes_smaller_than_asked_for_says_so(tmp_path, size, note):
    photograph, style_image = noise(tmp_path / "photo.png", 1, 96, 64), noise(tmp_path / "art.png", 2, 600, 600)
    options = Options(size=size)
    pictures = open_pictures(photograph, [(style_image, 1.0)], options)
    assert list(notes_of(pictures, options, 1)) == note


def test_a_plan_says_that_a_picture_becomes_smaller_than_asked_for(project):
    (project / "m.yaml").write_text(
        "version: 1\ndefaults: {weights: random}\npairs: [{content: content/dog.png, style: style/wave.png}]\n"
    )
    manifest = load_manifest(project / "m.yaml")
    rows = plan_rows(make_plan(manifest, State(LocalStore(manifest.output))), manifest)
    note = "dog.png: 48 px long, and so is the picture, not 512; 'enlarge: true' enlarges it"
    assert rows[0]["notes"] == [note]
    assert f"not painted yet; {note}" in plan_text(rows)
