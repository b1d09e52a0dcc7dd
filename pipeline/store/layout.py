"""What is called how below OUTPUT, apart from pictures and reports.

.pipeline/lock                            held by the run in progress          store/lock
.pipeline/locks/<whose>.<number>          the same in a store of objects       store/object_lock
.pipeline/tags/...                        of which object each file is a copy objects/mirror
.pipeline/records/<pair id>.json          how a pair was painted               store/records
.pipeline/records/<pair id>.failed.json   how it failed, run after run         store/failures
.pipeline/records/<pair id>.<which>.webp  thumbnails of content, style and result
.pipeline/records/hashes.json             hashes of input files                store/hashes
.pipeline/checkpoints/<pair id>.npz       where a painting stood               batch/checkpoints
.pipeline/now/run.json                    how the run stands that is going on  batch/live
.pipeline/now/run.pairs.jsonl             its pairs, and how those ended       store/roll
.pipeline/now/<run id>.token              by which a cluster's workers know the folder
.pipeline/now/<pair id>.webp              the pair at work, small              batch/showing
.pipeline/steps/<pair id>/<stage>-<side>px-<step>.jpg   pictures on the way    batch/showing
.pipeline/clips/<pair id>.txt             a clip's output name: it has frames
.pipeline/clips/<pair id>/<number>.png    painted frames of a clip             batch/clip_frames
.pipeline/previous/<pair id>.<number>.*   older pictures with their records    store/previous
.pipeline/pages/<report>/<token>-<number>.html  further pages of a large report  report/paging
.pipeline/history/runs.jsonl              a line per run, or per shard         report/history
.pipeline/history/<run id>.log            tracebacks, and what TensorFlow says
"""

from __future__ import annotations

import hashlib
import os

STATE = ".pipeline"
LOCK = f"{STATE}/lock"
LOCKS = f"{STATE}/locks/"
RECORDS = f"{STATE}/records/"
CHECKPOINTS = f"{STATE}/checkpoints/"
HISTORY = f"{STATE}/history/"
NOW = f"{STATE}/now/"
STEPS = f"{STATE}/steps/"
CLIPS = f"{STATE}/clips/"
CLIP_SUFFIX = ".txt"
PREVIOUS = f"{STATE}/previous/"
HASHES = f"{RECORDS}hashes.json"
PAGES = f"{STATE}/pages/"
MOST_STYLES = 6  # of a blend that are shown small; of more the names are enough
CHECKPOINT_SUFFIX = ".npz"
FAILURE_SUFFIX = ".failed.json"
TOKEN_SUFFIX = ".token"
RESULT_SUFFIX = ".result.webp"
STRIP = "strip"  # which thumbnail is that of frames of a clip beside one another
MOST_REPORT_BYTES = 2**29
"""Of a report.json that is read: a night of 25,000 new pictures. A row has some 20 kB, mostly its
trace."""
RESULT_SIDE, SOURCE_SIDE = 448, 256
"""Longer sides of thumbnails in pixels, at most: that of a result is a column of three on the page,
on a screen of two pixels a dot."""


def pair_id(output: str) -> str:
    """A short, plain file name for a pair, by its output's name; its options do not matter."""
    try:
        name = os.fsencode(output)
    except UnicodeEncodeError:  # no file's name at all; a forged record may say it
        name = output.encode("utf-8", "surrogatepass")
    return hashlib.sha256(name).hexdigest()[:16]


def record_name(output: str) -> str:
    """A pair's record."""
    return f"{RECORDS}{pair_id(output)}.json"


def failure_name(output: str) -> str:
    """How a pair failed: beside its record, never in its place."""
    return f"{RECORDS}{pair_id(output)}{FAILURE_SUFFIX}"


def style_thumbnail(number: int) -> str:
    """Which thumbnail is that of style `number`, from 0: `style`, `style2`, `style3`."""
    return "style" if number == 0 else f"style{number + 1}"


def thumbnail_name(output: str, which: str) -> str:
    """A pair's thumbnail; `which` is content, result, or that of a style."""
    return f"{RECORDS}{pair_id(output)}.{which}.webp"


def checkpoint_name(output: str) -> str:
    """A pair's checkpoint."""
    return f"{CHECKPOINTS}{pair_id(output)}{CHECKPOINT_SUFFIX}"


def pages_folder(report: str) -> str:
    """Where the further pages of a report (`report`, `report.2-of-3`) are, with the slash that ends
    it."""
    return f"{PAGES}{report}/"


def now_name(shard: str | None = None) -> str:
    """How a whole run stands that is going on, or one over a shard (`2-of-3`)."""
    return f"{NOW}run.json" if shard is None else f"{NOW}run.{shard}.json"


def roll_name(shard: str | None = None) -> str:
    """Which pairs that run took up, and how they ended."""
    return now_name(shard).removesuffix(".json") + ".pairs.jsonl"


def token_name(run_id: str) -> str:
    """By which a cluster's workers prove that they see this folder, as long as the run lasts."""
    return f"{NOW}{run_id}{TOKEN_SUFFIX}"


def preview_name(output: str) -> str:
    """The small picture of a pair at work."""
    return f"{NOW}{pair_id(output)}.webp"


def steps_folder(output: str) -> str:
    """Where the numbered pictures of a pair are, with the slash that ends it."""
    return f"{STEPS}{pair_id(output)}/"


def frames_folder(output: str) -> str:
    """Where the painted frames of a clip are, with the slash that ends it."""
    return frames_of_pair(pair_id(output))


def clip_name(output: str) -> str:
    """By which it is known that a clip has frames: this file has its output's name."""
    return f"{CLIPS}{pair_id(output)}{CLIP_SUFFIX}"


def frames_of_pair(pair: str) -> str:
    """The folder of a clip's frames, by the pair's id."""
    return f"{CLIPS}{pair}/"


def frame_name(output: str, number: int) -> str:
    """A painted frame of a clip, counted from 0 in the order shown."""
    return f"{frames_folder(output)}{number:07}.png"


def previous_prefix(output: str) -> str:
    """What the names of a pair's older pictures begin with."""
    return f"{PREVIOUS}{pair_id(output)}."


def history_name(shard: str | None = None) -> str:
    """The history of whole runs, or of those over one shard (`2-of-3`)."""
    return f"{HISTORY}runs.jsonl" if shard is None else f"{HISTORY}runs.{shard}.jsonl"


def log_name(run_id: str) -> str:
    """A run's log."""
    return f"{HISTORY}{run_id}.log"
