"""Contact sheets and strips: what stands where, what is drawn, and what comes of pictures that are not there."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from clips_night_kit import shots, write_video
from night_kit import Nights, failed, painted
from PIL import Image
from test_report import HOSTILE_NAMES, facts, outcome

from pipeline.cli import sheet as verb
from pipeline.cli.main import cli
from pipeline.errors import BadImage, PairError, UsageError
from pipeline.images import lettering as lettering_module
from pipeline.images import sheet as drawing
from pipeline.images.convert import srgb_profile
from pipeline.images.encode import FORMAT_OF_SUFFIX, thumbnail
from pipeline.images.lettering import Lettering
from pipeline.images.reader import READER
from pipeline.images.small import MOST_PIXELS
from pipeline.job import Job, StyleImage
from pipeline.manifest import load_manifest
from pipeline.options import Options
from pipeline.report import contact_sheet
from pipeline.report.contact_sheet import LONGEST_SIDE, Sheet, contact_sheets, why_none
from pipeline.report.data import build_report
from pipeline.report.grid import grid
from pipeline.report.small_pictures import SmallPictures
from pipeline.store.disk import LocalStore
from pipeline.store.layout import thumbnail_name

NOTHING = LocalStore(Path("/nowhere"))


def rows(contents: int, styles: int, status: str = "done", **options: list[Any]) -> list[dict[str, Any]]:
    values = [range(contents), range(styles), *options.values()]
    outcomes = [
        outcome(
            f"{content}-{style}-{'-'.join(map(str, chosen))}.png",
            status,
            content=f"{content}.jpg",
            style=[f"art/{style}.jpg"],
            size=[480, 360],
            options=dict(zip(options, chosen, strict=True)),
        )
        for content, style, *chosen in itertools.product(*values)
    ]
    return build_report(facts(), outcomes)["pairs"]


def job_of(row: dict[str, Any]) -> Job:
    styles = tuple(StyleImage(Path("/in", name)) for name in row["style"])
    return Job(output=row["output"], content=Path("/in", row["content"]), styles=styles, options=Options())


def laid_out(pairs: list[dict[str, Any]], cell: int = 256) -> list[Sheet]:
    return contact_sheets("night", pairs, [job_of(row) for row in pairs], SmallPictures(NOTHING, cell), cell)


def results(sheet: Sheet) -> list[tuple[tuple[int, int, int, int], str]]:
    """Boxes of paintings, with the names of their files."""
    return [
        (box, files[-1][0]) for box, files, _words, _caption in sheet.pictures if files and "/nowhere/" in files[-1][0]
    ]


def words(sheet: Sheet) -> list[str]:
    return [text for _box, text, _letters, _centred in sheet.texts]


# ------------------------------------------------------------------------------------------------------------- places


def test_the_two_axes_that_vary_most_are_rows_and_columns_and_others_are_blocks() -> None:
    found = grid(rows(4, 3, seed=[1, 2]))
    assert (found.rows.name, found.columns.name, [axis.name for axis in found.by]) == ("photograph", "style", ["seed"])
    assert [block.values for block in found.blocks] == [("1",), ("2",)]
    assert [len(block.pairs) for block in found.blocks] == [12, 12]
    assert not found.flows


def test_an_axis_that_tells_no_two_pictures_of_a_place_apart_makes_no_block() -> None:
    """As a size that goes with the photograph."""
    pairs = [{**row, "options": {"size": 100 + int(row["content"][0])}} for row in rows(4, 3)]
    found = grid(pairs)
    assert (found.by, [axis.name for axis in found.told], len(found.blocks)) == ((), ["size"], 1)


def test_pairs_that_differ_in_nothing_that_is_known_each_have_a_place() -> None:
    pairs = rows(2, 2) + [{**row, "output": f"again/{row['output']}"} for row in rows(2, 2)]
    assert [len(block.pairs) for block in grid(pairs).blocks] == [4, 4]


def test_one_long_row_and_pairs_of_their_own_follow_one_another() -> None:
    assert grid(rows(1, 60)).flows
    assert grid(rows(60, 1)).flows
    assert grid([row for number, row in enumerate(rows(9, 9)) if number % 10 == 0]).flows
    assert not grid(rows(1, 6)).flows
    assert grid(rows(1, 1)).flows


@pytest.mark.parametrize(
    ("shape", "options", "sheets"),
    [
        ((3, 3), {"style_weight": [0.01, 0.1]}, 1),
        ((1, 1), {}, 1),
        ((1, 60), {}, 1),
        ((60, 1), {"seed": [1, 2]}, 3),
        ((60, 50), {}, 9),
        ((2, 2), {"seed": [1, 2], "style_weight": [1, 2, 3], "tv_weight": [4, 5]}, 1),
    ],
)
def test_each_picture_stands_once_in_a_box_of_its_own_on_sheets_of_a_bounded_side(
    shape: tuple[int, int], options: dict[str, list[Any]], sheets: int
) -> None:
    pairs = rows(*shape, **options)
    found = laid_out(pairs)
    assert len(found) == sheets
    names = [name for sheet in found for _box, name in results(sheet)]
    assert sorted(names) == sorted(f"/nowhere/{row['output']}" for row in pairs)
    for sheet in found:
        assert max(sheet.size) <= LONGEST_SIDE
        for left, top, width, height in [each[0] for each in (*sheet.pictures, *sheet.texts)]:
            assert left >= 0 <= top
            assert left + width <= sheet.size[0] >= width > 0
            assert top + height <= sheet.size[1] >= height > 0
        boxes = sorted(box for box, _name in results(sheet))
        for (left, top, width, height), other in itertools.pairwise(sorted(boxes, key=lambda box: box[:2])):
            assert other[0] >= left + width or other[1] >= top + height


def test_a_column_of_pictures_stands_under_its_style_and_a_row_beside_its_photograph() -> None:
    (sheet,) = laid_out(rows(3, 2))
    heads = {caption: box for box, _files, _words, caption in sheet.pictures if caption}
    assert set(heads) == {"0.jpg", "1.jpg", "2.jpg"} | {"0.jpg", "1.jpg"}  # without the styles' common folder
    boxes = [(box, files[-1][0], caption) for box, files, _words, caption in sheet.pictures]
    styles = {path: box for box, path, _caption in boxes if path.startswith("/in/art/")}
    photographs = {path: box for box, path, _caption in boxes if path.startswith("/in/") and "art" not in path}
    for box, path, _caption in boxes:
        if path.startswith("/nowhere/"):
            content, style = Path(path).name.split("-")[:2]
            assert box[0] == styles[f"/in/art/{style}.jpg"][0]
            assert box[1] == photographs[f"/in/{content}.jpg"][1]


def test_the_legend_says_what_is_where_and_how_much_is_painted() -> None:
    pairs = rows(3, 2, seed=[1, 2])
    pairs[0]["status"], pairs[1]["status"] = "failed", "not_started"
    (sheet,) = laid_out(pairs)
    assert "night" in words(sheet)
    assert [text.split("\n") for text in words(sheet) if "Rows" in text] == [
        [
            "12 pictures: 10 painted, 1 failed, 1 not painted yet.",
            "Rows: photograph (3). Columns: style (2). Blocks: seed (1, 2).",
        ]
    ]
    assert [text for text in words(sheet) if text.startswith("seed ")] == ["seed 1", "seed 2"]


def test_heads_and_blocks_are_told_again_on_each_sheet_and_sheets_are_counted() -> None:
    found = laid_out(rows(60, 4, seed=[1, 2]))
    assert len(found) == 5
    for number, sheet in enumerate(found, start=1):
        assert any(f"Sheet {number} of 5." in text for text in words(sheet))
        first = min(box[1] for box, _name in results(sheet))
        heads = [
            box for box, files, _w, _c in sheet.pictures if files and "/in/art/" in files[-1][0] and box[1] < first
        ]
        assert len(heads) >= 4
        assert any(text.startswith("seed ") for text in words(sheet))


def test_what_all_pictures_have_in_common_stands_at_the_top_once() -> None:
    (sheet,) = laid_out(rows(1, 1, seed=[1, 2, 3], style_weight=[1, 2]))
    assert [caption for _box, _files, _words, caption in sheet.pictures if caption] == ["0.jpg", "0.jpg"]
    assert {"seed 1", "style_weight 2"} <= set(words(sheet))


def blends(count: int, **options: list[Any]) -> list[dict[str, Any]]:
    """Two photographs, or one with options, in a blend of so many styles and in one alone."""
    found = rows(1 if options else 2, 2, **options)
    for row in found:
        if row["style"] == ["art/0.jpg"]:
            row["style"], row["style_weights"] = [f"art/{number}.jpg" for number in range(count)], [1] * count
    return found


@pytest.mark.parametrize("options", [{}, {"seed": [1, 2, 3, 4]}])
def test_of_a_blend_of_many_styles_a_head_shows_some_and_says_how_many_more(options: dict[str, list[Any]]) -> None:
    """Each had a strip of a pixel or two, with words upon words; of 129 beside a row none, which no pen draws."""
    (sheet,) = laid_out(blends(200, **options))
    heads = [box for box, _files, _words, caption in sheet.pictures if caption.startswith("0.jpg ")]
    assert heads
    assert min(width for _left, _top, width, _height in heads) >= 40
    (more,) = [text for text in words(sheet) if " more" in text]
    shown = sum(" 0.5 %" in caption for _box, _files, _words, caption in sheet.pictures)
    assert more == f"and {200 - shown} more"


def test_what_all_pictures_have_in_common_stays_on_the_sheet() -> None:
    pairs = [row for row in blends(30, seed=[1, 2, 3]) if len(row["style"]) == 30]
    (sheet,) = laid_out(pairs)
    assert all(left + width <= sheet.size[0] for (left, _top, width, _height), *_ in sheet.pictures)
    assert [text for text in words(sheet) if text.startswith("and ")] == [
        "and 25 more"
    ]  # the photograph and five of 30 are there


def test_a_picture_that_is_not_there_is_a_place_that_says_why() -> None:
    def why(status: str, reason: str | None = None) -> str:
        return why_none({"status": status, "reason": reason})

    assert why("done") == why("up_to_date") == ""
    assert why("not_started", "not painted yet") == why("not_started") == "not painted yet"
    assert why("not_started", "seed 1 -> 2") == "not painted yet as it is wanted now: seed 1 -> 2"
    assert why("failed", "a.jpg is damaged") == "failed: a.jpg is damaged"
    assert why("quarantined", "esc\x1b[31m") == "failed: esc\\x1b[31m"


def test_hostile_names_stand_on_a_sheet_as_text() -> None:
    pairs = build_report(facts(), [outcome(name, content=name, style=[name, name]) for name in HOSTILE_NAMES])["pairs"]
    jobs = [Job(output="a.png", content=Path("/in/a"), styles=(StyleImage(Path("/in/b")),) * 2, options=Options())]
    found = contact_sheets("\x1b]0;night\x07", pairs, jobs * len(pairs), SmallPictures(NOTHING, 64), 64)
    for sheet in found:
        captions = [caption for _box, _files, _words, caption in sheet.pictures]
        assert all(text.replace("\n", "").isprintable() for text in (*words(sheet), *captions))
        json.dumps(sheet.to_json())


# ------------------------------------------------------------------------------------------------------------ letters


@pytest.mark.parametrize(
    "name", ["waves.jpg", "émile.jpg", "Ünïcödé.jpg", "תמונה.jpg", "صورة.jpg", "犬と海.jpg", "🐈.jpg"]
)
def test_a_name_of_any_script_is_drawn_by_a_font_that_has_it_or_written_out(name: str) -> None:
    lines, font = Lettering().fitted(name, 14, 1000, 1)
    (line,) = lines
    nothing = font.getmask(lettering_module._NO_CHARACTER)
    for character in set(line) - {" "}:
        mask = font.getmask(character)
        assert (mask.size, bytes(mask)) != (nothing.size, bytes(nothing))
    assert line == name or line.isascii()


def test_without_fonts_of_the_system_what_pillows_lacks_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering_module, "_system_fonts", lambda: ())
    assert Lettering().fitted("犬.jpg", 14, 1000, 1).lines == ["\\u72ac.jpg"]
    assert Lettering().fitted("é.jpg", 14, 1000, 1).lines == ["\\xe9.jpg"]


def test_without_shaping_no_name_stands_in_the_wrong_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering_module, "_shapes", lambda: False)
    lettering_module._has.cache_clear()
    try:
        assert Lettering().fitted("תמ.jpg", 14, 1000, 1).lines == ["\\u05ea\\u05de.jpg"]
    finally:
        lettering_module._has.cache_clear()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_name_acts_in_a_picture(name: str) -> None:
    assert "".join(Lettering().fitted(name, 14, 90, 9).lines).isprintable()


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_long_name_keeps_its_beginning_and_its_end_and_fits(most: int) -> None:
    name = "holiday/2026-07-" + "a very long name of a photograph " * 8 + "number-17.jpg"
    lines, font = Lettering().fitted(name, 14, 160, most)
    assert len(lines) == most
    assert all(font.getlength(line) <= 160 for line in lines)
    assert lines[0].startswith("holi")
    assert lines[-1].endswith("7.jpg")
    assert "..." in lines[-1]


def test_a_short_name_is_left_as_it_is_and_lines_are_kept() -> None:
    assert Lettering().fitted("a.jpg", 14, 160, 3).lines == ["a.jpg"]
    assert Lettering().fitted("one\ntwo", 14, 160, 3).lines == ["one", "two"]


# ------------------------------------------------------------------------------------------------------------ drawing


def test_numbers_that_two_rooms_reckon_with_are_the_same() -> None:
    assert (drawing._LETTERS, drawing._LINE, drawing._CAPTION) == (
        contact_sheet._SMALL,
        contact_sheet._LINE,
        contact_sheet.CAPTION,
    )
    assert verb._MOST_CELL**2 <= MOST_PIXELS
    assert {suffix: FORMAT_OF_SUFFIX[suffix] for suffix in verb._KINDS} == verb._KINDS


def test_a_caption_stands_right_below_its_picture(tmp_path: Path) -> None:
    Image.new("RGB", (100, 40), (200, 0, 0)).save(tmp_path / "a.png")
    box = (10, 10, 100, 150)
    spec = {"size": (120, 170), "pictures": [(box, [(str(tmp_path / "a.png"), None)], "", "below")], "texts": []}
    image, notes = drawing.draw_sheet(spec, Lettering())
    assert notes == []
    rows_of_red = [y for y in range(170) if image.getpixel((60, y)) == (200, 0, 0)]
    assert len(rows_of_red) == 40  # as large as the box is wide
    ink = [y for y in range(170) if any(image.getpixel((x, y))[0] < 100 for x in range(120))]
    assert rows_of_red[-1] < ink[0] < rows_of_red[-1] + 18


def test_of_a_clip_the_thumbnails_are_drawn_however_small_as_a_video_is_no_picture(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "out")
    for which in ("content", "result"):
        store.write(thumbnail_name("a.mp4", which), thumbnail(np.full((36, 48, 3), 99, np.float32), None, 48))
    for video in (tmp_path / "a.mp4", tmp_path / "out/a.mp4"):
        write_video(video, shots(2))
    row = {"output": "a.mp4", "status": "done", "clip": None}
    style = StyleImage(tmp_path / "s.png")
    job = Job(output="a.mp4", content=tmp_path / "a.mp4", styles=(style,), options=Options(frames="all"))
    pictures = SmallPictures(store, 1024)
    found, notes = drawing.strip([pictures.content(job), pictures.result(job, row)], 60)
    assert (found.size, notes) == ((80 + 80 + drawing.GAP, 60), [])
    still = dataclasses.replace(job, content=tmp_path / "a.png", options=Options())
    assert len(pictures.content(still)) == len(pictures.result(still, row)) == 1


def test_pictures_of_a_strip_have_one_height_and_keep_their_shapes(tmp_path: Path) -> None:
    for name, size in (("a", (100, 80)), ("b", (40, 60))):
        Image.new("RGB", size, "navy").save(tmp_path / f"{name}.png")
    found, notes = drawing.strip([[(str(tmp_path / f"{name}.png"), None)] for name in "ab"], 120)
    assert (found.size, notes) == ((150 + 6 + 80, 120), [])
    assert found.getpixel((153, 60)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_sheet_says_that_its_colours_are_srgb_as_the_paintings_on_it_do(tmp_path: Path, kind: str) -> None:
    asked = {"sheet": {"size": [40, 40], "pictures": [], "texts": []}, "format": kind, "quality": 88, "font": None}
    with (tmp_path / "a").open("w+b") as file:
        drawing.answer({**asked, "file": file.fileno()})
    assert Image.open(tmp_path / "a").info["icc_profile"] == srgb_profile()


def test_a_strip_that_is_too_wide_for_its_format_says_what_to_do(tmp_path: Path) -> None:
    """32:1 at 1024 pixels of height, three times; libjpeg's word of it was 'encoder error'."""
    Image.new("L", (2048, 64)).save(tmp_path / "a.png")
    files = [[(str(tmp_path / "a.png"), None)]] * 3
    with pytest.raises(PairError, match="98316 pixels wide, which JPEG cannot be; take --format png, or less --height"):
        drawing.strip(files, 1024, "JPEG")


