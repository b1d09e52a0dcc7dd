"""The command, painting with tests/chaos/engine: `python -m tests.chaos.start run night.yaml`."""

from __future__ import annotations

import pipeline.batch.engines.local as supervisor
from pipeline.cli import main

if __name__ == "__main__":
    supervisor.WORKER = "tests.chaos.engine"
    main()
