"""What the page shows of a report: pairs, groups and runs in words that are ready to print.

Every text from outside passes `printable` here; escaping for HTML is the template's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.job import STANDS
from pipeline.printable import printable
from pipeline.report.attention import Group, failing, flagged, retry_command
from pipeline.report.clips import ClipView, clip_view, story_of
from pipeline.report.data import STATUS_WORDS
from pipeline.report.drawings import loss_curve
from pipeline.report.links import Links
from pipeline.report.quantities import duration, memory, percent, significant
from pipeline.report.settings import as_yaml, changed_options, differences, shown
from pipeline.report.sources import Sources
from pipeline.report.views import GroupView, OlderView, PairView, Picture, Rows
from pipeline.store.layout import RESULT_SIDE, STRIP, pair_id, preview_name
from pipeline.store.output_files import files_of
from pipeline.store.previous import files_by_pair, older_pictures
from pipeline.store.store import Entry

_LARGE_SIDE = 2 * RESULT_SIDE  # at which a hero is shown at most; the small picture bears twice its size
_LEAST_SIDE = 256  # to which smaller pictures are enlarged, at most twice: a try of 64 pixels is there to be seen
_SHARPEST = 6 * 10**6  # pixels of a full file that a page shows by itself: 24 MB decoded, eight of them 200
_NO_PICTURE = {"interrupted": "stopped midway", "not_started": "waits"}
_MOST_OF_A_FLAG = 12  # names; the others are found by the filters
# Of one group, with reasons and commands; the others are found by the filters below.
_MOST_OF_A_GROUP = 200
_AT_WORK = "at_work"  # reason class of a pair that is painted at this moment


@dataclass(slots=True)
class PageMaker:
    """Makes the views of a report's pairs, with the loss curves of those of which `curves` says so:
    these take more time than all the rest."""

    report: Mapping[str, Any]
    links: Links
    curves: Callable[[Mapping[str, Any]], bool]
    sources: Sources = field(init=False)
    _older: dict[str, list[Entry]] = field(init=False)
    _again: dict[int, str] = field(init=False)

    def __post_init__(self) -> None:
        self._again = _anchors_again(self.report["pairs"])
        self.sources = Sources(self.report["pairs"], self.links, self.report["run"]["input"])
        self._older = files_by_pair(self.links.store)

    def pair_view(self, pair: Mapping[str, Any], traits: Iterable[str] = (), *, large: bool = False) -> PairView:
        """The view of one row of the report; `large` if its picture is to be a hero."""
        content, styles = self.sources.content(pair), self.sources.styles(pair)
        return PairView(
            name=printable(pair["output"]),
            anchor=self._again.get(id(pair)) or anchor(pair),
            status=pair["status"],
            words=_status_words(pair),
            result=self._result(pair, content, styles, large=large),
            keys=self.sources.keys(pair),
            contents=content,
            styles=styles,
            masks=self.sources.masks(pair),
            traits=[*traits],
            reason=printable(pair["reason"] or ""),
            attempts=pair["attempts"],
            settings=as_yaml(changed_options(pair["options"], self.report["run"]["weights"]["name"])),
            numbers=list(_numbers(pair)),
            losses=list(_losses(pair["losses"])),
            meta=[(printable(key), printable(shown(value))) for key, value in pair["meta"].items()],
            curve=loss_curve(pair["trace"], _parts(pair["losses"]), _unit(pair)) if self.curves(pair) else None,
            flags=[printable(flag["text"]) for flag in pair["flags"]],
            flag_names=[flag["name"] for flag in pair["flags"]],
            notes=[printable(note) for note in pair["notes"]],
            older=list(self._older_views(pair)),
            clip=self._clip(pair),
        )

    def group_view(self, group: Group) -> GroupView:
        """The view of a group."""
        run = self.report["run"]
        pairs = [
            (self.pair_view(pair), retry_command(run, pair["output"]), failing(pair))
            for pair in group.pairs[:_MOST_OF_A_GROUP]
        ]
        return GroupView(status=group.status, title=group.title, fix=group.fix, count=len(group.pairs), pairs=pairs)

    def preview(self, output: str) -> Picture:
        """The small picture of a pair at work, as far as there is one."""
        name = preview_name(output)
        there = self.links.store.exists(name)
        return Picture(
            caption=printable(output),
            alt=f"{printable(output)} as it stands",
            source=self.links.source(name) if there else None,
        )

    def _result(self, pair: Mapping[str, Any], content: Picture, styles: Sequence[Picture], *, large: bool) -> Picture:
        name = self.links.names(pair["output"]).get("result") if pair["status"] in STANDS else None
        source = self.links.source(name) if name is not None else None
        caption = printable(pair["output"])
        alt = f"{content.caption} in the style of {' + '.join(style.caption for style in styles)}"
        size = _fitted(pair["size"], _LARGE_SIDE if large else RESULT_SIDE)
        if source is None and pair["status"] in _NO_PICTURE:
            source, alt = self.preview(pair["output"]).source, f"{alt}, unfinished"
            return Picture(caption=caption, alt=alt, source=source, size=size)
        link = self.links.to(first_file(pair)) if pair["status"] in STANDS else None
        sharper = large and source is not None and _is_sharper(pair["size"])
        return Picture(caption=caption, alt=alt, source=source, link=link, size=size, is_sharper=sharper)

    def _clip(self, pair: Mapping[str, Any]) -> ClipView | None:
        story = story_of(pair) if pair["status"] in STANDS else None
        if story is None:
            return None
        strip = self.links.names(pair["output"]).get(STRIP)
        view = clip_view(
            story,
            pair["output"],
            self.links.to(first_file(pair)),
            self.links.source(strip) if strip is not None else None,
        )
        frames = ", ".join(map(printable, pair.get("style_at") or ()))
        return replace(view, numbers=[*view.numbers, ("Styles", f"at frames {frames}")]) if frames else view

    def _older_views(self, pair: Mapping[str, Any]) -> Iterator[OlderView]:
        for older in older_pictures(self.links.store, pair["output"], self._older):
            caption = f"earlier picture {older.number} of {printable(pair['output'])}"
            before = (older.outcome or {}).get("options", {})
            picture = Picture(
                caption=caption,
                alt=caption,
                source=self.links.source(older.small) if older.small else None,
                link=self.links.to(older.picture),
            )
            yield OlderView(
                picture=picture,
                changes=differences(before, pair["options"]),
                settings=as_yaml(changed_options(before, self.report["run"]["weights"]["name"])),
            )


def remark_views(report: Mapping[str, Any], page: Callable[[Mapping[str, Any]], str]) -> list[tuple[str, int, Rows]]:
    """For each flag that was raised, in words: how many pictures to look at, names and addresses of
    the first. `page` is the address of the page that a pair stands on."""
    return [
        (
            name.replace("_", " ").capitalize(),
            len(pairs),
            [(printable(pair["output"]), f"{page(pair)}#{anchor(pair)}") for pair in pairs[:_MOST_OF_A_FLAG]],
        )
        for name, pairs in flagged(report).items()
    ]


def first_file(pair: Mapping[str, Any]) -> str:
    """The name of a pair's picture; of numbered frames the first one's."""
    return next(iter(files_of(pair["output"], pair.get("clip"))), pair["output"])


def anchor(pair: Mapping[str, Any]) -> str:
    """Where a pair stands on the page; a digest, since names may hold what an address may not."""
    return "pair-" + pair_id(pair["output"])[:12]


def _anchors_again(pairs: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Anchors of pairs that want an output which a pair before them wants: a place has one name."""
    seen: dict[str, int] = {}
    again = {}
    for pair in pairs:
        number = seen[pair["output"]] = seen.get(pair["output"], 0) + 1
        if number > 1:
            again[id(pair)] = f"{anchor(pair)}-{number}"
    return again


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


