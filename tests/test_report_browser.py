"""report.html in headless Chromium, opened as a file: search, filters, before and after, by mouse and by keyboard, without
scripts, on a phone, on paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser_kit import Browser, browser, needs_chromium
from PIL import Image
from test_report import HOSTILE_NAMES, facts, outcome
from test_report_pages import matrix

from pipeline.images.encode import thumbnail
from pipeline.printable import printable
from pipeline.report import html, paging
from pipeline.report.data import build_report
from pipeline.report.write import write_reports
from pipeline.store.disk import LocalStore
from pipeline.store.layout import thumbnail_name

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
]
LONG = "photos of the summer/" + "a-very-long-name-without-any-room-to-break-" * 4
HOSTILE = (*HOSTILE_NAMES, "</script><script>document.title = 'run'</script>.png")


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_goes_wrong(tab: Browser) -> Iterator[None]:
    """No error, nothing that the page's policy had to refuse, no request but for files beside it."""
    tab.errors.clear()
    tab.asked.clear()
    yield
    assert tab.errors == []
    assert [address for address in tab.asked if not address.startswith(("file:", "data:", "about:"))] == []


def grey(width: int, height: int, level: int) -> np.ndarray:
    return np.full((height, width, 3), level, np.float32)


def written(folder: Path, outcomes: list) -> Path:
    """A report in `folder`/out with photographs, results and small pictures of both; its first page."""
    store = LocalStore(folder / "out")
    (folder / "in/photos").mkdir(parents=True, exist_ok=True)
    for pair in outcomes:
        if pair.status in ("done", "up_to_date"):
            store.write(thumbnail_name(pair.output, "result"), thumbnail(grey(60, 40, 200), None, 448))
            Image.new("RGB", (60, 40), (200, 200, 200)).save(store.path(pair.output))
        store.write(thumbnail_name(pair.output, "content"), thumbnail(grey(30, 20, 50), None, 256))
        Image.new("RGB", (60, 40), (50, 50, 50)).save(folder / "in" / pair.content)

    def thumbnails(name: str) -> dict[str, str]:
        names = {which: thumbnail_name(name, which) for which in ("content", "result")}
        return {which: name for which, name in names.items() if store.exists(name)}

    write_reports(store, build_report(facts(input="../in"), outcomes), thumbnails=thumbnails)
    return folder / "out/report.html"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seventy pairs on five pages: one failed, one with a flag."""
    outcomes = matrix(10, 7)
    outcomes[64].status, outcomes[64].reason = "failed", "it is empty"
    outcomes[69].attempts = 2
    with pytest.MonkeyPatch.context() as patch:
        for module in (html, paging):
            patch.setattr(module, "PAGE_PAIRS", 20)
        return written(tmp_path_factory.mktemp("pages"), outcomes)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs on one page."""
    outcomes = matrix(4, 3)
    outcomes[5].status = "failed"
    outcomes[7].attempts = 2
    return written(tmp_path_factory.mktemp("one"), outcomes)


def test_search_finds_pairs_of_all_pages_and_leads_to_them(tab: Browser, pages: Path) -> None:
    tab.open(pages)
    assert len(tab.texts("#this-page .pic")) == 14
    tab.type("input[name=find]", "P009 s3")
    assert tab.texts("#tally") == ["1 picture"]
    assert tab.texts("#found .name") == ["p009--s3.png"]
    assert tab.texts("#this-page .pic") == []
    tab.ask("document.querySelector('[name=find]').value = ''")
    tab.type("input[name=find]", "photos/p009.jpg art/s3")  # of what it was made
    assert tab.texts("#found .name") == ["p009--s3.png"]
    tab.until("document.querySelector('#found img').naturalWidth === 60")
    tab.click("#found a")
    tab.until("location.pathname.includes('-5.html') && document.querySelector('.pic:target')?.checkVisibility()")
    assert tab.texts(".pic:target .name") == ["p009--s3.png"]


