"""The page of a night: what it says while the night goes on, of the last one, and of what others may have put there."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from night_kit import Nights
from patience import PATIENCE, until
from PIL import Image
from test_live import Chaos, Stepping
from test_report import HOSTILE_NAMES, facts, falling, outcome
from test_report_html import ACTING, Page
from watch_kit import Watched, watching

from pipeline.batch import live
from pipeline.batch.live import LEAST_POINTS, MOST_POINTS, POINTS_IN_ALL, Curve, points_each
from pipeline.batch.messages import Failed
from pipeline.errors import EXITS, ExitCode
from pipeline.job import STATUSES
from pipeline.printable import printable
from pipeline.reading import Reading
from pipeline.report.data import build_report
from pipeline.report.quantities import time_of_day
from pipeline.report.write import write_reports
from pipeline.store import roll as roll_module
from pipeline.store.checksummed_json import MOST_BYTES, write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.layout import LOCK, NOW, now_name, pair_id, preview_name, record_name, roll_name, thumbnail_name
from pipeline.store.now import AtWork, Now, read_all, write_now
from pipeline.store.records import State
from pipeline.store.roll import Enrolled, Roll, add_to_roll, write_roll
from pipeline.watch import last, night, pages, server

pytestmark = pytest.mark.slow

WEBP = b"RIFF\0\0\0\0WEBP"
LATER = "2099-01-01T00:00:00+00:00"  # updated just now, whatever the clock says


@pytest.fixture(autouse=True)
def always_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(server, "_LOOK_SECONDS", 0.01)
    for name in ("_FILE_SECONDS", "_PAGE_SECONDS", "_MOST_SHARE"):
        monkeypatch.setattr(live, name, 1e-9 if name != "_MOST_SHARE" else 1e9)


@pytest.fixture
def nights(project: Path) -> Nights:
    return Nights(project)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "out")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with watching(tmp_path / "out") as watched:
        yield watched


@pytest.fixture
def chaos(project: Path) -> Iterator[Chaos]:
    chaos = Chaos(project)
    yield chaos
    for run in chaos.running:
        run.kill()
        run.communicate()


def page(watched: Watched, query: str = "") -> Page:
    found = watched.get(query)
    assert found.status == 200, found
    return Page(found.text)


def reported(store: LocalStore, outcomes: list[Any], **changes: Any) -> None:
    write_reports(store, build_report(facts(**changes), outcomes), thumbnails=lambda name: {})


def links(shown: Page) -> list[str]:
    return [each["href"] for each in shown.all("a")]


def of_pair(output: str) -> str:
    return f"?pair={pair_id(output)}"


# --------------------------------------------------------------------------------------------------- a night that goes on


def test_the_page_follows_a_night_from_before_it_began_to_its_end(nights: Nights) -> None:
    heard: list[tuple[str, Page]] = []
    with watching(nights.output) as watched:
        assert "Nothing here" in page(watched).text

        def look(step: int) -> None:
            heard.append((watched.server.site.version(), page(watched)))

        nights.run_with(Stepping(nights.output, look, fail="dog.png"))
        after = page(watched)
    texts = [shown.text for _, shown in heard]
    assert len({version for version, _ in heard}) == 4
    assert all("Painting" in text for text in texts)
    assert "0 of this run's 2 pairs finished" in texts[1]
    assert "step 2 of 4, loss 0.5, 2.0 s left" in texts[1]
    assert "1 being painted" in texts[1]
    assert "1 waiting" in texts[1]
    assert "1 of this run's 2 pairs finished, 1 failed" in texts[3]
    assert "last failure: dog.png: a\\x1b reason" in texts[3]
    assert heard[1][1].all("progress") == [{"value": "2", "max": "4", "aria-label": "steps made"}]
    assert "Total loss from 1 at step 1 to 0.5 at step 2" in str(heard[1][1].all("svg"))
    assert "1 new, 1 failed" in after.text
    assert "Needs attention" in after.text
    assert not after.all("progress")


def test_a_pair_at_work_has_a_page_with_its_curve_and_its_picture_so_far(nights: Nights) -> None:
    found: list[tuple[Page, Any]] = []
    with watching(nights.output) as watched:

        def look(step: int) -> None:
            if len(found) < 2:
                LocalStore(nights.output).write(preview_name("dog.png"), WEBP + bytes([step]))
                shown = page(watched, of_pair("dog.png"))
                found.append((shown, watched.get(shown.all("img")[0]["src"][2:])))

        nights.run_with(Stepping(nights.output, look))
    (first, one), (second, two) = found
    assert "being painted" in second.text
    assert "step 2 of 4" in second.text
    assert "content/dog.png" in second.text
    assert "Total loss from 1 at step 1 to 0.5 at step 2" in str(second.all("svg"))
    assert first.all("img")[0]["src"] != second.all("img")[0]["src"]  # or the browser would show the old one
    assert (one.body[-1], two.body[-1]) == (1, 2)
    assert two.headers["Content-Type"] == "image/webp"


def test_pairs_that_ended_are_known_while_the_others_are_painted(nights: Nights) -> None:
    nights.run(only="sea.png")
    texts: list[str] = []
    with watching(nights.output) as watched:
        nights.manifest(options=", tv_weight: 3")
        nights.run_with(Stepping(nights.output, lambda step: texts.append(page(watched, "?show=done").text)))
    assert "1 new" not in texts[0]
    assert "No such pair" in texts[0]
    assert "1 new" in texts[3]
    assert "1 to 1 of" not in texts[3]  # one page of one pair needs no numbers


def test_what_is_shown_is_what_the_run_planned_whatever_the_manifest_says_by_now(nights: Nights) -> None:
    texts: list[str] = []
    other = "\n  - {content: content/dog.png, style: style/wave.png, output: other.png}\n"
    with watching(nights.output) as watched:

        def look(step: int) -> None:
            nights.manifest(pairs=other)
            texts.append(page(watched).text)

        nights.run_with(Stepping(nights.output, look))
    assert all("dog.png" in text and "sea.png" in text and "other.png" not in text for text in texts)


def test_watching_writes_nothing_and_asks_no_lock(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.run()

    def state() -> dict[str, tuple[int, int, int]]:
        paths = [nights.output, *nights.output.rglob("*")]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_size) for path in paths}

    def refused(*arguments: object) -> None:
        raise AssertionError("a lock was asked for")

    write_now(LocalStore(nights.output), None, Now(run="x", started=LATER, updated=LATER))
    before = state()
    with watching(nights.output) as watched, monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refused)
        patch.setattr(fcntl, "lockf", refused)
        for query in ("", "?show=done", of_pair("dog.png"), "dog.png"):
            assert watched.get(query).status == 200
    assert state() == before


def test_a_night_that_was_killed_is_told_from_one_that_is_silent(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.run()
    store = LocalStore(nights.output)
    lock = json.loads((nights.output / LOCK).read_text())
    pair = AtWork(output="sea.png", steps=300, step=120)
    with watching(nights.output) as watched:
        write_now(store, None, Now(run=lock["run"], started=LATER, updated=LATER, whole=9, finished=4, at_work=[pair]))
        assert "Painting" in page(watched).text
        gone = subprocess.Popen(["true"])
        gone.wait()
        (nights.output / LOCK).write_text(json.dumps(lock | {"pid": gone.pid}))
        killed = page(watched)
        assert "Killed" in killed.text
        assert "At work when it ended" in killed.text
        assert "step 120 of 300" in killed.text
        # on another machine nobody can see a process
        (nights.output / LOCK).write_text(json.dumps(lock | {"pid": gone.pid, "host": "elsewhere"}))
        assert "Painting" in page(watched).text
        early = "2026-01-01T00:00:00+00:00"
        write_now(store, None, Now(run=lock["run"], started=early, updated=early, whole=9, finished=4, at_work=[pair]))
        silent = page(watched).text
        assert "Silent" in silent
        assert "a long step, or a machine that is gone" in silent


def test_a_part_that_was_killed_paints_nothing_beside_one_that_goes_on(store: LocalStore, watched: Watched) -> None:
    for number, output in enumerate(("a.png", "b.png"), 1):
        shard, run = f"{number}-of-2", f"run{number}"
        at_work = [AtWork(output=output, steps=9, step=number)]
        write_roll(store, shard, run, [Enrolled(output=output, status="not_started")])
        now = Now(run=run, started=LATER, updated=LATER, whole=5, at_work=at_work, seconds_left=7200.0 / number)
        write_now(store, shard, now)
        lock = {"host": socket.gethostname(), "pid": os.getpid(), "run": run}
        store.write(f"{LOCK}-{shard}", json.dumps(lock).encode())
    shown = page(watched).text
    assert "2 being painted" in shown
    assert "about 2 h left" in shown
    gone = subprocess.Popen(["true"])
    gone.wait()
    store.write(f"{LOCK}-1-of-2", json.dumps({"host": socket.gethostname(), "pid": gone.pid, "run": "run1"}).encode())
    shown = page(watched).text
    assert "Painting" in shown
    assert "1 being painted" in shown
    assert "about 1 h left" in shown
    assert "Ended before it could write its report: part 1 of 2." in shown


def test_what_a_killed_night_left_is_forgotten_once_another_has_reported(nights: Nights) -> None:
    early = "2026-01-01T00:00:00+00:00"
    write_now(LocalStore(nights.output), "1-of-2", Now(run="x", started=early, updated=early, whole=9))
    with watching(nights.output) as watched:
        assert "9 pairs" in page(watched).text
        nights.run()
        assert "2 new" in page(watched).text


def test_shards_that_paint_at_the_same_time_are_one_night(store: LocalStore, watched: Watched) -> None:
    for number, output in enumerate(("a.png", "b.png"), 1):
        shard, run = f"{number}-of-2", f"run{number}"
        write_roll(store, shard, run, [Enrolled(output=output, status="not_started")])
        at_work = [AtWork(output=output, steps=9, step=number)]
        write_now(store, shard, Now(run=run, started=LATER, updated=LATER, whole=5, finished=number, at_work=at_work))
    shown = page(watched).text
    assert "3 of this run's 10 pairs finished" in shown
    assert "2 being painted" in shown


@pytest.mark.slow
def test_a_real_night_is_watched_until_it_is_killed(chaos: Chaos) -> None:
    chaos.manifest("{preview: 2, retries: 0}")
    fault = chaos.project / "faults" / f"{pair_id('dog.png')}.1"
    fault.write_text("9 hang")
    with watching(chaos.output) as watched:
        assert "Nothing here" in page(watched).text
        running = chaos.start()
        until(lambda: not fault.exists())  # it hangs now, and will not in the run after this
        until(lambda: page(watched).all("img"))  # at which step it is told is as old as two seconds, or a step
        picture = watched.get(page(watched).all("img")[0]["src"][2:])
        with Image.open(io.BytesIO(picture.body)) as small:
            assert small.format == "WEBP"
        assert "Painting" in page(watched).text
        running.send_signal(signal.SIGKILL)
        running.wait(PATIENCE)
        assert "Killed" in page(watched).text
        assert chaos.run() == 0
        assert "All well" in page(watched).text


# ---------------------------------------------------------------------------------------------------------- the last one


def test_the_page_of_the_last_night_has_pictures_losses_and_curves(nights: Nights) -> None:
    nights.run(lambda command: Failed(reason="no <b>luck</b>", reason_class="error"), only="dog.png")
    nights.run(only="sea.png")
    store = LocalStore(nights.output)
    store.write(thumbnail_name("sea.png", "result"), WEBP)
    state = State(store)
    record = state.record("sea.png")
    traced = asdict(record)["outcome"] | {"trace": falling([4.0, 2.0, 1.0]), "notes": ["<i>a note</i>"]}
    write_checksummed_json(store, record_name("sea.png"), asdict(record) | {"outcome": traced})
    with watching(nights.output) as watched:
        shown = page(watched)
        one = page(watched, of_pair("sea.png"))
        failed = page(watched, of_pair("dog.png"))
        picture = watched.get(one.all("a")[1]["href"][2:])
        small = watched.get(shown.all("img")[0]["src"][2:])
    assert "1 new" in shown.text
    assert "1 failed" in shown.text
    assert "no <b>luck</b>" in shown.text
    assert "Total loss from 4 at step 1 to 1 at step 3" in str(one.all("svg"))
    assert "<i>a note</i>" in one.text
    assert "48 × 40" in one.text
    assert picture.body == (nights.output / "sea.png").read_bytes()
    assert small.body == WEBP
    assert "no <b>luck</b>" in failed.text


def test_parts_of_a_divided_night_are_one_and_an_older_whole_one_is_not_told(
    store: LocalStore, watched: Watched
) -> None:
    reported(store, [outcome("old.png")])
    os.utime(store.path("report.json"), (1, 1))
    for number in (1, 2):
        others = [outcome(f"{other}.png", "not_started") for other in (1, 2) if other != number]
        report = build_report(facts(shard=f"{number}/2"), [outcome(f"{number}.png")], others)
        write_reports(store, report, thumbnails=lambda name: {})
    shown = page(watched)
    assert "2 all" in shown.text
    assert "2 new" in shown.text
    assert "old.png" not in shown.text


def test_the_pairs_of_a_night_of_version_0_1_are_counted(store: LocalStore, watched: Watched) -> None:
    """Its reports counted all pairs together, and none as those of the run."""
    reported(store, [outcome("a.png"), outcome("b.png", "failed")])
    path = store.path("report.json")
    written = path.read_text()
    path.write_text(re.sub(r', "counts": \{[^}]*\}\}', "}", written, count=1))
    assert len(path.read_text()) < len(written)
    assert "1 new, 1 failed" in page(watched).text


@pytest.mark.parametrize("code", [0, 1, 3, 4, 10, 12, 130, 143])
def test_each_end_of_a_night_has_words(store: LocalStore, watched: Watched, code: int) -> None:
    reported(store, [outcome()], exit_code=code, seconds=float("nan"))
    (header,) = page(watched).all("header")
    assert header["class"] == {0: "good", 1: "bad", 3: "bad", 4: "bad"}.get(code, "wait")


def test_all_is_not_well_where_pairs_failed_that_the_run_was_not_to_take(store: LocalStore, watched: Watched) -> None:
    """As after `--only`, and as the report's page has it."""

    def headed(others: list[Any]) -> str:
        write_reports(store, build_report(facts(exit_code=0), [outcome()], others), thumbnails=lambda name: {})
        return page(watched).text

    assert "All well" in headed([outcome("b.png", "up_to_date")])
    left = headed([outcome("b.png", "failed")])
    assert "Done as asked" in left
    assert "All well" not in left


