"""The readings of a report as a table for other programs: a line each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.reading import OF_LAYER, loss_names

_FIRST = ("output", "step", "seconds", "side")


def readings_csv(report: Mapping[str, Any]) -> Iterator[str]:
    """CSV (RFC 4180) line by line: a head, and a line for each reading of each pair, in the order
    of the report. Columns are the pair's output, step, seconds and side, then the losses by name,
    then the shares of layers (`style/block1_conv1`); what a pair does not have is empty."""
    rows = [(str(pair["output"]), row) for pair in report["pairs"] for row in pair["trace"]]
    losses = loss_names(row for _output, row in rows)
    layers = dict.fromkeys(name for _output, row in rows for name in row if OF_LAYER in name)
    columns = (*_FIRST, *losses, *layers)
    yield _line(map(cell, columns))
    for output, row in rows:
        yield _line(cell({"output": output, **row}.get(column)) for column in columns)


def _line(cells: Any) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def cell(value: Any) -> str:
    """A name that a table would take for a formula begins with an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
