"""Pairs that fail in the same way night after night. No TensorFlow."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest
from night_kit import Nights, failed, painted, statuses

from pipeline.report.text import render_text
from pipeline.store.checksummed_json import write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.failures import QUARANTINE_AFTER, Failures
from pipeline.store.layout import failure_name


@pytest.fixture
def nights(project):
    return Nights(project)


def dog_fails(nights, answer):
    """Workers that fail at the dog and paint the rest."""
    paint = painted(nights.output)
    return lambda step: answer(step) if step.job.output == "dog.png" else paint(step)


def test_the_same_failure_is_not_paid_for_a_fourth_time(nights):
    times_out = dog_fails(nights, failed("timeout", "not finished after 2 s"))
    for night in range(1, QUARANTINE_AFTER + 1):
        report = nights.run(times_out)
        assert statuses(report)["dog.png"] == "failed"
        assert report["pairs"][0]["failed_runs"] == night
    report = nights.run(times_out)
    assert nights.asked == []
    assert statuses(report) == {"dog.png": "quarantined", "sea.png": "up_to_date"}
    assert report["run"]["exit_code"] == 12
    pair = report["pairs"][0]
    assert (pair["reason"], pair["reason_class"], pair["attempts"]) == ("not finished after 2 s", "timeout", 0)
    text = render_text(report)
    assert re.search(r"dog.png: not finished after 2 s, failing since \w+ \d+ \w+ 20\d\d, \d\d:\d\d \(3 runs\)\n", text)
    way_out = "Not tried again until the pair, its pictures or the limit it met change, or with --retry-failed;"
    assert way_out in " ".join(text.split())


def test_a_failure_of_endless_words_is_known_the_next_night_too(nights):
    for night in (1, 2):
        report = nights.run(dog_fails(nights, failed("bug", "\u00e9" * 100_000, exit_code=1)))
        assert report["pairs"][0]["failed_runs"] == night
    assert report["pairs"][0]["reason"].endswith("\u00e9\u00e9 ...")


def test_plan_says_what_is_held_and_why_and_the_way_out(nights, stylize):
    for _ in range(QUARANTINE_AFTER):
        nights.run(dog_fails(nights, failed("worker_died", "it was killed")))
    done = stylize("plan", "night.yaml", cwd=nights.project)
    held, kept, total = done.stdout.splitlines()
    assert held.startswith("HELD  dog.png")
    assert "failed in 3 runs since 20" in held
    assert held.endswith("(it was killed); --retry-failed tries it again")
    assert kept.startswith("keep  sea.png")
    assert total == "0 to paint, 1 up to date, 1 quarantined"
    tried = stylize("plan", "night.yaml", "--retry-failed", cwd=nights.project).stdout
    assert tried.startswith("paint dog.png")
    assert stylize("run", "night.yaml", cwd=nights.project).returncode == 12


def test_a_failure_of_tonight_weighs_more_than_quarantined_pairs_and_they_more_than_nothing(nights):
    for _ in range(QUARANTINE_AFTER):
        nights.run(dog_fails(nights, failed("diverged")))
    assert nights.run()["run"]["exit_code"] == 12
    (nights.output / "sea.png").unlink()
    assert nights.run(failed("timeout"))["run"]["exit_code"] == 3
    assert nights.run(failed("timeout"), only="dog*")["run"]["exit_code"] == 12
    assert nights.run(failed("timeout"), only="sea*")["run"]["exit_code"] == 3


def test_an_acknowledged_pair_is_no_news_until_it_fails_in_another_way(nights, stylize):
    for _ in range(QUARANTINE_AFTER):
        nights.run(dog_fails(nights, failed("diverged")))
    wrong = stylize("acknowledge", "cat*", "night.yaml", cwd=nights.project)
    assert wrong.returncode == 2
    assert "no quarantined pair of " in wrong.stderr
    assert wrong.stderr.endswith("matches 'cat*'; there are 1: dog.png\n")
    done = stylize("acknowledge", "d*", "night.yaml", cwd=nights.project)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"acknowledged dog.png: failed in 3 runs since 20\d\d-\d\d-\d\d \(a reason\)\n", done.stdout)
    report = nights.run()
    assert report["run"]["exit_code"] == 0
    assert report["counts"]["quarantined"] == 1
    assert report["pairs"][0]["acknowledged"] is True
    assert "(3 runs), acknowledged" in render_text(report)
    quiet = stylize("run", "night.yaml", "--quiet", cwd=nights.project)
    assert (quiet.returncode, quiet.stderr) == (0, "")

    again = nights.run(failed("diverged"), retry_failed=True)  # known, but it is this run that failed
    assert (again["run"]["exit_code"], again["pairs"][0]["acknowledged"]) == (3, True)
    assert nights.run()["run"]["exit_code"] == 0
    for _ in range(QUARANTINE_AFTER):
        assert nights.run(failed("timeout"), retry_failed=True)["run"]["exit_code"] == 3
    assert nights.run()["run"]["exit_code"] == 12


def test_forged_failures_are_neither_listed_nor_followed(nights, stylize):
    for _ in range(QUARANTINE_AFTER):
        nights.run(failed("diverged"))
    store = LocalStore(nights.output)
    sound = asdict(Failures(store).of("dog.png"))
    for number, content in enumerate(
        (
            [],
            "x",
            {},
            sound | {"output": "../victim"},
            sound | {"output": 7},
            sound | {"output": "\ud800"},
            sound | {"output": "a.png", "runs": "many"},
        )
    ):
        write_checksummed_json(store, f".pipeline/records/{number:016x}.failed.json", content)
        if isinstance(content, dict) and content.get("output") == "a.png":
            write_checksummed_json(store, failure_name("a.png"), content)
    done = stylize("acknowledge", "*", "-o", str(nights.output))
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["dog.png:", "sea.png:"]


def test_retry_failed_tries_again_and_success_ends_the_quarantine(nights):
    for _ in range(QUARANTINE_AFTER):
        nights.run(failed("diverged"))
    report = nights.run(failed("diverged"), retry_failed=True)
    assert nights.asked == ["dog.png", "sea.png"]
    assert report["pairs"][0]["failed_runs"] == QUARANTINE_AFTER + 1
    assert set(statuses(nights.run()).values()) == {"quarantined"}
    assert set(statuses(nights.run(retry_failed=True)).values()) == {"done"}
    assert not list((nights.output / ".pipeline/records").glob("*.failed.json"))
    assert set(statuses(nights.run()).values()) == {"up_to_date"}


def test_another_key_clears_it(nights):
    for _ in range(QUARANTINE_AFTER):
        nights.run(failed("diverged"))
    nights.manifest(options=", style_weight: 0.5")
    assert set(statuses(nights.run(failed("diverged"))).values()) == {"failed"}
    assert nights.report()["pairs"][0]["failed_runs"] == 1


@pytest.mark.parametrize(
    ("reason_class", "before", "after"),
    [
        ("timeout", "{pair_timeout: 2s}", "{pair_timeout: 9s}"),
        ("memory", "{max_memory: 1GiB}", "{max_memory: 2GiB}"),
    ],
)
def test_raising_the_limit_that_was_met_is_worth_a_new_try(nights, reason_class, before, after):
    nights.manifest(run=before)
    for _ in range(QUARANTINE_AFTER):
        nights.run(failed(reason_class))
    assert set(statuses(nights.run()).values()) == {"quarantined"}
    nights.manifest(run=after)
    assert set(statuses(nights.run()).values()) == {"done"}


def test_different_failures_do_not_add_up(nights):
    for reason_class in ("timeout", "timeout", "diverged", "timeout"):
        report = nights.run(failed(reason_class))
    assert statuses(report)["dog.png"] == "failed"
    assert report["pairs"][0]["failed_runs"] == 1


def test_the_machines_failures_are_nobodys(nights):
    for _ in range(QUARANTINE_AFTER + 1):
        report = nights.run(failed("environment", exit_code=4))
    assert statuses(report) == {"dog.png": "failed", "sea.png": "not_started"}
    assert report["run"]["exit_code"] == 4
    assert report["pairs"][0]["failed_runs"] == 0


def test_a_picture_that_stands_is_kept_with_its_record_while_its_repainting_fails(nights):
    nights.run()
    before = (nights.output / "dog.png").read_bytes()
    nights.manifest(options=", strength: 0.5")
    for _ in range(QUARANTINE_AFTER):
        nights.run(failed("diverged"))
    assert (nights.output / "dog.png").read_bytes() == before
    nights.manifest()
    assert set(statuses(nights.run()).values()) == {"up_to_date"}
    assert not list((nights.output / ".pipeline/records").glob("*.failed.json"))


def test_a_missing_picture_is_held_until_it_is_there(nights):
    dog = nights.project / "input/content/dog.png"
    hidden = dog.rename(dog.with_name("hidden.png"))
    for _ in range(QUARANTINE_AFTER):
        assert statuses(nights.run())["dog.png"] == "failed"
    report = nights.run()
    assert statuses(report)["dog.png"] == "quarantined"
    assert "does not exist" in report["pairs"][0]["reason"]
    hidden.rename(dog)
    assert statuses(nights.run())["dog.png"] == "done"


def test_a_strangers_file_that_is_gone_holds_nothing(nights):
    nights.output.mkdir()
    (nights.output / "dog.png").write_bytes(b"somebody's")
    for _ in range(QUARANTINE_AFTER + 1):
        assert statuses(nights.run())["dog.png"] == "failed"
    (nights.output / "dog.png").unlink()
    assert statuses(nights.run())["dog.png"] == "done"


def test_a_failure_that_cannot_be_read_counts_as_none(nights):
    for _ in range(QUARANTINE_AFTER):
        nights.run(failed("diverged"))
    for path in (nights.output / ".pipeline/records").glob("*.failed.json"):
        path.write_text(json.dumps({"output": "dog.png"}))
    assert Failures(LocalStore(nights.output)).of("dog.png") is None
    assert set(statuses(nights.run()).values()) == {"done"}


def test_clean_takes_the_failures_of_pairs_that_nobody_wants(nights, stylize):
    nights.run(failed("diverged"))
    nights.manifest(pairs="\n  - {content: content/sea.png, style: style/wave.png, output: sea.png}\n")
    assert stylize("clean", "night.yaml", cwd=nights.project).stdout.count(".failed.json") == 1
    assert len(list((nights.output / ".pipeline/records").glob("*.failed.json"))) == 1
