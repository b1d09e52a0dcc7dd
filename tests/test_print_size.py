# ruff: noqa: E501 - what is written and what is said to it are read side by side
"""Size in print: content that is enlarged, lengths on paper, dots per inch. No TensorFlow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from manifest_kit import Load, matrix, outputs, pair, project_with_pictures, refusal
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images.encode import encode_picture
from pipeline.images.picture import open_any
from pipeline.images.print_size import own_dpi, print_dpi
from pipeline.manifest import options_from_python
from pipeline.options import Options
from pipeline.pictures import open_pictures
from pipeline.schedule import Machine, Sized, painted_size, schedule
from pipeline.stage_inputs import stage_inputs

SMALL = Sized("small.jpg", (451, 300))


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    monkeypatch.chdir(tmp_path)
    return project_with_pictures(tmp_path)


# -------------------------------------------------------------------------------------------------------------- enlarge


@pytest.mark.parametrize(
    ("size", "enlarge", "result"),
    [
        (3000, False, (451, 300)),
        (3000, True, (3000, 1996)),  # 300 * 3000 / 451 = 1995.6
        (451, True, (451, 300)),
        (200, True, (200, 133)),
        ("original", True, (451, 300)),
    ],
)
def test_content_is_enlarged_where_it_is_asked_for_and_smaller(size, enlarge, result):
    assert painted_size(Options(size=size, enlarge=enlarge), SMALL) == result


def test_content_is_not_enlarged_beyond_what_can_be_painted():
    with pytest.raises(
        BadImage, match=r"content small.jpg would be 30000x19956 pixels; at most 110 million .* lower size"
    ):
        painted_size(Options(size=30_000, enlarge=True), SMALL)


def test_an_enlarged_photograph_is_pillows_lanczos_of_it():
    ramp = np.add.outer(np.arange(40), 4 * np.arange(48)).astype(np.uint8)
    photograph = Image.fromarray(np.repeat(ramp[..., None], 3, axis=2))
    options = options_from_python({"size": 96, "enlarge": True, "style_loss": "gram", "match_color": "none"})
    pictures = open_pictures(photograph, [(photograph, 1.0)], options)
    stage = pictures.schedule(options, Machine(precision="float32")).stages[-1]
    enlarged = stage_inputs(pictures, options, stage).photograph
    wanted = Image.fromarray(ramp.astype(np.float32)).resize((96, 80), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(enlarged[..., 1], np.clip(np.asarray(wanted), 0, 255))


def test_a_style_is_opened_for_the_size_that_a_photograph_is_enlarged_to():
    """And not for the photograph's own, from which it would be enlarged too, without its strokes."""
    photograph, style = (Image.new("RGB", size, (90, 120, 200)) for size in ((48, 40), (200, 155)))
    options = options_from_python({"size": 96, "enlarge": True, "style_loss": "gram", "match_color": "none"})
    pictures = open_pictures(photograph, [(style, 1.0)], options)
    assert pictures.styles[0][0].size == (96, 74)
    machine = Machine(precision="float32")
    by_files = schedule(options, Sized("photograph", photograph.size), [Sized("style", style.size)], machine)
    assert pictures.schedule(options, machine).opened == by_files.opened


def test_check_warns_once_of_a_photograph_that_is_smaller_than_asked(project, stylize):
    text = (
        "version: 1\ninput: input\ndefaults: {size: 3000%s}\npairs: [{matrix: {content: content/*, style: style/*}}]\n"
    )
    (project / "m.yaml").write_text(text % "")
    done = stylize("check", "m.yaml", cwd=project)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "dog" in line] == [
        "warning: dog.png: 48 px long, and so is the picture, not 3000; 'enlarge: true' enlarges it"
    ]
    (project / "m.yaml").write_text(text % ", enlarge: true")
    assert "warning: dog.png: enlarged from 48 to 3000 px" in stylize("check", "m.yaml", cwd=project).stderr


@pytest.mark.parametrize("value", ["1", "yes", '"true"', "no"])
def test_enlarge_is_true_or_false_and_nothing_else(load: Load, value: str) -> None:
    got = f"'{value}'" if value.isalpha() else f"{value} in quotes".replace("1 in quotes", "1")
    assert refusal(load, pair(f"enlarge: {value}")) == [f"7:24: error: 'enlarge' must be true or false; got {got}"]


# -------------------------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize(
    ("size", "dpi", "pixels"),
    [
        ("30cm", "", 3543),  # 30 / 2.54 * 300 = 3543.3
        ("297 mm", "", 3508),  # A4: 297 / 25.4 * 300 = 3507.9
        ("12in", "", 3600),
        ("2.5in", ", dpi: 150", 375),
        ("10cm", ", dpi: 254", 1000),
    ],
)
def test_a_length_on_paper_is_so_many_pixels_at_dpi(load: Load, size: str, dpi: str, pixels: int) -> None:
    (job,) = load(pair(f"size: {size}{dpi}")).pairs
    assert job.options.size == pixels
    assert job.options.dpi == (int(dpi.partition(": ")[2]) if dpi else 300)


