"""How long a pair will take and how much memory it will need, before it is started.

`cost` knows the shape of the curve; here it is fitted to this machine: each finished pair says by
which factor the machine differs from the curve, in time and in memory. Pairs near in size and
lately painted weigh most, and the middle one of the weighted factors is taken, so that one pair
during a backup spoils nothing.

All that is learnt comes from the output folder's own records, as a run writes nothing elsewhere. In
an empty folder there is a first guess, and the first steps of a run's first pair correct it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.batch.estimates.amounts import clip_work, frames_of, job_bytes
from pipeline.batch.estimates.cost import Cost, decoding_memory, pair_cost
from pipeline.batch.estimates.factor import Factor, is_plausible
from pipeline.errors import BadImage, OutOfTime, PairError, Stopped
from pipeline.images.reader import READER, Reader
from pipeline.job import Job
from pipeline.nst.precision import fast_flags
from pipeline.options import OPTION_NAMES, Options
from pipeline.printable import printable
from pipeline.reading import Reading
from pipeline.schedule import Machine, Size, Sized, Stage, notes_of_size, schedule, stage_name

START_SECONDS = 6.0  # per run: importing TensorFlow, loading the network
# after which a pair's own pace is known; the first holds what is done once and is not counted
TRIAL_STEPS = 5
# A process's memory is never less than a pair needs and often more, as TensorFlow keeps what the
# pair before needed: the low ones of what was observed are the pair's own.
_OWN = 0.25
# A pair that takes so many times its estimate hangs. A first guess is of another machine, which may
# be fifty times as fast. Chosen; the least is for pairs of seconds beside other programs.
_LIMIT, _LIMIT_OF_GUESS, _LEAST_LIMIT = 20.0, 100.0, 1800.0
# Of `max_steps`, those after which a picture mostly comes no nearer to its style: the median of the
# pairs of docs/method.md. None ends before the second look at it (images/stillness).
_STILL_AFTER, FIRST_END = 0.7, 22
# Of a map nobody knows the colours before it is decoded: as many as `stylize masks` makes at most.
_REGIONS_OF_MAP = 8
_LEVEL_BYTES = 4  # float32
_TUPLES = ("size", "style_scale", "frames")  # options that may be one
_MOST_STYLES = 1000  # of a record that teaches: to reckon with more takes too long. Chosen
_MOST_COSTS = 4000  # that are remembered, a kilobyte each


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a pair will probably take: wall-clock seconds and bytes of resident memory. `guess` says
    that nothing like it has been painted here yet. `part` are the seconds after which something of
    it is done and stays: of a clip those of a frame; left out, all."""

    seconds: float
    memory: int
    guess: bool
    part: float | None = None

    @property
    def least(self) -> float:
        """Seconds without which it is not worth starting."""
        return self.seconds if self.part is None else self.part


