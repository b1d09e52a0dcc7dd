"""`stylize masks`: masks of a photograph to begin with. No TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli import masks as verb
from pipeline.cli.main import cli
from pipeline.errors import EnvironmentProblem
from pipeline.images import starting_masks as module
from pipeline.images.masks import open_mask
from pipeline.images.region_maps import open_region_map


def landscape(size=(96, 128), sky=(110, 160, 220), ground=(70, 60, 40)):
    """A sky that gets lighter towards a horizon with a tower in it, above rough ground."""
    height, width = size
    random = np.random.default_rng(0)
    pixels = np.empty((height, width, 3))
    pixels[:] = np.array(sky) + np.linspace(0, 25, height)[:, np.newaxis, np.newaxis]
    pixels[height // 2 :] = np.array(ground) + random.normal(0, 25, (height - height // 2, width, 1))
    pixels[height // 4 : height // 2, 60:76] = np.array(ground) + random.normal(0, 25, (height // 4, 16, 1))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def truth(size=(96, 128)):
    found = np.zeros(size, np.bool_)
    found[: size[0] // 2] = True
    found[size[0] // 4 : size[0] // 2, 60:76] = False
    return found


def agreement(one, other):
    """Intersection over union."""
    return (one & other).sum() / (one | other).sum()


def made(pixels, count=4):
    return {name: np.asarray(mask) for name, mask in module.starting_masks(pixels.astype(np.float32), count)}


def test_the_sky_is_what_lies_above_the_land():
    assert agreement(made(landscape())["sky"] > 0, truth()) > 0.93


def test_a_dark_wall_above_a_light_floor_is_no_sky():
    assert "sky" not in made(landscape(sky=(60, 30, 20), ground=(150, 160, 220)))


def test_thirds_are_thirds_and_cover_the_picture():
    ramp = np.tile(np.linspace(0, 255, 120, dtype=np.uint8)[:, np.newaxis], (90, 1, 3)).reshape(90, 120, 3)
    found = made(ramp)
    thirds = [found[name] > 0 for name in ("dark", "middle", "light")]
    assert [round(float(third.mean()), 1) for third in thirds] == [0.3, 0.3, 0.3]
    assert (np.sum(thirds, 0) == 1).all()


def test_each_place_is_dark_middle_or_light_where_all_three_meet():
    """Each third was freed of specks by itself: a twentieth of such a picture was in none."""
    random = np.random.default_rng(2)
    patches = Image.fromarray(random.integers(0, 256, (24, 24), dtype=np.uint8)).resize(
        (128, 128), Image.Resampling.BOX
    )
    found = made(np.repeat(np.asarray(patches)[..., np.newaxis], 3, -1))
    assert (np.sum([found[name] > 0 for name in ("dark", "middle", "light")], 0) == 1).all()


def test_colours_are_found_the_largest_first():
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :48], pixels[:, 48:80], pixels[:, 80:] = (200, 40, 40), (40, 160, 60), (40, 60, 200)
    found = made(pixels, 3)
    assert [round(float((found[f"colour{n}"] > 0).mean()), 1) for n in (1, 2, 3)] == [0.5, 0.3, 0.2]
    assert (found["colour2"][:, 50:78] > 0).all()
    assert "colour4" not in found


def test_a_picture_of_one_colour_has_one():
    assert [name for name in made(np.full((64, 64, 3), 90, np.uint8)) if name.startswith("colour")] == ["colour1"]


@pytest.mark.slow
def test_the_verb_writes_png_that_a_manifest_can_name(tmp_path):
    Image.fromarray(landscape()).save(tmp_path / "a.png")
    result = CliRunner().invoke(cli, ["masks", str(tmp_path / "a.png"), "--colours", "3"])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "masks"
    assert str(folder / "a-sky.png") in result.stdout.splitlines()
    assert agreement(open_mask(folder / "a-sky.png", "a", (128, 96)).levels > 0.5, truth()) > 0.93
    assert len(open_region_map(folder / "a-regions.png", "a", (128, 96)).colours) == 3


@pytest.mark.slow
def test_what_was_edited_is_kept(tmp_path):
    Image.fromarray(landscape()).save(tmp_path / "a.png")
    (tmp_path / "masks").mkdir()
    edited = tmp_path / "masks/a-sky.png"
    Image.new("L", (128, 96), 7).save(edited)
    result = CliRunner().invoke(cli, ["masks", str(tmp_path / "a.png")])
    assert f"kept: {edited}; --force replaces it" in result.stderr
    assert np.asarray(Image.open(edited)).max() == 7
    CliRunner().invoke(cli, ["masks", str(tmp_path / "a.png"), "--force"])
    assert np.asarray(Image.open(edited)).max() == 255


@pytest.mark.slow
def test_a_folder_that_takes_no_masks_is_the_machines_trouble_and_named(tmp_path):
    Image.fromarray(landscape()).save(tmp_path / "a.png")
    found = CliRunner().invoke(cli, ["masks", str(tmp_path / "a.png"), "-o", str(tmp_path / "a.png/masks")]).exception
    assert isinstance(found, EnvironmentProblem)
    assert str(found).endswith("a.png/masks: Not a directory; name another folder with -o")


def test_what_is_no_picture_is_told(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert CliRunner().invoke(cli, ["masks", str(tmp_path / "a.png")]).exit_code != 0
    assert CliRunner().invoke(cli, ["masks", str(tmp_path / "gone.png")]).exit_code != 0


def test_there_is_a_colour_of_the_map_for_each():
    assert verb._MOST_COLOURS == module.MOST_COLOURS
    for number, colour in enumerate(module._PALETTE):
        for other in module._PALETTE[:number]:
            assert max(abs(a - b) for a, b in zip(colour, other, strict=True)) >= 32


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_sky_and_breaks_nothing(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (64, 96, 3), np.uint8)
    assert "dark" in made(noise)


@pytest.mark.parametrize("names", [("a.jpg", "A.png"), ("x/a.png", "y/a.png")])
def test_two_pictures_whose_masks_would_be_called_alike_are_refused(tmp_path, names):
    """The second's were kept back, or, with --force, took the place of the first's."""
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    asked = ["masks", *(str(tmp_path / name) for name in names), "-o", str(tmp_path / "m"), "--force"]
    result = CliRunner().invoke(cli, asked, standalone_mode=False)
    assert "would have the same names; make them one after the other" in str(result.exception)
    assert not (tmp_path / "m").exists()
