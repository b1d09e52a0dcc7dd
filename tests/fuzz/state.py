"""A fuzzer for what stands in an output folder: records, failures, history, hashes, checkpoints, settings of pictures.

    PYTHONPATH=.:tests python tests/fuzz/state.py --seconds 1200 --seed 7

Values anywhere in the JSON are exchanged for odd ones and sealed again, bytes are flipped, cut and moved. Then a night is
run over it, and every verb that looks. What may come of it is a report, and failures that have a name. Whatever else is a
finding: it is printed with the case's number, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

ODD: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1.5,
        2**63,
        10**300,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "\ud800",
        "\x1b[2J",
        "../../x",
    ),
    *(
        "/etc/passwd",
        "*",
        "2026-11-26",
        "x" * 5000,
        [],
        {},
        [[]],
        [None],
        {"a": {}},
        {"first": 1},
        [{"step": 1}],
        [1, 2, 3],
    ),
]
_DEEP = 300


def exchanged(value: Any, chance: random.Random) -> Any:
    """The same with one value somewhere in it exchanged, or gone, or doubled."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name = chance.choice(list(value))
        if chance.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: exchanged(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        place = chance.randrange(len(value))
        if chance.random() < 0.1:
            return value * 3
        return [*value[:place], exchanged(value[place], chance), *value[place + 1 :]]
    odd = chance.choice([*ODD, "deep"])
    if odd == "deep":
        odd = []
        for _ in range(_DEEP):
            odd = [odd]
    return odd


def spoiled(data: bytes, chance: random.Random) -> bytes:
    """Bytes that are flipped, cut, doubled or moved."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(data) + 1)
        end = min(len(data), place + chance.choice((1, 4, 40, len(data))))
        kind = chance.randrange(4)
        if kind == 0 and place < len(data):
            data = data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + data[end:]
        elif kind == 2:
            data = data[:end] + data[place:end] * chance.choice((1, 50)) + data[end:]
        else:
            data = data[end:] + data[:end]
    return data


def spoil(path: Path, chance: random.Random) -> None:
    """Do something to a file of an output folder."""
    from pipeline.store.checksummed_json import checksummed

    data = path.read_bytes()
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):  # spoiled before, and no record any more
        if path.suffix == ".json" and "records" in path.parts and chance.random() < 0.8:
            path.write_bytes(checksummed(exchanged(json.loads(data)["content"], chance)))
            return
        if path.suffix == ".jsonl" and chance.random() < 0.8:
            lines = [json.dumps(exchanged(json.loads(line), chance)).encode() for line in data.splitlines()]
            path.write_bytes(b"\n".join(lines))
            return
    path.write_bytes(spoiled(data, chance))


def try_case(nights: Any, chance: random.Random) -> None:
    """Spoil some files and run a night and the verbs over them. AssertionError, or whatever they raise, is a finding."""
    from night_kit import failed, painted

    from pipeline.batch.clean import clean_output
    from pipeline.cli.rendering import last_report_file, plan_rows
    from pipeline.cli.status import status_text
    from pipeline.errors import StylizeError
    from pipeline.manifest import load_manifest
    from pipeline.report.history import read_history, render_history
    from pipeline.store.disk import LocalStore
    from pipeline.store.layout import history_name

    files = [path for path in sorted(nights.output.rglob("*")) if path.is_file() and path.suffix != ".part"]
    for path in chance.sample(files, min(len(files), chance.choice((1, 1, 2, 4)))):
        spoil(path, chance)
    manifest = load_manifest(nights.project / "night.yaml")
    with contextlib.suppress(StylizeError):
        plan_rows(nights.plan(), manifest)
        status_text(nights.output)
        last_report_file(nights.output, "txt")
    assert render_history(read_history(LocalStore(nights.output), history_name()))
    clean_output(manifest, dry_run=True)
    answer = chance.choice((painted(nights.output), painted(nights.output), failed("diverged")))
    report = nights.run(answer, force=chance.random() < 0.2)
    assert report["run"]["exit_code"] in (0, 3, 4, 12), report["run"]
    assert json.loads((nights.output / "report.json").read_text())["run"]["id"] == report["run"]["id"]
    assert (nights.output / "report.html").read_text("utf-8")


def fuzz(seed: int, first: int, cases: int, folder: Path, end: float = float("inf")) -> tuple[int, list[str]]:
    """Try cases until there were so many, or until it is late; how many, and what was found. Each thirtieth begins anew."""
    from conftest import fill_project
    from night_kit import Nights

    found: list[str] = []
    tried = 0
    nights: Any = None
    for case in range(first, first + cases):
        if time.time() > end:
            break
        if nights is None or case % 30 == 0:
            place = folder / str(case)
            place.mkdir()
            nights = Nights(fill_project(place))
            nights.run()
        try:
            tried += 1
            try_case(nights, random.Random(f"{seed}/{case}"))
        except Exception:
            found.append(
                f"seed {seed}, case {case} (and those before it since {case - case % 30}):\n{traceback.format_exc()}"
            )
            nights = None
    return tried, found


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz what stands in an output folder.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed tries the same cases (default 0)")
    parser.add_argument("--first", type=int, default=0, help="the case to start with (default 0)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        tried, found = fuzz(arguments.seed, arguments.first, 10**9, Path(folder), time.time() + arguments.seconds)
    print("\n\n".join([*found, f"{tried} cases, {len(found)} findings"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
