"""Ours at an earlier release, run from a checkout of it by our Python, which has what it needs:

    PYTHONPATH=CHECKOUT python release_side.py CONTENT.png STYLE.png SIZE STEPS

Prints one JSON object: {"setup": seconds until the first evaluation, "seconds": those of each step after the first}.
"""

import itertools
import json
import sys

from pipeline import stylize


def main() -> None:
    content, style, size, steps = sys.argv[1:]
    painted = stylize(content, style, size=int(size), steps=int(steps), weights="imagenet-8bit")
    times = [reading.seconds for reading in painted.trace]
    between = [after - before for before, after in itertools.pairwise(times)]
    print(json.dumps({"setup": painted.setup_seconds, "seconds": between}), flush=True)


if __name__ == "__main__":
    main()
