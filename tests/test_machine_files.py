"""What is written for other programs: metrics, JUnit XML, events, the schema of report.json, and the hooks in the docs."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import yaml
from night_kit import Nights, failed, painted
from test_report import HOSTILE_NAMES, facts, one_of_each, outcome

from pipeline.batch.merging import merged
from pipeline.batch.selection import Shard
from pipeline.cli.console import JsonLines
from pipeline.cli.log_file import with_files
from pipeline.errors import Locked
from pipeline.job import STATUSES, RunSettings
from pipeline.manifest import load_manifest
from pipeline.printable import printable
from pipeline.report.attention import REASON_CLASSES
from pipeline.report.data import build_report
from pipeline.report.flags import FLAG_NAMES
from pipeline.report.junit import junit_xml
from pipeline.report.metrics import metrics_text
from pipeline.report.schema import report_schema, schema_text

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs/machines.md").read_text(encoding="utf-8")


@pytest.fixture
def nights(project: Path) -> Nights:
    return Nights(project)


# -------------------------------------------------------------------------------------------------------------- metrics

# The grammar of a line, from "Text format details" of Prometheus' exposition formats.
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)?\}})? ([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)")


def parsed(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Samples by metric and labels. Refuses what the text format does not allow: a sample before its type, one that comes
    twice, a metric whose lines do not stand together."""
    assert text.endswith("\n")
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    helped, now = set(), ""
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name, words = line.removeprefix("# HELP ").split(" ", 1)
            assert re.fullmatch(NAME, name)
            assert words
            assert name not in helped
            helped.add(name)
        elif line.startswith("# TYPE "):
            now, kind = line.removeprefix("# TYPE ").split(" ")
            assert (kind, now in helped, now in found) == ("gauge", True, False)
            found[now] = {}
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            assert name == now
            pairs = tuple(
                (part[: part.index("=")], part[part.index("=") + 2 : -1]) for part in re.findall(LABEL, labels or "")
            )
            assert len(dict(pairs)) == len(pairs)
            assert pairs not in found[name]
            found[name][pairs] = float(value)
    return found


def value(text: str, metric: str, **labels: str) -> float:
    """The one sample with these labels, whatever others it has."""
    (found,) = [number for pairs, number in parsed(text)[metric].items() if labels.items() <= dict(pairs).items()]
    return found


def test_metrics_say_how_the_run_went() -> None:
    other = outcome("other.png", "not_started")
    slow = outcome("slow.png", seconds_per_step=3.0, size=[1000, 500], peak_memory_bytes=2**30, attempts=2)
    bad = outcome("bad.png", "failed", reason_class="bad_image", attempts=1)
    text = metrics_text(build_report(facts(), [slow, bad], [other]))
    assert value(text, "stylize_run_exit_code") == 3
    assert value(text, "stylize_run_start_timestamp_seconds") == 1795554003  # date -d 2026-11-24T22:00:03+01:00 +%s
    assert value(text, "stylize_run_duration_seconds") == 18720
    assert value(text, "stylize_run_pairs", status="failed") == 1
    assert value(text, "stylize_run_pairs", status="not_started") == 0
    assert value(text, "stylize_manifest_pairs", status="not_started") == 1
    assert value(text, "stylize_run_failed_pairs", reason="bad_image") == 1
    assert value(text, "stylize_run_flagged_pairs", flag="retried") == 1
    assert value(text, "stylize_run_attempts") == 3
    assert value(text, "stylize_run_seconds_per_step_and_megapixel") == 6
    assert value(text, "stylize_run_peak_memory_bytes") == 2**30
    assert value(text, "stylize_build_info", version="1.0.0") == 1


def test_a_run_that_painted_nothing_has_no_speed_and_no_nodes() -> None:
    found = parsed(metrics_text(build_report(facts(), [])))
    assert "stylize_run_seconds_per_step" not in found
    assert not [name for name in found if name.startswith("stylize_node")]


