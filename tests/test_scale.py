"""What a run holds and does for each pair, where there are a hundred thousand: counted, never timed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from night_kit import Nights, failed, painted, statuses

from pipeline.batch import interim, outcomes, plan, scheduler
from pipeline.batch.estimates import estimator
from pipeline.batch.estimates.estimator import Estimate, Estimator, in_all
from pipeline.batch.outcomes import Outcomes
from pipeline.job import Job, Outcome, StyleImage
from pipeline.options import Options
from pipeline.store.disk import LocalStore
from pipeline.store.now import AtWork, Now, read_all, write_now
from pipeline.store.records import State


def row(step: int) -> dict[str, float]:
    return {"step": step, "seconds": step / 7, "total": 1 / step, "side": 384}


def outcome(number: int, readings: int = 200, **more: Any) -> Outcome:
    return Outcome(
        output=f"{number}.png",
        content="cat.jpg",
        style=["wave.jpg"],
        status="done",
        trace=[row(step) for step in range(1, readings + 1)],
        options={"size": 512, "style_layers": ["block1_conv1"], "style_weight": 0.1},
        losses={"first": {"total": 0.1 + number}, "last": {"total": 1 / 3}},
        **more,
    )


@pytest.fixture
def all_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "_MOST_WHOLE", 0)


def test_a_packed_outcome_is_the_outcome(all_packed: None) -> None:
    kept = Outcomes(2)
    first, second = outcome(1, 5), outcome(2, 5, meta={"room": 7}, notes=["a \udcff name"], peak_memory_bytes=2**40)
    kept.add(first)
    kept.add(second)
    assert (kept.get("1.png"), kept.get("2.png"), kept.get("3.png")) == (first, second, None)
    assert list(kept.statuses()) == [("1.png", "done"), ("2.png", "done")]
    assert "2.png" in kept
    assert "3.png" not in kept


def test_a_later_outcome_of_a_pair_takes_the_place_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Outcomes(1)
    kept.add(outcome(1))
    monkeypatch.setattr(outcomes, "_MOST_WHOLE", 0)
    kept.add(outcome(1, reason="later"))
    (again,) = [kept.get(output) for output, _status in kept.statuses()]
    assert again is not None
    assert again.reason == "later"


def test_a_packed_outcome_takes_few_bytes_beside_the_pattern(all_packed: None) -> None:
    """Of two thousand pairs each has thirty readings: as JSON some 2,400 bytes, most of them in the first one's words."""
    kept = Outcomes(2_000)
    for number in range(20):
        kept.add(outcome(number))
    sizes = [len(packed) for _status, packed in kept._packed.values()]
    assert sum(sizes[1:]) / 19 < 200


def test_a_report_has_so_many_readings_in_all_and_the_first_and_last_of_every_pair() -> None:
    for pairs, readings in ((1, 200), (300, 200), (1_000, 60), (10_000, 6), (100_000, 2)):
        kept = Outcomes(pairs)
        kept.add(outcome(1))
        found = kept.get("1.png")
        assert found is not None
        assert len(found.trace) == readings
        assert (found.trace[0], found.trace[-1]) == (row(1), row(200))


def test_a_large_plan_reads_records_again_where_they_are_wanted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights = Nights(project)
    nights.run()
    whole = nights.run()
    monkeypatch.setattr(plan, "_MOST_WHOLE", 1)
    dog, sea = nights.plan().pairs
    assert dog.record is not None
    assert sea.record is not None
    assert (dog.record.is_brief, sea.record.is_brief) == (False, True)
    assert set(sea.record.outcome) <= {"output", "precision", "painted_with"}
    again = nights.run()
    assert statuses(again) == {"dog.png": "up_to_date", "sea.png": "up_to_date"}
    assert again["pairs"] == whole["pairs"]


