"""The top of a manifest, and its section `run`: how to run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from pipeline.job import MOST_KEPT, RunSettings
from pipeline.manifest.section import WITHOUT, Name, Section
from pipeline.manifest.yaml.scalars import DURATION, SIZE, TIME_OF_DAY, bytes_of_size, seconds, time_of_day


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_Duration = Annotated[float, BeforeValidator(seconds), _schema(DURATION)]
_Size = Annotated[int, BeforeValidator(bytes_of_size), _schema(SIZE)]
_Retention = Annotated[
    float | int,
    BeforeValidator(lambda value: value if _is_count(value) else seconds(value)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{DURATION}$"}]}),
]
_Time = Annotated[str, BeforeValidator(time_of_day), _schema(TIME_OF_DAY)]
_Command = Annotated[list[Name], Field(min_length=1)]
_RUN = RunSettings()
FILES = frozenset({"log_file", "events_file", "metrics_file", "junit", "state"})
"""Keys that are paths of what is written, which start at the manifest."""
SCHEDULER_FILE = ".json"
"""How a `scheduler` ends that is no address, but a file."""
_MOST_THREADS = 1024  # chosen: no pair gains by so many; with 100,000 TensorFlow does not get to work


class RunSection(Section):
    """How to run. Nothing here ever changes a pixel."""

    deadline: _Time = Field(
        WITHOUT,
        description="Local time of day; no pair is started that would not finish by then, and none goes on after it.",
        examples=["06:00"],
    )
    max_duration: _Duration = Field(
        WITHOUT,
        description="No pair is started that would not finish within this time of the start, and none goes on after it.",
        examples=["7h"],
    )
    pair_timeout: _Duration = Field(
        WITHOUT,
        description="A pair that takes longer is stopped and failed; left out: many times its estimate, at least 30m.",
        examples=["45m"],
    )
    retries: int = Field(
        _RUN.retries,
        ge=0,
        description="Further tries after a crash, lack of memory, time-out or divergence; never for a bad image.",
        examples=[1],
    )
    max_memory: _Size = Field(
        WITHOUT, description="A pair whose process needs more is stopped and failed.", examples=["6GiB"]
    )
    jobs: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        _RUN.workers,
        description="Pairs painted at the same time; `auto`: as many as are fastest on this machine,"
        " within `max_memory` for all of them.",
        examples=[1, "auto"],
    )
    threads: int = Field(
        WITHOUT, ge=1, le=_MOST_THREADS, description="Threads of each pair; left out: all there are.", examples=[2]
    )
    engine: Literal["local", "dask"] = Field(
        _RUN.engine,
        description="Who paints: this machine, or the workers of a Dask cluster ([farm.md](farm.md)).",
        examples=["dask"],
    )
    scheduler: Name = Field(
        WITHOUT,
        description="The address of the Dask cluster's scheduler, or the .json file that it writes, relative to the manifest.",
        examples=["tcp://10.0.0.1:8786"],
    )
    state: Name = Field(
        WITHOUT,
        description="Folder for records, checkpoints and locks of an `output` that is an address, relative to the manifest;"
        " left out: records stand beside the outputs ([objects.md](objects.md)).",
        examples=["state"],
    )
    object_cache: _Size = Field(
        WITHOUT,
        description="How much copies of pictures that are addresses may take on this machine after a run; left out:"
        " a tenth of the disk ([objects.md](objects.md)).",
        examples=["50GiB"],
    )
    on_error: Literal["continue", "stop"] = Field(
        _RUN.on_error, description="After a failed pair: go on with the others, or start none.", examples=["stop"]
    )
    preview: int = Field(
        WITHOUT,
        ge=1,
        description="Keep a small picture of the pair at work every so many steps, for the page and status --picture.",
        examples=[10],
    )
    save_every: int = Field(
        WITHOUT,
        ge=1,
        description="Keep a numbered picture every so many steps, below .pipeline/steps.",
        examples=[50],
    )
    keep_previous: int = Field(
        WITHOUT,
        ge=1,
        le=MOST_KEPT,
        description="How many older pictures of a pair are kept, with their settings, when it is painted anew.",
        examples=[3],
    )
    retention: _Retention = Field(
        WITHOUT,
        description="How long logs, checkpoints and older pictures that are kept stay: a duration, or a number of runs;"
        " left out: checkpoints for 14d, the rest for ever.",
        examples=["60d"],
    )
    min_free_disk: _Size = Field(
        WITHOUT,
        description="No pair is started where the output's disk has less room than this; the run ends with 4.",
        examples=["2GiB"],
    )
    log_file: Name = Field(
        WITHOUT,
        description="File to which every line of every run is added, `--quiet` or not; relative to the manifest.",
        examples=["night.log"],
    )
    events_file: Name = Field(
        WITHOUT,
        description="File to which what happens in every run is added as JSON lines ([machines.md](machines.md)).",
        examples=["events.jsonl"],
    )
    metrics_file: Name = Field(
        WITHOUT,
        description="File of metrics that Prometheus' textfile collector reads, written anew after each run.",
        examples=["/var/lib/node_exporter/stylize.prom"],
    )
    junit: Name = Field(
        WITHOUT,
        description="JUnit XML file, one test case a pair, written anew after each run, for CI servers.",
        examples=["junit.xml"],
    )
    on_start: _Command = Field(
        [], description="Command to run before the first pair, without a shell.", examples=[["./wake.sh"]]
    )
    on_success: _Command = Field(
        [],
        description="Command to run after all pairs are up to date, without a shell.",
        examples=[["./notify.sh", "ok"]],
    )
    on_failure: _Command = Field(
        [],
        description="Command to run after a run that did not end well, without a shell.",
        examples=[["./notify.sh", "bad"]],
    )


class TopSection(Section):
    """A night of neural style transfer: pairs of pictures, and how to paint them."""

    version: Annotated[int, Field(ge=1, le=1)] = Field(1, description="Version of this format.", examples=[1])
    name: Name = Field(
        "", description="Name of the run in reports; left out: the file's name.", examples=["nightly-gallery"]
    )
    input: Name = Field(
        "input",
        description=(
            "Folder where content and style paths start, relative to this file, or an address, as `s3://bucket/photos`; left"
            " out: `input` beside it."
        ),
        examples=["../input"],
    )
    output: Name = Field(
        "output",
        description=(
            "Folder below which everything is written, relative to this file, or an address; left out: `output` beside it."
        ),
        examples=["../output"],
    )
    follow_links: bool = Field(
        False,
        description=(
            "Whether patterns take what lies behind symbolic links that lead out of the pattern's own folder; names that are"
            " written out may always lie behind links."
        ),
        examples=[True],
    )
    run: dict[str, Any] = Field(
        default_factory=dict, description="How to run; never changes a pixel.", examples=[{"deadline": "06:00"}]
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of every pair; a preset that a pair names wins over them.",
        examples=[{"preset": "balanced", "seed": 7}],
    )
    presets: dict[str, Any] = Field(
        default_factory=dict,
        description="Presets of your own, by name.",
        examples=[{"poster": {"extends": "fine", "size": 1024}}],
    )
    pairs: list[Any] = Field(
        min_length=1,
        description="What to paint, in order.",
        examples=[[{"content": "photos/amsterdam.jpg", "style": "art/starry.jpg"}]],
    )