def test_each_machine_of_a_farm_has_its_own_label() -> None:
    pairs = [outcome(f"{n}.png", node=node, seconds=10.0, steps=5) for n, node in enumerate("aab")]
    kept = outcome("kept.png", "up_to_date", node="c")  # painted in another night
    text = metrics_text(build_report(facts(shard="2/3"), [*pairs, kept]))
    assert value(text, "stylize_node_painted_pairs", node="a", shard="2/3") == 2
    assert value(text, "stylize_node_painting_seconds", node="a") == 20
    assert value(text, "stylize_node_evaluations", node="b") == 5
    assert len(parsed(text)["stylize_node_painted_pairs"]) == 2


def test_no_label_grows_without_bounds() -> None:
    names = [outcome(f"{n}.png", node=f"pod-{n}") for n in range(1000)]
    strange = [outcome(f"bad-{n}.png", "failed", reason_class=f"class-{n}") for n in range(50)]
    found = parsed(metrics_text(build_report(facts(), [*names, *strange])))
    assert len(found["stylize_node_painted_pairs"]) == 201
    assert sum(found["stylize_node_painted_pairs"].values()) == 1000
    assert len(found["stylize_run_failed_pairs"]) == len(REASON_CLASSES) + 1
    assert max(map(len, found.values())) == 201


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_in_labels_stay_one_label(name: str) -> None:
    text = metrics_text(build_report(facts(manifest=name), [outcome(node=name)]))
    text.encode("utf-8")
    ((labels, number),) = parsed(text)["stylize_node_painted_pairs"].items()
    assert number == 1
    assert dict(labels)["node"].replace('\\"', '"').replace("\\\\", "\\") == printable(name)


def test_every_metric_is_in_the_docs_and_none_that_is_not() -> None:
    pair = outcome(node="a", seconds_per_step=1.0, size=[9, 9], peak_memory_bytes=9)
    written = parsed(metrics_text(build_report(facts(), [pair])))
    table = PAGE[PAGE.index("| metric |") : PAGE.index("No label can grow")]
    assert set(re.findall(r"`(stylize_\w+)`", table)) == written.keys()


# ---------------------------------------------------------------------------------------------------------------- JUnit

# Attributes (those that must be there marked), and children in their order, that Jenkins' schema (junit-10.xsd of its xunit
# plug-in) has; and those of Ant's that it lacks are not asked for.
SHAPE: dict[str, tuple[set[str], set[str], list[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "disabled", "errors"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "properties": (set(), set(), ["property"]),
    "property": ({"name", "value"}, set(), []),
    "testcase": (
        {"name"},
        {"assertions", "time", "classname", "status"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "skipped": (set(), {"type", "message"}, []),
    "error": (set(), {"type", "message"}, []),
    "failure": (set(), {"type", "message"}, []),
    "system-out": (set(), set(), []),
}


def checked(data: bytes) -> ElementTree.Element:
    """The document, where it has the shape."""
    assert data.isascii()
    root = ElementTree.fromstring(data)
    assert root.tag == "testsuites"
    for element in root.iter():
        needed, allowed, children = SHAPE[element.tag]
        assert needed <= set(element.keys()) <= needed | allowed, element.tag
        places = [children.index(child.tag) for child in element]
        assert places == sorted(places)
        if children and element.tag != "testcase":
            assert not (element.text or "").strip()
        for count in {"tests", "failures", "errors", "skipped"}.intersection(element.keys()):
            assert element.attrib[count].isdecimal()
        if "time" in element.attrib:
            assert re.fullmatch(r"[0-9]+\.[0-9]{3}", element.attrib["time"])
        if "timestamp" in element.attrib:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.attrib["timestamp"])
    return root


def cases(root: ElementTree.Element) -> dict[str, str]:
    """What became of each test case."""
    marks = ("skipped", "error", "failure")
    return {
        case.attrib["name"]: next((child.tag for child in case if child.tag in marks), "passed")
        for case in root.iter("testcase")
    }


def test_each_pair_is_a_test_case() -> None:
    known = outcome("known.png", "quarantined", acknowledged=True, reason_class="bad_image")
    crashed = outcome("crashed.png", "failed", reason_class="worker_died", reason="it died")
    root = checked(junit_xml(build_report(facts(), [*one_of_each(), known, crashed])))
    assert cases(root) == {
        "done.png": "passed",
        "up_to_date.png": "passed",
        "failed.png": "failure",
        "quarantined.png": "failure",
        "interrupted.png": "skipped",
        "not_started.png": "skipped",
        "known.png": "skipped",
        "crashed.png": "error",
    }
    (suite,) = root
    counted = {name: suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "8", "failures": "2", "errors": "1", "skipped": "3"}
    (error,) = root.iter("error")
    assert error.attrib == {"message": "it died", "type": "worker_died"}


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "]]>\x00\x08\ufffe\uffff.png"])
def test_hostile_names_stay_text_in_xml(name: str) -> None:
    bad = outcome(name, "failed", reason=name, reason_class=name, notes=[name])
    root = checked(junit_xml(build_report(facts(manifest=name, host=name), [bad])))
    (case,) = root.iter("testcase")
    assert case.attrib["name"] == printable(name)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe\uffff]", "".join(root.itertext())
    )