def test_of_parts_that_ended_in_several_ways_the_weightiest_is_told(store: LocalStore, watched: Watched) -> None:
    """As `status` ends."""
    for number, code in enumerate((3, 4), 1):
        reported(store, [outcome(f"{number}.png")], exit_code=code, shard=f"{number}/2")
    shown = page(watched)
    assert EXITS[ExitCode.ENVIRONMENT].sentence in shown.text
    assert EXITS[ExitCode.SOME_FAILED].sentence not in shown.text


@pytest.mark.parametrize(
    ("output", "kind"),
    [("a.png", "image/png"), ("a.avif", "image/avif"), ("a.gif", "image/gif"), ("a.tif", None), ("a.mp4", None)],
)
def test_a_picture_leads_to_its_file_where_the_site_has_it(
    store: LocalStore, watched: Watched, output: str, kind: str | None
) -> None:
    reported(store, [outcome(output)])
    store.write(output, b"a picture")
    store.write(thumbnail_name(output, "result"), WEBP)
    shown = page(watched, of_pair(output))
    assert [each for each in links(shown) if each != "./"] == ([f"./{output}"] if kind else [])
    assert shown.all("img")[0]["alt"] == "photos/dog.jpg in the style of art/wave.jpg"
    assert (watched.get(output).status, watched.get(output).headers["Content-Type"]) == (
        (200, kind) if kind else (404, "text/plain")
    )


