"""A report as metrics that Prometheus' textfile collector reads: how the last run went, and what
each machine painted in it.

Format: Prometheus exposition formats, text version 0.0.4 (prometheus.io/docs/instrumenting). All
are gauges: each run says its own numbers, and nothing is added up over runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pipeline.job import STATUSES
from pipeline.printable import printable
from pipeline.report.attention import REASON_CLASSES
from pipeline.report.flags import FLAG_NAMES
from pipeline.report.history import history_row

_MOST_NODES = 200  # chosen: labels have bounds, whatever a cluster calls its workers; more are summed up
_OTHER_NODES = "others"
_NO_REASON = "other"  # of a class that this version does not know

Labels = Mapping[str, str]
Samples = Iterable[tuple[Labels, float | None]]


class _Metric(NamedTuple):
    name: str
    help: str
    samples: Samples


def metrics_text(report: Mapping[str, Any]) -> str:
    """The metrics of a report's run, each with its help and its type, in the order in which a
    reader wants them. Numbers that are not known are left out.

    Every sample is labelled with the manifest, and with the shard where the run had one; the values
    of all other labels are bounded.
    """
    run = report["run"]
    common = {"manifest": run["manifest"]} | ({"shard": run["shard"]} if run["shard"] else {})
    lines: list[str] = []
    for metric in (*_of_run(report), *_of_nodes(report)):
        known = [(labels, value) for labels, value in metric.samples if value is not None]
        if not known:
            continue
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} gauge"]
        lines += [f"{metric.name}{_labels({**common, **labels})} {_number(value)}" for labels, value in known]
    return "\n".join(lines) + "\n"


def _of_run(report: Mapping[str, Any]) -> Iterator[_Metric]:
    run, row = report["run"], history_row(report)
    taken = _taken(report)
    flagged = Counter(flag["name"] for pair in taken for flag in pair["flags"])
    reasons = Counter(_reason(pair) for pair in taken if pair["status"] == "failed")
    version = {"version": run["versions"].get("pipeline") or "", "tensorflow": run["versions"].get("tensorflow") or ""}
    for name, text, value in (
        ("run_exit_code", "Exit code of the last run; 0 is all well.", run["exit_code"]),
        ("run_start_timestamp_seconds", "When the last run began.", _timestamp(run["started"])),
        ("run_end_timestamp_seconds", "When the last run ended.", _timestamp(run["finished"])),
        ("run_duration_seconds", "How long the last run took.", run["seconds"]),
        ("run_attempts", "Tries of pairs in the last run.", sum(pair["attempts"] for pair in taken)),
        ("run_warnings", "Warnings of the last run.", len(run["warnings"])),
        ("run_seconds_per_step", "Median time of an evaluation, over the pairs painted.", row["seconds_per_step"]),
        (
            "run_seconds_per_step_and_megapixel",
            "The same for a million pixels, which runs of other sizes can be compared by.",
            row["seconds_per_step_and_megapixel"],
        ),
        ("run_peak_memory_bytes", "Most memory that a painting process held.", row["peak_memory_bytes"]),
    ):
        yield _Metric(f"stylize_{name}", text, [({}, value)])
    for name, text, counts in (
        ("run_pairs", "Pairs that the last run took up, by how they ended.", run["counts"]),
        ("manifest_pairs", "All pairs of the manifest, by how they stand.", report["counts"]),
    ):
        yield _Metric(f"stylize_{name}", text, [({"status": status}, counts[status]) for status in STATUSES])
    yield _Metric(
        "stylize_run_failed_pairs",
        "Pairs that failed in the last run, by the class of the reason.",
        [({"reason": reason}, reasons[reason]) for reason in (*REASON_CLASSES, _NO_REASON)],
    )
    yield _Metric(
        "stylize_run_flagged_pairs",
        "Pairs painted in the last run whose numbers ask for a look, by flag.",
        [({"flag": flag}, flagged[flag]) for flag in FLAG_NAMES],
    )
    yield _Metric("stylize_build_info", "Versions of what painted; always 1.", [(version, 1)])


def _of_nodes(report: Mapping[str, Any]) -> Iterator[_Metric]:
    """What each machine painted in the run."""
    of_nodes: dict[str, list[Mapping[str, Any]]] = {}
    for pair in _taken(report):
        if pair["status"] == "done" and pair["node"]:
            of_nodes.setdefault(pair["node"], []).append(pair)
    ranked = sorted(of_nodes, key=lambda node: (-len(of_nodes[node]), node))
    groups = {node: of_nodes[node] for node in ranked[:_MOST_NODES]}
    if rest := [pair for node in ranked[_MOST_NODES:] for pair in of_nodes[node]]:
        groups[_OTHER_NODES] = groups.get(_OTHER_NODES, []) + rest

    def samples(measure: Any) -> list[tuple[Labels, float | None]]:
        return [({"node": node}, measure(pairs)) for node, pairs in groups.items()]

    yield _Metric("stylize_node_painted_pairs", "Pairs that a machine painted in the last run.", samples(len))
    yield _Metric(
        "stylize_node_painting_seconds",
        "Time that a machine's workers painted in the last run.",
        samples(lambda pairs: sum(pair["seconds"] or 0.0 for pair in pairs)),
    )
    yield _Metric(
        "stylize_node_evaluations",
        "Evaluations of loss and gradient at full size that a machine made in the last run.",
        samples(lambda pairs: sum(pair["steps"] or 0 for pair in pairs)),
    )
    yield _Metric(
        "stylize_node_peak_memory_bytes",
        "Most memory that a painting process of a machine held in the last run.",
        samples(lambda pairs: max((pair["peak_memory_bytes"] or 0 for pair in pairs), default=0) or None),
    )


def _taken(report: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The rows of the pairs that the run took up: they come first."""
    taken: Sequence[Mapping[str, Any]] = report["pairs"][: sum(report["run"]["counts"].values())]
    return taken


def _reason(pair: Mapping[str, Any]) -> str:
    reason = pair["reason_class"]
    return reason if reason in REASON_CLASSES else _NO_REASON


def _timestamp(moment: str) -> float | None:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None


def _labels(labels: Labels) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    """A label's value: backslash, quotation mark and line feed are escaped (there are none left of
    the last, see `printable`)."""
    return printable(value).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
