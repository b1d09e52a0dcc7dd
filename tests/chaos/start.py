"""The command, painting with tests/chaos/engine: `python -m tests.chaos.start run night.yaml`.

CHAOS_STOP_SECONDS: how long workers have to save what is in hand when the run is stopped, where that is to be another time.
CHAOS_PATIENCE, CHAOS_CONNECT: the seconds that a cluster's first worker, and its scheduler, are waited for.
"""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.batch.engines import local
from pipeline.batch.engines.protocol import Engine
from pipeline.cli.main import main
from pipeline.job import RunSettings

WORKER = "tests.chaos.engine"


def engine(settings: RunSettings, log: Path) -> Engine:
    """The engine that the settings ask for, with workers that paint in milliseconds."""
    if settings.engine == "local":
        return local.LocalEngine(settings, log, worker=WORKER)
    from pipeline.batch.engines.cluster import link
    from pipeline.batch.engines.cluster.engine import DaskEngine

    link.CONNECT_SECONDS = float(os.environ.get("CHAOS_CONNECT", link.CONNECT_SECONDS))
    return DaskEngine(settings, log, worker=WORKER, patience=float(os.environ.get("CHAOS_PATIENCE", "60")))


if __name__ == "__main__":
    local._SAVE_SECONDS = float(os.environ.get("CHAOS_STOP_SECONDS", local._SAVE_SECONDS))
    main(engine=engine)