def test_a_picture_without_a_small_one_can_be_opened_all_the_same(store: LocalStore, watched: Watched) -> None:
    """As on the report's page: one that was found where `.pipeline` was lost."""
    reported(store, [outcome("a.png", "up_to_date"), outcome("c.tif", "up_to_date"), outcome("d.png", "failed")])
    store.write("a.png", b"a picture")
    shown = page(watched, of_pair("a.png")).all("a")
    assert [(each["href"], each["class"]) for each in shown if each["href"] != "./"] == [("./a.png", "blank")]
    for output in ("c.tif", "d.png"):
        assert set(links(page(watched, of_pair(output)))) == {"./"}


def test_of_a_blend_no_shares_are_told_as_none_are_known(store: LocalStore, watched: Watched) -> None:
    reported(store, [outcome("a.png", style=["s.png", "t.png"], style_shares=[2.0, 1.0])])
    for name in ("result", "style", "style1"):
        store.write(thumbnail_name("a.png", name), WEBP)
    told = [each["alt"] for each in page(watched, of_pair("a.png")).all("img")]
    assert told[0] == "photos/dog.jpg in the style of s.png + t.png"
    assert "style: s.png" in told
    assert not any("%" in alt for alt in told)


def test_the_newest_of_several_times_is_told_also_over_midnight() -> None:
    now = datetime.now().astimezone()
    before = now - timedelta(days=1, seconds=3)
    assert pages._newest([before.isoformat(), now.isoformat()]) == now.strftime("%H:%M:%S")
    elsewhere = now.astimezone(timezone(timedelta(hours=-11)))
    assert pages._newest([elsewhere.isoformat(), before.isoformat()]) == time_of_day(elsewhere.isoformat())
    assert pages._newest(["no time"]) == "no time"


