"""The contact sheet of the page: its axes, its pictures, and what stands on a card."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_report import HOSTILE_NAMES, facts, outcome
from test_report_html import WEBP, Page, page, render_html

from pipeline.job import Outcome
from pipeline.report.axes import axes, shares_of
from pipeline.report.data import build_report, standing_words
from pipeline.report.settings import as_yaml
from pipeline.store.disk import LocalStore
from pipeline.store.layout import preview_name, previous_prefix
from pipeline.store.now import AtWork, Now

AT = "2026-11-24T22:00:03+01:00"


def pair(content: str = "a.jpg", style: str = "s.jpg", status: str = "done", **options: Any) -> Outcome:
    name = f"{content}-{style}-{'-'.join(map(str, options.values()))}.png"
    return outcome(name, status, content=content, style=[style], options=options)


def axes_of(outcomes: list[Outcome]) -> tuple[str, str, list[str]]:
    rows, columns, others = axes(build_report(facts(), outcomes)["pairs"])
    return rows.name, columns.name, [axis.name for axis in others]


def matrix(contents: int, styles: int, **options: list[Any]) -> list[Outcome]:
    values = [range(contents), range(styles), *options.values()]
    return [
        pair(f"{content}.jpg", f"{style}.jpg", **dict(zip(options, chosen, strict=True)))
        for content, style, *chosen in itertools.product(*values)
    ]


# ---------------------------------------------------------------------------------------------------------------- axes


def test_rows_are_photographs_and_columns_styles() -> None:
    assert axes_of(matrix(3, 2)) == ("photograph", "style", [])
    assert axes_of(matrix(1, 1)) == ("photograph", "style", [])


def test_the_two_axes_are_taken_that_give_most_pictures_a_cell_of_their_own() -> None:
    assert axes_of(matrix(1, 1, style_weight=[1, 2, 3], seed=[1, 2])) == ("seed", "style_weight", [])
    assert axes_of(matrix(6, 1, style_weight=[1, 2, 3])) == ("photograph", "style_weight", [])
    assert axes_of(matrix(4, 3, seed=[1, 2])) == ("photograph", "style", ["seed"])


def test_a_few_pairs_of_their_own_are_photographs_by_styles_and_many_are_not() -> None:
    few = [pair(f"{n // 2}.jpg", f"{n}.jpg", quality=90 if n else 95) for n in range(4)]
    assert axes_of(few)[:2] == ("photograph", "style")
    many = [pair(f"{n}.jpg", f"{n}.jpg", quality=90 if n else 95) for n in range(30)]
    assert axes_of(many)[:2] != ("photograph", "style")


def test_an_option_that_follows_the_photograph_is_no_axis() -> None:
    pairs = [pair(f"{n}.jpg", f"{m}.jpg", size=100 + n, seed=10 * n + m) for n in range(4) for m in range(3)]
    assert axes_of(pairs)[:2] == ("photograph", "style")


def test_names_stand_as_people_count_and_numbers_by_size() -> None:
    contents, weights, _ = axes(
        build_report(facts(), [pair(f"IMG_{n}.jpg", style_weight=w) for n in (10, 9, 1) for w in (0.5, 1e-2, 10.0)])[
            "pairs"
        ]
    )
    assert contents.values == ("IMG_1.jpg", "IMG_9.jpg", "IMG_10.jpg")
    assert weights.values == ("0.01", "0.5", "10.0")


def test_shares_that_are_not_known_are_equal() -> None:
    assert shares_of({"style": ["a", "b"], "style_shares": [3.0, 1.0]}) == [0.75, 0.25]
    for shares in ([], [1.0], [0.0, 0.0], ["x", 1]):
        assert shares_of({"style": ["a", "b"], "style_shares": shares}) == [0.5, 0.5]
    assert shares_of({"style": [], "style_shares": []}) == []


# ---------------------------------------------------------------------------------------------------------------- cards


def rows_of(shown: Page) -> int:
    return sum(section.get("class") == "row" for section in shown.all("section"))


def test_each_photograph_is_a_row_and_each_picture_a_card() -> None:
    shown = page(matrix(4, 3))
    assert rows_of(shown) == 4
    cards = [card for card in shown.all("article") if card["class"].startswith("pic")]
    assert len(cards) == 12
    assert {card["data-status"] for card in cards} == {"done"}
    assert len({card["data-photograph"] for card in cards}) == 4
    assert len({card["data-style"] for card in cards}) == 3
    assert [select["name"] for select in shown.all("select")] == ["photograph", "style"]


def test_no_picture_is_cropped_and_transparency_is_seen() -> None:
    css = "".join(page([]).texts)
    assert "cover" not in css
    assert "repeating-conic-gradient" in css


def test_a_panorama_keeps_its_shape(tmp_path: Path) -> None:
    LocalStore(tmp_path).write("small.webp", WEBP)
    shown = page([outcome(size=[4000, 1000])], folder=tmp_path, pictures={"result": "small.webp"})
    assert [(image["width"], image["height"]) for image in shown.all("img")] == [("896", "224")]
    many = page(
        [outcome(f"{n}.png", size=[4000, 1000]) for n in range(9)], folder=tmp_path, pictures={"result": "small.webp"}
    )
    assert {(image["width"], image["height"]) for image in many.all("img")} == {("448", "112")}


def test_a_few_pairs_are_large_pictures_with_what_they_were_made_of(tmp_path: Path) -> None:
    small = {which: f"{which}.webp" for which in ("content", "style", "result")}
    for count, layout in ((1, "one"), (3, "one"), (4, "two"), (8, "two")):
        shown = page([outcome(f"{n}.png", size=[800, 600]) for n in range(count)], folder=tmp_path, pictures=small)
        (heroes,) = [each for each in shown.all("div") if each.get("class", "").startswith("heroes")]
        assert heroes["class"] == f"heroes {layout}"
        assert [image["alt"].partition(":")[0] for image in shown.all("img")[:3]] == [
            "photos/dog.jpg in the style of art/wave.jpg",
            "photograph",
            "style",
        ]
        assert (rows_of(shown), shown.all("select")) == (0, [])
    assert rows_of(page([outcome(f"{n}.png") for n in range(9)])) == 1


def test_heroes_stand_as_a_sheet_would_have_them_and_say_in_which_options_they_differ() -> None:
    shown = page([pair("b.jpg", seed=1), pair("a.jpg", seed=2), pair("a.jpg", seed=1)])
    names = [f"{name}-s.jpg-{seed}.png" for name, seed in (("a.jpg", 1), ("a.jpg", 2), ("b.jpg", 1))]
    assert [text for text in shown.texts if text in names] == names
    assert "seed 2" in shown.texts


def test_a_hero_is_drawn_from_its_file_where_that_has_more_to_show(tmp_path: Path) -> None:
    def is_sharper(width: int, height: int) -> bool:
        shown = page([outcome(size=[width, height])], folder=tmp_path, pictures={"result": "small.webp"})
        return "data-sharper" in shown.all("img")[0]

    assert is_sharper(1024, 768)
    assert not is_sharper(448, 300)  # the small picture has all its pixels
    assert not is_sharper(4096, 3072)  # 12.6 million pixels are opened on a click


@pytest.mark.parametrize("count", [1, 9])
def test_a_tiny_picture_is_enlarged_at_most_twice(tmp_path: Path, count: int) -> None:
    def width(longer_side: int) -> str:
        outcomes = [outcome(f"{n}.png", size=[longer_side, 40]) for n in range(count)]
        return page(outcomes, folder=tmp_path, pictures={"result": "small.webp"}).all("img")[0]["width"]

    assert [width(side) for side in (64, 200, 300)] == ["128", "256", "300"]


def test_rows_and_columns_leave_out_the_folder_that_all_have_in_common() -> None:
    outcomes = [
        outcome(f"{c}-{s}.png", content=f"photos/{c}.jpg", style=[f"{s}/art.jpg"]) for c in "abc" for s in "xyz"
    ]
    heads = [text for text in page(outcomes).texts if text in ("a.jpg", "photos/a.jpg", "x/art.jpg", "art.jpg")]
    assert "a.jpg" in heads
    assert "x/art.jpg" in heads
    assert "art.jpg" not in heads


def test_new_pictures_are_framed_where_others_are_not_new() -> None:
    def mixed(*statuses: str) -> bool:
        shown = page([outcome(f"{n}.png", status) for n, status in enumerate(statuses)])
        return any("mixed" in each.get("class", "") for each in shown.all("div"))

    assert mixed("done", "up_to_date")
    assert not mixed("done", "done")
    assert not mixed("up_to_date")


def test_a_blend_shows_all_its_styles_with_their_shares(tmp_path: Path) -> None:
    names = {"style": "a.webp", "style2": "b.webp"}
    blend = outcome(style=["art/kandinsky.jpg", "art/wave.jpg"], style_shares=[3.0, 1.0])
    shown = page([blend], folder=tmp_path, pictures=names)
    assert [image["alt"] for image in shown.all("img")] == ["style: art/kandinsky.jpg 75 %", "style: art/wave.jpg 25 %"]


def test_settings_are_text_that_a_manifest_takes() -> None:
    odd = {
        "style_weight": 0.05,
        "init": "no",
        "size": 300,
        "style_layers": {"conv1_1": 1.0},
        "x: y": "\u202e\n#",
        "e": 1e-06,
    }
    text = as_yaml(odd)
    assert text.replace("\n", "").isprintable()
    assert yaml.safe_load(text) == odd


def test_hostile_names_are_text_on_every_kind_of_card() -> None:
    for name in HOSTILE_NAMES:
        shown = page([outcome(name, content=name, style=[name, name], options={name: name, "init": name})])
        assert len(shown.all("script")) == 1
        assert not shown.all("img")


def test_an_older_picture_stands_beside_the_present_one_with_what_has_changed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write(f"{previous_prefix('a.png')}000004.png", b"old")
    store.write(f"{previous_prefix('a.png')}000004.small.webp", WEBP)
    shown = page([outcome("a.png")], folder=tmp_path)
    assert "Before it was painted anew" in shown.text
    assert f"./{previous_prefix('a.png')}000004.png" in [link["href"] for link in shown.all("a")]


def test_what_stands_of_the_manifest_is_said_in_words() -> None:
    outcomes = [outcome("a.png"), outcome("b.png", "up_to_date"), outcome("c.png", "not_started")]
    assert standing_words(build_report(facts(), outcomes)) == "2 of 3 painted, 1 still to do"
    assert standing_words(build_report(facts(), outcomes[:2])) == "2 of 2 painted"
    assert "2 of 3 painted, 1 still to do" in page(outcomes).text


def test_bars_of_the_trend_are_told_apart_by_more_than_colour() -> None:
    text = page([outcome()], history=[]).text
    assert "hatched" not in text
    from pipeline.report.history import history_row

    rows = [history_row(build_report(facts(id=f"n{n}"), [outcome("x", "failed")])) for n in range(2)]
    shown = page([outcome()], history=rows)
    assert "new (solid)" in shown.text
    assert "url(#hatch)" in [rect.get("fill") for rect in shown.all("rect")]


def test_the_page_of_a_run_that_goes_on_shows_the_pair_at_work(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write(preview_name("a.png"), WEBP)
    work = [AtWork(output="a.png", steps=300, step=120, loss=2.0), AtWork(output="<b>.png", steps=9)]
    now = Now(run="r", started=AT, updated=AT, whole=9, finished=4, failed=1, seconds_left=90.0, at_work=work)
    report = build_report(facts(), [outcome("a.png", "not_started", reason_class="at_work")])
    shown = Page(render_html(report, store=store, thumbnails=lambda name: {}, now=now))
    assert "4 of this run's 9 pairs finished, 1 failed, about 1 m 30 s left" in shown.text
    assert "step 120 of 300, loss 2" in shown.text
    assert "being painted" in shown.text
    assert "1 not finished" in shown.text  # it was counted as not started
    assert "not started" not in shown.text
    assert next(image["alt"] for image in shown.all("img")) == "a.png as it stands"


def test_quarantined_pairs_are_no_bug() -> None:
    assert "Stopped by a bug" not in page([outcome(status="quarantined")], exit_code=12).text


def test_a_line_says_what_is_in_rows_in_columns_and_on_cards() -> None:
    shown = page(matrix(4, 3, seed=[1, 2]))
    assert "Rows: photograph (4). Columns: style (3). On each card: seed (1, 2)." in shown.text
    shown = page(matrix(1, 1, style_weight=[1, 2, 3], seed=range(8)))  # type: ignore[arg-type]
    assert "Rows: seed (8). Columns: style_weight (1, 2, 3)." in shown.text
    assert "Rows:" not in page(matrix(1, 2)).text
