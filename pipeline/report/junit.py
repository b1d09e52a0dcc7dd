"""A report as JUnit XML, one test case a pair, for CI servers that show such files.

The shape is what Jenkins' schema and the older one of Apache Ant's task have in common: attributes
and elements that either of them does not know are not written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from pipeline.job import FAILED
from pipeline.printable import printable

_SKIPPED = ("interrupted", "not_started")
# In JUnit's words a failure is what the test looks for, an error what kept it from looking: here
# the pair's own fault, and the machine's or the program's.
_ERRORS = frozenset({"worker_died", "machine_lost", "memory", "disk", "environment", "bug"})
# What XML 1.0 (section 2.2) has no place for; `printable` has written out all but two of them.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(report: Mapping[str, Any]) -> bytes:
    """The pairs of a report as test cases, in ASCII.

    `done` and `up_to_date` have passed. `failed` is a failure, or an error where the machine stood
    in the way; so is `quarantined`, until somebody acknowledged it: then it is skipped, as
    `interrupted` and `not_started` are. Names are escaped, and what would act in them is written
    out.
    """
    run, pairs = report["run"], report["pairs"]
    suite_name = _text(run["manifest"]) + (f" {run['shard']}" if run["shard"] else "")
    cases = [_case(pair, suite_name) for pair in pairs]
    numbers = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    skipped = sum(case.find("skipped") is not None for case in cases)
    time = _seconds(run["seconds"])
    counted = {name: str(number) for name, number in numbers.items()}
    root = ElementTree.Element("testsuites", {"name": "stylize", **counted, "time": time})
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": suite_name,
            **counted,
            "skipped": str(skipped),
            "time": time,
            "timestamp": _text(run["started"])[:19],  # neither schema has room for an offset
            "hostname": _text(run["host"]) or "localhost",
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(run):
        ElementTree.SubElement(properties, "property", {"name": name, "value": _text(str(value))})
    suite.extend(cases)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True)
    return text + b"\n"


def _properties(run: Mapping[str, Any]) -> list[tuple[str, Any]]:
    weights = run["weights"]
    found = {
        "run": run["id"],
        "exit_code": run["exit_code"],
        "version": run["versions"].get("pipeline"),
        "device": run["device"],
        "weights": weights["name"],
    }
    return [(name, value) for name, value in found.items() if value not in (None, "")]


def _case(pair: Mapping[str, Any], suite: str) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", {"name": _text(pair["output"]), "classname": suite, "time": _seconds(_time(pair))}
    )
    reason, kind = pair["reason"] or "no reason was given", pair["reason_class"] or pair["status"]
    if pair["status"] in _SKIPPED or (pair["status"] == "quarantined" and pair["acknowledged"]):
        ElementTree.SubElement(case, "skipped", {"message": _text(f"{_words(pair)}: {reason}")})
    elif pair["status"] in FAILED:
        tag = "error" if kind in _ERRORS else "failure"
        trouble = ElementTree.SubElement(case, tag, {"message": _text(reason), "type": _text(kind)})
        trouble.text = _text(f"{_words(pair)}: {reason}")
    remarks = [*(flag["text"] for flag in pair["flags"]), *pair["notes"]]
    if remarks:
        ElementTree.SubElement(case, "system-out").text = "\n".join(map(_text, remarks))
    return case


def _words(pair: Mapping[str, Any]) -> str:
    acknowledged = ", acknowledged" if pair["acknowledged"] else ""
    return f"{pair['status'].replace('_', ' ')}{acknowledged}"


def _time(pair: Mapping[str, Any]) -> float:
    """What it took in this run: a picture that was there already took nothing."""
    return pair["seconds"] or 0.0 if pair["status"] != "up_to_date" else 0.0


def _seconds(value: float | None) -> str:
    return f"{value or 0.0:.3f}"


def _text(value: str) -> str:
    return _NO_XML.sub("", printable(value))
