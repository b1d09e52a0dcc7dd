"""report.html: one calm page that opens anywhere and runs nothing but its own script."""

from __future__ import annotations

import hashlib
import itertools
import re
from base64 import b64encode
from collections.abc import Mapping
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from test_report import HOSTILE_NAMES, facts, falling, one_of_each, outcome

from pipeline.errors import ExitCode
from pipeline.job import STATUSES, Outcome
from pipeline.printable import printable
from pipeline.report.data import build_report
from pipeline.report.drawings import loss_curve, trend
from pipeline.report.history import history_row
from pipeline.report.html import render_pages
from pipeline.report.links import INLINE_BYTES, INLINE_PAIRS
from pipeline.store.disk import LocalStore
from pipeline.store.layout import pair_id, previous_prefix, thumbnail_name
from pipeline.store.records import State

ACTING = "[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"  # controls, bidi overrides, surrogates
PARTS = ("total", "content", "style", "tv")
VOID = {"meta", "link", "img", "br", "input"}
WEBP = b"RIFF\0\0\0\0WEBP"  # how a thumbnail begins


def render_html(report, **how):
    """The report's first page, or its only one."""
    *_others, (_name, page) = render_pages(report, **how)
    return page


class Page(HTMLParser):
    """A page taken apart: its elements with attributes, and its text. Refuses elements closed in the wrong order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page(
    outcomes: list[Outcome],
    *,
    folder: Path = Path("/nowhere"),
    pictures: Mapping[str, str] | None = None,
    history: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> Page:
    report = build_report(facts(**changes), outcomes)
    return Page(
        render_html(report, store=LocalStore(folder), thumbnails=lambda name: pictures or {}, history=history or [])
    )


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, str]:
    """Three files in place of small pictures: the page reads their bytes and never decodes them."""
    names = {kind: f".pipeline/small/{kind} #1.webp" for kind in ("content", "style", "result")}
    for kind, name in names.items():
        LocalStore(tmp_path).write(name, WEBP + kind.encode())
    return names


def test_page_has_one_script_of_its_own_no_handler_and_no_address_outside() -> None:
    shown = page([*one_of_each(), *(outcome(name) for name in HOSTILE_NAMES)])
    assert shown.all("script") == [{}]
    assert not {"iframe", "object", "embed", "form", "base"} & {tag for tag, _ in shown.elements}
    for _, attributes in shown.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src"):
            assert re.match(r"\./|#|data:|$", attributes.get(name, ""))
    assert not {"url(", "fetch(", "XMLHttp", "innerHTML", "eval(", "http:", "https:"} & set(
        re.findall(r"url\(|fetch\(|XMLHttp|innerHTML|eval\(|https?:", "".join(shown.texts))
    )
    assert "@import" not in "".join(shown.texts)


def test_page_forbids_everything_it_does_not_need() -> None:
    (policy,) = [m["content"] for m in page([]).all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src 'self' data: file:;")
    script = resources.files("pipeline.report").joinpath("report.js").read_bytes()
    digest = b64encode(hashlib.sha256(script).digest()).decode()
    assert re.findall(r"script-src ([^;]*);", policy) == [f"'sha256-{digest}'"]


def test_the_script_stands_in_the_page_as_its_policy_has_it(tmp_path: Path) -> None:
    source = render_html(build_report(facts(), [outcome()]), store=LocalStore(tmp_path), thumbnails=lambda name: {})
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in source


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_shown_as_harmless_text(name: str, status: str, pictures: dict[str, str]) -> None:
    hostile = outcome(name, status, content=name, style=[name], reason=name, notes=[name], meta={name: name})
    shown = page([hostile], pictures=pictures, manifest=name, warnings=[name], notes=[name], host=name, command=[name])
    assert printable(name) in "".join(shown.texts) or printable(name) in str(shown.all("img"))
    # photograph and style at the head of row and column, and beside a failure; the result where there is one
    assert len(shown.all("img")) == {"done": 3, "up_to_date": 3, "failed": 4, "quarantined": 4}.get(status, 2)
    values = "".join(value for _, attributes in shown.elements for value in attributes.values())
    assert not re.search(ACTING, values)
    assert not re.search(ACTING, "".join(shown.texts).replace("\n", ""))  # the template's own line ends


def test_links_to_full_files_are_relative_quoted_and_lead_back_to_the_name(pictures: dict[str, str]) -> None:
    for name in HOSTILE_NAMES:
        (link,) = [a["href"] for a in page([outcome(name)], pictures=pictures).all("a") if a["href"].endswith("png")]
        assert re.fullmatch(r"\./[\w.~/%-]+", link, re.ASCII)
        errors = "surrogatepass" if "\ud800" in name else "surrogateescape"
        assert unquote(link, errors=errors) == f"./{name}"


def test_content_and_style_are_linked_where_the_input_folder_is_known(pictures: dict[str, str]) -> None:
    linked = page([outcome(content="my photos/a#1.jpg")], pictures=pictures, input="../input").all("a")
    assert "./../input/my%20photos/a%231.jpg" in [a["href"] for a in linked]
    absolute = page([outcome(content="/srv/a.jpg", style=["/srv/b.jpg"])], pictures=pictures, input="../input").all("a")
    assert not [a for a in absolute if "srv" in a["href"]]


def test_photographs_of_one_name_that_lie_elsewhere_are_told_apart_and_lead_nowhere(tmp_path: Path) -> None:
    """Of them reports say the file's own name alone; below the input folder nothing is called so."""
    store = LocalStore(tmp_path / "out")
    for output, look in (("a.png", b"a"), ("b.png", b"b"), ("c.png", b"b")):
        store.write(thumbnail_name(output, "content"), WEBP + look)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/below.jpg").touch()
    outcomes = [outcome(f"{name}.png", content="IMG_1.jpg") for name in "abcd"] + [
        outcome("e.png", content="below.jpg")
    ]
    report = build_report(facts(input="../in"), outcomes)
    shown = Page(render_html(report, store=store, thumbnails=State(store).thumbnails))
    sources = {image["src"] for image in shown.all("img") if image["alt"] == "photograph: IMG_1.jpg"}
    assert sources == {f"data:image/webp;base64,{b64encode(WEBP + look).decode()}" for look in (b"a", b"b")}
    keys = {card["id"]: card["data-photograph"] for card in shown.all("article") if "data-photograph" in card}
    a, b, c, d, e = (keys[f"pair-{pair_id(f'{name}.png')[:12]}"] for name in "abcde")
    assert b == c
    assert len({a, b, d, e}) == 4
    assert not [link for link in shown.all("a") if "IMG_1" in link["href"]]