def test_of_a_clip_at_work_frames_are_counted(store: LocalStore, watched: Watched) -> None:
    curve = {"step": [1, 2], "total": [2.0, 1.0]}
    at_work = [AtWork(output="a.mp4", steps=9, step=2, unit="frame", curve=curve)]
    write_now(store, None, Now(run="r", started=LATER, updated=LATER, whole=1, at_work=at_work))
    shown = page(watched)
    assert "loss over 2 frames" in shown.text
    assert shown.all("progress")[0]["aria-label"] == "frames made"


def test_a_folder_that_comes_late_goes_or_is_another_is_noticed(store: LocalStore, watched: Watched) -> None:
    assert "No run has left anything here yet" in page(watched).text
    reported(store, [outcome("first.png")])
    assert "first.png" in page(watched).text
    shutil.rmtree(store.folder)
    assert "No run has left anything here yet" in page(watched).text
    reported(LocalStore(store.folder), [outcome("second.png")])
    assert "second.png" in page(watched).text
    store.folder.rename(store.folder.with_name("moved"))
    reported(LocalStore(store.folder), [outcome("third.png")])
    assert "third.png" in page(watched).text
    shutil.rmtree(store.folder)
    store.folder.write_text("a file")
    assert "cannot enter the output folder" in page(watched).text


