"""Pictures from Python: callback, Stylizer, arrays, own terms, what a result can do, typed options."""

from __future__ import annotations

import io
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from docs.keywords import KEYWORDS, keywords_module
from pipeline import Stylizer, manifest, release, stylize
from pipeline.errors import BadImage, OptionError, PairError
from pipeline.images.picture import picture_from_array
from pipeline.keywords import OptionKeywords
from pipeline.manifest import options_from_python
from pipeline.options import OPTION_NAMES
from pipeline.stylization import Stylization

REPOSITORY = Path(__file__).resolve().parent.parent
# Two blocks of the network, and a history as long as the descent: quickly traced.
QUICK = {
    **{"match_color": "none", "empty_areas": "alike"},
    **{"size": 48, "steps": 4, "weights": "random", "style_loss": "gram", "precision": "float32", "history": 4},
    **{"content_layers": {"block2_conv1": 1.0}, "style_layers": {"block1_conv1": 0.5, "block2_conv1": 0.5}},
}


def image(seed: int, shape: tuple[int, ...] = (40, 48, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


CONTENT, STYLE = image(1), image(2)

# --------------------------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("shape", [(40, 48), (40, 48, 1), (40, 48, 3), (40, 48, 4)])
def test_floats_from_0_to_1_are_the_same_picture_as_their_bytes(shape: tuple[int, ...]) -> None:
    array = image(1, shape)
    whole, floats, single = (picture_from_array(a) for a in (array, array / 255, (array / 255).astype(np.float32)))
    for picture in (floats, single):
        np.testing.assert_array_equal(picture.pixels, whole.pixels)
        assert picture.sha256 == whole.sha256


def test_grey_is_grey_in_three_channels_and_the_fourth_is_opacity() -> None:
    grey = image(1, (40, 48))
    np.testing.assert_array_equal(picture_from_array(grey).pixels, np.repeat(grey[..., None], 3, 2))
    clear = np.dstack([CONTENT, np.full((40, 48), 51, np.uint8)])  # 51 / 255 = 0.2
    picture = picture_from_array(clear)
    np.testing.assert_array_equal(picture.pixels, CONTENT)
    np.testing.assert_allclose(picture.alpha, 0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((40, 48, 2), np.uint8), r"Received: shape \(40, 48, 2\), type uint8"),
        (np.zeros((40,), np.uint8), r"Received: shape \(40,\), type uint8"),
        (np.zeros((40, 48, 3), np.int64), r"Received: shape \(40, 48, 3\), type int64"),
        (CONTENT.astype(np.float32), r"values from 0 to 1\. Received: 0 to 255; divide by 255"),
        (np.full((40, 48, 3), -0.1), "Received: -0.1 to -0.1"),
        (np.full((40, 48, 3), np.nan), "Received: nan to nan"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_what_it_is(array: np.ndarray, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        picture_from_array(array)


# -------------------------------------------------------------------------------------------------------- typed options


def test_every_option_is_a_typed_keyword_and_the_module_is_current() -> None:
    assert KEYWORDS.read_text(encoding="utf-8") == keywords_module(), "run `python -m docs.keywords`"
    assert tuple(OptionKeywords.__annotations__) == OPTION_NAMES
    assert OptionKeywords.__total__ is False
    assert (REPOSITORY / "pipeline/py.typed").exists()


def test_a_wrong_option_is_told_when_a_stylizer_is_made() -> None:
    with pytest.raises(OptionError, match="did you mean 'steps'"):
        Stylizer(stepz=3)  # type: ignore[call-arg]


# -------------------------------------------------------------------------------------------------------------- results


def result_of(**changes: object) -> Stylization:
    losses = {"total": 4.0, "content": 1.0, "style": 3.0, "tv": 0.0}
    given = {"pixels": CONTENT, "alpha": None, "trace": (), "first": losses, "last": losses | {"total": 2.5}}
    return Stylization(**(given | {"setup_seconds": 0.5, "seconds": 7.25, "precision": "float32"} | changes))


def test_numpys_numbers_are_numbers_also_as_shares_and_flags(tmp_path: Path) -> None:
    assert options_from_python({"enlarge": np.bool_(True), "loop": np.bool_(False)}).enlarge is True
    for share in (np.float32(2), np.int64(2), Fraction(1, 3)):
        with pytest.raises(BadImage, match=r"gone\.png does not exist"):  # so the share was taken
            stylize(tmp_path / "gone.png", [(tmp_path / "gone.png", share)])


@pytest.mark.parametrize(
    ("style", "beside", "message"),
    [
        ([("a.png", np.bool_(True))], {}, "Received the share: "),
        ([("a.png", 10**400)], {}, "Received the share: 1000"),
        ([{"image": "a.png", 3: 4}], {}, "Received: image, 3"),
        ([{"image": "a.png", "mask": {3: 4}}], {}, "Received: 3"),
        ([("a.png", CONTENT)], {}, "Received the share: ndarray"),
        ("a.png", {"regions": ("a.png", "b.png")}, "Received: tuple"),
        ("a.png", {"regions": {1: "a.png"}}, "Received: 1"),
        (["a.png", "b.png"], {"regions": {"content": "c.png", "style": ("d.png",)}}, "Received: 1"),
    ],
)
def test_what_is_no_style_and_no_region_is_an_option_error(style: Any, beside: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as refused:
        stylize("c.png", style, **beside)
    assert message in str(refused.value)


def test_a_tuple_is_a_style_with_its_share_or_several_styles(tmp_path: Path) -> None:
    for styles in (
        (CONTENT, tmp_path / "gone.png"),
        (CONTENT, CONTENT, tmp_path / "gone.png"),
        (tmp_path / "gone.png", 2),
    ):
        with pytest.raises(BadImage, match=r"gone\.png does not exist"):
            stylize(CONTENT, styles, size=48)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "'' is an empty name; give the path"),
        ("s3://museum/a.png", "s3://museum/a.png is an address, which a manifest"),
    ],
)
def test_an_empty_name_and_an_address_are_told_as_what_they_are(name: str, message: str) -> None:
    for content, style in ((name, STYLE), (CONTENT, name)):
        with pytest.raises(BadImage, match=message):
            stylize(content, style, size=48)


@pytest.mark.parametrize("frames", ["clip.mp4", b"clip.mp4", Path("clip.mp4"), Image.new("RGB", (48, 40)), 3])
def test_a_file_is_no_frames_and_none_is_its_first_letter(frames: Any) -> None:
    with pytest.raises(OptionError, match=r"frames must be pictures one after the other.*Received: \w+$"):
        Stylizer().frames(frames, STYLE)


def test_what_is_wrong_with_a_clip_is_told_before_its_first_frame() -> None:
    for wrong, message in ({"stepz": 3}, "did you mean 'steps'"), ({"size": [64, 48]}, "for pairs without content"):
        with pytest.raises(OptionError, match=message):
            Stylizer().frames([CONTENT], STYLE, **wrong)


def test_a_number_beyond_floating_point_is_an_option_error() -> None:
    with pytest.raises(OptionError, match=r"'style_weight' must be .*; got a number beyond floating point"):
        options_from_python({"style_weight": Fraction(10**400)})


@pytest.mark.parametrize("answer", [False, np.bool_(False), np.array(False), np.float32(3) < 2])
def test_numpys_false_is_false_to_a_painting(answer: object) -> None:
    assert sys.modules["pipeline.stylizer"]._is_false(answer)


@pytest.mark.parametrize("answer", [None, True, 0, "", np.bool_(True), np.float32(0), np.zeros(2, bool), [False]])
def test_nothing_else_ends_a_painting(answer: object) -> None:
    assert not sys.modules["pipeline.stylizer"]._is_false(answer)


def test_a_result_says_itself_in_one_line_and_shows_itself_in_a_notebook() -> None:
    assert repr(result_of()) == "<Stylization 48x40, 0 steps, loss 4 -> 2.5, 7.2 s>"
    with Image.open(io.BytesIO(result_of(deep=CONTENT.astype(np.float32))._repr_png_())) as shown:
        np.testing.assert_array_equal(np.asarray(shown), CONTENT)


def test_a_result_is_saved_with_its_settings_and_dpi_in_any_format(tmp_path: Path, stylize) -> None:
    settings = {"options": {"quality": 30}, "content": "a.jpg"}
    for suffix in (".png", ".jpg", ".tif", ".webp"):
        path = tmp_path / f"out{suffix}"
        path.write_bytes(b"former")
        result_of(settings=settings, dpi=240).save(path)
        with Image.open(path) as saved:
            assert saved.size == (48, 40)
            assert suffix == ".webp" or round(float(saved.info["dpi"][0])) == 240
    done = stylize("show", str(tmp_path / "out.jpg"))
    assert json.loads(done.stdout) == settings | {"output": "out.jpg"}
    assert len(list(tmp_path.iterdir())) == 4


def test_a_result_that_cannot_be_saved_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"former")
    with pytest.raises(PairError, match=r"no format for outputs that end in '.gif'"):
        result_of().save(tmp_path / "a.gif")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"former"]


