"""Several machines, one manifest: --shard. No TensorFlow."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from night_kit import Nights, failed, statuses

from pipeline.batch.merging import merged
from pipeline.batch.selection import Selection, Shard
from pipeline.cli.main import cli
from pipeline.errors import Locked, UsageError
from pipeline.store.disk import LocalStore

NAMES = [f"{content}/{style}.png" for content in range(40) for style in range(25)]
MANY = """
  - matrix: {content: ["content/*"], style: ["style/*"], seed: [1, 2, 3, 4, 5]}
    output: "{content.stem}-{seed}.png"
"""


@pytest.fixture
def nights(project):
    return Nights(project)


def test_the_parts_are_disjoint_and_together_everything():
    parts = [[name for name in NAMES if Shard(index, 3).has(name)] for index in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(NAMES)
    # 1000 / 3 with a standard deviation of 15
    assert all(280 < len(part) < 390 for part in parts)


def test_a_pair_stays_in_its_part_from_version_to_version():
    """By hand: sha256sum of "0/0.png" is 6e06...c4d6; 16 leaves 1 by 3, so its digits' sum, 533, decides: 2 by 3, the third."""
    assert [Shard(index, 3).has("0/0.png") for index in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "3", "1/2/3", "a/b", "-1/3", "1.0/3", ""])
def test_a_part_that_cannot_be_is_a_usage_error(project, stylize, text):
    (project / "night.yaml").write_text("version: 1\npairs: []\n")
    for verb in ("run", "plan"):
        done = stylize(verb, "night.yaml", "--shard", text, cwd=project)
        assert done.returncode == 2
        assert f"must be I/N with I from 1 to N, like 2/3. Received: '{text}'" in done.stderr
    assert not (project / "output").exists()


def test_shards_do_the_work_of_one_run_and_leave_a_report_each(nights):
    nights.manifest(MANY)
    shares = []
    for index in (1, 2):
        report = nights.run(shard=Shard(index, 2))
        shares.append(set(nights.asked))
        on_disk = json.loads((nights.output / f"report.{index}-of-2.json").read_text())
        assert on_disk == report
        assert report["run"]["shard"] == f"{index}/2"
        assert {name for name, status in statuses(report).items() if status == "done"} == shares[-1]
        assert len(report["pairs"]) == 10  # the others as they stand
        text = (nights.output / f"report.{index}-of-2.txt").read_text()
        assert f"report.{index}-of-2.html" in text
        assert f'href="./report.{index}-of-2.json"' in (nights.output / f"report.{index}-of-2.html").read_text()
        assert (nights.output / f".pipeline/history/runs.{index}-of-2.jsonl").read_text().count("\n") == 1
    assert not shares[0] & shares[1]
    assert not (nights.output / "report.json").exists()
    assert len(shares[0] | shares[1]) == 10
    whole = nights.run()
    assert set(statuses(whole).values()) == {"up_to_date"}
    assert set(statuses(whole)) == shares[0] | shares[1]


def test_report_history_and_status_know_the_shards(nights, stylize):
    nights.manifest(MANY)
    nights.run(failed("diverged"), shard=Shard(2, 2))
    where = {"cwd": nights.project}
    assert "failed" in stylize("report", "night.yaml", "--shard", "2/2", **where).stdout.splitlines()[0]
    assert stylize("report", "night.yaml", "--shard", "1/2", **where).returncode == 2
    rows = stylize("history", "night.yaml", **where, STYLIZE_SHARD="2/2").stdout.rstrip().splitlines()
    assert [row.split()[0] for row in rows] == ["started", rows[1][:10]]
    assert "last run of shard 2 of 2: " in stylize("status", "night.yaml", **where).stdout


def test_an_empty_share_is_no_error(nights, stylize):
    with_nothing = next(i for i in range(1, 99) if not any(Shard(i, 99).has(n) for n in ("dog.png", "sea.png")))
    flag = ("--shard", f"{with_nothing}/99")
    assert stylize("plan", "night.yaml", *flag, cwd=nights.project).stdout == "0 to paint, 0 up to date\n"
    done = stylize("run", "night.yaml", *flag, "--only", "dog*", cwd=nights.project)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("no pairs - ")
    assert stylize("run", "night.yaml", *flag, "--only", "cat*", cwd=nights.project).returncode == 2