class Estimator:
    """Estimates for workers of `threads` threads and at most `max_memory` bytes each, from
    earlier outcomes (rows as in report.json, oldest first). `reader` tells pictures' sizes."""

    def __init__(
        self,
        outcomes: Iterable[Mapping[str, Any]] = (),
        *,
        threads: int,
        max_memory: int | None = None,
        reader: Reader = READER,
    ) -> None:
        self._threads = threads
        self._reader = reader
        self._max_memory = max_memory
        self._pace = {"float32": Factor(), "bfloat16": Factor()}
        self._other = Factor()
        self._memory = {"float32": Factor(), "bfloat16": Factor()}
        self._automatic = "bfloat16" if fast_flags() else "float32"
        self._clips = Factor()  # of all frames, beside what the curve says of them
        self._taken = Factor()  # steps taken, as a share of `max_steps`
        self._sizes: dict[Path, Size | None] = {}
        self._counts: dict[tuple[Path, Hashable], int] = {}
        self._costs: dict[Hashable, tuple[Cost, Stage] | None] = {}
        self._first_step: dict[str, float] = {}
        for outcome in outcomes:
            self.learn(outcome)

    def learn(self, outcome: Mapping[str, Any]) -> None:
        """Take in what a finished pair took. Rows that do not say it are passed over."""
        # A record is a file, and a file may hold anything.
        with suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError, PairError):
            self._learn(outcome)

    def _learn(self, outcome: Mapping[str, Any]) -> None:
        precision, size = outcome.get("precision"), outcome.get("size")
        if precision not in self._pace or not size or not outcome.get("seconds_per_step"):
            return
        options = _options(outcome.get("options", {}))
        if options.precision == "auto":
            self._automatic = precision
        # Of the style images only their number is known: they are taken for as large as the
        # content.
        finished, size = (size[0], size[1]), outcome.get("painted_size") or size
        content = Sized("", (size[0], size[1]), finished)
        if (count := len(outcome.get("style", [""]))) > _MOST_STYLES:
            return
        styles = [Sized("", content.size)] * count
        painted = replace(options, precision=precision)
        cost = pair_cost(painted, schedule(painted, content, styles, self._machine(precision)))
        if not _tiled_as(cost, outcome):
            return
        threads = outcome.get("threads") or self._threads
        if clip := outcome.get("clip"):
            work = clip_work(options, cost, self._first(options, cost), clip["frames"])
            self._clips.add(cost.pixels, outcome["seconds"] * threads / work)
            return
        pace = outcome["seconds_per_step"] * threads / cost.evaluation
        if not is_plausible(pace):
            return
        self._pace[precision].add(cost.pixels, pace)
        if options.steps == "auto" and outcome.get("steps"):
            self._taken.add(cost.pixels, outcome["steps"] / options.most_steps)
        rest = outcome.get("seconds", 0.0) - outcome["seconds_per_step"] * outcome.get("steps", 0)
        if (rest := rest * threads - pace * cost.coarse) > 0:
            self._other.add(cost.pixels, rest / cost.other)
        if outcome.get("peak_memory_bytes"):
            self._memory[precision].add(cost.pixels, outcome["peak_memory_bytes"] / cost.memory)

    def try_out(self, job: Job, reading: Reading) -> bool:
        """Where nothing is known yet, learn the pace from a pair's own first steps at full size;
        says whether it has. `reading` is that of a step, with the seconds since the first began.
        Steps of a clip are frames, and teach nothing."""
        if job.options.is_clip or any(factor.known for factor in self._pace.values()):
            return False
        if reading.step == 1:
            self._first_step[job.output] = reading.seconds
        found = self._cost(job)
        if found is None or reading.step != TRIAL_STEPS or job.output not in self._first_step:
            return False
        cost, precision = found
        seconds = (reading.seconds - self._first_step[job.output]) / (TRIAL_STEPS - 1)
        self._pace[precision].add(cost.pixels, seconds * self._threads / cost.evaluation)
        return True

    def estimate(self, job: Job) -> Estimate | None:
        """None where the content cannot be opened, so that nothing can be known."""
        found = self._cost(job)
        if found is None:
            return None
        cost, precision = found
        pace = self._factor(self._pace, precision, cost)
        painting = pace * (self._steps(job.options, cost) * cost.evaluation + cost.coarse)
        other = self._other.at(cost.pixels) if self._other.known else pace
        estimate = Estimate(
            seconds=(painting + other * cost.other) / self._threads,
            memory=max(round(self._factor(self._memory, precision, cost, _OWN) * cost.memory), self._decoding(job)),
            guess=not any(factor.known for factor in self._pace.values()),
        )
        return self._of_clip(job, cost, pace, estimate) if job.options.is_clip else estimate

    def _of_clip(self, job: Job, cost: Cost, pace: float, first: Estimate) -> Estimate | None:
        """All frames, by the estimate of the first."""
        frames = self._frames(job)
        if not frames:
            return None
        factor = self._clips.at(cost.pixels) if self._clips.known else pace
        seconds = factor * clip_work(job.options, cost, self._first(job.options, cost), frames) / self._threads
        guess = first.guess and not self._clips.known
        return replace(first, seconds=seconds, guess=guess, part=min(first.seconds, seconds))

    def _first(self, options: Options, cost: Cost) -> float:
        """Core-seconds of a clip's first frame, by the curve."""
        return self._steps(options, cost) * cost.evaluation + cost.coarse + cost.other

    def steps(self, job: Job) -> int:
        """Evaluations at full size, at most; of a clip its frames."""
        return self._frames(job) if job.options.is_clip else job.options.most_steps

    def _steps(self, options: Options, cost: Cost) -> float:
        """Evaluations at full size, of those that a pair may have."""
        if options.steps != "auto":
            return options.most_steps
        share = self._taken.at(cost.pixels) if self._taken.known else _STILL_AFTER
        return min(options.most_steps, max(FIRST_END, share * options.most_steps))

    def _decoding(self, job: Job) -> int:
        """Bytes while the largest of its files is opened."""
        return max(decoding_memory(size) for path in job.inputs if (size := self._size(path, job)))

    @staticmethod
    def _factor(factors: Mapping[str, Factor], precision: str, cost: Cost, share: float = 0.5) -> float:
        """What is known in this precision, or else in the other: a slow machine is slow in both."""
        own = factors[precision]
        known = own if own.known else next((other for other in factors.values() if other.known), own)
        return known.at(cost.pixels, share)

    def _cost(self, job: Job) -> tuple[Cost, str] | None:
        """What a pair costs, and its precision; None where that cannot be known."""
        content = self._size(job.content, job)
        if content is None:
            return None
        # the run will say why
        styles = (self._size(style.image, job) or content for style in job.styles)
        found = self._cost_of_sizes(job.options, content, tuple(styles))
        if found is None:
            return None
        cost, last = found
        return replace(cost, memory=cost.memory + mask_bytes(job, last)), last.precision

    def _cost_of_sizes(self, options: Options, *sizes: Any) -> tuple[Cost, Stage] | None:
        """What a pair of a content and styles of such `sizes` costs, and its last stage; None where
        it cannot be painted. Most pairs of a manifest have one of few sizes and options."""
        key = (self._automatic, sizes, _hashable(options))
        if key not in self._costs:
            if len(self._costs) >= _MOST_COSTS:
                self._costs.clear()
            content, styles = sizes
            try:
                stages = schedule(
                    options,
                    Sized("", content),
                    [Sized("", size) for size in styles],
                    self._machine(self._automatic),
                )
            except BadImage:
                self._costs[key] = None
            else:
                self._costs[key] = pair_cost(options, stages), stages.stages[-1]
        return self._costs[key]

    def notes(self, job: Job) -> list[str]:
        """What is worth knowing of a pair before it is painted."""
        size = self._size(job.content, job)
        if size is None:
            return []
        notes = notes_of_size(job.options, Sized(printable(job.content_name), size))
        if job.options.is_clip and (frames := self._frames(job)):
            megabytes = job_bytes(job, size, frames) / 1e6
            notes.append(f"{frames} frames, which take about {megabytes:,.0f} MB of the disk")
        if job.style_at:
            notes.append(f"styles at frames {', '.join(str(frame) for frame, _ in job.style_at)}")
        return notes

    def _frames(self, job: Job) -> int:
        """How many frames a clip has, asked once, as of numbered ones all files are looked at; none
        where that cannot be known, or there is no time to look."""
        key = (job.content, job.options.frames)
        if key not in self._counts:
            try:
                self._counts[key] = frames_of(job, self._reader)
            except (Stopped, OutOfTime):  # whoever asks next hears of it from elsewhere
                return 0
        return self._counts[key]

    def _machine(self, precision: str) -> Machine:
        return Machine(precision=precision, max_memory=self._max_memory)

    def _size(self, path: Path, job: Job) -> Size | None:
        """(width, height) from the header; None where there is none to read, or no time."""
        if path not in self._sizes:
            try:
                self._sizes[path] = self._reader.size(path, job.home_of(path))
            except PairError:
                self._sizes[path] = None
            except (Stopped, OutOfTime):  # whoever asks next hears of it from elsewhere
                return None
        return self._sizes[path]


