"""A report of many pairs: its pages, what leads to them, the index, and what all of it weighs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from test_report import HOSTILE_NAMES, facts, falling, outcome
from test_report_html import Page, render_html

from pipeline.errors import DiskFull
from pipeline.images.encode import thumbnail
from pipeline.job import Outcome
from pipeline.printable import printable
from pipeline.report import html, paging
from pipeline.report.axes import axes
from pipeline.report.data import build_report
from pipeline.report.page import anchor
from pipeline.report.paging import split
from pipeline.report.write import write_page, write_reports
from pipeline.store.disk import LocalStore
from pipeline.store.layout import thumbnail_name
from pipeline.store.now import Now

SMALL = b"RIFF\0\0\0\0WEBP"


@pytest.fixture
def few_on_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty pairs on a page."""
    for module in (html, paging):
        monkeypatch.setattr(module, "PAGE_PAIRS", 20)
    monkeypatch.setattr(html, "INLINE_PAIRS", 20)


def matrix(photographs: int, styles: int, status: str = "done") -> list[Outcome]:
    return [
        outcome(f"p{photo:03}--s{style}.png", status, content=f"photos/p{photo:03}.jpg", style=[f"art/s{style}.jpg"])
        for photo in range(photographs)
        for style in range(styles)
    ]


def write(folder: Path, outcomes: list[Outcome], **changes: Any) -> dict[str, Page]:
    """Write a report; its pages by name, the first first."""
    report = build_report(facts(**changes), outcomes)
    write_reports(LocalStore(folder), report, thumbnails=lambda name: {"result": thumbnail_name(name, "result")})
    return {path.relative_to(folder).as_posix(): Page(path.read_text("utf-8")) for path in sorted_pages(folder)}


def sorted_pages(folder: Path) -> list[Path]:
    further = (folder / ".pipeline/pages").rglob("*.html")
    return [*folder.glob("*.html"), *sorted(further, key=lambda path: int(path.stem.rpartition("-")[2]))]


def names_on(page: Page) -> list[str]:
    return [attributes["id"] for _tag, attributes in page.elements if attributes.get("id", "").startswith("pair-")]


# ---------------------------------------------------------------------------------------------------- which on which


def test_rows_stay_together_and_every_pair_stands_on_one_page(few_on_a_page: None) -> None:
    pairs = build_report(facts(), matrix(10, 7))["pairs"]
    rows, columns, _others = axes(pairs)
    pages = split(pairs[::-1], rows, columns)
    assert [len(page) for page in pages] == [14, 14, 14, 14, 14]
    assert [pair["output"] for page in pages for pair in page] == [pair["output"] for pair in pairs]


def test_a_row_longer_than_a_page_is_cut(few_on_a_page: None) -> None:
    pairs = build_report(facts(), [outcome(f"{n:02}.png", style=[f"art/{n:02}.jpg"]) for n in range(45)])["pairs"]
    rows, columns, _others = axes(pairs)
    assert [len(page) for page in split(pairs, rows, columns)] == [20, 20, 5]


def test_pages_hold_all_pairs_and_each_once(tmp_path: Path, few_on_a_page: None) -> None:
    pages = write(tmp_path, matrix(10, 7))
    assert len(pages) == 5
    assert next(iter(pages)) == "report.html"
    found = [name for page in pages.values() for name in names_on(page)]
    assert sorted(found) == sorted(anchor({"output": pair.output}) for pair in matrix(10, 7))


def test_a_report_of_a_few_pairs_is_one_page(tmp_path: Path, few_on_a_page: None) -> None:
    (page,) = write(tmp_path, matrix(5, 4)).values()
    assert len(page.all("script")) == 1  # no index
    assert not (tmp_path / ".pipeline/pages").exists()


# --------------------------------------------------------------------------------------------------- what leads where