def test_shards_of_one_division_share_an_output_and_nobody_else(tmp_path):
    store = LocalStore(tmp_path)

    def lock(run_id, shard=None):
        return store.lock(run_id, shard=shard.suffix if shard else None)

    with lock("first", Shard(1, 3)), lock("second", Shard(2, 3)):
        assert len(store.holders()) == 2
        with pytest.raises(Locked, match=rf"process {os.getpid()} on .* \(run first\)"), lock("whole"):
            pass
        with pytest.raises(Locked, match=r"\(run second\)"), lock("again", Shard(2, 3)):
            pass
        with (
            pytest.raises(Locked, match=r"\(run first\), which divides it otherwise"),
            lock("other", Shard(2, 2)),
        ):
            pass
        with lock("third", Shard(3, 3)):
            pass
    assert store.holders() == ()
    with (
        lock("whole"),
        pytest.raises(Locked, match=r"\(run whole\)"),
        lock("late", Shard(1, 3)),
    ):
        pass
    with lock("other", Shard(2, 2)):
        pass


def test_a_shard_spares_the_half_written_files_of_others(tmp_path):
    old, young = (tmp_path / f".pipeline-{name}.part" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (time.time() - 4000,) * 2)
    LocalStore(tmp_path).remove_parts(seconds_old=3600)
    assert [path.name for path in tmp_path.iterdir()] == [young.name]


def test_a_selection_over_part_of_the_pairs_is_not_whole():
    assert Selection().whole
    assert not Selection(shard=Shard(1, 2)).whole
    assert not Selection(only="*").whole


def test_only_takes_a_name_as_it_is_and_unicode_forms_alike():
    names = ["im[1]--wave.png", "im1--wave.png", "im2--wave.png", "cafe\u0301.png"]
    assert [name for name in names if Selection(only="im[1]--wave.png").names(name)] == names[:2]
    assert [name for name in names if Selection(only="im[!1]*").names(name)] == [names[0], names[2]]
    assert [name for name in names if Selection(only="caf\u00e9*").names(name)] == [names[3]]


# ------------------------------------------------------------------------------------------------ machines that share no folder


@pytest.fixture
def apart(nights):
    """Two parts, painted into folders of their own, and the files of their reports."""
    nights.manifest(MANY)
    files = []
    for index in (1, 2):
        nights.output = nights.project / "out"
        nights.run(failed("diverged") if index == 2 else None, shard=Shard(index, 2))
        files.append(nights.project / f"machine{index}" / f"report.{index}-of-2.json")
        (nights.project / "out").rename(files[-1].parent)
    return nights, files


def test_reports_of_parts_are_merged_into_that_of_a_whole_run(apart, stylize):
    nights, files = apart
    flags = [word for file in reversed(files) for word in ("--merge", str(file))]
    merged = json.loads(stylize("report", *flags, "--json").stdout)
    first, second = (json.loads(file.read_text()) for file in files)
    both = {**statuses(first), **statuses(second)}
    expected = {name: "failed" if Shard(2, 2).has(name) else "done" for name in both}
    assert statuses(merged) == expected
    assert merged["counts"] == merged["run"]["counts"]
    assert (merged["counts"]["done"], merged["counts"]["failed"]) == tuple(
        sum(status == wanted for status in expected.values()) for wanted in ("done", "failed")
    )
    run = merged["run"]
    assert (run["shard"], run["exit_code"]) == (None, 3)
    assert run["started"] == min(first["run"]["started"], second["run"]["started"])
    assert run["id"] == f"{second['run']['id']}, {first['run']['id']}"
    text = stylize("report", *flags).stdout
    assert f"{merged['counts']['done']} new, {merged['counts']['failed']} failed" in text.splitlines()[0]
    assert "report.html" not in text  # there is none of the whole
    (retry,) = (line for line in text.splitlines() if line.startswith("Retry"))
    assert retry.startswith("Retry where part 2/2 ran: ")  # elsewhere it would paint what others have painted
    assert retry.endswith("night.yaml --shard 2/2 --retry-failed")
    whole = nights.run()
    assert merged.keys() == whole.keys()
    assert run.keys() == whole["run"].keys()