def _hashable(options: Options) -> Hashable:
    values = (getattr(options, name) for name in OPTION_NAMES)
    return tuple(
        tuple(value.items()) if isinstance(value, Mapping) else tuple(value) if isinstance(value, list) else value
        for value in values
    )


def mask_bytes(job: Job, stage: Stage) -> int:
    """Bytes of a pair's masks at the size of a stage: of the picture those of all regions at once,
    of each style image that one by which it is looked at. Empty areas that are painted apart have
    such masks too."""
    places = {style.mask for style in job.styles}  # one None: what the others leave
    regions = _REGIONS_OF_MAP if job.region_map else len(places) if places != {None} else 0
    looked_through = any(style.own_mask for style in job.styles)
    apart = job.options.empty_areas == "apart" and not (regions or looked_through or job.options.is_texture)
    regions = 2 if apart else regions
    of_picture = regions + (job.content_mask is not None)
    scales = len(stage.style_sizes) // len(job.styles)
    masked = [bool(apart or style.own_mask or style.region_map) for style in job.styles for _scale in range(scales)]
    of_styles = (math.prod(size) for size, has in zip(stage.style_sizes, masked, strict=True) if has)
    return _LEVEL_BYTES * (of_picture * math.prod(stage.size) + sum(of_styles))


def _tiled_as(cost: Cost, outcome: Mapping[str, Any]) -> bool:
    """Was a finished pair, at its full size, evaluated in the tiles that it would be now? Under
    another `max_memory` it took other time and memory. Records of before say only whether there
    were none."""
    now = None if cost.tiling is None else cost.tiling.as_json()
    tilings = outcome.get("tilings")
    if tilings is None:
        return now is None and outcome.get("painted_with", {}).get("tiles") == "none"
    return bool(tilings.get(stage_name(max(outcome.get("painted_size") or outcome["size"]))) == now)


