"""What is called how below OUTPUT, apart from pictures and reports.

.pipeline/lock                            held by the run in progress          store/lock
.pipeline/records/<pair id>.json          how a pair was painted               store/records
.pipeline/records/<pair id>.failed.json   how it failed, run after run         store/failures
.pipeline/records/<pair id>.<which>.webp  thumbnails of content, style and result
.pipeline/records/hashes.json             hashes of input files                store/hashes
.pipeline/checkpoints/<pair id>.npz       where a painting stood               batch/checkpoints
.pipeline/history/runs.jsonl              a line per run, or per shard         report/history
.pipeline/history/<run id>.log            tracebacks, and what TensorFlow says
"""

from __future__ import annotations

import hashlib
import os

STATE = ".pipeline"
LOCK = f"{STATE}/lock"
RECORDS = f"{STATE}/records/"
CHECKPOINTS = f"{STATE}/checkpoints/"
HISTORY = f"{STATE}/history/"
HASHES = f"{RECORDS}hashes.json"
CHECKPOINT_SUFFIX = ".npz"
FAILURE_SUFFIX = ".failed.json"


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


def thumbnail_name(output: str, which: str) -> str:
    """A pair's thumbnail; `which` is content, style or result."""
    return f"{RECORDS}{pair_id(output)}.{which}.webp"


def checkpoint_name(output: str) -> str:
    """A pair's checkpoint."""
    return f"{CHECKPOINTS}{pair_id(output)}{CHECKPOINT_SUFFIX}"


def history_name(shard: str | None = None) -> str:
    """The history of whole runs, or of those over one shard (`2-of-3`)."""
    return f"{HISTORY}runs.jsonl" if shard is None else f"{HISTORY}runs.{shard}.jsonl"


def log_name(run_id: str) -> str:
    """A run's log."""
    return f"{HISTORY}{run_id}.log"
