"""What a run leaves beside its pictures: report.json for programs, report.txt for mail, report.html for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.report.data import report_stem
from pipeline.report.text import render_text


def write_reports(
    output: Path,
    report: Mapping[str, Any],
    *,
    thumbnails: Callable[[str], Mapping[str, Path]],
    write: Callable[[Path, bytes], None],
    history: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write report.json, report.txt and report.html into the folder `output`, in this order: numbers first. Those of a shard
    are named after it: report.2-of-3.json.

    `thumbnails` gives for an output's name the small pictures that exist of it: any of the keys `content`, `style`,
    `result`, as WebP files. `write` writes one file whole or not at all. `history` are rows of earlier runs, oldest
    first, for the trend on the page. Raises what `write` raises.
    """
    stem = report_stem(report["run"]["shard"])
    write(output / f"{stem}.json", _json_text(report).encode("ascii"))
    write(output / f"{stem}.txt", render_text(report, folder=output).encode("ascii"))
    # Here, not above: Jinja2 is for those who write a page, not for those who read a report's text.
    from pipeline.report.html import render_html

    page = render_html(report, folder=output, thumbnails=thumbnails, history=history)
    write(output / f"{stem}.html", page.encode("utf-8"))


def _json_text(report: Mapping[str, Any]) -> str:
    """JSON with one line per pair: small and fast as the compact form, and grep and diff still work on it.

    ASCII, so that names which are no UTF-8 survive and names which would act on a terminal do not.
    """
    parts = [f'"{key}": {_lines(value) if key == "pairs" else _dumps(value)}' for key, value in report.items()]
    return "{" + ",\n ".join(parts) + "}\n"


def _lines(pairs: Sequence[Any]) -> str:
    return "[" + ",\n  ".join(_dumps(pair) for pair in pairs) + "]"


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)
