"""Outcomes to report.json, report.html, report.txt and the history. Nothing is computed again here.

Importing this package loads the standard library only.
"""

from __future__ import annotations

from pipeline.printable import printable
from pipeline.report.data import RunMetadata, build_report, verdict
from pipeline.report.write import write_reports

__all__ = ["RunMetadata", "build_report", "printable", "verdict", "write_reports"]