@pytest.mark.parametrize("number", [2, 12])
def test_no_level_of_headings_is_left_out(tmp_path: Path, pictures: dict[str, str], number: int) -> None:
    """For those who walk through a page by them (WCAG 2.2, technique H42): large pictures and a sheet, with older ones."""
    store = LocalStore(tmp_path)
    outcomes = [outcome(f"{n}.png", "failed" if n == 1 else "done", content=f"{n}.jpg") for n in range(number)]
    store.write(f"{previous_prefix('0.png')}000001.png", b"a picture")
    shown = page(outcomes, folder=tmp_path, pictures=pictures)
    assert "Before it was painted anew" in shown.text
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels


def test_all_is_not_well_where_pairs_failed_that_the_run_was_not_to_take() -> None:
    """As after `--only`: the page lists them under "What needs you"."""

    def headline(others: list[Outcome]) -> str:
        report = build_report(facts(exit_code=ExitCode.OK), [outcome()], others)
        return Page(render_html(report, store=LocalStore(Path("/nowhere")), thumbnails=lambda name: {})).text

    assert "Done as asked" in headline([outcome("b.png", "failed")])
    assert "All well" not in headline([outcome("b.png", "not_started")])
    assert "All well" in headline([outcome("b.png", "up_to_date")])


def test_a_picture_without_a_small_one_can_be_opened_all_the_same() -> None:
    """As pictures that are found where `.pipeline` was lost, with their settings in them alone."""
    shown = page([outcome("a b.png", "up_to_date"), outcome("c.png", "failed")])
    assert [(link["href"], link["class"]) for link in shown.all("a") if link["href"].endswith(".png")] == [
        ("./a%20b.png", "blank")
    ]


