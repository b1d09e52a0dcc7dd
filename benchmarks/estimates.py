"""What `stylize plan` and `stylize run` say beforehand, against what then happens.

Every pair is planned, run, and compared: first in an empty output folder, where the plan can only give a first guess, then
other sizes, shapes and styles in the same folder, where it has learnt. "After the trial" is what a run says of a pair once its
own first steps are done. A row's error is estimate / measured - 1.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Section, table
from benchmarks.machine import REPOSITORY

TOLERANCE = 0.30
# content, style, size, precision; in the order in which they are painted.
FIRST = (
    ("coffee", "starry-flow", 256, "bfloat16"),
    ("cat", "ink-waves", 384, "float32"),
)
THEN = (
    ("astronaut", "palette-knife", 320, "bfloat16"),
    ("astronaut", "stained-glass", 512, "bfloat16"),
    ("cat", "starry-flow", 256, "float32"),
    ("coffee", "ink-waves", 512, "float32"),
    ("coffee", "palette-knife", 600, "bfloat16"),
)


def manifest_text(pairs: Sequence[tuple[str, str, int, str]], output: Path, steps: int) -> str:
    lines = [
        "version: 1",
        f"input: {REPOSITORY / 'input'}",
        f"output: {output}",
        f"defaults: {{steps: {steps}}}",
        "pairs:",
    ]
    for content, style, size, precision in pairs:
        lines.append(
            f"  - {{content: content/{content}.jpg, style: style/{style}.jpg, output: {content}-{size}-{precision}.png,"
            f" options: {{size: {size}, precision: {precision}}}}}"
        )
    return "\n".join(lines) + "\n"


def stylize(verb: str, manifest: Path, *flags: str) -> Any:
    """What a verb prints with --json."""
    command = [sys.executable, "-m", "pipeline", verb, str(manifest), "--json", *flags]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure(quick: bool) -> Section:
    steps = 10 if quick else 30
    batches = (FIRST[:1], THEN[:2]) if quick else (FIRST, THEN)
    rows, errors = [], {"time": [], "memory": []}
    with tempfile.TemporaryDirectory() as name:
        manifest = Path(name) / "night.yaml"
        for number, pairs in enumerate(batches):
            manifest.write_text(manifest_text(pairs, Path(name) / "output", steps), encoding="utf-8")
            plan = {row["output"]: row for row in stylize("plan", manifest)}
            report = stylize("run", manifest, "-q")
            for pair in report["pairs"]:
                said = plan[pair["output"]]
                time_error = said["seconds"] / pair["seconds"] - 1
                memory_error = said["memory_bytes"] / pair["peak_memory_bytes"] - 1
                rows.append(
                    (
                        f"{'empty folder' if number == 0 else 'with history'}: {re.sub('[.]png$', '', pair['output'])}",
                        f"{said['seconds']:.1f} s",
                        f"{pair['seconds']:.1f} s",
                        f"{time_error:+.0%}",
                        f"{said['memory_bytes'] / 2**30:.2f} GiB",
                        f"{pair['peak_memory_bytes'] / 2**30:.2f} GiB",
                        f"{memory_error:+.0%}",
                    )
                )
                if number:
                    errors["time"].append(abs(time_error))
                    errors["memory"].append(abs(memory_error))
    head = ["pair", "time said", "taken", "error", "memory said", "taken", "error"]
    text = f"{__doc__}\n{steps} steps each.\n\n{table(head, rows)}\n"
    figures = [
        Figure(f"estimated {what}, largest error with history", 100 * max(found), "at most", 100 * TOLERANCE, " %")
        for what, found in errors.items()
    ]
    return Section(name="estimates", title="Estimates", text=text, figures=figures)
