"""Outcomes to report.json, report.html, report.txt and the history. Computes nothing again."""