def test_pairs_that_want_one_output_have_a_place_each() -> None:
    twice = [outcome("a.png", "failed", content=f"{name}.jpg") for name in "xyz"]
    places = [one["id"] for _, one in page(twice).elements if "id" in one]
    assert len([place for place in places if place.startswith("pair-")]) == 3
    assert len(places) == len(set(places))


def test_every_picture_has_words_for_those_who_do_not_see_it(pictures: dict[str, str]) -> None:
    shown = page([outcome(), outcome("b.png", "failed"), outcome("c.png", "up_to_date")], pictures=pictures)
    alts = [image["alt"] for image in shown.all("img")]
    assert sorted(set(alts)) == [
        "photograph: photos/dog.jpg",
        "photos/dog.jpg in the style of art/wave.jpg",
        "style: art/wave.jpg",
    ]
    assert all("aria-hidden" in svg or svg.get("aria-label") for svg in shown.all("svg"))


def test_pictures_of_a_small_run_stand_in_the_page_and_those_of_a_large_run_beside_it(
    tmp_path: Path, pictures: dict[str, str]
) -> None:
    def sources(number: int) -> set[str]:
        outcomes = [outcome(f"{n}.png") for n in range(number)]
        return {image["src"] for image in page(outcomes, folder=tmp_path, pictures=pictures).all("img")}

    assert sources(INLINE_PAIRS) == {
        f"data:image/webp;base64,{b64encode(WEBP + kind).decode()}" for kind in (b"content", b"style", b"result")
    }
    assert sources(INLINE_PAIRS + 1) == {
        f"./.pipeline/small/{kind}%20%231.webp" for kind in ("content", "style", "result")
    }


def test_a_picture_that_is_gone_or_too_large_for_the_page_is_linked(tmp_path: Path, pictures: dict[str, str]) -> None:
    LocalStore(tmp_path).delete(pictures["content"])
    LocalStore(tmp_path).write(pictures["style"], bytes(INLINE_BYTES + 1))
    sources = [image["src"] for image in page([outcome()], folder=tmp_path, pictures=pictures).all("img")]
    assert [source.startswith("./.pipeline/") for source in sources] == [False, True, True]  # the result comes first


def test_a_pair_without_small_pictures_says_so() -> None:
    assert page([outcome()]).text.count("no preview") == 1


def test_status_is_said_in_words_and_not_in_colour_alone() -> None:
    chips = page(one_of_each()).text
    for words in ("1 new", "1 failed", "1 quarantined", "1 interrupted", "1 not started", "1 up to date"):
        assert words in chips


def test_failures_come_before_pictures_with_reason_fix_and_command() -> None:
    bad = outcome("bad.png", "failed", reason="it is empty", reason_class="bad_image")
    shown = page([outcome("new.png"), bad]).text
    assert "stylize run configs/night.yaml --only bad.png --retry-failed" in shown
    assert shown.index("Picture cannot be used") < shown.index("it is empty") < shown.index("2, 1 new in this run")


def test_a_failure_that_is_not_the_first_says_since_when() -> None:
    since = "2026-11-24T22:00:03+01:00"
    third = page([outcome("bad.png", "failed", failing_since=since, failed_runs=3)])
    assert "failing since Tue 24 Nov 2026, 22:00 (3 runs)" in third.text
    assert "failing since" not in page([outcome("bad.png", "failed", failing_since=since, failed_runs=1)]).text


@pytest.mark.parametrize(
    ("code", "headline"),
    [
        (ExitCode.OK, "All well"),
        (ExitCode.BUG, "Stopped by a bug"),
        (ExitCode.SOME_FAILED, "Needs attention"),
        (ExitCode.ENVIRONMENT, "Stopped by the machine"),
        (ExitCode.DEADLINE, "Out of time"),
        (ExitCode.SIGINT, "Stopped by Ctrl-C"),
        (ExitCode.SIGTERM, "Stopped by SIGTERM"),
    ],
)
def test_the_headline_says_how_the_run_ended(code: ExitCode, headline: str) -> None:
    assert headline in page([outcome()], exit_code=code).text