def test_filters_choose_from_all_pages_and_together(tab: Browser, pages: Path) -> None:
    tab.open(pages)
    tab.choose("select[name=status]", "failed")
    assert tab.texts("#found .name") == ["p009--s1.png"]
    assert tab.texts("#found .blank") == ["failed"]
    tab.choose("select[name=status]", "")
    tab.choose("select[name=flag]", "retried")
    assert tab.texts("#found .name") == ["p009--s6.png"]
    tab.choose("select[name=flag]", "")
    assert tab.texts("#found .name") == []
    assert len(tab.texts("#this-page .pic")) == 14
    tab.ask(
        "[...document.querySelector('select[name=style]').options].find((o) => o.text === 'art/s2.jpg').selected = true"
    )
    tab.ask("document.querySelector('select[name=style]').dispatchEvent(new Event('change'))")
    assert tab.texts("#tally") == ["10 pictures"]
    tab.type("input[name=find]", "p00")
    assert tab.texts("#found .name") == [f"p00{n}--s2.png" for n in range(10)]


def test_a_single_page_is_searched_by_name_status_and_flag(tab: Browser, one: Path) -> None:
    tab.open(one)
    tab.type("input[name=find]", "p002")
    assert tab.texts(".sheet .name") == ["p002--s0.png", "p002--s1.png", "p002--s2.png"]
    tab.choose("select[name=flag]", "retried")
    assert tab.texts(".sheet .name") == ["p002--s1.png"]
    assert len(tab.texts(".row")) == 1
    tab.choose("select[name=status]", "failed")
    assert tab.texts(".sheet .name") == []
    assert tab.texts("#tally") == ["0 pictures"]
    tab.open(one)
    tab.type("input[name=find]", "s1.jpg p003.jpg")
    assert tab.texts(".sheet .name") == ["p003--s1.png"]


def test_a_number_above_leads_to_those_that_it_counts(tab: Browser, one: Path, pages: Path) -> None:
    for page, expected in ((one, 11), (pages, 60)):  # of the latter the first sixty, of 69
        tab.open(page)
        tab.click(".chip.done")
        assert len(tab.texts("#pictures ~ * .pic .name")) == expected
        assert set(tab.texts("#pictures ~ * .pic .tag b")) == {"new"}
    tab.click("#more-found")
    assert len(tab.texts("#found .name")) == 69


def test_a_link_to_a_pair_that_is_filtered_away_shows_it_again(tab: Browser, one: Path) -> None:
    tab.open(one)
    tab.type("input[name=find]", "p000")
    tab.click(".looks a")
    tab.until("document.querySelector('.pic:target')?.checkVisibility()")
    assert tab.texts(".pic:target .name") == ["p002--s1.png"]
    assert len(tab.texts(".sheet .name")) == 12


CUT = "document.querySelector('[data-part=stage]').style.getPropertyValue('--cut')"


def test_before_and_after_by_keyboard_alone(tab: Browser, one: Path) -> None:
    tab.open(one)
    tab.ask("document.querySelector('a.hero').focus()")
    tab.press("Enter")
    assert tab.texts("dialog [data-part=name]") == ["p000--s0.png"]
    tab.ask("document.querySelector('[data-part=compare]').focus()")
    tab.press("Enter")
    assert tab.ask("document.activeElement.type") == "range"
    assert tab.ask(CUT) == "50%"
    tab.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft")
    assert tab.ask(CUT) == "52%"
    tab.press("End")
    assert tab.ask(CUT) == "100%"
    assert tab.texts("dialog [data-part=name]") == ["p000--s0.png"]  # the keys moved the slider, not on to the next
    tab.until("document.querySelector('.before').naturalWidth === 60")  # the photograph itself
    assert tab.ask("document.querySelector('.before').src").endswith("/in/photos/p000.jpg")
    tab.press("Escape")
    assert tab.ask("document.getElementById('full').open") is False


def test_before_and_after_cuts_where_the_slider_stands(tab: Browser, one: Path, tmp_path: Path) -> None:
    tab.open(one)
    tab.click("a.hero")
    tab.click("[data-part=compare]")
    tab.until("[...document.querySelectorAll('.both img')].every((image) => image.naturalWidth === 60)")
    x, y, width, height = tab.ask(
        "(({x, y, width, height}) => [x, y, width, height])(document.querySelector('.both').getBoundingClientRect())"
    )
    assert round(width / height, 2) == 1.5
    tab.picture(tmp_path / "shot.png")
    row = np.asarray(Image.open(tmp_path / "shot.png").convert("L"))[round(y + height / 2)]
    assert abs(int(row[round(x + 0.45 * width)]) - 50) < 3  # the photograph
    assert abs(int(row[round(x + 0.55 * width)]) - 200) < 3  # the painting
    tab.click("[data-part=right]")
    assert tab.texts("dialog [data-part=name]") == ["p000--s1.png"]
    assert tab.ask("document.querySelector('.both .before') !== null")  # and still compares


