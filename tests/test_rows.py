"""The rows of a report of very many pairs: held in little memory, and the same in all that is made of them."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from night_kit import Nights
from test_report import HOSTILE_NAMES, facts, falling, outcome

from pipeline.batch import outcomes
from pipeline.cli.streams import print_json
from pipeline.job import Outcome
from pipeline.report import html, paging, rows, write
from pipeline.report.data import build_report, pair_row
from pipeline.report.junit import junit_xml
from pipeline.report.metrics import metrics_text
from pipeline.report.rows import PackedRow
from pipeline.report.write import write_reports
from pipeline.store.disk import LocalStore
from pipeline.store.layout import thumbnail_name


@pytest.fixture
def all_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST_WHOLE", 0)


def pairs(photographs: int = 6, styles: int = 4) -> list[Outcome]:
    """Of all kinds: new and old, failed, with flags, notes, words of the user's own, and odd names."""
    made = [
        outcome(
            f"p{photo}--s{style}.png",
            "up_to_date" if style else "done",
            content=f"photos/p{photo}.jpg",
            style=[f"art/s{style}.jpg"],
            options={"size": 512, "style_weight": 0.1 * (1 + photo % 2), "seed": 1},
            trace=falling([9.0 + photo, 4.0, 3.9 - photo / 7]),
            losses={"first": {"total": 9.0 + photo}, "last": {"total": 3.9 - photo / 7}},
            meta={"credit": f"room {photo}", "of": {"many": [1, 2.5, None]}},
            notes=["resumed at step 2"] if photo == 3 else [],
            attempts=1 + (photo == 2),
            seconds=1 / (1 + photo),
            peak_memory_bytes=2**40 + photo,
        )
        for photo in range(photographs)
        for style in range(styles)
    ]
    made += [outcome(name, "failed", reason="it was killed", reason_class="worker_died") for name in HOSTILE_NAMES]
    return [*made, outcome("later.png", "not_started", reason="no time", reason_class="deadline")]


def test_a_packed_row_is_the_row(all_packed: None) -> None:
    found = build_report(facts(), pairs())["pairs"]
    assert all(isinstance(row, PackedRow) for row in found)
    plain = [pair_row(one) for one in pairs()]
    assert found == plain
    assert [[*row.items()] for row in found] == [[*row.items()] for row in plain]  # in the same order
    with pytest.raises(KeyError):
        found[0]["nothing"]
    assert found[0].get("nothing") is None


def test_the_first_rows_are_tables_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST_WHOLE", 3)
    found = build_report(facts(), pairs())["pairs"]
    assert [type(row) for row in found[:4]] == [dict, dict, dict, PackedRow]


def test_packed_rows_hold_little_of_their_own(all_packed: None) -> None:
    """Each has some four hundred bytes packed as JSON; here is next to nothing that another has not."""
    found = build_report(facts(), pairs(30, 10)[:300])["pairs"]
    assert len({id(row["options"]) for row in found}) == 2
    assert len({id(row["content"]) for row in found}) == 30
    assert len({id(row["status"]) for row in found}) == 2
    assert sum(len(row._packed) for row in found[1:]) / 299 < 120


@pytest.mark.parametrize("on_a_page", [1000, 10])
def test_everything_that_is_made_of_packed_rows_has_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_a_page: int
) -> None:
    for module in (html, paging):
        monkeypatch.setattr(module, "PAGE_PAIRS", on_a_page)
    monkeypatch.setattr(write.secrets, "token_hex", lambda _bytes: "token")
    made: list[dict[str, bytes]] = []
    for most in (1000, 0):
        monkeypatch.setattr(rows, "_MOST_WHOLE", most)
        report = build_report(facts(), pairs())
        write_reports(LocalStore(tmp_path), report, thumbnails=lambda name: {"result": thumbnail_name(name, "result")})
        files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with redirect_stdout(io.StringIO()) as printed:
            print_json(report)
        assert printed.getvalue() == json.dumps(json.loads(files["report.json"]), indent=2) + "\n"
        made.append({**files, "junit": junit_xml(report), "metrics": metrics_text(report).encode()})
    assert made[0] == made[1]
    assert len(made[0]) == 5 + (4 if on_a_page == 10 else 0)


def test_what_is_handed_over_to_a_report_is_held_no_more(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights = Nights(project)
    plain = nights.run(force=True)
    monkeypatch.setattr(outcomes, "_MOST_WHOLE", 0)
    init = outcomes.Outcomes.__init__

    def watched(self: outcomes.Outcomes, pairs: int) -> None:
        init(self, pairs)
        made.append(self)

    made: list[outcomes.Outcomes] = []
    monkeypatch.setattr(outcomes.Outcomes, "__init__", watched)
    again = nights.run(force=True)
    left = [len([*known.statuses()]) for known in made]
    assert left == [0]
    assert [pair["losses"] for pair in again["pairs"]] == [pair["losses"] for pair in plain["pairs"]]


def test_of_a_picture_that_many_pairs_share_the_small_one_is_looked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def thumbnails(output: str) -> dict[str, str]:
        asked.append(output)
        return {which: thumbnail_name(output, which) for which in ("content", "style")}

    from pipeline.report.links import Links
    from pipeline.report.sources import Sources

    found: list[Any] = build_report(facts(), pairs(6, 4)[:24])["pairs"]
    sources = Sources(found, Links(LocalStore(tmp_path), thumbnails, inline=False), None)
    assert len(asked) == 6 + 3  # each photograph is new once; the first one's pairs bring the other styles
    assert sources.content(found[5]).source == "./" + thumbnail_name("p1--s0.png", "content")
    assert sources.styles(found[5])[0].source == "./" + thumbnail_name("p0--s1.png", "style")