def test_an_empty_run_makes_a_whole_page() -> None:
    shown = page([], exit_code=ExitCode.OK)
    assert "Nothing to do" in shown.text
    assert "no pairs" in shown.text
    assert shown.all("img") == []


def test_what_comes_with_a_style_loss_is_not_shown() -> None:
    own = {"style_loss": "neighbours", "style_weight": 0.0125, "tv_weight": 3.0, "init": "blurred"}
    shown = page([outcome(options=own)]).text
    assert "style_loss: neighbours" in shown
    for name in ("style_weight", "tv_weight", "init"):
        assert name not in shown
    assert "style_weight: 0.01" in page([outcome(options={**own, "style_loss": "gram"})]).text
    assert "tv_weight: 10" in page([outcome(options={**own, "tv_weight": 10.0})]).text


def test_only_options_that_are_not_the_defaults_are_shown() -> None:
    shown = page([outcome(options={"style_weight": 0.05, "content_weight": 1.0, "pooling": "max"})])
    assert "style_weight: 0.05" in shown.text
    assert "content_weight" not in shown.text


def test_losses_are_shown_first_and_last_with_their_ratio() -> None:
    losses = {"first": {"total": 400.0, "content": 0.1, "tv": 0.0}, "last": {"total": 2.0, "content": 1.7, "tv": 0.0}}
    shown = page([outcome(losses=losses)])
    assert "total 400 2 0.5 %" in shown.text
    assert "content 0.1 1.7 × 17" in shown.text
    assert "tv" not in [row.get("class") for row in shown.all("tr")]


def test_a_loss_of_another_name_has_its_row_and_its_line() -> None:
    trace = [{"step": step, "seconds": 1.0, "total": 9.0 / step, "moments": 3.0 / step} for step in (1, 2, 3)]
    losses = {"first": {"total": 9.0, "moments": 3.0}, "last": {"total": 3.0, "moments": 1.0}}
    shown = page([outcome(losses=losses, trace=trace)])
    assert "moments 3 1 33 %" in shown.text
    assert [line["class"] for line in shown.all("polyline")] == ["moments", "total"]  # the total on top


def test_flags_are_gathered_with_links_to_their_pairs() -> None:
    shown = page([outcome("a b.png", attempts=2, trace=falling([4.0, 2.0]))])
    assert "Worth a look" in shown.text
    targets = {attributes["id"] for _, attributes in shown.elements if "id" in attributes}
    anchors = [a["href"] for a in shown.all("a") if a["href"].startswith("#")]
    assert len(anchors) >= 3
    assert {anchor[1:] for anchor in anchors} <= targets


def test_chips_lead_to_sections_that_exist() -> None:
    shown = page(one_of_each(), warnings=["w"])
    targets = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert {a["href"][1:] for a in shown.all("a") if a.get("class", "").startswith("chip")} <= set(targets)
    assert len(targets) == len(set(targets))


def test_many_failures_of_one_kind_are_folded_and_none_is_lost() -> None:
    shown = page([outcome(f"bad-{n}.png", "failed") for n in range(40)])
    assert "28 more" in shown.text
    assert len(shown.all("code")) == 40 + 1  # one command each, and the run's own


def test_speed_is_compared_with_earlier_runs_and_a_slow_night_is_marked() -> None:
    def painted(seconds_per_step: float) -> list[Outcome]:
        return [outcome(size=[1000, 1000], seconds_per_step=seconds_per_step)]

    earlier = [history_row(build_report(facts(id=f"night-{n}"), painted(1.0))) for n in range(3)]
    assert "50 % slower than usual" in page(painted(1.5), history=earlier).text
    assert "20 % faster than usual" in page(painted(0.8), history=earlier).text
    assert "as usual" in page(painted(1.02), history=earlier).text
    assert "usual" not in page(painted(1.5), history=earlier[:2]).text
    assert "worry" in [tag.get("class") for tag in page(painted(1.5), history=earlier).all("small")]