def test_a_length_is_named_as_it_was_written(load: Load) -> None:
    text = matrix("content: [photos/dog.jpg], style: [art/wave.jpg], size: [10cm, 4in, 800]", output='"{size}.png"')
    assert outputs(load(text)) == ["10cm.png", "4in.png", "800.png"]


def test_a_length_is_an_option_in_python_and_on_the_command_line(load: Load) -> None:
    assert options_from_python({"size": "4in"}).size == 1200
    assert load(pair(), "size=4in", "dpi=100").pairs[0].options.size == 400


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("size: 30m", "7:21: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got '30m'"),
        ("size: -3cm", "7:21: error: 'size' must be a whole number, 32 or more, or 'original', or a length like '30cm', or [width, height]; got '-3cm'"),
        ("size: 2mm", "7:21: error: 'size': is 24 pixels at 300 dpi, and must be 32 or more"),
        ("dpi: 0", "7:20: error: 'dpi' must be a whole number from 1 to 10000, or 'auto'; got 0"),
    ],
)  # fmt: skip
def test_a_wrong_length_is_refused_at_its_place(load: Load, options: str, message: str) -> None:
    assert refusal(load, pair(options)) == [message]


@pytest.mark.parametrize(("size", "told"), [("size: 10cm", False), ("size: 400", True), ("sharpen_to: 20cm", False)])
def test_dpi_that_a_length_is_reckoned_by_has_an_effect_in_every_format(load: Load, size: str, told: bool) -> None:
    """Who took it away, as the warning had it, got another size."""
    manifest = load(pair(f"{size}, dpi: 150", output="a.webp"))
    assert ("'dpi' has no effect" in " ".join(manifest.warnings)) == told


# ------------------------------------------------------------------------------------------------------- dots per inch


@pytest.mark.parametrize(("suffix", "depth"), [(".png", 8), (".jpg", 8), (".tif", 8), (".tif", 16)])
@pytest.mark.parametrize("dpi", [1, 150, 300, 10_000])
def test_an_output_says_its_dpi_and_is_read_as_having_it(suffix: str, depth: int, dpi: int) -> None:
    data = encode_picture(np.full((40, 48, 3), 90, np.float32), None, suffix, 95, {}, depth=depth, dpi=dpi)
    with Image.open(io.BytesIO(data)) as image:
        assert tuple(map(round, map(float, image.info["dpi"]))) == (dpi, dpi)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_photographs_dpi_is_known_from_its_file_and_in_python(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (48, 40)).save(path, dpi=(240, 240))
    assert open_any(path).dpi == 240
    with Image.open(path) as image:
        assert open_any(image).dpi == 240


@pytest.mark.parametrize(
    ("said", "dpi"),
    [
        ((240, 240), 240),
        ((299.9994, 299.9994), 300),  # 11811 per metre, as PNG has it
        ((72, 72), None),  # what Exif has those write who do not know
        ((299.9997, 300), 300),
        ((300, 150), None),
        ((0, 0), None),
        ((float("inf"), float("inf")), None),
        ((float("nan"), float("nan")), None),
        ((1e9, 1e9), None),
        (("x", "y"), None),
        ((300,), None),
        (None, None),
    ],
)
def test_a_dpi_that_cannot_be_is_none(said: object, dpi: int | None) -> None:
    image = Image.new("RGB", (48, 40))
    assert own_dpi(image) is None
    image.info["dpi"] = said
    assert own_dpi(image) == dpi


@pytest.mark.parametrize("suffix", [".webp", ".avif", ".png", ".jpg", ".tif"])
@pytest.mark.parametrize(("unit", "stored", "dpi"), [(2, 240, 240), (3, 118.11, 300), (2, 72, None)])
def test_dots_per_inch_that_only_exif_says_are_known(
    tmp_path: Path, suffix: str, unit: int, stored: float, dpi: int | None
) -> None:
    """Exif's unit 2 is the inch, 3 the centimetre."""
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = stored, stored, unit
    Image.new("RGB", (48, 40)).save(tmp_path / f"a{suffix}", exif=exif)
    assert open_any(tmp_path / f"a{suffix}").dpi == dpi


def test_72_in_a_jpegs_header_says_less_than_its_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 240, 240, 2
    Image.new("RGB", (48, 40)).save(tmp_path / "a.jpg", exif=exif, dpi=(72, 72))
    assert open_any(tmp_path / "a.jpg").dpi == 240


def test_dpi_auto_is_the_photographs_own_and_300_where_it_has_none():
    assert [print_dpi("auto", 240), print_dpi("auto", None), print_dpi(600, 240)] == [240, 300, 600]