def _options(row: Mapping[str, Any]) -> Options:
    """The options of a record, which may be of another version: what is unknown is left out, what
    is missing is as now. What is a tuple here is a list in JSON."""
    known = {name: value for name, value in row.items() if name in OPTION_NAMES}
    known |= {name: tuple(known[name]) for name in _TUPLES if isinstance(known.get(name), list)}
    try:
        return Options(**known)
    except TypeError:
        return Options()


def time_limit(estimate: Estimate | None) -> float:
    """Seconds after which a pair hangs, where the manifest does not say: far more than a busy
    machine takes. Of a clip, whose time begins anew with each frame, they are those of one."""
    if estimate is None:
        return _LEAST_LIMIT
    return max(_LEAST_LIMIT, estimate.least * (_LIMIT_OF_GUESS if estimate.guess else _LIMIT))


def in_all(
    estimates: Iterable[Estimate | None], jobs: int, *, started: bool = False, stand_for: float = 1.0
) -> Estimate | None:
    """Many pairs on `jobs` workers, with the start of the run unless that has `started`; None where
    there is nothing to do. Each estimate may stand for several pairs."""
    known = [estimate for estimate in estimates if estimate is not None]
    if not known:
        return None
    return Estimate(
        seconds=(0.0 if started else START_SECONDS)
        + stand_for * sum(estimate.seconds for estimate in known) / min(jobs, stand_for * len(known)),
        memory=sum(sorted(estimate.memory for estimate in known)[-jobs:]),
        guess=any(estimate.guess for estimate in known),
    )
