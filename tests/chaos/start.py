"""The command, painting with tests/chaos/engine: `python -m tests.chaos.start run night.yaml`."""

from __future__ import annotations

import functools

from pipeline.batch.engines.local import LocalEngine
from pipeline.cli.main import main

if __name__ == "__main__":
    main(engine=functools.partial(LocalEngine, worker="tests.chaos.engine"))
