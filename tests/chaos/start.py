"""The command, painting with tests/chaos/engine: `python -m tests.chaos.start run night.yaml`.

CHAOS_STOP_SECONDS: how long workers have to save what is in hand when the run is stopped, where that is to be another time.
"""

from __future__ import annotations

import functools
import os

from pipeline.batch.engines import local
from pipeline.cli.main import main

if __name__ == "__main__":
    local._SAVE_SECONDS = float(os.environ.get("CHAOS_STOP_SECONDS", local._SAVE_SECONDS))
    main(engine=functools.partial(local.LocalEngine, worker="tests.chaos.engine"))
