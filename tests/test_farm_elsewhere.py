"""What a worker of a cluster paints from copies of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.batch.engines.cluster.host import addresses
from pipeline.batch.messages import Command
from pipeline.job import Job, ShownNames, StyleImage
from pipeline.nst.weights import locate
from pipeline.options import Options
from pipeline.urls import local_path

INPUTS = [Path(f"/a/{name}.png") for name in ("content", "style", "mask", "own", "style-map", "init", "kept", "map")]


def job(*paths: Path) -> Job:
    """A pair with a file in every place that takes one."""
    content, image, mask, own, style_map, init, kept, region_map = paths
    return Job(
        output="a.png",
        content=content,
        styles=(StyleImage(image, 2.0, mask, own, style_map),),
        options=Options(init=str(init)),
        places={str(content): "night.yaml:1:1"},
        content_mask=kept,
        region_map=region_map,
    )


def test_every_input_of_a_job_can_stand_elsewhere():
    there = {path: Path("/b") / path.name for path in INPUTS}
    assert job(*INPUTS).with_inputs(there) == job(*there.values())
    assert job(*INPUTS).with_inputs({}) == job(*INPUTS)
    assert set(job(*there.values()).inputs) == set(there.values())


def test_only_files_that_stand_for_objects_are_fetched_by_workers(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    copy = local_path("s3://museum/dog.png")
    assert addresses(job(copy, *INPUTS[1:])) == {str(copy): "s3://museum/dog.png"}


def test_a_worker_in_which_no_engine_can_be_made_says_so_and_answers(tmp_path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("distributed")
    from pipeline.batch.engines.cluster import host

    def fail(*_, **__):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(host, "LocalEngine", fail)
    command = Command(
        job=job(*INPUTS), weights=locate("random"), folder=tmp_path, names=ShownNames(content="", style=(), options={})
    )
    voice = host._Voice(lambda lines: None)
    with pytest.raises(OSError, match="Too many open files"):
        host._Host({"worker": "none"}, tmp_path / "log").paint(command, voice, lambda: True)