# ----------------------------------------------------------------------------------------------------------- the verb


@pytest.fixture
def night(project: Path) -> Nights:
    nights = Nights(project)
    nights.manifest(
        """
  - matrix: {content: [content/dog.png, content/sea.png], style: [style/wave.png], seed: [40, 80, 120]}
    output: "{content.stem}-{seed}.png"
""",
        options=", init: noise",
    )
    return nights


def call(night: Nights, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["sheet", str(night.project / "night.yaml"), *arguments], standalone_mode=False)


def colours(path: Path) -> set[tuple[int, int, int]]:
    return {colour for _count, colour in Image.open(path).convert("RGB").getcolors(2**24)}


@pytest.mark.slow
def test_the_sheet_shows_what_is_painted_beside_the_results(night: Nights) -> None:
    night.run()
    result = call(night)
    assert result.return_value == 0, result.output
    path = night.output / "sheet.png"
    assert {(40, 9, 9), (80, 9, 9), (120, 9, 9)} <= colours(path)
    image = Image.open(path)
    assert result.stdout.split()[-1] == f"{image.width}x{image.height}"
    assert night.plan().count("paint") == 0  # nothing was touched


@pytest.mark.slow
def test_pictures_that_are_missing_leave_places_with_reasons_and_nothing_is_painted(night: Nights) -> None:
    result = call(night, "--cell", "64")
    assert result.return_value == 0, result.output
    assert drawing._EMPTY in colours(night.output / "sheet.png")
    assert [path.name for path in night.output.iterdir()] == ["sheet.png"]
    assert night.plan().count("paint") == 6


