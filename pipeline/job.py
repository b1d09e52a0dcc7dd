"""The nouns every room shares. Standard library only: no files are read here, nothing is computed.
A manifest becomes `Job`s; a `Job`, with its `Options`, becomes an `Outcome`; that holds `Reading`s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.options import Options
from pipeline.style_at import StyleAt
from pipeline.textures import TEXTURE
from pipeline.urls import url_of


@dataclass(frozen=True, slots=True)
class StyleImage:
    """One style picture and its share in the blend; shares of a job need not sum to 1. `mask` says
    where in the content it is painted, `own_mask` what of the style picture is looked at,
    `region_map` which region each place of it belongs to; absolute, or None."""

    image: Path
    weight: float = 1.0
    mask: Path | None = None
    own_mask: Path | None = None
    region_map: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One pair, completely resolved: it can be started as it is.

    Of a texture, a pair without content, the first style stands for the content. `content`,
    `styles` and a path in `options.init` or `options.weights` are absolute. `output` is
    the name below the output folder, with forward slashes. `where` is the pair's
    `file:line:column`; `origins` says for each option where its value came from (`built in`,
    `configs/night.yaml:18:47 (preset poster)`, `--set`, `STYLIZE_SET`) and over which others it
    won. `places` are the files that are written out in the manifest, each with its place there.
    `homes` are the files that a pattern found, each with the folder that it must lie in when it is
    opened, whatever links stand there by then. `refusal` is why the pair cannot be started, where
    the manifest alone shows it; else empty. `content_mask` says where the photograph is kept, and
    `region_map` which region each place of it belongs to; None for none. `style_at` says how much
    of each style there is in which frame of a clip, where that changes; `weight` is then their
    mean. Masks and the content of a clip may be numbered files (`clip_names.is_numbered`).
    """

    output: str
    content: Path
    styles: tuple[StyleImage, ...]
    options: Options
    priority: int = 0
    meta: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    origins: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    homes: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    content_mask: Path | None = None
    region_map: Path | None = None
    style_at: StyleAt = ()

    @property
    def content_name(self) -> str:
        """The content's, without folders."""
        return TEXTURE if self.options.is_texture else self.content.name

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file the pair reads: content, styles, the picture of `init` where it is a path, and
        masks."""
        start = (Path(self.options.init),) if self.options.starts_from_file else ()
        return (self.content, *(style.image for style in self.styles), *start, *self.masks)

    @property
    def masks(self) -> tuple[Path, ...]:
        """Masks and region maps: of each style in the content and its own, the content's, the map
        of the content, those of the styles."""
        of_styles = (mask for style in self.styles for mask in (style.mask, style.own_mask))
        maps = (self.region_map, *(style.region_map for style in self.styles))
        return tuple(mask for mask in (*of_styles, self.content_mask, *maps) if mask is not None)

    def home_of(self, path: Path) -> str | None:
        """The folder that an input must lie in when it is opened; None for one that may lie
        anywhere."""
        return self.homes.get(str(path))

    def with_inputs(self, there: Mapping[Path, Path]) -> Job:
        """The same job of files that stand elsewhere; those that are not named stay."""

        def moved(path: Path | None) -> Path | None:
            return None if path is None else there.get(path, path)

        texts = {str(old): str(new) for old, new in there.items()}
        start = texts.get(str(self.options.init))
        return replace(
            self,
            content=there.get(self.content, self.content),
            styles=tuple(
                StyleImage(
                    there.get(style.image, style.image),
                    style.weight,
                    *map(moved, (style.mask, style.own_mask, style.region_map)),
                )
                for style in self.styles
            ),
            options=replace(self.options, init=start) if start else self.options,
            places={texts.get(path, path): place for path, place in self.places.items()},
            homes={path: home for path, home in self.homes.items() if path not in texts},
            content_mask=moved(self.content_mask),
            region_map=moved(self.region_map),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for the worker's pipe; `from_json` gives an equal job back."""
        return flat(self) | {
            "options": self.options.all_values(),
            "content": str(self.content),
            "styles": [
                [str(style.image), style.weight, *map(_text, (style.mask, style.own_mask, style.region_map))]
                for style in self.styles
            ],
            "content_mask": _text(self.content_mask),
            "region_map": _text(self.region_map),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Job:
        """The job that `to_json` described."""
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields["options"].items()
        }
        return cls(
            **{
                **fields,
                "content": Path(fields["content"]),
                "styles": tuple(
                    StyleImage(Path(image), weight, *map(_path, masks)) for image, weight, *masks in fields["styles"]
                ),
                "options": Options(**options),
                "content_mask": _path(fields.get("content_mask")),
                "region_map": _path(fields.get("region_map")),
                "style_at": tuple((frame, tuple(shares)) for frame, shares in fields.get("style_at", ())),
            }
        )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


