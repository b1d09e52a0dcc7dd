"""The page of a night in a real browser: it brings itself up to date, asks nobody else, and works without a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser_kit import Browser, browser, needs_chromium
from patience import until
from PIL import Image
from test_report import HOSTILE_NAMES, facts, outcome
from test_watch import LATER
from watch_kit import Watched, watching

from pipeline.printable import printable
from pipeline.report.data import build_report
from pipeline.report.write import write_reports
from pipeline.store.disk import LocalStore
from pipeline.store.layout import preview_name, thumbnail_name
from pipeline.store.now import AtWork, Now, write_now
from pipeline.store.roll import Enrolled, add_to_roll, write_roll
from pipeline.watch import night, server, site

pytestmark = [pytest.mark.slow, needs_chromium]

CURVE = {"step": [1, 2, 3], "total": [3.0, 2.0, 1.0], "style": [2.0, 1.0, 0.5]}


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as tab:
        yield tab


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "out")


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tab: Browser) -> Iterator[Watched]:
    monkeypatch.setattr(night, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(server, "_LOOK_SECONDS", 0.05)
    with watching(tmp_path / "out") as watched:
        yield watched
        tab.open("about:blank")


def picture(store: LocalStore, name: str, colour: tuple[int, int, int]) -> None:
    store.write_by(name, lambda file: Image.new("RGB", (64, 48), colour).save(file, "WEBP"))


def at_step(store: LocalStore, step: int, output: str = "b.png", **changes: object) -> None:
    pair = AtWork(output=output, steps=9, step=step, side=64, loss=1.0, started=LATER, curve=CURVE)
    known = {"run": "r", "started": LATER, "updated": LATER, "whole": 3, "finished": 1, "at_work": [pair]}
    write_now(store, None, Now(**known | changes))


def begin(store: LocalStore) -> None:
    write_roll(store, None, "r", [Enrolled(output=f"{name}.png", status="not_started") for name in "abc"])
    add_to_roll(store, None, [Enrolled(output="a.png", status="done")])
    picture(store, thumbnail_name("a.png", "result"), (200, 30, 30))
    picture(store, preview_name("b.png"), (30, 200, 30))
    at_step(store, 4)


SHOWN = "[...document.images].filter((image) => image.complete && image.naturalWidth).length"


def test_the_page_brings_itself_up_to_date_and_keeps_where_its_reader_is(
    tab: Browser, watched: Watched, store: LocalStore
) -> None:
    begin(store)
    tab.open(watched.server.url)
    until(lambda: tab.holds(f"{SHOWN} === 3"))  # a.png, and b.png twice
    assert tab.says("step 4 of 9")
    until(lambda: tab.says("Live: what is new shows by itself."))
    tab.ask("window.same = true; document.querySelector('[name=q]').value = 'typed'")
    tab.ask("document.querySelector('.chip.done').focus()")
    before = tab.ask("document.querySelector('.works img').src")
    picture(store, preview_name("b.png"), (30, 30, 200))
    at_step(store, 7)
    until(lambda: tab.says("step 7 of 9"))
    assert tab.ask("document.querySelector('.works img').src") != before
    until(lambda: tab.holds(f"{SHOWN} === 3"))
    add_to_roll(store, None, [Enrolled(output="b.png", status="failed", reason="<b>no</b> luck")])
    at_step(store, 1, "c.png", finished=2, failed=1)
    until(lambda: tab.says("<b>no</b> luck"))
    assert tab.says("2 of this run's 3 pairs finished, 1 failed")
    assert tab.ask("window.same")  # it was never loaded anew
    assert tab.ask("document.querySelector('[name=q]').value") == "typed"
    assert tab.ask("document.activeElement.getAttribute('href')") == "./?show=done"
    assert tab.ask("document.title").startswith("Painting")


def test_the_page_goes_from_a_night_to_its_report_by_itself(tab: Browser, watched: Watched, store: LocalStore) -> None:
    tab.open(watched.server.url)
    assert tab.says("No run has left anything here yet")
    begin(store)
    until(lambda: tab.says("step 4 of 9"))
    for name in (".pipeline/now/run.json", ".pipeline/now/run.pairs.jsonl"):
        store.delete(name)
    write_reports(store, build_report(facts(exit_code=0), [outcome("a.png")]), thumbnails=lambda name: {})
    until(lambda: tab.says("All well"))
    assert not tab.says("At work")


def test_nobody_else_is_asked_and_the_policy_forbids_nothing_of_ours(
    tab: Browser, watched: Watched, store: LocalStore
) -> None:
    begin(store)
    write_roll(store, None, "r", [Enrolled(output=name, status="failed", content=name, style=[name], reason=name)
                                  for name in HOSTILE_NAMES])  # fmt: skip
    at_step(store, 4, HOSTILE_NAMES[0])
    tab.asked.clear()
    tab.errors.clear()
    tab.ask("window.alert = () => { document.title = 'owned'; }")
    tab.open(watched.server.url)
    until(lambda: tab.says("Live: what is new"))
    for name in HOSTILE_NAMES:
        assert tab.says(printable(name))
    tab.ask("document.querySelector('.works h3 a').click()")
    until(lambda: tab.says("The whole night") and tab.says("Live: what is new"))
    assert tab.ask("document.querySelector('h1').innerText") == HOSTILE_NAMES[0]
    asked = [urlsplit(url) for url in tab.asked if not url.startswith("data:")]
    assert {each.netloc for each in asked} == {f"127.0.0.1:{watched.port}"}
    assert all(each.path.startswith(watched.top) for each in asked)
    assert tab.errors == []
    assert tab.ask("document.referrer") == ""


def test_without_a_script_the_page_loads_again_by_itself(
    tab: Browser, watched: Watched, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(site._AGAIN, "painting", 1)
    begin(store)
    tab.open(watched.server.url, scripts=False)
    assert tab.says("Without a script this page loads again")
    until(lambda: tab.holds(f"{SHOWN} === 3"))
    at_step(store, 8)
    until(lambda: tab.says("step 8 of 9"))
    assert not tab.says("Live:")


def test_when_the_watch_ends_the_page_says_so_and_stays(tab: Browser, store: LocalStore, tmp_path: Path) -> None:
    begin(store)
    with watching(store.folder) as watched:
        tab.open(watched.server.url)
        until(lambda: tab.says("Live: what is new"))
    until(lambda: tab.says("stylize watch has ended, or is out of reach"))
    assert tab.says("step 4 of 9")


@pytest.mark.parametrize("width", [320, 390, 800, 1400])
@pytest.mark.parametrize("page", ["", "?show=failed", "pair"])
def test_nothing_is_wider_than_the_window(
    tab: Browser, watched: Watched, store: LocalStore, width: int, page: str
) -> None:
    begin(store)
    long = "x" * 180 + ".png"
    write_roll(store, None, "r", [Enrolled(output=long, status="failed", content=long, style=[long], reason=long * 2),
                                  *(Enrolled(output=f"{n}.png", status="not_started") for n in range(99))])  # fmt: skip
    tab.open(watched.server.url + page.replace("pair", ""), width=width)
    if page == "pair":
        tab.ask("document.querySelector('.pic h3 a').click()")
        until(lambda: tab.holds("document.querySelector('h1.one')"))
    assert tab.ask("document.documentElement.scrollWidth") <= width


def test_every_pair_is_reached_by_the_keyboard(tab: Browser, watched: Watched, store: LocalStore) -> None:
    begin(store)
    tab.open(watched.server.url)
    seen: list[str | None] = []
    for _ in range(20):
        tab.press("Tab")
        seen.append(tab.ask("document.activeElement.innerText || document.activeElement.name || ''"))
        assert tab.ask("getComputedStyle(document.activeElement).outlineStyle") in ("solid", "none", "auto")
    assert [each for each in ("b.png", "q", "Search", "3 all", "a.png", "c.png") if each not in seen] == []