def test_a_thousand_pairs_come_in_pages_and_can_be_searched(store: LocalStore, watched: Watched) -> None:
    statuses = [STATUSES[number % len(STATUSES)] for number in range(1000)]
    reported(store, [outcome(f"pair {number:04}.png", status) for number, status in enumerate(statuses)])
    first, last = page(watched), page(watched, "?page=17")
    assert len(first.all("article")) == pages.PAGE_PAIRS
    assert "1 to 60 of 1000, page 1 of 17" in first.text
    assert "961 to 1000 of 1000, page 17 of 17" in last.text
    assert len(last.all("article")) == 40
    assert "./?page=2" in links(first)
    seen: list[str] = []
    address = ""
    while address is not None:
        shown = page(watched, address)
        seen += re.findall(r"pair \d{4}", " ".join(shown.texts))
        address = next((each["href"][2:] for each in shown.all("a") if each.get("rel") == "next"), None)
    assert sorted(seen) == [f"pair {number:04}" for number in range(1000)]
    failed = page(watched, "?show=failed&page=2")
    assert f"page 2 of {-(-statuses.count('failed') // 60)}" in failed.text
    assert "./?show=failed" in links(failed)
    found = page(watched, "?q=PAIR+0123")
    assert len(found.all("article")) == 1
    assert "pair 0123.png" in found.text


@pytest.mark.parametrize(
    "query", ["?page=0", "?page=-1", "?page=99999", "?page=x", "?page=%D9%A3", "?page=1e9", "?show=<b>"]
)
def test_a_page_that_there_is_none_of_is_the_nearest_or_empty(store: LocalStore, watched: Watched, query: str) -> None:
    reported(store, [outcome()])
    shown = page(watched, query)
    assert ("No such pair" in shown.text) == ("show" in query)
    assert "<b>" not in [tag for tag, _ in shown.elements]


def test_more_words_than_a_page_asks_with_are_refused(watched: Watched) -> None:
    assert watched.get("?" + "&".join(f"a{number}=1" for number in range(100))).status == 404
    assert watched.get("?pair=0123").status == 404


# ------------------------------------------------------------------------------------------------- what others may put there


@pytest.mark.parametrize("status", STATUSES)
def test_hostile_names_are_shown_as_harmless_text(store: LocalStore, watched: Watched, status: str) -> None:
    rows = [outcome(name, status, content=name, style=[name], reason=name) for name in HOSTILE_NAMES]
    reported(store, rows, manifest=HOSTILE_NAMES[0], host=HOSTILE_NAMES[1])
    found = [page(watched), *(page(watched, of_pair(name)) for name in HOSTILE_NAMES)]
    assert all(printable(name) in "".join(found[0].texts) for name in HOSTILE_NAMES)
    for shown in found:
        assert_harmless(shown)


def assert_harmless(shown: Page) -> None:
    assert not {"iframe", "object", "embed", "base"} & {tag for tag, _ in shown.elements}
    assert len(shown.all("script")) == 1
    for _, attributes in shown.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "action"):
            assert re.match(r"\./|data:,$|$", attributes.get(name, ""))
    values = "".join(value for _, attributes in shown.elements for value in attributes.values())
    assert not re.search(ACTING, values)
    assert not re.search(ACTING, "".join(shown.texts).replace("\n", ""))


def test_hostile_words_of_a_night_that_goes_on_are_text(store: LocalStore, watched: Watched) -> None:
    write_roll(store, None, "r\x1b", [Enrolled(output=n, status="failed", content=n, style=[n]) for n in HOSTILE_NAMES])
    at_work = [AtWork(output=name, steps=3, step=1, started=name) for name in HOSTILE_NAMES]
    failure = {"output": HOSTILE_NAMES[0], "reason": HOSTILE_NAMES[1]}
    now = Now(run="r\x1b", started=HOSTILE_NAMES[0], updated=LATER, at_work=at_work, last_failure=failure)
    write_now(store, None, now)
    shown = page(watched)
    assert all(printable(name) in "".join(shown.texts) for name in HOSTILE_NAMES)
    assert_harmless(shown)
    for name in HOSTILE_NAMES:
        assert_harmless(page(watched, of_pair(name)))


@pytest.mark.parametrize("name", HOSTILE_NAMES[:6])
def test_a_search_for_hostile_words_is_text(store: LocalStore, watched: Watched, name: str) -> None:
    from urllib.parse import quote

    reported(store, [outcome()])
    shown = page(watched, f"?q={quote(name, errors='surrogatepass')}")
    assert_harmless(shown)
    (field,) = [each for each in shown.all("input") if each.get("name") == "q"]
    assert field["value"] == printable(name)