def test_photographs_of_one_name_that_lie_elsewhere_have_a_row_each(night: Nights) -> None:
    """Reports call them by their own names alone; both stood under the first one's picture."""
    for name, other in (("dog", "2019"), ("sea", "2020")):
        (night.project / other).mkdir()
        shutil.copy(night.project / f"input/content/{name}.png", night.project / other / "IMG_1.png")
    pairs = "".join(
        f"\n  - {{content: {night.project}/{year}/IMG_1.png, style: style/wave.png, output: {year}.png}}"
        for year in (2019, 2020)
    )
    night.manifest(pairs + "\n  - {content: content/dog.png, style: style/wave.png, output: dog.png}")
    manifest = load_manifest(night.project / "night.yaml")
    rows = verb._rows(manifest)
    assert [(row["content"], row["style"]) for row in rows] == [
        ("2019/IMG_1.png", ["style/wave.png"]),
        ("2020/IMG_1.png", ["style/wave.png"]),
        ("content/dog.png", ["style/wave.png"]),
    ]
    names = [("a.png", Path("/x/a.png")), ("a.png", Path("/y/x/a.png")), ("b.png", Path("/x/b.png"))]
    assert set(verb._told_apart(names).values()) == {"a.png (1)", "a.png (2)"}
    names = [("a.png", Path("/x/a.png")), ("a.png", Path("/y/a.png")), ("x/a.png", Path("/in/x/a.png"))]
    assert set(verb._told_apart(names).values()) == {"a.png (1)", "a.png (2)"}  # x/a.png is another's


