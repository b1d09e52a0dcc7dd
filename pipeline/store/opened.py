"""The output folder of a manifest, whatever kind of place that is."""

from __future__ import annotations

from pipeline.job import Manifest
from pipeline.store.disk import LocalStore


def output_store(manifest: Manifest) -> LocalStore:
    """A folder of this machine; where `output` is an address, one whose files are delivered
    there."""
    if not manifest.output_url:
        return LocalStore(manifest.output)
    from pipeline.store.delivered import DeliveredStore

    outputs = frozenset(job.output for job in manifest.pairs if not job.refusal)
    return DeliveredStore(manifest.output, manifest.output_url, outputs, records_there=manifest.run.state is None)