def test_a_run_without_pairs_is_a_suite_without_cases() -> None:
    assert cases(checked(junit_xml(build_report(facts(host=""), [])))) == {}


# ------------------------------------------------------------------------------------------------------ files of a run


def test_a_run_writes_the_files_its_manifest_names(nights: Nights) -> None:
    nights.manifest(run="{metrics_file: watch/night.prom, junit: out/junit.xml}")
    report = nights.run(failed("bad_image"))
    text = (nights.project / "watch/night.prom").read_text()
    assert text == metrics_text(report)
    assert value(text, "stylize_run_failed_pairs", reason="bad_image") == 2
    assert set(cases(checked((nights.output / "junit.xml").read_bytes())).values()) == {"failure"}
    assert os.listdir(nights.project / "watch") == ["night.prom"]  # no part is left


def test_a_file_that_cannot_be_written_costs_a_warning_and_no_night(nights: Nights) -> None:
    (nights.project / "taken").mkdir()
    nights.manifest(run="{metrics_file: taken, junit: night.yaml/junit.xml}")
    report = nights.run(painted(nights.output))
    assert report["run"]["exit_code"] == 0
    first, second = report["run"]["warnings"]
    assert first.startswith("metrics_file: cannot write ")
    assert second.startswith("junit: ")


def test_no_device_is_replaced_and_no_file_of_the_run_itself(nights: Nights) -> None:
    os.mkfifo(nights.project / "pipe")
    nights.manifest(run="{metrics_file: pipe, junit: out/dog.png}")
    first, second = nights.run(painted(nights.output))["run"]["warnings"]
    assert first.endswith("pipe: a pipe, socket or device stands there; name another file")
    assert second.endswith("out/dog.png: it is a file of the run's own; name another file")
    assert (nights.project / "pipe").is_fifo()
    nights.manifest(run="{metrics_file: out/report.json, junit: out/.pipeline/lock}")
    report = nights.run()
    assert (report["run"]["exit_code"], report["counts"]["up_to_date"]) == (0, 2)
    assert [warning.endswith("name another file") for warning in nights.report()["run"]["warnings"]] == [True, True]