def test_this_run_stands_once_in_the_trend_whether_or_not_it_is_in_the_history() -> None:
    earlier = [history_row(build_report(facts(id=f"night-{n}"), [outcome()])) for n in range(2)]
    tonight = history_row(build_report(facts(), [outcome()]))
    for history in (earlier, [*earlier, tonight]):
        assert "Pairs per run over the last 3 runs" in page([outcome()], history=history).text


def test_loss_curve_spans_whole_decades_from_the_top_down() -> None:
    curve = loss_curve(falling([1000.0, 100.0, 10.0]), PARTS)
    assert curve is not None
    assert [label for _, label in curve.ticks] == ["1e1", "1e2", "1e3"]
    total = curve.lines[0]
    heights = [float(point.split(",")[1]) for point in total.points.split()]
    assert heights == [6.0, 42.0, 78.0]  # of 84, with 6 left free at either end: a decade is 36
    assert "from 1000 at step 1 to 10 at step 3" in curve.description.replace("1e3", "1000")


def test_loss_curve_leaves_out_what_a_logarithm_cannot_take() -> None:
    trace = falling([10.0, 5.0, 2.0])
    trace[1]["total"] = float("nan")
    curve = loss_curve(trace, PARTS)
    assert curve is not None
    assert len(curve.lines[0].points.split()) == 2
    assert [line.part for line in curve.lines] == ["total", "style"]  # content and tv are zero throughout
    assert loss_curve(falling([5.0]), PARTS) is None
    assert loss_curve(falling([0.0, -1.0]), PARTS) is None


def test_loss_curve_of_a_long_trace_is_thin_and_keeps_both_ends() -> None:
    curve = loss_curve(falling([1e6 / step for step in range(1, 5001)]), PARTS)
    assert curve is not None
    points = curve.lines[0].points.split()
    assert len(points) == 32
    assert points[0].startswith("30.0,")
    assert points[-1].startswith("254.0,")


def test_trend_stacks_the_pairs_of_a_run_and_the_fullest_run_fills_the_height() -> None:
    rows = [
        history_row(build_report(facts(), [outcome("a.png"), outcome("b.png"), outcome("c.png", "failed")])),
        history_row(build_report(facts(), [outcome("a.png", "up_to_date")])),
    ]
    full, idle = trend(rows)
    assert [(bar.kind, bar.height) for bar in full.bars] == [("done", 80.0), ("failed", 40.0)]
    assert idle.bars == []
    assert "2 new, 1 failed, 0 waiting" in full.words


@pytest.mark.slow
def test_a_thousand_pairs_make_a_page_below_thirty_megabytes(tmp_path: Path, pictures: dict[str, str]) -> None:
    trace = falling([1e6 / step for step in range(1, 301)])
    report = build_report(facts(), [outcome(f"{n}.png", trace=trace) for n in range(1000)])
    source = render_html(report, store=LocalStore(tmp_path), thumbnails=lambda name: pictures)
    assert source.count("<article") == 1000
    assert len(source.encode()) < 30e6


def test_a_card_names_a_pairs_masks_with_links_to_their_files() -> None:
    masks = {
        "mask": {"0": "masks/sky.png", "1": {"content": "masks/land.png", "style": "masks/foam<b>.png"}},
        "content_mask": "masks/keep.png",
        "regions": {"content": "maps/house.png", "style": "maps/wave.png"},
    }
    shown = page([outcome(style=["art/wave.jpg", "art/pen.jpg"], masks=masks)], input="../input")
    for words in (
        "art/wave.jpg is painted where masks/sky.png",
        "art/pen.jpg is painted where masks/land.png",
        "of art/pen.jpg is looked at masks/foam<b>.png",
        "the photograph is kept where masks/keep.png",
        "regions by the colours of maps/house.png , maps/wave.png",
    ):
        assert words in shown.text
    assert {"./../input/masks/sky.png", "./../input/maps/wave.png"} <= {link.get("href") for link in shown.all("a")}
    assert "is painted where" not in page([outcome()]).text