def test_every_link_between_pages_leads_to_a_page_and_a_place_that_are_there(
    tmp_path: Path, few_on_a_page: None
) -> None:
    outcomes = [*matrix(10, 7), *(outcome(name, content="photos/p003.jpg") for name in HOSTILE_NAMES)]
    outcomes[-1].attempts = outcomes[69].attempts = 2  # flagged: links from the first page
    outcomes[5].status = "failed"
    pages = write(tmp_path, outcomes)
    targets = {name: {a["id"] for _, a in page.elements if "id" in a} for name, page in pages.items()}
    led = set()
    for name, page in pages.items():
        for link in page.all("a"):
            address, _, place = link["href"].partition("#")
            if not address.endswith(".html") and address:
                continue
            other = (tmp_path / name).parent.joinpath(unquote(address)).resolve() if address else tmp_path / name
            known = other.relative_to(tmp_path.resolve()).as_posix()
            led.add(known)
            assert known in pages
            assert not place or place in targets[known]
    assert led == pages.keys()


def test_pictures_of_further_pages_lie_where_they_say(tmp_path: Path, few_on_a_page: None) -> None:
    outcomes = matrix(6, 5)
    store = LocalStore(tmp_path)
    for pair in outcomes:
        store.write(thumbnail_name(pair.output, "result"), SMALL)
        store.write(pair.output, b"a picture")
    for name, page in write(tmp_path, outcomes, input="../input").items():
        sources = [image["src"] for image in page.all("img") if "result" in image["src"]]
        links = [link["href"] for link in page.all("a") if link["href"].endswith(".png")]
        assert len(sources) == len(links) > 4
        assert all((tmp_path / name).parent.joinpath(unquote(address)).is_file() for address in (*sources, *links))