AUTO_WORKERS = 0
"""In the place of a number of workers: as many as are fastest, once it is known what is to be done
(batch/workers)."""
MOST_KEPT = 99  # older pictures of one pair; a page that compares more is no use


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How to run. Nothing here ever changes a pixel. Durations are in seconds, sizes in bytes."""

    deadline: str | None = None  # local wall clock, "HH:MM"
    max_duration: float | None = None
    pair_timeout: float | None = None
    retries: int = 1
    max_memory: int | None = None
    workers: int = 1  # or AUTO_WORKERS
    shared_memory: bool = False  # `max_memory` is what all workers may hold together, not each
    threads: int | None = None  # None: as many as the process may use
    on_error: Literal["continue", "stop"] = "continue"
    retention: float | None = None  # how old what runs leave behind may become
    retention_runs: int | None = None  # the same, counted in runs
    min_free_disk: int | None = None
    log_file: str | None = None  # absolute, as the three below
    events_file: str | None = None
    metrics_file: str | None = None
    junit: str | None = None
    on_start: tuple[str, ...] = ()
    on_success: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    preview: int | None = None  # evaluations between two small pictures of the pair at work
    save_every: int | None = None  # evaluations between two numbered pictures that are kept
    keep_previous: int | None = None  # older pictures of a pair that is painted anew
    engine: Literal["local", "dask"] = "local"  # who paints
    scheduler: str | None = None  # a cluster's
    state: str | None = None  # absolute; where records of an output that is an address are kept
    object_cache: int | None = None  # bytes that copies of pictures that are elsewhere may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest that can be started: every job resolved, every glob expanded, every name checked.

    `file` is absolute. It may be a folder, of which no manifest is written; `arguments` are the
    flags that belong to it, with absolute paths: those of a folder, and what was laid over options.
    `verb` is the command that paints it. `date` is the day that outputs are named by,
    where any is. What is painted in `output` is delivered to `output_url`, where that is not empty.
    """

    file: Path
    name: str
    input: Path
    output: Path
    run: RunSettings
    pairs: tuple[Job, ...]
    warnings: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    verb: str = "run"
    date: str = ""
    output_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownNames:
    """What reports and pictures say of a pair's files, with no path of this machine: names of the
    content and of the styles, the pair's options with names in the place of paths, and what a pair
    in a manifest says of its masks: `content_mask`, `regions`, and by number of a style `mask`."""

    content: str
    style: tuple[str, ...]
    options: Mapping[str, Any]
    masks: Mapping[str, Any] = field(default_factory=dict)