def test_pairs_that_want_one_output_are_all_in_the_merged_report(nights):
    """They failed in their part; of two there was one row, and two were counted."""
    shutil.copy(nights.project / "input/content/dog.png", nights.project / "input/content/dog.jpg")
    nights.manifest(
        '\n  - matrix: {content: ["content/*"], style: ["style/wave.png"]}\n    output: "{content.stem}.png"'
    )
    for index in (1, 2):
        nights.run(shard=Shard(index, 2))
    both = merged([nights.output / f"report.{index}-of-2.json" for index in (1, 2)])
    assert both["counts"] == both["run"]["counts"]
    assert sorted(pair["content"] for pair in both["pairs"]) == [
        "content/dog.jpg",
        "content/dog.png",
        "content/sea.png",
    ]


def test_parts_that_do_not_belong_together_are_no_report(apart, stylize):
    _, (first, second) = apart
    other = first.with_name("other.json")
    other.write_text(first.read_text().replace('"shard": "1/2"', '"shard": "1/3"'))
    for files, words in (
        ([first], "the report of part 2/2 is missing"),
        ([first, first], "part 1/2 is given twice"),
        ([second, other], "part 1/3 is of another division than the parts of 2"),
        ([first, first.with_name("report.html")], "cannot be read: No such file"),
        ([first, first.parent / ".pipeline/history/runs.1-of-2.jsonl"], "is no report of a part"),
    ):
        done = stylize("report", *(word for file in files for word in ("--merge", str(file))))
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def part(nights: Nights, index: int, **facts: str) -> Path:
    """The report of part `index` of 2, of a run with these facts."""
    nights.run(shard=Shard(index, 2))
    file = nights.output / f"report.{index}-of-2.json"
    report = json.loads(file.read_text())
    file.write_text(json.dumps(report | {"run": report["run"] | facts}))
    return file


def test_parts_are_merged_by_moments_whatever_zones_their_clocks_have_and_whoever_sets_them(nights):
    files = [
        part(nights, 1, started="2026-11-27T07:30:00+09:00", finished="2026-11-27T08:00:00+09:00"),
        part(nights, 2, started="2026-11-26T23:00:00+01:00", finished="2026-11-26T23:15:00+01:00"),
    ]
    run = merged(files)["run"]
    assert (run["started"], run["finished"]) == ("2026-11-26T23:00:00+01:00", "2026-11-27T08:00:00+09:00")
    assert run["seconds"] == 3600
    set_back = {"started": "2026-11-27T02:00:00+01:00", "finished": "2026-11-27T01:00:00+01:00"}
    assert merged([part(nights, index, **set_back) for index in (1, 2)])["run"]["seconds"] == 0


def test_a_part_with_a_name_that_no_file_can_have_is_no_report(nights):
    files = [part(nights, index) for index in (1, 2)]
    report = json.loads(files[1].read_text())
    files[1].write_text(json.dumps(report | {"pairs": [*report["pairs"], report["pairs"][0] | {"output": "\ud800"}]}))
    with pytest.raises(UsageError, match="is no report of a part"):
        merged(files)


def test_parts_of_another_version_are_refused_in_words(nights):
    files = [part(nights, index) for index in (1, 2)]
    file = next(file for file in files if json.loads(file.read_text())["run"]["counts"]["done"])
    file.write_text(file.read_text().replace('"flags": ', '"remarks": '))
    flags = [word for file in files for word in ("--merge", str(file))]
    found = CliRunner().invoke(cli, ["report", *flags])
    assert isinstance(found.exception, UsageError)
    assert "another version of this program; --json prints them" in str(found.exception)
    assert CliRunner().invoke(cli, ["report", *flags, "--json"]).exit_code == 0
