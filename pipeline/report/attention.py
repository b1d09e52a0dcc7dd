"""What needs a person: pairs that did not become pictures, by reason, with the way out."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.printable import ascii_only, is_unseen, printable
from pipeline.report.quantities import moment

_STATUSES = ("failed", "quarantined", "interrupted", "not_started")  # most urgent first


@dataclass(slots=True, kw_only=True)
class Group:
    """Pairs of one status that stopped for one reason.

    `title` and `fix` are for people; `fix` may be empty.
    """

    status: str
    title: str
    fix: str
    pairs: list[dict[str, Any]] = field(default_factory=list)


def attention(report: Mapping[str, Any]) -> list[Group]:
    """Groups of pairs that are neither new nor up to date.

    Failures come first, then larger groups before smaller ones.
    """
    groups: dict[tuple[str, str], Group] = {}
    for pair in report["pairs"]:
        if pair["status"] in _STATUSES:
            group = _group(pair["status"], pair.get("reason_class") or "")
            groups.setdefault((group.status, group.title), group).pairs.append(pair)
    return sorted(groups.values(), key=lambda group: (_STATUSES.index(group.status), -len(group.pairs)))


def flagged(report: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Pairs whose numbers ask for a look at the picture, by the name of the flag.

    A pair may stand under several.
    """
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for pair in report["pairs"]:
        for flag in pair["flags"]:
            by_name.setdefault(flag["name"], []).append(pair)
    return by_name


def retry_command(run: Mapping[str, Any], output: str | None = None, *, ascii_names: bool = False) -> str:
    """The shell command that tries one pair of a report's `run` again, or without `output` all that
    failed: with the options and of the part that the run had. Safe to paste into any shell in any
    folder, whatever the names are. Of previews it is one for all, as no name of theirs is a clip's.

    `--only` takes a pattern, so brackets and stars in the name are escaped; a character that would
    act on a terminal (or, with `ascii_names`, is not ASCII) becomes `?`, which matches it.
    """

    def shown(character: str) -> bool:
        return not is_unseen(character) and (character.isascii() or not ascii_names)

    verb, shard = run.get("verb") or "run", run.get("shard")
    given = [*run["program"], verb, run["manifest"], *run["arguments"], *(["--shard", shard] if shard else [])]
    words = [quoted(word, shown) for word in given]
    if output is not None and verb == "run":
        pattern = "".join(letter if shown(letter) else "?" for letter in glob.escape(output))
        words += ["--only", shlex.quote(pattern)]
    return " ".join([*words, "--retry-failed"])


def quoted(word: str, shown: Callable[[str], bool]) -> str:
    """A word for a shell, in which characters that are not to be `shown` stand as octal bytes in
    `$'...'` (POSIX.1-2024, section 2.2.4; bash, ksh and zsh have it long since): written out in
    another way they would name another file."""
    if all(map(shown, word)):
        return shlex.quote(word)
    try:
        data = os.fsencode(word)
    except UnicodeEncodeError:  # no file can be called so
        return shlex.quote(ascii_only(word))
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b"\\'" else f"\\{byte:03o}" for byte in data)
    return f"$'{''.join(plain)}'"


def failing(pair: Mapping[str, Any]) -> str:
    """`failing since Tue 24 Nov 2026, 22:00 (3 runs)`, and whether that is acknowledged; nothing
    for a first failure."""
    since, runs = pair.get("failing_since"), pair.get("failed_runs") or 0
    known = ", acknowledged" if pair.get("acknowledged") else ""
    return f"failing since {printable(moment(since))} ({runs} runs){known}" if since and runs > 1 else ""


def _group(status: str, reason_class: str) -> Group:
    """An empty group. Only failures are told apart by a class that nothing is known of."""
    unlisted = f"Failed ({printable(reason_class)})" if reason_class else "Failed"
    title, fix = _FAILURES.get(reason_class, (unlisted, ""))
    if status == "quarantined":
        title = f"Failed too often: {title[0].lower()}{title[1:]}" if reason_class in _FAILURES else "Failed too often"
        fix = f"{fix} {_QUARANTINED}".lstrip()
    elif status == "interrupted":
        title, fix = "Stopped midway", "Nothing is wrong with them. The next run goes on from where each is saved."
    elif status == "not_started":
        title, fix = _NOT_STARTED.get(reason_class, _NOT_STARTED[""])
    return Group(status=status, title=title, fix=fix)


# Title and way out by `reason_class`: those of the errors in pipeline.errors, and the worker's
# `environment` and `bug`.
_FAILURES = {
    "bad_image": (
        "Picture cannot be used",
        "The sentence beside each pair names the file: repair or replace it, or correct its name."
        " The pair is tried again when the file has changed.",
    ),
    "output": (
        "Output cannot be written under its name",
        "The sentence beside each pair says why: move what stands there, or change the pair's output;"
        " where it says so, --force paints over it.",
    ),
    "output_refused": (
        "The file system does not take the output",
        "The sentence beside each pair says why: mostly a character that this disk or share cannot have in a name;"
        " change the pair's output.",
    ),
    "diverged": (
        "Descent diverged",
        "Lower the largest of the weights, or set precision: float32; with adam or gd lower learning_rate, or take lbfgs.",
    ),
    "worker_died": (
        "Painting process ended unexpectedly",
        "Most often the system ended it for want of memory: lower size or jobs, close other programs, set max_memory.",
    ),
    "machine_lost": (
        "The machine that painted it was lost",
        "The next run goes on where each is saved; look why workers of the cluster go, in their own logs.",
    ),
    "object_store": (
        "A store of objects did not give or take it",
        "The next run tries again, and delivers what is painted already; where access was denied, see docs/objects.md.",
    ),
    "memory": (
        "Not enough memory",
        "Lower size, run fewer jobs at once, or raise max_memory if the machine has more to give.",
    ),
    "timeout": (
        "Took too long",
        "Raise pair_timeout, or lower size or steps.",
    ),
    "disk": (
        "Disk full",
        "Free space on the disk of the output folder; the next run goes on with the pairs that are left.",
    ),
    "environment": (
        "The machine stood in the way",
        "Do what the sentence beside each pair says; stylize doctor tells what this machine has.",
    ),
    "bug": (
        "Met a bug in this program",
        "The log of the run has the traceback; please report it together with the manifest.",
    ),
    "error": (
        "Failed for another reason",
        "The sentence beside each pair says what happened.",
    ),
}

_QUARANTINED = (
    "Not tried again until the pair, its pictures or the limit it met change, or with --retry-failed;"
    " stylize acknowledge PATTERN MANIFEST says that you know of it."
)

_NOT_STARTED = {
    "disk": (
        "No room on the disk",
        "Free space on the disk of the output folder. The next run paints them.",
    ),
    "environment": (
        "The machine stood in the way",
        "Do what the warning says; stylize doctor tells what this machine has. The next run paints them.",
    ),
    "bug": (
        "Met a bug in this program",
        "The log of the run has the traceback; please report it together with the manifest.",
    ),
    "limit": (
        "Left for a later run by --limit",
        "Nothing is wrong. The next run goes on with them.",
    ),
    "left_out": (
        "Not part of this run",
        "Nothing is wrong. A run without --only, or over the other shards, paints them.",
    ),
    "deadline": (
        "Out of time",
        "Nothing is wrong. The next run paints them; give pairs that must not wait a higher priority.",
    ),
    "": (
        "Waiting for the next run",
        "Nothing is wrong with them. The next run paints them.",
    ),
}

REASON_CLASSES = tuple(dict.fromkeys(filter(None, (*_FAILURES, *_NOT_STARTED))))