def test_without_scripts_all_pages_and_pictures_are_there(tab: Browser, pages: Path) -> None:
    tab.open(pages, scripts=False)
    assert tab.texts(".filters") == []
    assert len(tab.texts("#this-page .pic")) == 14
    tab.click(".pages summary")
    assert len(tab.texts(".pages tr")) == 1 + 5
    tab.click(".pages tr:last-child a")
    tab.until("document.readyState === 'complete' && location.pathname.includes('-5.html')")
    assert len(tab.texts(".pic")) == 14
    tab.click(".turn a[rel=prev]")
    tab.until("document.readyState === 'complete' && location.pathname.includes('-4.html')")
    tab.click("header a")
    tab.until("document.readyState === 'complete' && location.pathname.endsWith('/report.html')")


def test_hostile_names_are_text_in_what_is_found(tab: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (html, paging):
        monkeypatch.setattr(module, "PAGE_PAIRS", 20)
    outcomes = [*matrix(3, 7), *(outcome(name, "failed", reason=name, content="photos/p000.jpg") for name in HOSTILE)]
    tab.open(written(tmp_path, outcomes))
    tab.choose("select[name=status]", "failed")
    assert sorted(tab.texts("#found .name")) == sorted(" ".join(printable(name).split()) for name in HOSTILE)
    assert tab.ask("document.title").startswith("21 new, 14 failed")
    tab.type("input[name=find]", "<img src=x onerror=alert(1)>")
    assert tab.texts("#tally") == ["1 picture"]


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_no_width_has_to_be_scrolled_sideways(tab: Browser, tmp_path: Path, pages: Path, width: int) -> None:
    long = [
        outcome(f"{LONG}{n}.png", status, reason=LONG, style=[f"{LONG}.jpg"]) for n, status in enumerate(["failed"] * 9)
    ]
    report = build_report(facts(manifest=LONG, warnings=[LONG]), long)
    write_reports(LocalStore(tmp_path), report, thumbnails=lambda name: {})
    for page in (tmp_path / "report.html", pages, *sorted((pages.parent / ".pipeline/pages/report").iterdir())[:1]):
        tab.open(page, width=width)
        tab.ask("for (const part of document.querySelectorAll('details')) part.open = true")
        assert tab.ask("document.documentElement.scrollWidth") == width, page
    tab.open(pages, width=width)
    tab.click("a.hero")
    tab.click("[data-part=compare]")
    right = tab.ask(
        "Math.max(...[...document.querySelectorAll('dialog *')].map((e) => e.getBoundingClientRect().right))"
    )
    assert right <= width


def test_what_is_to_be_touched_on_a_phone_is_large_enough(tab: Browser, pages: Path) -> None:
    """24 pixels, the least of WCAG 2.2 (2.5.8)."""
    tab.open(pages, width=390)
    sizes = tab.ask(
        "[...document.querySelectorAll('nav a, .filters input, .filters select, summary')].filter((e) => e.checkVisibility())"
        ".map((e) => [e.className, e.getBoundingClientRect().height])"
    )
    assert len(sizes) > 10
    assert [size for size in sizes if size[1] < 24] == []


@pytest.fixture
def paper(tab: Browser) -> Iterator[None]:
    yield
    tab.call("Emulation.setEmulatedMedia", media="")


def test_paper_has_pictures_and_nothing_to_press(tab: Browser, pages: Path, paper: None) -> None:
    tab.open(pages)
    tab.call("Emulation.setEmulatedMedia", media="print")
    for selector in (".filters", ".turn", ".pages", "nav", ".pic details", "button"):
        assert tab.texts(selector) == [], selector
    assert len(tab.texts(".pic .name")) == 14


def test_what_is_chosen_on_the_screen_is_what_is_printed(tab: Browser, pages: Path, paper: None) -> None:
    tab.open(pages)
    tab.type("input[name=find]", "p009")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.texts(".pic .name") == [f"p009--s{n}.png" for n in range(7)]


def test_the_index_is_data_and_no_script(tab: Browser, pages: Path) -> None:
    tab.open(pages)
    assert json.loads(tab.ask("document.getElementById('index').textContent"))["pages"][0]["at"] == ""
    assert tab.ask("document.scripts.length") == 2