def test_further_pages_run_and_ask_for_no_more_than_the_first(tmp_path: Path, few_on_a_page: None) -> None:
    first, *others = write(tmp_path, matrix(10, 7)).values()
    policies = [
        [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
        for page in (first, *others)
    ]
    assert all(policy == policies[0] for policy in policies)
    assert [page.all("script") for page in others] == [[{}]] * 4
    assert first.all("script") == [{"type": "application/json", "id": "index"}, {}]


def test_the_table_of_pages_says_what_is_on_each(tmp_path: Path, few_on_a_page: None) -> None:
    outcomes = matrix(6, 5)
    outcomes[7].status = "failed"
    (first, _second) = write(tmp_path, outcomes).values()
    assert "All 2 pages" in first.text
    assert "1 p000--s0.png p003--s4.png 20 pictures: 19 new, 1 failed" in first.text
    assert "2 p004--s0.png p005--s4.png 10 pictures: 10 new" in first.text


# -------------------------------------------------------------------------------------------------------------- index


def index_of(page: Page) -> dict[str, Any]:
    (text,) = (text for text in page.texts if text.startswith('{"statuses":'))
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_index_has_every_pair_with_its_page(tmp_path: Path, few_on_a_page: None) -> None:
    outcomes = matrix(6, 5)
    outcomes[29].attempts = 3
    outcomes[28].status = "failed"
    pages = write(tmp_path, outcomes)
    index = index_of(pages["report.html"])
    assert index["pages"][0]["at"] == ""
    assert index["pages"][1]["at"].startswith("./.pipeline/pages/report/")
    rows = {pair[0]: pair for page in index["pages"] for pair in page["pairs"]}
    assert len(rows) == 30
    failed, flagged = rows["p005--s3.png"], rows["p005--s4.png"]
    assert index["statuses"][failed[1]] == ["failed", "failed"]
    assert (failed[3], flagged[3]) == (0, 1)  # whether there is a small picture
    assert (failed[4], flagged[4]) == ("", "retried")
    assert [index["names"][key] for key in failed[5:]] == ["photos/p005.jpg", "art/s3.jpg"]
    assert index["small"][0] + flagged[2] + index["small"][1] == f"./{thumbnail_name('p005--s4.png', 'result')}"


def test_no_name_ends_the_script_that_the_index_stands_in(tmp_path: Path, few_on_a_page: None) -> None:
    names = ["</script><script>alert(1)</script>.png", "<!--<script>.png", *HOSTILE_NAMES]
    pages = write(tmp_path, [*matrix(4, 5), *(outcome(name) for name in names)])
    assert len(pages["report.html"].all("script")) == 2
    told = {pair[0] for page in index_of(pages["report.html"])["pages"] for pair in page["pairs"]}
    assert {printable(name) for name in names} <= told
    raw = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", raw)


# ------------------------------------------------------------------------------------------------- from run to run


def test_pages_of_an_earlier_larger_report_are_gone_and_those_of_a_shard_stay(
    tmp_path: Path, few_on_a_page: None
) -> None:
    write(tmp_path, matrix(6, 5), shard="2/3")
    assert len(write(tmp_path, matrix(20, 5))) == 7  # five, and the shard's two
    assert len(write(tmp_path, matrix(6, 5))) == 4
    assert len(write(tmp_path, matrix(2, 5))) == 3
    assert not (tmp_path / ".pipeline/pages/report").exists()
    assert len(list((tmp_path / ".pipeline/pages/report.2-of-3").iterdir())) == 1


def test_a_report_that_cannot_be_written_to_its_end_leaves_the_last_one_whole(
    tmp_path: Path, few_on_a_page: None
) -> None:
    before = write(tmp_path, matrix(10, 5))

    class Full(LocalStore):
        def write(self, name: str, data: bytes) -> None:
            if name == "report.html":
                raise DiskFull("the disk is full")
            super().write(name, data)

    report = build_report(facts(), matrix(20, 5))
    with pytest.raises(DiskFull):
        write_page(Full(tmp_path), report, thumbnails=lambda name: {})
    for name in before:
        assert (tmp_path / name).is_file()
    assert len(write(tmp_path, matrix(20, 5))) == 5  # and what the failed one left is gone


def test_while_a_run_goes_on_its_page_has_what_happened_and_the_last_pages_stay(
    tmp_path: Path, few_on_a_page: None
) -> None:
    before = write(tmp_path, matrix(10, 5))
    waiting = [outcome(f"w{n}.png", "not_started", reason_class="waiting") for n in range(100)]
    report = build_report(facts(), [*waiting, outcome("new.png"), outcome("bad.png", "failed")])
    now = Now(run="r", started=facts().started, updated=facts().started)
    write_page(LocalStore(tmp_path), report, thumbnails=lambda name: {}, now=now)
    shown = Page((tmp_path / "report.html").read_text("utf-8"))
    assert sorted(names_on(shown)) == sorted(anchor({"output": name}) for name in ("new.png", "bad.png"))
    assert all((tmp_path / name).is_file() for name in before)


# -------------------------------------------------------------------------------------------------------- what it weighs


def test_of_many_failures_the_first_are_told_and_all_are_counted() -> None:
    outcomes = [outcome(f"{n}.png", "failed", reason_class="bad_image") for n in range(300)]
    shown = Page(
        render_html(build_report(facts(), outcomes), store=LocalStore(Path("/nowhere")), thumbnails=lambda name: {})
    )
    assert "300 failed" in shown.text
    assert "… and 100 more" in shown.text
    assert len(shown.all("code")) == 200 + 1
    assert len(names_on(shown)) == 300  # each has its card


def test_small_pictures_have_a_bounded_number_of_bytes() -> None:
    noise = np.random.default_rng(0).uniform(0, 255, (448, 448, 3)).astype(np.float32)
    plain = np.full((448, 448, 3), 90, np.float32)
    for side, most in ((448, 19_067), (256, 6_225)):  # 0.095 bytes for each pixel of a square
        assert len(thumbnail(plain, None, side)) < len(thumbnail(noise, None, side)) <= most


def test_a_thousand_pairs_have_less_than_thirty_megabytes_in_all(tmp_path: Path) -> None:
    """The page with curves of 60 readings, as records keep them, and a small picture of the most bytes for each result and
    each photograph, all of which are different."""
    trace = falling([1e6 / step for step in range(1, 61)])
    outcomes = [outcome(f"{n}.png", trace=trace, content=f"{n}.jpg") for n in range(1000)]
    write_page(LocalStore(tmp_path), build_report(facts(), outcomes), thumbnails=lambda name: {})
    assert (tmp_path / "report.html").stat().st_size + 1000 * (19_067 + 6_225) < 30e6
