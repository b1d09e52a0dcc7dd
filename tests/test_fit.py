"""Pictures too narrow for what is asked of them: `check` and `plan` say so, and no second is painted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pipeline.batch import fit
from pipeline.batch.estimates.estimator import Estimator
from pipeline.batch.fit import why_not, why_too_large, why_too_small
from pipeline.errors import BadImage
from pipeline.images.facts import ImageFacts
from pipeline.job import Job, StyleImage
from pipeline.options import Options


def job(content="scroll.png", style="art.png", **options) -> Job:
    styles = (StyleImage(image=Path(style), weight=1.0),)
    return Job(content=Path(content), styles=styles, output="a.png", options=Options(**options))


SIZES = {"scroll.png": (6400, 320), "photo.png": (800, 600), "art.png": (1000, 800), "frieze.png": (2000, 80)}


def size(path: Path, _home: str | None = None) -> tuple[int, int]:
    try:
        return SIZES[path.name]
    except KeyError:
        raise BadImage(f"{path} does not exist") from None


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (
            job(size=512),
            "content scroll.png would be 512x26 pixels; its shorter side must be at least 32: raise size, or",
        ),
        (job(size=640), None),  # 640 x 32
        (job("photo.png", "frieze.png", size=512), "style frieze.png would be 512x20 pixels; its shorter side must be"),
        (job("photo.png", size=512, style_scale=0.05), "style art.png would be 26x21 pixels"),
        (job("photo.png", size=512, style_aspect="content", style_scale=0.05), "style art.png would be 26x19 pixels"),
        (job("photo.png", size=40), "content photo.png would be 40x30"),
        (job("photo.png", size=512), None),
        (job("photo.png", size="original"), None),
        (job("photo.png", size=512, scales=9), None),  # fewer sizes, none too small
        (job("gone.png"), None),  # who opens it will say so
    ],
)
def test_too_narrow_is_said_before_it_is_painted(pair, words):
    assert (why_too_small(pair, size) or "None").startswith(words or "None")


@pytest.mark.parametrize(
    ("output", "options", "refused"),
    [
        ("a.webp", {"size": "original"}, True),
        ("a.WEBP", {"size": 1024, "sharpen_to": "original"}, True),
        ("a.webp", {"size": 16_383}, False),
        ("a.jpg", {"size": "original"}, False),
        ("a.tif", {"size": "original"}, False),
    ],
)
def test_a_format_that_cannot_hold_the_result_is_said_before_it_is_painted(output, options, refused):
    """It was the run's first word of it."""
    opened = {
        Path(name): ImageFacts(*shape, "PNG", "") for name, shape in {**SIZES, "wide.png": (20_000, 1500)}.items()
    }
    pair = replace(job("wide.png", **options), output=output)
    limit = f"a .{output[2:]} file is at most 16383 pixels wide or high"
    words = f"output {output}: {limit}, the picture has 20000; use .png or .tif"
    assert why_not(pair, opened, 2**60) == (words if refused else None)


def test_a_style_that_cannot_be_seen_is_no_style():
    opened = {Path(name): ImageFacts(*SIZES[name], "PNG", "") for name in ("photo.png", "art.png")}
    assert why_not(job("photo.png"), opened) is None
    opened[Path("art.png")] = ImageFacts(800, 600, "PNG", "", (), False)
    assert (why_not(job("photo.png"), opened) or "").startswith("style art.png is completely transparent")


def test_check_and_plan_say_what_the_night_would(project, stylize):
    Image.new("RGB", (640, 34), (9, 99, 200)).save(project / "input/content/scroll.png")
    Image.new("RGBA", (48, 40)).save(project / "input/style/clear.png")
    (project / "m.yaml").write_text(
        "version: 1\ninput: input\noutput: out\ndefaults: {weights: random, size: 512}\npairs:\n"
        "  - {content: content/scroll.png, style: style/wave.png}\n"
        "  - {content: content/dog.png, style: style/clear.png}\n"
        "  - {content: content/dog.png, style: style/wave.png}\n"
    )
    narrow = "content scroll.png would be 512x27 pixels; its shorter side must be at least 32: raise size, or crop it"
    checked = stylize("check", "m.yaml", cwd=project)
    assert checked.returncode == 3
    assert f"error: {narrow}" in checked.stderr
    assert "error: style clear.png is completely transparent" in checked.stderr
    assert checked.stdout == "m.yaml: 3 pairs, 4 images, all open, 2 pairs cannot be painted\n"
    planned = stylize("plan", "m.yaml", cwd=project)
    assert narrow in planned.stdout
    assert "2 to paint" in planned.stdout or "paint" in planned.stdout


