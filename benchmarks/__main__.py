"""Run benchmarks and write RESULTS.md: `python -m benchmarks [SECTION ...] [--quick]`.

Each section runs in a fresh process, one after the other, and nothing else should: they measure the machine. A section's
result stands in benchmarks/results/, in a folder for each kind of machine; RESULTS.md is all of them together.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.figures import Section, render

HERE = Path(__file__).resolve().parent
# In the order of the report.
SECTIONS = ("limit", "profile", "race", "picture", "batch", "memory", "losses", "estimates", "night", "page")
ON_REQUEST = (
    "clip",
    "length",
    "farm",
    "simulation",
    "quality",
    "published",
)  # a quarter of an hour each, hours; only where they are named


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS + ON_REQUEST))
    parser.add_argument("--quick", action="store_true", help="few rounds and small pictures; prints, writes nothing")
    parser.add_argument("--render", action="store_true", help="write RESULTS.md from what was measured before")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)  # a section's own process
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.sections if name not in SECTIONS + ON_REQUEST]:
        parser.error(f"no section {unknown[0]!r}; there are {', '.join(SECTIONS + ON_REQUEST)}")
    if arguments.into:
        _measure(arguments.sections[0], arguments.quick, arguments.into)
        return 0
    failed = 0
    for name in () if arguments.render else arguments.sections or SECTIONS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        failed += not _run(name, arguments.quick)
    if not arguments.quick:
        (HERE / "RESULTS.md").write_text(render(_results()), encoding="utf-8")
        print(f"wrote {HERE / 'RESULTS.md'}", file=sys.stderr)
    return 1 if failed else 0


def _results() -> dict[str, list[Section]]:
    """What was measured, by kind of machine."""
    found = {}
    for folder in sorted((HERE / "results").iterdir()):
        paths = (folder / f"{name}.json" for name in SECTIONS + ON_REQUEST)
        found[folder.name] = [Section.load(path) for path in paths if path.is_file()]
    return found


def _run(name: str, quick: bool) -> bool:
    """Measure one section in a process of its own; did it succeed?"""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "section.json" if quick else HERE / "results" / machine.kind() / f"{name}.json"
        command = [sys.executable, "-m", "benchmarks", name, "--into", str(into), *(["--quick"] if quick else [])]
        done = subprocess.run(command, cwd=HERE.parent, check=False)
        if done.returncode == 0 and quick:
            print(render({machine.kind(): [Section.load(into)]}), flush=True)
    return done.returncode == 0


def _measure(name: str, quick: bool, into: Path) -> None:
    began, others = time.perf_counter(), machine.time_of_others()
    section: Section = importlib.import_module(f"benchmarks.{name}").measure(quick)
    section.machine = machine.description() | {"while others took": others()}
    section.seconds = time.perf_counter() - began
    section.save(into)


if __name__ == "__main__":
    sys.exit(main())