def shown_name(path: Path, folder: Path) -> str:
    """A path as reports and pictures name it: relative to `folder` where it lies below it, else its
    address, or the file's name alone."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else url_of(path) or path.name


Status = Literal["done", "up_to_date", "failed", "interrupted", "not_started", "quarantined"]
STATUSES: tuple[Status, ...] = ("done", "up_to_date", "failed", "interrupted", "not_started", "quarantined")
STANDS: tuple[Status, ...] = ("done", "up_to_date")
"""Statuses of a pair whose picture is the one that was asked for."""
FAILED: tuple[Status, ...] = ("failed", "quarantined")
"""Statuses of a pair that somebody has to look at."""


@dataclass(slots=True, kw_only=True)
class Painted:
    """What a painter says of its picture, and a record and a row of report.json keep. `size` is
    (width, height) of the picture in pixels; `painted_size` that of the painting, where it was
    sharpened. `weights` are the network's name and SHA-256. `threads` are the processor threads it
    was painted with, on the machine named `node`; `painted_with` is all that equal bytes depend on
    beside the key: threads, device, processor, TensorFlow, tiles. `tilings` are those tiles as
    numbers, by what was evaluated; None where not known. `losses` are those of the `first` step and
    of the finished picture (`last`), by name, `layer_losses` their shares by layer; `trace` holds
    rows of readings. Of a clip a step is a frame, and `clip` is what `batch/clip_story` says of it.
    """

    size: list[int] | None = None
    steps: int = 0
    seconds: float = 0.0
    seconds_per_step: float | None = None
    setup_seconds: float = 0.0
    peak_memory_bytes: int | None = None
    precision: str | None = None
    threads: int | None = None
    painted_with: dict[str, Any] = field(default_factory=dict)
    tilings: dict[str, dict[str, int]] | None = None
    weights: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    key: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, dict[str, float]] = field(default_factory=dict)
    layer_losses: dict[str, dict[str, float]] = field(default_factory=dict)
    trace: list[dict[str, float]] = field(default_factory=list)
    painted_size: list[int] | None = None
    node: str = ""
    clip: dict[str, Any] | None = None


OF_PICTURE = frozenset({field.name for field in dataclasses.fields(Painted)} | {"notes"})
"""What of a row of report.json is the picture's and not the manifest's."""


@dataclass(slots=True, kw_only=True)
class Outcome(Painted):
    """How one pair went. The fields are the keys of a row in report.json (README, "report.json").

    `content` and `style` are names relative to the input folder where they lie below it;
    `style_shares` are the styles' shares as they were given, and `style_at` those by number of a
    frame, where they change along a clip; `masks` are as `ShownNames` has them.
    `failing_since` (ISO 8601) and `failed_runs` count runs without a break in which the pair failed
    in the same way; `acknowledged`: somebody has said that he knows of it. `notes` are things worth
    knowing that are not failures ("first of 12 frames used").
    """

    output: str
    content: str
    style: list[str]
    status: Status
    reason: str | None = None
    attempts: int = 0
    reason_class: str | None = None
    failing_since: str | None = None
    failed_runs: int = 0
    acknowledged: bool = False
    notes: list[str] = field(default_factory=list)
    priority: int = 0
    meta: dict[str, Any] = field(default_factory=dict)
    style_shares: list[float] = field(default_factory=list)
    masks: dict[str, Any] = field(default_factory=dict)
    style_at: dict[str, list[float]] = field(default_factory=dict)


def flat(known: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, for values that are JSON's own. Nothing is copied:
    `dataclasses.asdict` copies every reading of a trace, and there are hundreds."""
    return {part.name: getattr(known, part.name) for part in dataclasses.fields(known)}


def shown_masks(job: Job, folder: Path) -> dict[str, Any]:
    """What a pair in a manifest says of a job's masks, with names as `shown_name` has them:
    `content_mask`, `regions`, and by number of a style, as text, `mask`; nothing without any."""

    def name(path: Path) -> str:
        return shown_name(path, folder)

    shown: dict[str, Any] = {} if job.content_mask is None else {"content_mask": name(job.content_mask)}
    if job.region_map is not None:
        maps = [name(style.region_map) for style in job.styles if style.region_map is not None]
        shown["regions"] = {"content": name(job.region_map), "style": maps[0] if len(maps) == 1 else maps}
    of_styles = {}
    for number, style in enumerate(job.styles):
        both = {"content": style.mask, "style": style.own_mask}
        if given := {where: name(mask) for where, mask in both.items() if mask is not None}:
            of_styles[str(number)] = given["content"] if list(given) == ["content"] else given
    return shown | ({"mask": of_styles} if of_styles else {})