def test_what_cannot_be_written_is_told_by_the_name_that_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no-folder/a\.png'$"):
        result_of().save(tmp_path / "no-folder/a.png")


def test_a_result_is_saved_by_a_name_as_long_as_file_systems_have_them(tmp_path: Path) -> None:
    name = "a" * 251 + ".png"
    result_of().save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


# ------------------------------------------------------------------------------------------------------- with TensorFlow


@dataclass(frozen=True)
class Brightness:
    """The square of the mean's distance from white: makes pictures bright."""

    name: ClassVar = "brightness"
    layers: ClassVar = ("picture",)
    needs_start: ClassVar = False
    combine: ClassVar = None

    def target(self, sources):
        from pipeline.nst.terms.term import Target

        return Target({}, ())

    def measure(self, layer, features, target):
        import tensorflow as tf

        return tf.reduce_mean(features)

    def distance(self, measured, target, weights):
        return (measured["picture"] - 255.0) ** 2


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([Brightness()], r"terms must be a list of \(term, weight\)"),
        ([(Brightness(), -1)], "the weight of a term must be a number, 0 or more. Received: -1"),
        (Brightness(), "terms must be a list of .term, weight.. Received: Brightness"),
        ([(Brightness(), Fraction(10**400))], "the weight of a term must be a number, 0 or more"),
        ([("x", 1)], "a term has name, layers, combine, needs_start, target, measure, distance; str lacks"),
        ([(Brightness(), 1), (Brightness(), 2)], "needs a name of its own.* Received: 'brightness'"),
    ],
)
@pytest.mark.slow
def test_what_is_no_term_is_refused_by_name(terms: list, message: str) -> None:
    from pipeline.nst.own_terms import with_terms
    from pipeline.options import Options

    with pytest.raises(OptionError, match=message):
        with_terms(Options(), terms)


