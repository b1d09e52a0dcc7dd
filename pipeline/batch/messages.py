"""What a driver and its workers say to each other, and the one place that writes it down as JSON.

To a worker goes a `Command` for each pair. From it come `Ready`, once, and then for each pair:

    Opening* Resumed? (Read | Saved)* (Done | PartDone | Failed | Interrupted)

Standard library only: the driver, which reads these, loads no NumPy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import EnvironmentProblem, ExitCode, PairError, StylizeError
from pipeline.job import Job, Painted, ShownNames
from pipeline.nst.weights import NetworkWeights
from pipeline.reading import Reading

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for of a clip that several workers paint: the frames of those of its shots that
    begin at these of its frames, up to `end`; or, where there are none, where its shots begin."""

    begins: tuple[int, ...] = ()
    end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Paint this pair, or a `part` of it. `folder` is the output folder, and `place` which one that
    was when the run began; `max_memory` is in bytes, and so is `memory`, what it will probably need
    of a fresh process, where that is known; `seconds` is the time after which it is given up;
    `preview`, `save_every` and `keep_previous` are those of the run's settings; `versions` are
    those of the program, for the picture's metadata. Of a clip `facts` are what is known of it
    (clips/facts, as JSON), and `painted_apart` is how many of its frames others have painted for it
    in this run."""

    job: Job
    weights: NetworkWeights
    folder: Path
    names: ShownNames
    place: tuple[int, int] | None = None
    max_memory: int | None = None
    memory: int | None = None
    seconds: float | None = None
    preview: int | None = None
    save_every: int | None = None
    keep_previous: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] | None = None
    part: Part | None = None
    painted_apart: int = 0

    @property
    def label(self) -> str:
        """By which an engine tells its tasks apart: the pair's output, of which parts have a line
        more."""
        part = self.part
        return self.job.output if part is None else "\n".join((self.job.output, *map(str, part.begins[:1])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where pairs are painted, for the report: `auto_precision` is what `precision: auto` means
    there, and why; `slots` is how many pairs are painted at once, 0 where the settings say it."""

    device: str = ""
    threads: int | None = None
    auto_precision: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    slots: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """Where a pair's checkpoint stands: `steps` made at full size, and the same in words, `step 120
    of 300`, or for a coarser size of the pyramid `step 12 at 256 px`."""

    steps: int
    words: str


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has started up."""

    machine: Machine


@dataclass(frozen=True, slots=True)
class Opening:
    """A worker opens a picture. The kernel ends it where that takes more than so many seconds of
    processor time."""

    path: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Started:
    """A worker was given the pair."""


@dataclass(frozen=True, slots=True)
class Read:
    """A step was made; `coarse` says that it was before the last stage, most at smaller sizes."""

    reading: Reading
    coarse: bool


@dataclass(frozen=True, slots=True)
class Resumed:
    """The pair goes on from its checkpoint."""

    position: Position


@dataclass(frozen=True, slots=True)
class Saved:
    """The pair's checkpoint is on the disk, or a frame of a clip, a `part` of what was asked for:
    the time that a pair may take begins anew."""

    position: Position
    part: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The picture stands under its final name."""

    painted: Painted
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDone:
    """What was asked for of a clip is done: its shots begin at these of its `frames`; or the frames
    of a part stand, of which so many were painted. No pair's last word but to engines/shots."""

    begins: tuple[int, ...] = ()
    frames: int = 0
    painted_apart: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The pair cannot be painted. `retry` says whether trying again can help, `exit_code` what the
    failure means for the run; `traceback` is a bug's."""

    reason: str
    reason_class: str
    retry: bool = False
    exit_code: ExitCode = ExitCode.SOME_FAILED
    traceback: str | None = None

    @classmethod
    def by(cls, error: StylizeError) -> Failed:
        """What a failure that has a name means for its pair."""
        named = error if isinstance(error, (PairError, EnvironmentProblem)) else EnvironmentProblem
        return cls(
            reason=str(error),
            reason_class=named.reason_class,
            retry=isinstance(error, PairError) and error.retry,
            exit_code=error.exit_code,
        )


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The pair was left because the run is stopped; `saved` is where its checkpoint stands, if
    anywhere."""

    saved: Position | None = None


@dataclass(frozen=True, slots=True)
class Killed:
    """The run is stopped, and the worker was killed before it said where the pair stands."""


LastMessage = Done | PartDone | Failed | Interrupted | Killed
"""After one of these, nothing is said of the pair any more."""
PairMessage = Started | Resumed | Read | Saved | LastMessage
Message = Ready | Opening | PairMessage

_KINDS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind
    for kind in (Ready, Opening, Started, Resumed, Read, Saved, Done, PartDone, Failed, Interrupted, Killed)
}


def encode(said: Command | Message) -> bytes:
    """One line of JSON, its end included."""
    row = {part.name: getattr(said, part.name) for part in fields(said)}
    if not isinstance(said, Command):
        row = {"type": type(said).__name__.lower(), **row}
    return json.dumps(row, default=_in_json).encode() + b"\n"


def decode_command(line: bytes | str) -> Command:
    """The command that `encode` wrote."""
    return _made(Command, json.loads(line))


def decode(line: bytes | str) -> Message:
    """The message that `encode` wrote. Raises ValueError, naming the type, where there is no such
    message."""
    row = json.loads(line)
    name = row.pop("type", None)
    if name not in _KINDS:
        raise ValueError(f"a message between driver and worker has the type {name!r}; known are {', '.join(_KINDS)}")
    message: Message = _made(_KINDS[name], row)
    return message


def _in_json(value: Any) -> Any:
    """A part of a message in types of which `json` knows all, or at the next call more."""
    match value:
        case Job() | NetworkWeights():
            return value.to_json()
        case Reading():
            return value.as_row()
        case Path():
            return str(value)
        case Painted() | Machine() | ShownNames() | Position() | Part():
            return asdict(value)
    raise TypeError(f"a message cannot carry a {type(value).__name__}: {value!r}")


def _made(kind: type[Kind], row: Mapping[str, Any]) -> Kind:
    return kind(**{name: _PARTS[name](value) if name in _PARTS else value for name, value in row.items()})


def _part(row: Any) -> Any:
    """Of a command what is asked for of a clip; of `Saved` whether it is of a part."""
    return Part(tuple(row["begins"]), row["end"]) if isinstance(row, dict) else row


# how a part is made again from its JSON; others are in JSON as they are
_PARTS: dict[str, Callable[[Any], Any]] = {
    "job": Job.from_json,
    "weights": NetworkWeights.from_json,
    "folder": Path,
    "place": lambda row: None if row is None else tuple(row),
    "names": lambda row: ShownNames(**row | {"style": tuple(row["style"])}),
    "machine": lambda row: Machine(**row),
    "position": lambda row: Position(**row),
    "saved": lambda row: None if row is None else Position(**row),
    "reading": Reading.from_row,
    "painted": lambda row: Painted(**row),
    "notes": tuple,
    "begins": tuple,
    "part": _part,
    "exit_code": ExitCode,
}
