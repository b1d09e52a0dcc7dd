"""The report as a short plain text, for mail and terminals: at most forty lines of ASCII."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.job import FAILED
from pipeline.printable import ascii_only
from pipeline.report.attention import Group, attention, failing, flagged, quoted, retry_command
from pipeline.report.data import report_stem, standing_words, verdict
from pipeline.report.quantities import count, moment

LINES = 40  # one screen, and a mail that is read
_WIDTH = 160  # characters; commands are never cut
_SHOWN_PAIRS = 3  # per group of failures
_SHOWN_NAMES = 5  # of things that are no failures


def render_text(
    report: Mapping[str, Any], *, folder: Path | None = None, page: bool = True, shards: Sequence[str] = ()
) -> str:
    """report.txt: the verdict, what needs a person, where the rest is.

    `folder` is where report.html lies, if known; `page` says whether there is one. `shards` are the
    parts that failures are in, of a report that was merged: each is tried again where it ran.
    """
    head = [verdict(report), f"{standing_words(report)}.", _when(report), ""]
    tail = ["", *_retries(report, shards), *_where(report, folder, page=page)]
    body = [*_failures(report), *_remarks(report), *_warnings(report)] or ["Nothing needs attention."]
    room = LINES - len(head) - len(tail)
    if len(body) > room:
        left = count(len(body) - room + 1, "more line")
        body = [*body[: room - 1], f"... {left}: see the full report." if page else f"... {left}."]
    return "\n".join(line.rstrip() for line in (*head, *body, *tail)) + "\n"


def _when(report: Mapping[str, Any]) -> str:
    run = report["run"]
    return _line(
        f"{shlex.quote(run['manifest'])}, {moment(run['started'])} to {moment(run['finished'])}, run {run['id']}"
    )


def _failures(report: Mapping[str, Any]) -> Iterator[str]:
    for group in attention(report):
        yield _line(f"{len(group.pairs)} {group.status.replace('_', ' ')} - {group.title}")
        if group.status in FAILED:
            yield from _pairs_with_reasons(group)
        else:
            yield _line(f"  {_names(group.pairs)}")
        if group.fix:
            yield from _two_lines(f"  Fix: {group.fix}")


def _retries(report: Mapping[str, Any], shards: Sequence[str]) -> Iterator[str]:
    """How what failed is tried again; it stands at the end, where nothing is cut off."""
    if failed := [pair for group in attention(report) if group.status in FAILED for pair in group.pairs]:
        one = failed[0]["output"] if len(failed) == 1 else None
        for shard in shards[:_SHOWN_PAIRS]:
            run = {**report["run"], "shard": shard}
            yield f"Retry where part {shard} ran: {retry_command(run, one, ascii_names=True)}"
        if len(shards) > _SHOWN_PAIRS:
            yield f"  ... and {count(len(shards) - _SHOWN_PAIRS, 'more part')}"
        if not shards:
            yield f"Retry: {retry_command(report['run'], one, ascii_names=True)}"


def _pairs_with_reasons(group: Group) -> Iterator[str]:
    for pair in group.pairs[:_SHOWN_PAIRS]:
        since = failing(pair)
        yield from _two_lines(
            f"  {pair['output']}: {pair['reason'] or 'no reason was given'}{f', {since}' if since else ''}"
        )
    if len(group.pairs) > _SHOWN_PAIRS:
        yield f"  ... and {len(group.pairs) - _SHOWN_PAIRS} more"


def _remarks(report: Mapping[str, Any]) -> Iterator[str]:
    """Quality flags, one line per kind: a hundred pictures with the same flag are one line."""
    for name, pairs in flagged(report).items():
        yield _line(f"Look at {count(len(pairs), 'picture')} ({name.replace('_', ' ')}): {_names(pairs)}")


def _warnings(report: Mapping[str, Any]) -> Iterator[str]:
    for warning in report["run"]["warnings"]:
        yield _line(f"Warning: {warning}")


def _where(report: Mapping[str, Any], folder: Path | None, *, page: bool) -> Iterator[str]:
    if page:
        name = f"{report_stem(report['run']['shard'])}.html"
        yield _line(f"Full report: {folder / name if folder else f'{name} beside this file'}")
    if report["run"]["command"]:
        words = (
            quoted(word, lambda letter: letter.isascii() and letter.isprintable()) for word in report["run"]["command"]
        )
        yield f"Command: {' '.join(words)}"


def _names(pairs: Sequence[Mapping[str, Any]]) -> str:
    names = ", ".join(pair["output"] for pair in pairs[:_SHOWN_NAMES])
    return names if len(pairs) <= _SHOWN_NAMES else f"{names}, ... and {len(pairs) - _SHOWN_NAMES} more"


def _two_lines(text: str) -> Sequence[str]:
    """One line, or two where it is longer than that."""
    safe = ascii_only(text)
    if len(safe) <= _WIDTH:
        return [safe]
    return textwrap.wrap(safe, _WIDTH, subsequent_indent="    ", max_lines=2, placeholder="...", break_on_hyphens=False)


def _line(text: str) -> str:
    safe = ascii_only(text)
    return safe if len(safe) <= _WIDTH else safe[: _WIDTH - 3] + "..."