def _status_words(pair: Mapping[str, Any]) -> str:
    return "being painted" if pair.get("reason_class") == _AT_WORK else STATUS_WORDS[pair["status"]]


def _fitted(size: Sequence[int] | None, longer_side: int) -> tuple[int, int] | None:
    """Width and height at which a picture of this size is shown at most, `longer_side` or less;
    only a tiny one is enlarged."""
    if not size:
        return None
    longer = max(size)
    scale = min(_LEAST_SIDE / longer, 2.0) if longer < _LEAST_SIDE else min(longer_side / longer, 1.0)
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _is_sharper(size: Sequence[int] | None) -> bool:
    return bool(size) and max(size or ()) > RESULT_SIDE and size[0] * size[1] <= _SHARPEST  # type: ignore[index]


def _unit(pair: Mapping[str, Any]) -> str:
    return "frame" if pair.get("clip") else "step"


def _by(size: Sequence[int]) -> str:
    return " × ".join(map(str, size))


def _numbers(pair: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if pair["size"]:
        painted = f", painted at {_by(pair['painted_size'])}" if pair["painted_size"] else ""
        yield "Size", _by(pair["size"]) + painted
    if pair["steps"]:
        yield f"{_unit(pair)}s".capitalize(), f"{pair['steps']:,}"
    if pair["seconds"]:
        yield "Time", duration(pair["seconds"])
    if pair["seconds_per_step"]:
        yield f"Per {_unit(pair)}", f"{significant(pair['seconds_per_step'])} s"
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