def test_a_file_in_the_output_folder_is_written_through_no_link(nights: Nights, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    nights.output.mkdir()
    (nights.output / "watch").symlink_to(private)
    nights.manifest(run="{metrics_file: out/watch/night.prom}")
    (warning,) = nights.run(painted(nights.output))["run"]["warnings"]
    assert warning.startswith("metrics_file: ")
    assert list(private.iterdir()) == []


def test_flags_and_variables_stand_over_the_manifest(rehearse, nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.manifest(run="{junit: a.xml, events_file: a.jsonl}")
    done = rehearse("run", "night.yaml", "--junit", "b.xml", STYLIZE_METRICS_FILE="b.prom", cwd=nights.project)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in nights.project.iterdir()}
    assert {"b.xml", "b.prom", "a.jsonl"} <= names
    assert "a.xml" not in names
    here = socket.gethostname()
    assert value((nights.project / "b.prom").read_text(), "stylize_node_painted_pairs", node=here) == 2
    assert {pair["node"] for pair in nights.report()["pairs"]} == {here}
    rehearse("run", "night.yaml", "--dry-run", "--junit", "c.xml", cwd=nights.project)
    assert not (nights.project / "c.xml").exists()


# --------------------------------------------------------------------------------------------------------------- events


def documented() -> dict[str, list[set[str]]]:
    """Each event of the docs, with the sets of keys it may have."""
    table = PAGE[PAGE.index("<!-- events -->") : PAGE.index("<!-- /events -->")]
    found: dict[str, list[set[str]]] = {}
    for event, keys in re.findall(r"^\| `(\w+)` \| ([^|]*) \|", table, re.MULTILINE):
        found.setdefault(event, []).append(set(re.findall(r"`(\w+)`", keys)))
    return found


class Events:
    """The lines of a file of events."""

    def __init__(self, path: Path) -> None:
        self.lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]

    def __iter__(self) -> Iterator[tuple[str, set[str]]]:
        for line in self.lines:
            yield line["event"], line.keys() - {"time", "level", "event"}


def test_a_night_adds_its_events_to_a_file_and_all_are_in_the_docs(nights: Nights) -> None:
    nights.manifest(run="{events_file: events.jsonl}")
    manifest = load_manifest(nights.project / "night.yaml")
    for answer in (failed("bad_image"), painted(nights.output), None):
        console: Any = with_files(JsonLines(open(os.devnull, "w")), manifest.run, nights.output)  # noqa: SIM115
        report = nights.run(answer, voice=console)
        console.ended(report, str(nights.output))
    events = Events(nights.project / "events.jsonl")
    known = documented()
    assert all(keys in known[event] for event, keys in events)
    told = [event for event, _keys in events]
    assert told.count("ended") == told.count("planned") == 3
    assert {"started", "failed", "done", "up_to_date"} <= set(told)
    assert [line["pair"] for line in events.lines if line["event"] == "done"] == ["dog.png", "sea.png"]
    assert {line["level"] for line in events.lines} == {"info", "error"}


def test_every_event_that_a_console_can_tell_of_is_in_the_docs(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    run = RunSettings(events_file=str(path))
    console: Any = with_files(JsonLines(open(os.devnull, "w")), run, tmp_path / "out")  # noqa: SIM115
    names = {name for name in dir(JsonLines) if not name.startswith("_")}
    job: Any = type("Job", (), {"output": "a\n\x1b.png"})
    plan: Any = type("Plan", (), {"count": lambda self, action: 1})()
    estimate: Any = type("Estimate", (), {"seconds": 1.0, "memory": 1})
    console.waiting("process 1")
    console.planned(plan, estimate)
    console.started(job, 4, None)
    console.resumed(job, "step 1 of 4", 1)
    console.corrected(estimate)
    for status in STATUSES:
        console.finished(outcome(status=status))
    console.warned("a word")
    console.unwritten("report")
    console.ended(build_report(facts(), []), "out")
    console.refused(Locked("held"))
    assert names == {
        *("waiting", "planned", "started", "corrected", "resumed", "reading", "finished", "warned", "standing"),
        *("ended", "unwritten", "refused"),
    }
    found: dict[str, list[set[str]]] = {}
    for event, keys in Events(path):
        found.setdefault(event, []).append(keys)
    assert found == documented()


# --------------------------------------------------------------------------------------------------- schema of report.json


def test_the_published_schema_is_the_one_of_this_version() -> None:
    """If this fails: stylize schema --report > configs/report.schema.json."""
    assert (REPOSITORY / "configs/report.schema.json").read_text(encoding="utf-8") == schema_text()
    jsonschema.Draft7Validator.check_schema(report_schema())


def test_every_key_of_a_report_is_in_its_schema() -> None:
    report = build_report(facts(), [outcome(attempts=2)])
    parts = report_schema()["definitions"]
    assert parts["run"]["properties"].keys() == report["run"].keys()
    assert parts["pair"]["properties"].keys() == report["pairs"][0].keys()
    assert parts["flag"]["properties"].keys() == report["pairs"][0]["flags"][0].keys()
    assert report["schema"] == report_schema()["properties"]["schema"]["const"]
    assert report_schema()["$id"].endswith(f":{report['schema']}")


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("run", {"exit_code": 99}),
        ("run", {"seconds": "long"}),
        ("run", {"shard": "two of three"}),
        ("pair", {"status": "lost"}),
        ("pair", {"size": [3]}),
        ("pair", {"steps": -1}),
        ("pair", {"trace": [{"step": "one"}]}),
        ("pair", {"flags": [{"name": "retried"}]}),
    ],
)
def test_what_no_report_has_is_refused_by_the_schema(part: str, change: dict[str, Any]) -> None:
    report = build_report(facts(), [outcome(attempts=2)])
    validator = jsonschema.Draft7Validator(report_schema())
    assert validator.is_valid(report)
    (report["run"] if part == "run" else report["pairs"][0]).update(change)
    assert not validator.is_valid(report)