def test_check_says_what_plan_would_of_memory_and_of_weights(project, stylize):
    (project / "m.yaml").write_text(
        "version: 1\ninput: input\noutput: out\nrun: {max_memory: 1GiB}\n"
        "defaults: {weights: random, style_loss: neighbours, size: 4000, enlarge: true}\n"
        "pairs:\n  - {content: content/dog.png, style: style/wave.png}\n"
    )
    checked, planned = (stylize(verb, "m.yaml", cwd=project) for verb in ("check", "plan"))
    assert checked.returncode == 3
    (told,) = [line.removeprefix("error: ") for line in checked.stderr.splitlines() if line.startswith("error: ")]
    assert "GiB of memory with style_loss: neighbours" in told
    assert told in planned.stdout
    gone = "weights=gone.h5"
    checked, planned = (
        stylize(verb, "m.yaml", "--set", "size=64", "--set", gone, cwd=project) for verb in ("check", "plan")
    )
    assert (checked.returncode, planned.returncode) == (4, 4)
    assert checked.stdout == "m.yaml: 1 pair, 2 images, all open, weights cannot be used\n"
    assert f"error: weights {project / 'gone.h5'}: no such file" in checked.stderr
    assert checked.stderr.splitlines()[0] == planned.stderr.splitlines()[0]


def test_plan_says_of_what_cannot_be_read_what_the_night_would(project, stylize):
    """In a folder and written out in a manifest, content, style and start alike."""
    (project / "input/content/dog.png").write_bytes(b"8BPS\0\1" + bytes(50))
    (project / "m.yaml").write_text(
        "version: 1\ninput: input\noutput: out\ndefaults: {weights: random, size: 64}\npairs:\n"
        "  - {content: content/dog.png, style: style/wave.png}\n"
        "  - {content: content/sea.png, style: content/dog.png}\n"
        "  - {content: content/sea.png, style: style/wave.png, options: {init: content/dog.png}, output: c.png}\n"
        "  - {content: content/sea.png, style: style/wave.png}\n"
    )
    why = "dog.png is a Photoshop document (PSD); convert it to PNG or JPEG"
    planned = stylize("plan", "m.yaml", cwd=project)
    assert planned.stdout.count(why) == 3
    assert "m.yaml:6:" in planned.stdout
    assert "1 to paint" in planned.stdout
    planned = stylize("plan", "input", "--set", "weights=random", cwd=project)
    assert planned.stdout.count(why) == 1
    assert "1 to paint" in planned.stdout


def test_memory_of_opening_a_large_file_counts(monkeypatch):
    SIZES["huge.webp"] = (11_000, 10_000)
    try:
        reader = type("Sizes", (), {"size": staticmethod(size)})()
        estimate = Estimator(threads=2, reader=reader).estimate(job("huge.webp", size=64))
        assert estimate is not None
        assert estimate.memory == 700_000_000 + 20 * 110_000_000
    finally:
        del SIZES["huge.webp"]


@pytest.mark.parametrize(
    ("pair", "gibibytes", "fits"),
    [
        (job(size=6400, style_loss="neighbours"), 64, True),
        (job(size=6400, style_loss="neighbours"), 2, False),
        (job(size=640, style_loss="neighbours"), 1, True),  # estimates of small pictures are too high
        (job(size=6400, style_loss={"gram": 1.0, "neighbours": 0.5}), 2, False),
        (job(size=6400, style_loss="neighbours", tile="off"), 2, True),  # as its owner wants it
        (job(size=6400), 2, True),  # Gram matrices can be cut further
        (job("gone.png", style_loss="neighbours"), 2, True),  # who opens it will say so
    ],
)
def test_what_needs_too_much_memory_in_any_tiles_is_said_before_it_is_painted(monkeypatch, pair, gibibytes, fits):
    monkeypatch.setattr(fit, "machine_memory", lambda: 64 * 2**30)
    said = why_too_large(pair, size, gibibytes * 2**30)
    if fits:
        assert said is None
        return
    assert said.startswith("content scroll.png at 6400x320 pixels needs about ")
    assert said.endswith(
        " GiB of memory with style_loss: neighbours, also in tiles, and may have 2.0 GiB; lower size, "
        "raise max_memory, or choose another style_loss"
    )
