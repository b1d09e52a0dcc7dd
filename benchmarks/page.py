"""What a run's page costs: the size of the first page and of all, and the processor's time to write them (medians), by how
many pairs there are.

Photographs in ten styles, 50 readings of four losses each, small pictures of 448 and 256 pixels; up to 100 pairs these
stand in the page itself, of more than 1,000 there are several pages, and of more than 10,000 none is new, as in most
nights. No picture is painted. How long a browser takes is seen by opening such a page.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import Section, significant, table
from benchmarks.pictures import generated
from pipeline.errors import ExitCode
from pipeline.images.encode import thumbnail
from pipeline.job import Outcome, Status
from pipeline.report.data import RunMetadata, build_report
from pipeline.report.html import render_pages
from pipeline.store.disk import LocalStore

PAIRS = (3, 36, 100, 600, 1000, 2000, 40_000)
MANY = 10_000  # of more none is new, and they are written once
STYLES = 10
READINGS = 50
ROUNDS = 3


def measure(quick: bool) -> Section:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        store = LocalStore(Path(name))
        small = {which: f"{which}.webp" for which in ("content", "style", "result")}
        for number, (which, side) in enumerate(zip(small, (256, 256, 448), strict=True)):
            store.write(small[which], thumbnail(generated(side, number).astype("float32"), None, side))
        for count in PAIRS[:2] if quick else PAIRS:
            report = build_report(
                _run(), [_outcome(pair, "up_to_date" if count > MANY else "done") for pair in range(count)]
            )
            taken = []
            for _round in range(1 if count > MANY else ROUNDS):
                start = time.process_time()
                pages = render_pages(report, store=store, thumbnails=lambda output: small)
                sizes = [len(page.encode("utf-8", "backslashreplace")) / 1e6 for _name, page in pages]
                taken.append(time.process_time() - start)
            sizes_told = [f"{significant(size)} MB" for size in (sizes[-1], sum(sizes))]
            rows.append((f"{count:,}", str(len(sizes)), *sizes_told, f"{significant(statistics.median(taken))} s"))
    text = f"{__doc__}\n{table(['pairs', 'pages', 'the first', 'all', 'time'], rows)}\n"
    return Section(name="page", title="The page", text=text)


def _outcome(number: int, status: Status = "done") -> Outcome:
    """One pair as a night leaves it."""
    trace: list[dict[str, Any]] = [
        {"step": step, "seconds": float(step), "side": 512, "total": 4 / step**0.3, "content": 0.2, "style": 3.5 / step}
        | {"tv": 0.02 * step**0.1}
        for step in range(1, READINGS + 1)
    ]
    losses = [{name: trace[at][name] for name in ("total", "content", "style", "tv")} for at in (0, -1)]
    options: Mapping[str, Any] = {"size": 512, "style_weight": 0.05}
    photo, style = divmod(number, STYLES)
    return Outcome(
        output=f"IMG_{photo:04}--style-{style}.png",
        content=f"photos/IMG_{photo:04}.jpg",
        style=[f"art/style-{style}.jpg"],
        status=status,
        size=[512, 384],
        steps=READINGS,
        seconds=300.0,
        seconds_per_step=1.0,
        peak_memory_bytes=2**31,
        precision="float32",
        options=dict(options),
        losses={"first": losses[0], "last": losses[1]},
        trace=trace,
    )


def _run() -> RunMetadata:
    return RunMetadata(
        id="20261126T220003Z-000000",
        started="2026-11-26T22:00:03+00:00",
        finished="2026-11-27T06:00:03+00:00",
        seconds=28800.0,
        exit_code=ExitCode.OK,
        manifest="configs/nightly.yaml",
        weights={"name": "imagenet-8bit", "sha256": "0" * 64},
        device="CPU",
        threads=2,
        versions={"pipeline": "0.1.0"},
        command=["stylize", "run", "configs/nightly.yaml"],
    )