def test_a_later_version_may_add_keys() -> None:
    report = build_report(facts(), [outcome()])
    report["run"]["new"] = report["pairs"][0]["new"] = 1
    assert jsonschema.Draft7Validator(report_schema()).is_valid(report)


# ------------------------------------------------------------------------------------------------------ hooks in the docs


def of_docs(heading: str) -> dict[str, Any]:
    """The `run` of the manifest under a heading of the docs."""
    section = PAGE[PAGE.index(f"## {heading}") :]
    (block,) = re.findall(r"```yaml\n(.*?)```", section.split("\n## ")[0], re.DOTALL)[:1]
    run: dict[str, Any] = yaml.safe_load(block)["run"]
    return run


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A curl and a sendmail that note how they are called, and what they are told."""
    for name in ("curl", "sendmail"):
        path = tmp_path / "tools" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nfor word; do echo "$word"; done >> "{path}.called"\ncat > "{path}.told"\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:{os.environ['PATH']}")
    return tmp_path / "tools"


def test_the_switch_of_the_docs_is_told_of_start_end_and_failure(nights: Nights, tools: Path) -> None:
    nights.manifest(run=json.dumps(of_docs("A dead man's switch")))
    assert nights.run(failed("bad_image"))["run"]["warnings"] == []
    assert nights.run(painted(nights.output))["run"]["warnings"] == []
    called = (tools / "curl.called").read_text().split()
    address = "https://hc-ping.com/YOUR-UUID"
    assert [word for word in called if word.startswith("http")] == [
        *(f"{address}/start", f"{address}/3", f"{address}/start", address)
    ]
    assert called.count("-m") == called.count("--retry") == 4


def test_the_mail_of_the_docs_has_the_verdict_in_its_subject_and_the_report_below(nights: Nights, tools: Path) -> None:
    nights.manifest(run=json.dumps(of_docs("A mail")))
    assert nights.run(failed("bad_image", "a\nBcc: all@example.org"))["run"]["warnings"] == []
    assert (tools / "sendmail.called").read_text() == "-t\n"
    head, _, body = (tools / "sendmail.told").read_text().partition("\n\n")
    assert head.splitlines()[0] == "To: you@example.org"
    assert head.splitlines()[1].startswith("Subject: stylize: 2 failed - ")
    assert len(head.splitlines()) == 2
    assert body == (nights.output / "report.txt").read_text()


def test_flags_of_metrics_are_those_of_reports() -> None:
    found = parsed(metrics_text(build_report(facts(), [])))
    assert {dict(labels)["flag"] for labels in found["stylize_run_flagged_pairs"]} == set(FLAG_NAMES)


def test_a_report_merged_of_parts_fits_the_schema(nights: Nights) -> None:
    parts = []
    for number in (1, 2):
        nights.run(painted(nights.output), shard=Shard.parse(f"{number}/2"))
        parts.append(nights.output / f"report.{number}-of-2.json")
    whole = merged(parts)
    jsonschema.Draft7Validator(report_schema()).validate(whole)
    assert value(metrics_text(whole), "stylize_run_pairs", status="done") == 2
    assert len(cases(checked(junit_xml(whole)))) == 2
