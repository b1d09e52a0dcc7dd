"""What `clean` takes away, and what it leaves. No TensorFlow."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pipeline.batch.clean import clean_output
from pipeline.job import Job, Manifest, Outcome, RunSettings, StyleImage
from pipeline.options import Options
from pipeline.store.checksummed_json import write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.layout import HASHES, checkpoint_name, failure_name, record_name, thumbnail_name
from pipeline.store.records import State


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "out")


def paint(store, output):
    """A picture with all that is kept of it; returns their names."""
    store.write(output, b"a picture")
    State(store).keep(Outcome(output=output, content="c.png", style=["s.png"], status="done", key="k"))
    store.write(thumbnail_name(output, "result"), b"small")
    return [output, record_name(output), thumbnail_name(output, "result")]


def cleaned(store, *wanted, dry_run=False):
    """Names of what goes when the manifest wants these outputs."""
    styles, options = (StyleImage(Path("/s.png")),), Options()
    pairs = tuple(Job(output=name, content=Path("/c.png"), styles=styles, options=options) for name in wanted)
    folder = store.folder.parent
    manifest = Manifest(
        file=folder / "m.yaml", name="m", input=folder, output=store.folder, pairs=pairs, run=RunSettings()
    )
    return {str(path.relative_to(store.folder)) for path in clean_output(manifest, dry_run=dry_run)}


def test_what_no_pair_wants_goes_with_all_that_is_known_of_it(store):
    kept = [*paint(store, "kept/cat.png"), HASHES]
    store.write(HASHES, b"{}")
    gone = paint(store, "gone/cat.png")
    for name in (failure_name("gone/cat.png"), checkpoint_name("gone/cat.png"), failure_name("never.png")):
        store.write(name, b"{}")
        gone.append(name)
    assert cleaned(store, "kept/cat.png", dry_run=True) == set(gone)
    assert all(map(store.exists, [*kept, *gone]))
    assert cleaned(store, "kept/cat.png") == set(gone)
    assert all(map(store.exists, kept))
    assert not any(map(store.exists, gone))
    assert not (store.folder / "gone").exists()


def test_what_is_not_as_it_was_written_is_somebodys_work(store):
    picture, *known = paint(store, "cat.png")
    store.write(picture, b"retouched")
    store.write("holiday.png", b"a stranger's")
    assert cleaned(store) == set(known)
    assert store.read(picture) == b"retouched"
    assert store.read("holiday.png") == b"a stranger's"


@pytest.mark.parametrize("name", ["../victim", "{folder}/victim"])
def test_a_record_that_names_a_file_outside_deletes_nothing_there(store, name):
    """A seal is no signature: whoever writes to the output folder can make one."""
    victim = store.folder.parent / "victim"
    victim.write_bytes(b"a picture")
    paint(store, "cat.png")
    record = State(store).record("cat.png")
    forged = replace(record, outcome=record.outcome | {"output": name.format(folder=store.folder.parent)})
    write_checksummed_json(store, record_name("cat.png"), asdict(forged))
    assert cleaned(store) == {record_name("cat.png"), thumbnail_name("cat.png", "result")}
    assert victim.exists()


def test_where_no_run_ever_was_nothing_is_made(store):
    store.write("holiday.png", b"a stranger's")
    assert cleaned(store) == set()
    assert [path.name for path in store.folder.iterdir()] == ["holiday.png"]