def test_links_in_the_output_folder_are_not_followed(store: LocalStore, watched: Watched, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(WEBP + b"secret")
    reported(store, [outcome("done.png"), outcome("folder/deep.png")])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "deep.png").write_bytes(b"secret")
    small = thumbnail_name("done.png", "result")
    store.write(small, WEBP)
    store.path(small).unlink()
    store.path(small).symlink_to(secret)
    store.path("done.png").symlink_to(secret)
    store.path("folder").symlink_to(tmp_path / "elsewhere")
    for path in (small, "done.png", "folder/deep.png"):
        assert watched.get(path).status == 404
    assert not page(watched).all("img")
    forged = build_report(facts(), [outcome("forged.png")])
    write_reports(LocalStore(tmp_path / "forged"), forged, thumbnails=lambda name: {})
    store.path("report.json").unlink()
    store.path("report.json").symlink_to(tmp_path / "forged" / "report.json")
    assert "forged.png" not in page(watched).text
    shutil.rmtree(store.folder / ".pipeline")
    (tmp_path / "state" / "now").mkdir(parents=True)
    write_now(LocalStore(tmp_path / "elsewhere"), None, Now(run="x", started=LATER, updated=LATER, whole=77))
    (store.folder / ".pipeline").symlink_to(tmp_path / "elsewhere" / ".pipeline")
    assert "77" not in page(watched).text


def test_pipes_and_folders_in_the_place_of_files_hold_nothing_up(store: LocalStore, watched: Watched) -> None:
    reported(store, [outcome("done.png")])
    (store.folder / NOW).mkdir(parents=True)
    os.mkfifo(store.path("done.png"))
    os.mkfifo(store.path(now_name()))
    (store.folder / roll_name()).mkdir()
    assert watched.get("done.png").status == 404
    assert "done.png" in page(watched).text
    store.path("report.json").unlink()
    os.mkfifo(store.path("report.json"))
    assert "Nothing here" in page(watched).text


def test_what_is_no_small_picture_is_not_shown_as_one(store: LocalStore, watched: Watched) -> None:
    reported(store, [outcome("done.png"), outcome("odd.svg"), outcome("page.html")])
    small = thumbnail_name("done.png", "result")
    store.write(small, b"<script>alert(1)</script>")
    assert watched.get(small).status == 404
    store.write(small, WEBP + bytes(2**21))
    assert watched.get(small).status == 404
    for name in ("odd.svg", "page.html"):  # no output is called so; a forged report may say it
        store.write(name, b"<script>alert(1)</script>")
        assert watched.get(name).status == 404


@pytest.mark.parametrize(
    "forge",
    [
        *(b"", b"\0" * 100, b"{}", b"[]", b"null", b'"pairs": [', b"[" * 100_000, b'{"run": ' + b"[" * 5000),
        b' "run": {"exit_code": 99},\n "pairs": [{"output": "a.png", "status": "done", "attempts": 1},\n',
        b' "run": {"exit_code": 0, "seconds": 1e400},\n "pairs": [\n',
        b' "run": {"exit_code": 0, "counts": {"done": "x"}},\n "pairs": [{"output": 3, "status": "done"}]}',
        b' "pairs": [{"output": "", "status": "done"},\n{"output": "a", "status": "?"},\n{"output": null},\n7,\n"x"]',
        b' "pairs": [{"output": "a.png", "status": "done", "style": "x"},\n{"output": "a.png", "content": []}',
        b' "pairs": [{"output": "\\ud800.png", "status": "failed", "reason": {"a": 1}}]\n',
        b' "run": {"exit_code": 3, "counts": {"failed": 9223372036854775808}}\n',
        b' "run": {"exit_code": 3, "started": "x", "finished": "\\u202e", "seconds": null, "counts": {"done": -5}}\n',
    ],
    ids=lambda value: "x",
)
def test_a_report_that_is_none_of_ours_breaks_no_page(store: LocalStore, watched: Watched, forge: bytes) -> None:
    store.write("report.json", forge)
    assert_harmless(page(watched))
    assert_harmless(page(watched, "?show=done"))


@pytest.mark.parametrize(
    "lines",
    [
        *(b"", b"\n\n\n", b"\0\n", b"[" * 100_000 + b"\n", b'{"run": 5}\n', b'{"run": "x"}\nnot json\n', b"\xff\n"),
        b'{"run": "x"}\n{"output": "a.png", "status": "odd"}\n{"output": 7, "status": "done"}\n[1]\n',
        b'{"run": "x"}\n{"output": "\\ud800", "status": "done", "style": ["\\udfff"]}\n',
        b'{"run": "x"}\n{"output": "' + b"a" * 100_000 + b'", "status": "done"}\n',
    ],
    ids=lambda value: "x",
)
def test_a_roll_that_is_none_of_ours_breaks_no_page(store: LocalStore, watched: Watched, lines: bytes) -> None:
    store.write(roll_name(), lines)
    write_now(store, None, Now(run="x", started=LATER, updated=LATER, at_work=[AtWork(output="a.png", steps=1)]))
    assert_harmless(page(watched))


