"""Paint one generated square pair in this process and say what it took: `python -m benchmarks.one_pair '{"size": 512, ...}'`.

The options are those of a pair. Prints a JSON object: `peak` (resident bytes since the process began), `step` (seconds of an
evaluation, without the first), `setup` (seconds until the first), `seconds` (of all).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from itertools import pairwise
from typing import Any

from benchmarks.machine import REPOSITORY


def paint_apart(**options: Any) -> dict[str, float]:
    """The same in a fresh process. Raises CalledProcessError where that dies, as of too little memory."""
    command = [sys.executable, "-m", "benchmarks.one_pair", json.dumps(options)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main(options: dict[str, Any]) -> None:
    from benchmarks.engine import peak_memory
    from benchmarks.pictures import generated
    from pipeline import stylize

    side = options["size"]
    result = stylize(generated(side, seed=1), generated(side, seed=2), **options)
    clock = [reading.seconds for reading in result.trace]
    print(
        json.dumps(
            {
                "peak": peak_memory(),
                "step": statistics.median(after - before for before, after in pairwise(clock))
                if clock[1:]
                else clock[0],
                "setup": result.setup_seconds,
                "seconds": result.seconds,
            }
        )
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