@pytest.mark.parametrize("name", ["style.mine", "my/loss", "step", "seconds", "side", "tv", "", " ", 3])
@pytest.mark.slow
def test_a_term_whose_name_would_be_taken_for_something_else_is_refused(name: Any) -> None:
    from pipeline.nst.own_terms import with_terms
    from pipeline.options import Options

    with pytest.raises(OptionError, match=r"a term of your own needs a name of its own, without '\.' and '/'"):
        with_terms(Options(), [(dataclass(frozen=True)(type("Named", (Brightness,), {"name": name}))(), 1)])


@pytest.mark.slow
def test_the_weight_of_a_term_may_be_any_number() -> None:
    from pipeline.nst.own_terms import with_terms
    from pipeline.options import Options

    for weight in (np.float32(2), np.int64(2), Fraction(2)):
        assert with_terms(Options(), [(Brightness(), weight)]).own_terms[0].weight == 2.0


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        ([CONTENT], {"frames": "every 2"}, r"take the option 'frames' away. Received: every 2$"),
        (iter([CONTENT]), {"loop": True}, r"give the frames as a list. Received: list_iterator$"),
    ],
)
def test_what_frames_cannot_be_painted_by_is_refused_and_not_left_out(
    frames: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Stylizer().frames(frames, STYLE, **options)


@pytest.mark.slow
def test_frames_are_painted_by_the_styles_masks_and_each_is_opened_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("av")
    seen: list[Any] = []

    @dataclass
    class Frame:
        number: int
        picture: Any
        cut: bool = False

    class Painted:
        def __init__(self, pictures, options, schedule, engine, *, frames, loop):
            seen.append(pictures)

        def paint(self, frame):
            return Frame(frame.number, frame.picture)
            yield

    monkeypatch.setattr("pipeline.sequence.Sequence", Painted)
    monkeypatch.setattr(Stylizer, "_engine_for", lambda *_: None)
    left = np.zeros((40, 48), np.uint8)
    left[:, :24] = 255
    styles = [{"image": STYLE, "mask": left}, {"image": CONTENT, "mask": 255 - left}]
    # empty areas of a frame are looked for with the styles, not without
    options = {"size": 48, "weights": "random", "precision": "float32", "empty_areas": "stroked"}
    frames = list(Stylizer(**options).frames([CONTENT, image(3)], styles))
    assert [frame.number for frame in frames] == [0, 1]
    np.testing.assert_array_equal(frames[1].picture.pixels, image(3))
    assert [region.styles[0].number for region in seen[0].regions] == [0, 1]


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_a_night_of_its_own_in_python(tmp_path: Path, stylize) -> None:
    """One network for all of this: callback, own terms, arrays, saving, letting go."""
    pytest.importorskip("tensorflow")
    with Stylizer(**QUICK) as paint:
        whole = paint(CONTENT, STYLE)
        assert whole.settings["options"]["steps"] == 4
        np.testing.assert_array_equal(paint(CONTENT / 255, STYLE).pixels, whole.pixels)

        seen, pictures, asked_later = [], [], []

        def callback(reading, picture):
            seen.append((reading.side, reading.step, reading.total))
            pictures.append(picture())
            asked_later.append(picture)
            return len(seen) < 2

        assert len(paint(CONTENT, STYLE, callback=lambda reading, _: np.bool_(False)).trace) == 1
        stopped = paint(CONTENT, STYLE, callback=callback)
        assert [(side, step) for side, step, _ in seen] == [(48, 1), (48, 2)]
        assert [reading.total for reading in stopped.trace] == [total for _, _, total in seen]
        assert "stopped at step 2 of 4 at 48 px, as the caller wished" in stopped.notes
        best = int(seen[1][2] < seen[0][2])
        np.testing.assert_array_equal(np.asarray(pictures[1]), np.asarray(pictures[best]))
        np.testing.assert_array_equal(stopped.pixels, np.asarray(pictures[1]))

        square = image(5, (128, 128, 3))
        coarse = paint(square, square, size=128, scales=2, callback=lambda reading, picture: False)
        assert (coarse.pixels.shape, coarse.trace[0].side) == ((128, 128, 3), 64)
        for picture in asked_later:  # of a painting that has ended, after another
            np.testing.assert_array_equal(np.asarray(picture()), stopped.pixels)

        heard = [time.perf_counter()]

        def late(*_: object) -> None:
            heard.append(time.perf_counter())
            time.sleep(0.1)  # of the coarse size, which is no setting up

        two = paint(square, square, size=128, scales=2, steps=1, callback=late)
        assert two.setup_seconds < heard[1] - heard[0]

        bright = paint(CONTENT, STYLE, terms=[(Brightness(), 10.0)])
        assert bright.pixels.mean() > whole.pixels.mean() + 1
        assert bright.first["brightness"] == pytest.approx(10 * (CONTENT.mean() - 255) ** 2, rel=1e-3)
        assert "brightness" not in paint(CONTENT, STYLE).last

        whole.save(tmp_path / "a.png")
        shown = stylize("show", "--manifest", str(tmp_path / "a.png"))
        assert shown.returncode == 0, shown.stderr
        assert "steps: 4" in shown.stdout
        told = forked(lambda: paint(CONTENT, STYLE))
        assert told.startswith("EnvironmentProblem: this process was forked from one that has painted"), told
    assert paint._engine is None
    release()


def forked(work: Callable[[], object]) -> str:
    """What becomes of work in a forked process: the error that it ends in."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        signal.alarm(60)  # of whoever waits without end
        try:
            work()
        except Exception as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


@pytest.mark.slow
@pytest.mark.usefixtures("thin_network")
def test_the_example_of_the_docs_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    for name, seed in (("photo", 1), ("starry", 2), ("wave", 3)):
        Image.fromarray(image(seed)).save(f"{name}.jpg")
    monkeypatch.setattr(
        manifest, "options_from_python", lambda given, **about: options_from_python({**given, **QUICK}, **about)
    )
    runpy.run_path(str(REPOSITORY / "docs/example.py"))
    assert {path.name for path in tmp_path.iterdir()} >= {"out.png", "blend.png", "small.jpg"}


def test_the_fields_of_a_result_have_names_that_the_docs_explain() -> None:
    page = (REPOSITORY / "docs/python.md").read_text(encoding="utf-8")
    assert all(f"`{field.name}`" in page for field in fields(Stylization))
