"""What `clean` takes away, and what it leaves. No TensorFlow."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from night_kit import Nights, Scripted, painted
from PIL import Image

from pipeline.batch.clean import clean_output, useless_checkpoints
from pipeline.batch.driver import run
from pipeline.batch.selection import Selection
from pipeline.cli.console import Quiet
from pipeline.images.encode import encode_picture
from pipeline.job import Job, Manifest, Outcome, RunSettings, StyleImage
from pipeline.manifest import load_manifest
from pipeline.options import Options
from pipeline.store.checksummed_json import write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.failures import Failure, Failures
from pipeline.store.layout import HASHES, RECORDS, checkpoint_name, failure_name, record_name, thumbnail_name
from pipeline.store.records import State


@pytest.fixture
def nights(project):
    return Nights(project)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "out")


def paint(store, output, manifest="../m.yaml", said="k"):
    """A picture with all that is kept of it; returns their names. `said` is the key in it."""
    store.write(output, encode_picture(np.full((9, 16, 3), 99, np.float32), None, ".png", 90, {"key": said}))
    outcome = Outcome(output=output, content="c.png", style=["s.png"], status="done", key="k")
    State(store, manifest).keep(outcome)
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
    return {str(path.relative_to(store.folder)) for path in clean_output(manifest, dry_run=dry_run).paths}


def test_what_no_pair_wants_goes_with_all_that_is_known_of_it(store):
    kept = [*paint(store, "kept/cat.png"), HASHES]
    store.write(HASHES, b"{}")
    gone = paint(store, "gone/cat.png")
    for name in ("gone/cat.png", "never.png"):
        Failures(store).note(failure(name))
        gone.append(failure_name(name))
    store.write(checkpoint_name("gone/cat.png"), b"{}")
    gone.append(checkpoint_name("gone/cat.png"))
    assert cleaned(store, "kept/cat.png", dry_run=True) == set(gone)
    assert all(map(store.exists, [*kept, *gone]))
    assert cleaned(store, "kept/cat.png") == set(gone)
    assert all(map(store.exists, kept))
    assert not any(map(store.exists, gone))
    assert not (store.folder / "gone").exists()


def test_checkpoints_are_swept_without_reading_pictures(store, monkeypatch):
    """There may be ten thousand names of one file of a gigabyte, each with a record and a checkpoint."""
    for name in ("touched.png", "cat.png"):
        paint(store, name)
        about = np.frombuffer(b'{"schema": 2, "key": "k"', np.uint8)
        store.write_by(checkpoint_name(name), lambda file, about=about: np.savez(file, about=about))
    os.utime(store.path("touched.png"), (1, 1))
    monkeypatch.setattr(LocalStore, "sha256", None)
    assert useless_checkpoints(store, (), ()) == [checkpoint_name("cat.png")]


def test_what_is_not_as_it_was_written_is_somebodys_work(store):
    picture, *known = paint(store, "cat.png")
    store.write(picture, b"retouched")
    store.write("holiday.png", b"a stranger's")
    assert cleaned(store) == set(known)
    assert store.read(picture) == b"retouched"
    assert store.read("holiday.png") == b"a stranger's"


# A seal is no signature: whoever writes to the output folder can make one, and name the file by its pair.
FORGED = [
    "../victim.png",
    "{folder}/victim.png",
    "a/../../victim.png",
    "./victim.png",
    "a//victim.png",
    "link/victim.png",
    ".pipeline/victim.png",
    ".hidden.png",
    "*.png",
    "report.json",
    "notes.txt",
    "victim.png\n",
    "-rf.png",
    "cat.png/",
    "\\victim.png",
]


@pytest.mark.parametrize("name", FORGED)
def test_a_record_that_names_what_is_no_output_deletes_nothing(store, name):
    name = name.format(folder=store.folder.parent)
    kept = paint(store, "cat.png", "../other.yaml")
    picture = store.read("cat.png")
    outside = store.folder.parent
    (store.folder / "link").symlink_to(outside)
    others = [
        outside / "victim.png",
        *(store.folder / name for name in (".pipeline/victim.png", ".hidden.png", "notes.txt")),
    ]
    for other in others:
        other.write_bytes(picture)
    record = State(store).record("cat.png")
    forged = replace(record, manifests=["../m.yaml"], outcome=record.outcome | {"output": name})
    write_checksummed_json(store, record_name(name), asdict(forged))
    assert cleaned(store) <= {record_name(name)}
    assert all(other.exists() for other in others)
    assert all(map(store.exists, kept))


def test_a_record_of_a_strangers_picture_proves_nothing(store):
    """Its hash is right, and the picture does not say that it was made here, or says another key."""
    for name, said in (("holiday.png", ""), ("other.png", "another")):
        paint(store, name, said=said)
    assert not {"holiday.png", "other.png"} & cleaned(store)
    assert store.exists("holiday.png")


def test_what_other_manifests_made_stays(store):
    """Also where both wanted it, and where a version that knew no manifests made it."""
    paint(store, "mine.png")
    kept = [*paint(store, "theirs.png", "../b.yaml"), *paint(store, "old.png", "")]
    kept += paint(store, "both.png", "../b.yaml")
    both = State(store, "../m.yaml")
    both.claim(both.record("both.png"))
    Failures(store).note(failure("theirs-failed.png", "../b.yaml"))
    assert {name for name in cleaned(store) if name.endswith(".png")} == {"mine.png"}
    assert all(map(store.exists, [*kept, failure_name("theirs-failed.png")]))


def test_strangers_files_among_the_records_stay(store):
    paint(store, "cat.png", "../b.yaml")
    names = ["notes.json", "0123456789abcdef.json", "[ab]*.json", "0123456789abcdef.note.webp", "x.failed.json"]
    strangers = [f"{RECORDS}{name}" for name in names]
    for name in strangers:
        write_checksummed_json(store, name, {"schema": 1})
    assert cleaned(store) == set()
    assert all(map(store.exists, strangers))


def failure(output, manifest="../m.yaml"):
    return Failure(
        output=output, key="k", reason_class="x", reason="y", circumstances="z", since="2026-11-26", manifest=manifest
    )


def test_where_no_run_ever_was_nothing_is_made(store):
    store.write("holiday.png", b"a stranger's")
    assert cleaned(store) == set()
    assert [path.name for path in store.folder.iterdir()] == ["holiday.png"]


def test_clean_of_one_manifest_keeps_what_a_run_of_another_made(nights, stylize):
    """Whole runs: both want the sea, each has a dog of its own; then the first wants nothing but a cat."""
    text = (nights.project / "night.yaml").read_text()
    other = nights.project / "other.yaml"
    other.write_text(text.replace("output: dog.png", "output: their-dog.png"))
    paint = with_xmp(nights.output)
    nights.run(paint)
    report = run(load_manifest(other), Selection(), Quiet(), engine=lambda settings, log: Scripted(paint, []))
    assert {pair["status"] for pair in report["pairs"]} == {"done", "up_to_date"}
    nights.manifest("\n  - {content: content/dog.png, style: style/wave.png, output: cat.png}\n")
    listed = stylize("clean", "night.yaml", cwd=nights.project, STYLIZE_DRY_RUN="1")
    assert "would remove" in listed.stdout
    assert (nights.output / "dog.png").exists()
    done = stylize("clean", "night.yaml", cwd=nights.project)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in nights.output.glob("*.png")) == ["sea.png", "their-dog.png"]
    assert done.stderr == "left: 2 pairs of other manifests, or of unknown ones\n"
    again = run(load_manifest(other), Selection(), Quiet(), engine=lambda settings, log: Scripted(paint, []))
    assert {pair["status"] for pair in again["pairs"]} == {"up_to_date"}


def with_xmp(output):
    """Workers whose pictures say of themselves what those of `stylize` do."""
    paint = painted(output)

    def answer(command):
        done = paint(command)
        path = output / command.job.output
        with Image.open(path) as picture:
            pixels = np.asarray(picture, np.float32)
        path.write_bytes(encode_picture(pixels, None, path.suffix, 90, {"key": done.painted.key}))
        return done

    return answer


def test_pictures_of_other_days_stay_where_names_have_a_date(nights, monkeypatch):
    nights.manifest(
        pairs="\n  - matrix: {content: ['content/*'], style: ['style/*']}\n    output: '{date}-{content.stem}.png'"
    )
    for day in ("2026-11-25", "2026-11-26"):
        monkeypatch.setattr("pipeline.manifest.pairs.expand.today", lambda day=day: day)
        nights.run()
        assert nights.asked == [f"{day}-dog.png", f"{day}-sea.png"]
    (nights.project / "input/content/sea.png").unlink()
    found = clean_output(load_manifest(nights.project / "night.yaml"), dry_run=True).paths
    gone = {str(path.relative_to(nights.output)) for path in found}
    assert {record_name(f"{day}-sea.png") for day in ("2026-11-25", "2026-11-26")} <= gone
    assert not {record_name(f"{day}-dog.png") for day in ("2026-11-25", "2026-11-26")} & gone