@pytest.mark.parametrize(
    "curve",
    [
        *({}, {"step": []}, {"step": [1]}, {"step": [1, 2], "total": [1.0]}, {"total": [1.0, 2.0]}),
        *({"step": [1, 2]}, {"step": [2, 1], "total": [1, 1]}, {"step": [0, 0], "total": [0, 0]}),
        {"step": [-1e308, 1e308], "total": [1e-308, 1e308]},
        {"step": [1, 2], "total": [1, 2], "<script>": [1, 2], "a\x1b": [3, 4]},
        {"step": [2**62, 2**62], "total": [2**62, 5]},
        {"step": [1.5, 2.5], "total": [-1, -2], "style": [0, 1]},
    ],
    ids=lambda value: "x",
)
def test_a_curve_that_is_none_of_ours_breaks_no_page(
    store: LocalStore, watched: Watched, curve: dict[str, Any]
) -> None:
    pair = AtWork(output="a.png", steps=9, step=2, side=10, loss=-1e308, curve=curve)
    write_now(store, None, Now(run="x", started=LATER, updated=LATER, at_work=[pair]))
    assert "step 2 of 9" in page(watched).text
    assert_harmless(page(watched, of_pair("a.png")))


@pytest.mark.parametrize(
    "forged",
    [
        {"masks": {"mask": {"99": "x", "y": 3}, "regions": 5}, "style": [], "style_shares": [1.0, 2.0], "content": ""},
        {"style_shares": [0.0], "style": ["\x1b"], "meta": {"a": [{"b": []}]}, "status": "failed", "priority": 3},
        {"losses": {"first": {}, "last": {"<b>\x1b": 1.0}}, "layer_losses": {"x": {"y": 1.0}}},
        {"trace": [{"step": 1.5, "<b>": 1.0, "total": 1.0}, {"step": 2.0, "total": -1.0}, {}]},
        {"trace": [{"step": 1.0, "total": 1.0, "\x1b": 1.0}, {"step": 2.0, "total": 5.0, "\x1b": 2.0}]},
        {"options": {"style_loss": [[]], "size": {"x": None}, "\x1b": "\u202e"}, "notes": ["\x1b", "<b>"]},
        *(
            {"options": {"style_loss": loss, "init": [], "steps": loss}}
            for loss in (None, 5, True, {"a": "b"}, [["x"]])
        ),
        {"losses": {"first": {"total": 1e-308, "style": 5e-324}, "last": {"total": 1e308, "style": -1e308}}},
        {"size": [1, 999_999], "painted_size": [1, 1], "steps": 2**60, "seconds": 1e18, "peak_memory_bytes": 2**62},
        {"size": None, "seconds_per_step": 0.0, "precision": "\u202e", "weights": {}, "painted_with": {"x": []}},
    ],
)
def test_a_forged_record_breaks_no_page(nights: Nights, forged: dict[str, Any]) -> None:
    nights.run(only="sea.png")
    record = asdict(State(LocalStore(nights.output)).record("sea.png"))
    write_checksummed_json(
        LocalStore(nights.output), record_name("sea.png"), record | {"outcome": record["outcome"] | forged}
    )
    assert State(LocalStore(nights.output)).record("sea.png") is not None
    with watching(nights.output) as watched:
        shown = page(watched, of_pair("sea.png"))
    assert "content/sea.png" in shown.text
    assert_harmless(shown)


@pytest.mark.parametrize(
    "time", ["", "now", "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-11-24"]
)
def test_times_that_are_none_break_no_page(nights: Nights, time: str) -> None:
    with watching(nights.output) as watched:
        store = LocalStore(nights.output)
        pair = AtWork(output="a.png", steps=1, started=time)
        write_now(store, None, Now(run="x", started=time, updated=time, at_work=[pair]))
        assert_harmless(page(watched))
        nights.run()
        write_now(store, None, Now(run="x", started=time, updated=time, at_work=[pair]))
        assert_harmless(page(watched))


