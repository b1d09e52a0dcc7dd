"""What the page shows of a report: pairs, groups and runs in words that are ready to print.

Every text from outside passes `printable` here; escaping for HTML is the template's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipeline.options import DEFAULTS_OF, Options
from pipeline.printable import printable
from pipeline.report.attention import Group, failing, flagged, retry_command
from pipeline.report.drawings import LossCurve, loss_curve
from pipeline.report.links import Links, relative
from pipeline.report.quantities import duration, memory, percent, significant

Rows = list[tuple[str, str]]
"""Names and values, in the order shown."""

_BUILT_IN = Options().as_dict()
_SHOWN_ELSEWHERE = ("steps", "precision", "seed")  # options with a place of their own among the numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A small picture.

    `source` is None if there is none, `link` is the full file's address if it is known.
    """

    kind: str
    caption: str
    source: str | None
    link: str | None

    @property
    def alt(self) -> str:
        """What the picture is, for those who do not see it."""
        return f"{self.kind}: {self.caption}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """One pair as the page shows it. `anchor` is its place on the page."""

    name: str
    anchor: str
    content: Picture
    style: Picture
    result: Picture
    reason: str
    attempts: int
    numbers: Rows
    losses: list[tuple[str, str, str, str]]  # part, first, last, last / first
    options: Rows
    meta: Rows
    curve: LossCurve | None
    flags: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """Pairs that need a person for one reason.

    Each has the command to retry it and, if it failed before, since when.
    """

    status: str
    title: str
    fix: str
    pairs: list[tuple[PairView, str, str]]


def pair_view(pair: Mapping[str, Any], run: Mapping[str, Any], links: Links) -> PairView:
    """The view of one row of the report."""
    sources = links.sources(pair["output"])
    style = " + ".join(printable(name) for name in pair["style"])
    return PairView(
        name=printable(pair["output"]),
        anchor=anchor(pair),
        content=_input("content", printable(pair["content"]), pair["content"], run, sources),
        style=_input("style", style, pair["style"][0] if len(pair["style"]) == 1 else None, run, sources),
        result=Picture(
            kind="result",
            caption=printable(pair["output"]),
            source=sources.get("result"),
            link=relative(pair["output"]) if "result" in sources else None,
        ),
        reason=printable(pair["reason"] or ""),
        attempts=pair["attempts"],
        numbers=list(_numbers(pair)),
        losses=list(_losses(pair["losses"])),
        options=list(_options(pair["options"], run["weights"]["name"])),
        meta=[(printable(key), printable(_shown(value))) for key, value in pair["meta"].items()],
        curve=loss_curve(pair["trace"], _parts(pair["losses"])),
        flags=[printable(flag["text"]) for flag in pair["flags"]],
        notes=[printable(note) for note in pair["notes"]],
    )


def group_view(group: Group, run: Mapping[str, Any], links: Links) -> GroupView:
    """The view of a group."""
    pairs = [
        (
            pair_view(pair, run, links),
            retry_command(run, pair["output"]),
            failing(pair),
        )
        for pair in group.pairs
    ]
    return GroupView(status=group.status, title=group.title, fix=group.fix, pairs=pairs)


def remark_views(report: Mapping[str, Any]) -> list[tuple[str, Rows]]:
    """For each flag that was raised, in words: names and anchors of the pictures to look at."""
    return [
        (name.replace("_", " ").capitalize(), [(printable(pair["output"]), anchor(pair)) for pair in pairs])
        for name, pairs in flagged(report).items()
    ]


def anchor(pair: Mapping[str, Any]) -> str:
    """Where a pair stands on the page; a digest, since names may hold what an address may not."""
    return "pair-" + hashlib.sha256(pair["output"].encode("utf-8", "surrogatepass")).hexdigest()[:12]


def tile_view(pair: Mapping[str, Any], links: Links) -> Picture:
    """Only the result of a pair, for the contact sheet of what was there already."""
    source = links.sources(pair["output"]).get("result")
    return Picture(kind="result", caption=printable(pair["output"]), source=source, link=relative(pair["output"]))


def run_rows(run: Mapping[str, Any]) -> Rows:
    """The facts that make a run repeatable, without those that are not known."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items() if version)
    weights = run["weights"]
    rows = {
        "Run": run["id"],
        "Manifest": run["manifest"],
        "Shard": run["shard"] or "",
        "Started": run["started"],
        "Finished": run["finished"],
        "Deadline": run["deadline"] or "",
        "Weights": weights["name"],
        "Weights SHA-256": weights["sha256"],
        "Device": run["device"],
        "Threads": str(run["threads"] or ""),
        "Precision auto": run["auto_precision"],
        "Versions": versions,
        "Host": run["host"],
    }
    return [(name, printable(value)) for name, value in rows.items() if value]


def _input(kind: str, caption: str, name: str | None, run: Mapping[str, Any], sources: Mapping[str, str]) -> Picture:
    """A content or style picture, linked to its file if that lies below a known input folder."""
    below = run["input"] is not None and name is not None and not PurePosixPath(name).is_absolute()
    link = relative(str(PurePosixPath(run["input"], name))) if below and name is not None else None
    return Picture(kind=kind, caption=caption, source=sources.get(kind), link=link)


def _numbers(pair: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if pair["size"]:
        yield "Size", " × ".join(map(str, pair["size"]))
    if pair["steps"]:
        yield "Steps", f"{pair['steps']:,}"
    if pair["seconds"]:
        yield "Time", duration(pair["seconds"])
    if pair["seconds_per_step"]:
        yield "Per step", f"{significant(pair['seconds_per_step'])} s"
    if pair["peak_memory_bytes"]:
        yield "Peak memory", memory(pair["peak_memory_bytes"])
    if pair["precision"]:
        yield "Precision", printable(pair["precision"])
    yield "Seed", str(pair["seed"])


def _parts(losses: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """The names of the losses: the total, then the terms of the objective in the report's order."""
    return list(dict.fromkeys((*losses["first"], *losses["last"])))


def _losses(losses: Mapping[str, Mapping[str, float | None]]) -> Iterator[tuple[str, str, str, str]]:
    """Parts that are zero from first to last have no weight, and are left out."""
    for part in _parts(losses):
        first, last = losses["first"].get(part), losses["last"].get(part)
        if first or last:
            yield part, significant(first), significant(last), _ratio(first, last)


def _ratio(first: float | None, last: float | None) -> str:
    """`0.7 %` for a part that fell, `× 17` for one that grew."""
    if not first or last is None:
        return ""
    return percent(last / first) if last <= first else f"× {significant(last / first)}"


def _options(options: Mapping[str, Any], weights: str) -> Iterator[tuple[str, str]]:
    """Options that differ from what is built in, also for their style loss; weights only if they
    are not the run's."""
    asked = options.get("style_loss", "")
    built_in = dict(_BUILT_IN)
    for style_loss in [asked] if isinstance(asked, str) else asked if isinstance(asked, Mapping) else ():
        built_in.update(DEFAULTS_OF.get(style_loss, {}))
    for name, value in options.items():
        if name not in _SHOWN_ELSEWHERE and value != built_in.get(name) and (name, value) != ("weights", weights):
            yield printable(name), printable(_shown(value))


def _shown(value: Any) -> str:
    """A value as a person writes it: `0.05`, `conv1_1, conv2_1`, `conv1_1 0.7, conv2_1 0.3`."""
    if isinstance(value, Mapping):
        shares = set(map(str, value.values()))
        words = value if len(shares) == 1 else (f"{key} {_shown(item)}" for key, item in value.items())
        return ", ".join(words)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