def test_pairs_that_failed_are_told(night: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    night.run(
        lambda command: (painted(night.output) if command.job.options.seed < 100 else failed("diverged"))(command)
    )
    real = drawing._empty
    monkeypatch.setattr(drawing, "_empty", lambda pen, box, words, lettering: told.append(words))
    pairs = night.report()["pairs"]
    spec = laid_out(pairs)[0].to_json()
    drawing.draw_sheet({**spec, "pictures": [each for each in spec["pictures"] if not each[1]]}, Lettering())
    assert told == ["failed: a reason"] * 2
    assert real is not drawing._empty


@pytest.mark.slow
def test_the_suffix_says_the_format_and_another_is_refused(night: Nights, tmp_path: Path) -> None:
    night.run()
    for suffix, kind in (("jpg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")):
        assert call(night, "-o", str(tmp_path / f"a.{suffix}")).return_value == 0
        assert Image.open(tmp_path / f"a.{suffix}").format == kind
    refused = call(night, "-o", str(tmp_path / "a.gif"))
    assert "must end in one of .png, .jpg, .jpeg, .webp" in str(refused.exception)


def test_a_sheet_never_takes_the_place_of_a_painting(night: Nights) -> None:
    night.run()
    before = (night.output / "dog-40.png").read_bytes()
    for more in ([], ["--only", "sea-*"]):
        result = call(night, "-o", str(night.output / "dog-40.png"), *more)
        assert "is a painting; give another name with -o" in str(result.exception)
    night.manifest("\n  - {content: content/sea.png, style: style/wave.png, output: other.png}")
    night.run()  # the picture of another manifest, by its record
    assert "is a painting" in str(call(night, "-o", str(night.output / "dog-40.png")).exception)
    assert (night.output / "dog-40.png").read_bytes() == before


@pytest.mark.slow
def test_a_font_that_is_none_is_told(night: Nights, tmp_path: Path) -> None:
    (tmp_path / "a.ttf").write_bytes(b"no font")
    result = call(night, "-o", str(tmp_path / "a.png"), "--font", str(tmp_path / "a.ttf"))
    assert "is no font" in str(result.exception)
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_only_some_pairs_can_be_laid_out_and_none_is_an_error(night: Nights, tmp_path: Path) -> None:
    night.run()
    call(night, "--only", "*-80.png", "-o", str(tmp_path / "a.png"))
    assert (80, 9, 9) in colours(tmp_path / "a.png")
    assert (40, 9, 9) not in colours(tmp_path / "a.png")
    assert "matches --only 'nothing'" in str(call(night, "--only", "nothing").exception)


@pytest.mark.slow
def test_what_is_larger_than_a_sheet_goes_on_on_the_next(night: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    night.run()
    monkeypatch.setattr(contact_sheet, "LONGEST_SIDE", 700)
    result = call(night, "-o", str(night.project / "a.png"))
    assert result.return_value == 0, result.output
    names = [Path(line.split("  ")[0]).name for line in result.stdout.splitlines()]
    assert names == ["a.png", "a-2.png", "a-3.png", "a-4.png", "a-5.png", "a-6.png"]
    monkeypatch.undo()
    assert "a-2.png is of an earlier, larger sheet" in call(night, "-o", str(night.project / "a.png")).stderr


@pytest.mark.slow
def test_a_strip_is_photograph_style_and_result_and_what_is_not_painted_is_told(night: Nights, tmp_path: Path) -> None:
    night.run(limit=4)
    result = call(night, "--strip", "-o", str(tmp_path / "strips"), "--height", "60", "--format", "png")
    assert result.return_value == 0, result.output
    names = sorted(path.name for path in (tmp_path / "strips").iterdir())
    assert len(names) == 4
    assert result.stderr.count("not painted yet") == 2
    strip = Image.open(tmp_path / "strips" / names[0])
    assert strip.size == (3 * 72 + 2 * 6, 60)  # pictures of 48 x 40
    seed = int(names[0].split("-")[1].split(".")[0])
    assert strip.getpixel((2 * 78 + 36, 30)) == (seed, 9, 9)


def test_strips_want_a_folder_and_something_painted(night: Nights, tmp_path: Path) -> None:
    assert "name a folder for them with -o" in str(call(night, "--strip").exception)
    nothing = call(night, "--strip", "-o", str(tmp_path / "strips"))
    assert "is painted yet" in str(nothing.exception)
    assert not (tmp_path / "strips").exists()


def test_strips_of_two_outputs_with_one_stem_have_two_names() -> None:
    jobs = [
        job_of({"output": name, "style": ["a.jpg"], "content": "b.jpg"}) for name in ("x/a.png", "x/A.webp", "b.png")
    ]
    assert verb._strip_names(jobs, "jpg") == {"x/a.png": "x/a.png.jpg", "x/A.webp": "x/A.webp.jpg", "b.png": "b.jpg"}


# ---------------------------------------------------------------------------------------------------------- who may write


def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.webp"
    Image.new("RGB", (64, 64), (1, 250, 3)).save(path, lossless=True)
    return path


@pytest.mark.slow
def test_a_link_under_a_thumbnails_name_shows_nothing_of_what_it_leads_to(night: Nights, tmp_path: Path) -> None:
    night.run()
    for output in ("dog-40.png", "sea-40.png"):
        name = night.output / thumbnail_name(output, "result")
        name.unlink(missing_ok=True)
        name.symlink_to(secret(tmp_path))
    assert call(night, "-o", str(tmp_path / "a.png")).return_value == 0
    assert (1, 250, 3) not in colours(tmp_path / "a.png")
    assert (40, 9, 9) in colours(tmp_path / "a.png")


@pytest.mark.slow
def test_a_thumbnail_that_is_damaged_or_none_gives_way_to_the_picture_itself(night: Nights, tmp_path: Path) -> None:
    night.run()
    store = LocalStore(night.output)
    for output, data in (
        ("dog-40.png", b"RIFF\0\0\0\0WEBPnothing"),
        ("dog-80.png", b"no picture"),
        ("dog-120.png", b""),
    ):
        store.write(thumbnail_name(output, "result"), data)
    result = call(night, "-o", str(tmp_path / "a.png"))
    assert (result.return_value, result.stderr) == (0, "")
    assert {(40, 9, 9), (80, 9, 9), (120, 9, 9)} <= colours(tmp_path / "a.png")


@pytest.mark.slow
def test_a_photograph_that_is_gone_costs_its_own_place_alone(night: Nights, tmp_path: Path) -> None:
    night.run()
    (night.project / "input/content/dog.png").write_bytes(b"no picture any more")
    result = call(night, "-o", str(tmp_path / "a.png"))
    assert result.return_value == 3
    assert "dog.png" in result.stderr
    assert (40, 9, 9) in colours(tmp_path / "a.png")


def test_a_small_picture_fits_its_box_lies_on_white_and_stays_in_its_home(tmp_path: Path) -> None:
    image = Image.new("RGBA", (400, 200), (200, 0, 0, 0))
    image.paste((0, 0, 200, 255), (200, 0, 400, 200))
    image.save(tmp_path / "a.png")
    size, pixels = READER.small(tmp_path / "a.png", (100, 100))
    assert size == (100, 50)
    small = Image.frombytes("RGB", size, pixels)
    assert (small.getpixel((10, 25)), small.getpixel((90, 25))) == ((255, 255, 255), (0, 0, 200))
    Image.new("F", (64, 64), 100.0).save(tmp_path / "f.tif")
    assert READER.small(tmp_path / "f.tif", (32, 32))[1] == bytes([100]) * (32 * 32 * 3)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/link.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(BadImage):
        READER.small(tmp_path / "home/link.png", (100, 100), str(tmp_path / "home"))
    with pytest.raises(BadImage):
        READER.small(tmp_path / "gone.png", (100, 100))


@pytest.mark.parametrize(("side", "shown"), [(40, 80), (64, 100), (300, 100)])
def test_a_small_picture_is_enlarged_to_its_box_and_at_most_twice(tmp_path: Path, side: int, shown: int) -> None:
    Image.new("RGB", (side, side), "navy").save(tmp_path / "a.png")
    found, _why = drawing._opened([(str(tmp_path / "a.png"), None)], (100, 100))
    assert found is not None
    assert found.size == (shown, shown)


@pytest.mark.slow
def test_a_strip_that_cannot_be_drawn_is_told_and_the_others_are(
    night: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended with 4, as if the disk were full, and left out all that came after it."""
    night.run(limit=2)
    real = verb.conversation

    @contextmanager
    def first_fails(*given: Any) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
        with real(*given) as ask:
            asked = itertools.count()
            gone = [[["/gone", None]]]
            yield lambda question: ask(question | ({} if next(asked) else {"strip": gone}))

    monkeypatch.setattr(verb, "conversation", first_fails)
    result = call(night, "--strip", "-o", str(tmp_path / "strips"), "--height", "60")
    assert result.return_value == 3
    assert "cannot be drawn: /gone does not exist" in result.stderr
    assert len(list((tmp_path / "strips").iterdir())) == 1