def test_reports_and_rolls_are_bounded(store: LocalStore, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (last, roll_module):
        monkeypatch.setattr(module, "MOST_PAIRS", 5)
    reported(store, [outcome(f"{number}.png", reason="y" * 2**17 if number == 1 else None) for number in range(9)])
    assert "5 all" in page(watched).text
    assert "1.png" not in page(watched).text
    write_roll(store, None, "x", [Enrolled(output=f"{number}.png", status="done") for number in range(9)])
    write_now(store, None, Now(run="x", started=LATER, updated=LATER))
    assert "5 all" in page(watched).text


def test_a_record_that_is_anothers_or_damaged_is_not_told(nights: Nights) -> None:
    nights.run()
    with watching(nights.output) as watched:
        assert "48 × 40" in page(watched, of_pair("sea.png")).text
        record = (nights.output / record_name("dog.png")).read_bytes()
        (nights.output / record_name("sea.png")).write_bytes(record)
        assert "48 × 40" not in page(watched, of_pair("sea.png")).text
        (nights.output / record_name("sea.png")).write_bytes(record[:-9])
        assert "sea.png" in page(watched, of_pair("sea.png")).text


# ------------------------------------------------------------------------------------------------ what a night leaves behind


def reading(step: int, side: int = 48, **losses: float) -> Reading:
    return Reading(step=step, seconds=1.0, side=side, losses={"total": 8.0 / step, "style": 8.0 / step} | losses)


def test_a_curve_has_the_first_and_the_last_step_and_few_between() -> None:
    curve = Curve()
    for step in range(1, 10_001):
        curve.add(reading(step))
    columns = curve.columns(MOST_POINTS)
    assert set(columns) == {"step", "total", "style"}
    assert len(columns["step"]) == len(columns["total"]) == MOST_POINTS
    assert columns["step"][0] == 1
    assert columns["step"][-1] == 10_000
    assert columns["step"] == sorted(columns["step"])
    assert columns["total"] == [float(f"{8 / step:.4g}") for step in columns["step"]]


def test_a_curve_is_of_one_stage_and_of_finite_numbers() -> None:
    curve = Curve()
    curve.add(reading(1, side=24))
    assert curve.columns(8) == {}
    curve.add(reading(2, side=24))
    assert curve.columns(8)["step"] == [1, 2]
    curve.add(reading(1))
    assert curve.columns(8) == {}
    curve.add(reading(2, total=float("nan")))
    curve.add(reading(3, style=float("inf")))
    curve.add(reading(4))
    assert curve.columns(8)["step"] == [1, 4]
    curve.add(reading(1))  # another stage of the same size, or another try
    assert curve.columns(8) == {}
    assert curve.columns(0) == {}


@pytest.mark.parametrize("pairs", [1, 2, 20, 60, 61, 200])
def test_curves_of_however_many_pairs_fit_into_the_small_file(store: LocalStore, pairs: int) -> None:
    curve = Curve()
    for step in range(1, 500):
        curve.add(reading(step, content=1.2345e-7, tv=1.2345e10, total=1.2345e10, histogram=1.2345e-7, mean=1.2345))
    points = points_each(pairs)
    assert points == 0 or LEAST_POINTS <= points <= MOST_POINTS
    assert points * pairs <= POINTS_IN_ALL
    at_work = [
        AtWork(output=f"{number:09}--starry.png", steps=500, step=499, started=LATER, curve=curve.columns(points))
        for number in range(pairs)
    ]
    now = Now(run="x", started=LATER, updated=LATER, at_work=at_work)
    write_now(store, None, now)
    assert store.fingerprint(now_name()).size < MOST_BYTES
    assert read_all(store) == {"": now}


def test_a_roll_is_read_on_from_where_it_was_read_to(store: LocalStore) -> None:
    roll = Roll(store, None)
    roll.look()
    assert (roll.run, roll.pairs) == ("", {})
    a, b = Enrolled(output="a", status="not_started", content="c", style=["s"]), Enrolled(output="b", status="failed")
    write_roll(store, None, "one", [a, b])
    roll.look()
    assert (roll.run, list(roll.pairs.values())) == ("one", [a, b])
    with store.path(roll_name()).open("ab") as file:
        file.write(b'{"output": "a", "sta')
    roll.look()
    assert roll.pairs["a"] == a
    with store.path(roll_name()).open("ab") as file:
        file.write(b'tus": "done"}\n')
    roll.look()
    assert roll.pairs["a"] == Enrolled(output="a", status="done", content="c", style=["s"])
    write_roll(store, None, "two", [b])  # shorter
    roll.look()
    assert (roll.run, list(roll.pairs)) == ("two", ["b"])
    store.delete(roll_name())
    roll.look()
    assert (roll.run, roll.pairs) == ("", {})


def test_the_roll_of_another_run_is_not_taken_for_this_ones(store: LocalStore, watched: Watched) -> None:
    write_roll(store, None, "earlier", [Enrolled(output="earlier.png", status="done")])
    write_now(store, None, Now(run="this", started=LATER, updated=LATER, whole=1))
    assert "earlier.png" not in page(watched).text


def test_long_reasons_are_cut_in_the_roll(store: LocalStore) -> None:
    write_roll(store, None, "x", [])
    add_to_roll(store, None, [Enrolled(output="a", status="failed", reason="y" * 10**6)])
    assert store.fingerprint(roll_name()).size < 1000


def test_a_roll_that_cannot_be_written_costs_the_run_nothing(nights: Nights) -> None:
    (nights.output / roll_name()).mkdir(parents=True)
    assert nights.run()["counts"]["done"] == 2


def test_nothing_of_the_roll_stays_when_a_night_is_over(nights: Nights) -> None:
    seen: list[bool] = []
    nights.run_with(Stepping(nights.output, lambda step: seen.append((nights.output / roll_name()).exists())))
    assert seen == [True] * 4
    assert LocalStore(nights.output).list(NOW) == ()