def test_a_large_plan_holds_once_what_its_records_have_alike(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights = Nights(project)
    nights.run()
    monkeypatch.setattr(plan, "_MOST_WHOLE", 0)
    dog, sea = (pair.record for pair in nights.plan().pairs)
    assert dog is not None
    assert sea is not None
    assert dog.outcome["painted_with"] is sea.outcome["painted_with"]
    assert dog.manifests is sea.manifests
    assert list(dog.manifests) == ["../night.yaml"]


def test_a_record_that_is_read_again_is_claimed_whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nights = Nights(project)
    nights.run()
    monkeypatch.setattr(plan, "_MOST_WHOLE", 0)
    before = State(LocalStore(nights.output)).record("sea.png")
    (project / "night.yaml").rename(project / "other.yaml")
    nights.manifest()
    (project / "night.yaml").rename(project / "second.yaml")
    from pipeline.batch.driver import run
    from pipeline.batch.selection import Selection
    from pipeline.cli.console import Quiet
    from pipeline.manifest import load_manifest

    run(load_manifest(project / "second.yaml"), Selection(), Quiet())
    after = State(LocalStore(nights.output)).record("sea.png")
    assert before is not None
    assert after is not None
    assert list(after.manifests) == ["../night.yaml", "../second.yaml"]
    assert after.outcome == before.outcome


def test_what_lies_ahead_is_told_from_a_sample_of_many_pairs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 40 equal pairs is 1/40 of all: a sample of any size tells the same time."""
    pairs = "".join(
        f"\n  - {{content: content/dog.png, style: style/wave.png, output: {number}.png}}" for number in range(40)
    )
    nights = Nights(project)
    nights.manifest(pairs + "\n", run="{jobs: 2}")
    asked: list[str] = []
    foretold: list[float] = []
    estimate = Estimator.estimate

    class Voice:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: None

        def planned(self, plan: Any, ahead: Estimate) -> None:
            foretold.append(ahead.seconds)

    monkeypatch.setattr(Estimator, "estimate", lambda self, job: asked.append(job.output) or estimate(self, job))
    for most in (1000, 7):
        monkeypatch.setattr(scheduler, "_MOST_LOOKED_AT", most)
        asked.clear()
        nights.run(failed("error", exit_code=4), Voice())
        assert len(set(asked)) <= most + 1  # the one that is begun has an estimate too
    assert foretold[1] == pytest.approx(foretold[0])


def test_pairs_of_the_same_sizes_and_options_are_priced_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    schedule = estimator.schedule
    monkeypatch.setattr(estimator, "schedule", lambda *given: asked.append(given) or schedule(*given))
    pairs = [
        Job(output="1.png", content=project / "input/content/dog.png", styles=(), options=options)
        for options in (Options(size=64), Options(size=64), Options(size=64, init="noise", seed=2), Options(size=72))
    ]
    wave = StyleImage(project / "input/style/wave.png")
    known = Estimator(threads=1)
    first = [known.estimate(replace(pair, styles=(wave,))) for pair in pairs]
    assert len(asked) == 3
    assert [known.estimate(replace(pair, styles=(wave,))) for pair in pairs] == first
    assert len(asked) == 3
    assert known.estimate(replace(pairs[0], styles=(wave, wave))) != first[0]
    assert len(asked) == 4


def test_an_estimate_that_stands_for_many_is_as_long_as_many() -> None:
    one = Estimate(seconds=10.0, memory=3, guess=False)
    many = in_all([one] * 40, 4, started=True)
    few = in_all([one] * 8, 4, started=True, stand_for=5)
    assert many == few == Estimate(seconds=100.0, memory=12, guess=False)
    # with fewer pairs than workers each has a worker of its own
    assert in_all([one], 4, started=True, stand_for=2.0) == Estimate(seconds=10.0, memory=3, guess=False)


def test_pairs_painted_last_are_found_with_one_look_at_each_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thumbnails lie beside records, three to one: they are not looked at."""
    store = LocalStore(tmp_path)
    for number in range(6):
        for suffix in ("json", "content.webp", "style.webp", "result.webp", "failed.json"):
            store.write(f".pipeline/records/{number:016x}.{suffix}", b"x")
    looked_at: list[str] = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda name, **given: looked_at.append(str(name)) or lstat(name, **given))
    assert State(store).recent(2) == []  # none is a record
    records = [f"{number:016x}.json" for number in range(6)]
    assert {name for name in looked_at if name.endswith("json") and ".failed" not in name} == set(records)
    assert not any(name.endswith(("webp", "failed.json")) for name in looked_at)


def test_a_thousand_pairs_at_work_can_be_told_and_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    at_work = [AtWork(output=f"{number:04}-{'long' * 40}.png", steps=300) for number in range(1000)]
    write_now(store, None, Now(run="r", started="s", updated="u", at_work=at_work))
    (now,) = read_all(store).values()
    assert len(now.at_work) == 1000


def test_the_page_of_very_many_pairs_waits_for_the_end(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[int] = []
    monkeypatch.setattr(interim, "write_page", lambda store, report, **_: pages.append(len(report["pairs"])))
    monkeypatch.setattr("pipeline.batch.live._PAGE_SECONDS", 0.0)
    nights = Nights(project)
    nights.run(painted(nights.output))
    assert pages == [2]
    monkeypatch.setattr(interim, "_MOST_PAIRS", 1)
    nights.run(painted(nights.output), force=True)
    assert pages == [2]
