"""Records, settings, rows and checkpoints that somebody else wrote, or made enormous: none is trusted, none ends a night.

A seal is a plain hash, which whoever writes to the folder can make. No TensorFlow.
"""

from __future__ import annotations

import io
import json
import logging
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from night_kit import Nights, statuses
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.batch import checkpoints
from pipeline.batch.checkpoints import Unusable, most_bytes, save
from pipeline.batch.clean import clean_output, useless_checkpoints
from pipeline.cli.rendering import plan_rows
from pipeline.images.file_bytes import stamp
from pipeline.images.metadata import PNG_KEY
from pipeline.job import Outcome, Painted, RunSettings
from pipeline.manifest import load_manifest
from pipeline.report.history import read_history, render_history
from pipeline.store.archive import open_archive
from pipeline.store.checksummed_json import MOST_BYTES, checksummed, read_checksummed_json, write_checksummed_json
from pipeline.store.disk import LocalStore
from pipeline.store.failures import circumstances
from pipeline.store.hashes import HashTable
from pipeline.store.layout import (
    HASHES,
    LOCK,
    checkpoint_name,
    failure_name,
    history_name,
    pair_id,
    record_name,
)
from pipeline.store.records import State, painted_fields, read_record
from pipeline.store.shapes import fits
from pipeline.stylize import Progress
from tests.fuzz import state


@pytest.fixture
def nights(project):
    return Nights(project)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "out")


def nest(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


# What a record says of a picture -> anything but that.
ODD = {
    "losses": ["x", 3, [], {"first": "x"}, {"first": {"total": "x"}}, {"first": {"total": float("nan")}}, None],
    "trace": ["x", [1], [{"step": "1"}], [{"total": [1]}], [{"total": float("inf")}], {"a": 1}],
    "size": ["wide", [1], [1, 2, 3], ["1", "2"], [0, 5], [-4, 4], [10**7, 1], [1.5, 2], [True, True]],
    "steps": ["4", -1, 10**30, 1.5, None],
    "seconds": ["1", -1.0, float("nan"), float("inf"), 10**400],
    "seconds_per_step": ["1", -1.0, [], 1e300],
    "peak_memory_bytes": ["1", -1, {}],
    "threads": ["two", -2],
    "painted_with": ["x", [], {"threads": nest(60)}],
    "tilings": ["x", {"a": 1}, {"a": {"b": "c"}}],
    "weights": ["x", {"name": 3}, [["name", "x"]]],
    "options": ["x", [["size", 3]], 3],
    "notes": ["x", [3], {"a": 1}],
    "meta": ["x", [], {"a": nest(60)}],
    "output": [3, None, ["dog.png"], "sea.png", ""],
    "status": ["painted", 3],
    "key": [3, None],
}
CASES = [(name, value) for name, values in ODD.items() for value in values]


@pytest.mark.parametrize(("name", "value"), CASES, ids=[f"{name}-{str(value)[:20]}" for name, value in CASES])
def test_a_record_that_is_not_as_we_write_it_is_none(name, value, store):
    outcome = Outcome(output="dog.png", content="c", style=["s"], status="done", key="k", size=[4, 5])
    store.write("dog.png", b"a picture")
    State(store).keep(outcome)
    fields = read_checksummed_json(store, record_name("dog.png"))
    assert read_record(store, record_name("dog.png")) is not None
    fields["outcome"][name] = value
    store.write(record_name("dog.png"), checksummed(fields))
    assert read_record(store, record_name("dog.png")) is None


def test_a_record_of_a_night_that_was_forged_costs_one_pair_and_one_line(nights):
    nights.run()
    name = record_name("dog.png")
    store = LocalStore(nights.output)
    fields = read_checksummed_json(store, name)
    for change in ({"losses": "x"}, {"output": "../../victim"}, {"size": [1]}, {"trace": nest(300)}):
        write_checksummed_json(store, name, fields | {"outcome": fields["outcome"] | change})
        nights.run(only="sea.png")
        assert nights.report()["run"]["warnings"] == []
        (nights.output / "dog.png").unlink(missing_ok=True)
        report = nights.run()
        assert statuses(report) == {"dog.png": "done", "sea.png": "up_to_date"}
        (warning,) = report["run"]["warnings"]
        assert warning == f"{store.path(name)} is no record as they are written here; not used"
        assert (nights.output / "report.html").exists()


def test_many_odd_records_are_few_lines(store):
    state = State(store)
    for number in range(20):
        store.write(record_name(f"{number}.png"), b"odd")
        assert state.record(f"{number}.png") is None
    assert len(state.strange()) == 4
    assert state.strange()[-1] == "... and 17 more such records"


def test_odd_options_of_a_record_are_told_and_learnt_from_without_a_crash(nights):
    nights.run()
    name, store = record_name("dog.png"), LocalStore(nights.output)
    fields = read_checksummed_json(store, name)
    for options in (
        {"size": {"a": "b"}},
        {"size": [1, {}]},
        {"style_layers": {"a": [1]}},
        {"steps": "x" * 10_000},
        {"x": 1},
    ):
        fields["outcome"] |= {"options": fields["outcome"]["options"] | options}
        store.write(name, checksummed(fields | {"key": "another"}))
        manifest = load_manifest(nights.project / "night.yaml")
        rows = plan_rows(nights.plan(), manifest)
        assert [row["action"] for row in rows] == ["paint", "keep"]
        assert len(rows[0]["reason"]) < 1000


def plant_picture(nights, settings):
    """A picture that bears the key of today's dog, and says other things besides."""
    key = next(pair.key for pair in nights.plan().pairs if pair.job.output == "dog.png")
    (said := PngInfo()).add_text(PNG_KEY, json.dumps({"key": key} | settings))
    nights.output.mkdir(exist_ok=True)
    Image.new("RGB", (48, 40)).save(nights.output / "dog.png", pnginfo=said)


def test_a_planted_picture_with_odd_settings_is_painted_anew(nights):
    for name in sorted(ODD.keys() & set(Painted.__dataclass_fields__) - {"key"}):
        plant_picture(nights, {name: ODD[name][0]})
        planned = {pair.job.output: (pair.action, pair.reason) for pair in nights.plan().pairs}
        assert planned["dog.png"] == ("paint", "its picture holds settings that were not written here")
    assert set(statuses(nights.run()).values()) == {"done"}
    assert sorted(nights.asked) == ["dog.png", "sea.png"]


def test_settings_of_other_versions_are_taken_as_far_as_they_are_known():
    assert painted_fields({"key": "k", "from a later version": nest(3), "losses": {}}) == {"key": "k", "losses": {}}


ODD_FAILURES = [{"runs": "x"}, {"runs": None}, {"since": 3}, {"reason": []}, {"key": nest(5)}, {"output": "sea.png"}]


@pytest.mark.parametrize("change", ODD_FAILURES, ids=str)
def test_a_failure_that_is_not_as_we_write_it_holds_nothing(change, nights):
    usual = {"output": "dog.png", "key": "k", "reason_class": "x", "reason": "y", "circumstances": "z", "since": "2026"}
    write_checksummed_json(LocalStore(nights.output), failure_name("dog.png"), usual | {"runs": 9} | change)
    assert set(statuses(nights.run()).values()) == {"done"}


def test_a_failure_cannot_spoil_the_page(nights):
    """Lone surrogates are no UTF-8, and would end the writing of the page."""
    odd = {"reason": "\ud800\x1b[2J", "since": "\ud800", "reason_class": "\udfff<b>"}
    usual = {"output": "dog.png", "key": nights.plan().pairs[0].key, "runs": 9}
    usual["circumstances"] = circumstances(odd["reason_class"], RunSettings())
    write_checksummed_json(LocalStore(nights.output), failure_name("dog.png"), usual | odd)
    report = nights.run()
    assert statuses(report)["dog.png"] == "quarantined"
    assert "\x1b" not in (nights.output / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "table",
    ["x", [], {"a": "b"}, {"a": []}, {"a": [1, 2, 3, {"x": 1}]}, {"a": {"0": 1}}, {"a": nest(50)}, {"a": [1, 2, 3, 4]}],
    ids=str,
)
def test_hashes_that_are_not_as_we_write_them_are_not_believed(table, store, tmp_path):
    picture = tmp_path / "a"
    picture.write_bytes(b"abc")
    if isinstance(table, dict) and table.get("a") == [1, 2, 3, 4]:
        table = {str(picture): [*stamp(picture.stat()), 4]}
    store.write(HASHES, checksummed(table))
    assert HashTable(store).sha256(picture).startswith("ba7816bf")  # FIPS 180-2, appendix B.1
    HashTable(store).save(whole=False)


def test_more_hashes_than_are_read_again_are_not_written(store, monkeypatch):
    monkeypatch.setattr("pipeline.store.hashes._MOST_BYTES", 1000)
    table = HashTable(store)
    table._used = {f"/{number}": [1, 2, 3, "0" * 64] for number in range(100)}
    table.save(whole=True)
    assert 0 < len(HashTable(store)._table()) < 100


# --------------------------------------------------------------------------------------------------------- history


def test_rows_that_cannot_be_drawn_are_left_out(nights, caplog):
    nights.run()
    store, name = LocalStore(nights.output), history_name()
    row = json.loads(store.read(name))
    odd = [
        {"seconds": float("inf")},
        {"seconds": float("nan")},
        {"seconds": 10**400},
        {"seconds": -1e300},
        {"seconds_per_step": float("nan")},
        {"seconds_per_step_and_megapixel": 1e300},
        {"counts": row["counts"] | {"done": 10**30}},
        {"counts": row["counts"] | {"failed": -1}},
        {"exit_code": "0"},
        {"exit_code": []},
        {"seconds": "1"},
    ]
    with caplog.at_level(logging.WARNING):
        for change in odd:
            store.append(name, json.dumps(row | change).encode() + b"\n")
        store.append(name, b"[" * 100_000 + b"\n")
        rows = read_history(store, name)
    assert len(rows) == 1
    assert render_history(rows)
    assert len(caplog.records) == 4  # three lines, and how many there are
    assert nights.run()["run"]["exit_code"] == 0


def test_only_the_end_of_a_long_history_is_read(store, monkeypatch):
    monkeypatch.setattr("pipeline.report.history._MOST_BYTES", 2000)
    row = {
        "id": "x",
        "started": "2026-11-26T04:00:00+00:00",
        "exit_code": 0,
        "counts": dict.fromkeys(("done", "up_to_date", "failed", "interrupted", "not_started", "quarantined"), 0),
        "seconds": 1.0,
        "seconds_per_step": None,
    }
    for number in range(50):
        store.append("runs", json.dumps(row | {"id": number}).encode() + b"\n")
    ids = [row["id"] for row in read_history(store, "runs", last=None)]
    assert ids == list(range(50 - len(ids), 50))
    assert 5 < len(ids) < 20


# ----------------------------------------------------------------------------------------------------------- bombs

HUGE = 30 * 2**30


def sparse(path, size=HUGE):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    "name", [record_name("dog.png"), failure_name("dog.png"), HASHES, history_name(), LOCK, "report.txt"]
)
def test_a_file_of_thirty_gigabytes_under_our_names_is_not_read(name, nights):
    """Holes, which take no room on the disk."""
    sparse(nights.output / name)
    for expected in ("done", "up_to_date"):
        assert set(statuses(nights.run()).values()) == {expected}
    sparse(nights.output / name)
    manifest = load_manifest(nights.project / "night.yaml")
    plan_rows(nights.plan(), manifest)
    clean_output(manifest, dry_run=True)


@pytest.mark.parametrize("content", [nest(0), nest(0) * 200_000, [{}] * 80_000, "x" * MOST_BYTES], ids=len)
def test_what_unpacks_to_far_more_than_its_size_is_not_unpacked(content, store):
    store.write("a.json", checksummed(content))
    assert (read_checksummed_json(store, "a.json") == content) == (content == [])


def test_a_record_is_never_written_larger_than_it_is_read(store):
    meta = {"credit": "x" * MOST_BYTES}
    store.write("dog.png", b"a picture")
    State(store).keep(Outcome(output="dog.png", content="c", style=["s"], status="done", key="k", meta=meta))
    record = State(store).record("dog.png")
    assert record is not None
    assert record.outcome["meta"] == {}


PROGRESS = Progress(1, 2, 3.0, (), {"image": np.ones((4, 6, 3), np.float32)})


def npy(shape=(4, 6, 3), data=None, dtype="<f4"):
    """An .npy file whose header says what it likes."""
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + (b"\0" * 288 if data is None else data)


ABOUT = {"schema": 2, "key": "k", "environment": {}, "side": 6, "stage": 1, "step": 2, "seconds": 3.0, "trace": []}


def archive(entries, packed=zipfile.ZIP_STORED):
    """A checkpoint of these entries, beside a right description of it."""
    text = json.dumps(ABOUT).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as made:
        for name, data in ({"about.npy": npy((len(text),), text, "|u1")} | entries).items():
            made.writestr(name, data)
    return file.getvalue()


def many_entries():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for number in range(300):
            made.writestr(str(number), b"")
    return file.getvalue()


def with_end(data, entries, directory):
    """A ZIP file that says how many entries of how many bytes its list has, in both of its ends (APPNOTE 4.3.14 to .16)."""
    end = struct.unpack("<4s4H2LH", data[-22:])
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, directory, end[6])
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(data) - 22, 1)
    return data[:-22] + wide + locator + data[-22:]


_ODD_TRACE = json.dumps({"schema": checkpoints.SCHEMA, "trace": 1}).encode()
BOMBS = {
    "packed": archive({"array.image.npy": npy(data=bytes(2**22))}, zipfile.ZIP_DEFLATED),
    "says that it is larger": archive({"array.image.npy": npy(shape=(2**20, 2**20, 3))}),
    "says that it has negative sides": archive({"array.image.npy": npy(shape=(-1, -(2**40)))}),
    "a pickle": archive({"array.image.npy": npy(dtype="|O")}),
    "a long header": archive({"array.image.npy": b"\x93NUMPY\1\0\xff\xff" + b" " * 65535}),
    "another version": archive({"array.image.npy": b"\x93NUMPY\2\0" + struct.pack("<I", 2**31) + b"{}"}),
    "three hundred entries": many_entries(),
    "a million entries": with_end(archive({}), 10**6, 46 * 10**6),
    "a list of gigabytes": with_end(archive({}), 2, 2**33),
    "a comment": archive({})[:-2] + b"\1\0x",
    "odd words": archive({"about.npy": npy((4,), b"null", "|u1")}),
    "deep words": archive({"about.npy": npy((90_000,), b"[" * 90_000, "|u1")}),
    "odd trace": archive({"about.npy": npy((len(_ODD_TRACE),), _ODD_TRACE, "|u1")}),
    "too many bytes": archive({"array.image.npy": npy(data=bytes(2**20))}),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_checkpoint_that_is_not_as_we_write_it_is_damaged(bomb, store):
    name = checkpoint_name("dog.png")
    store.write(name, BOMBS[bomb])
    with pytest.raises(Unusable, match="its checkpoint is damaged"):
        checkpoints.load(store, name, key="k", environment={}, at_most=2**20)
    useless_checkpoints(store, (), ())


def test_what_the_bombs_are_made_of_is_a_checkpoint(store):
    name = checkpoint_name("dog.png")
    store.write(name, archive({"array.image.npy": npy()}))
    progress, _ = checkpoints.load(store, name, key="k", environment={})
    assert progress.arrays["image"].shape == (4, 6, 3)
    with store.open(name) as file:
        open_archive(file, 2**20).close()


def test_a_checkpoint_of_thirty_gigabytes_ends_no_night(nights):
    sparse(nights.output / checkpoint_name("other.png"))
    assert set(statuses(nights.run()).values()) == {"done"}
    assert not (nights.output / checkpoint_name("other.png")).exists()


def test_a_pairs_own_checkpoint_is_below_its_bound(store):
    """An L-BFGS of 20 pairs of pictures, and what it needs besides (nst/optimizers, nst/descent)."""
    width, height, steps = 60, 40, 300
    arrays = {f"array{number}": np.zeros((height, width, 3), np.float32) for number in range(2 * 20 + 6)}
    save(store, "c.npz", Progress(1, 2, 3.0, (), arrays), key="k", environment={}, side=width)
    bound = most_bytes((width, height), "auto", steps)
    assert store.fingerprint("c.npz").size < bound
    assert checkpoints.load(store, "c.npz", key="k", environment={}, at_most=bound) is not None
    assert most_bytes((width, height), 100, steps) > bound


def test_the_key_of_a_checkpoint_is_found_without_reading_it(nights):
    nights.manifest("\n  - {content: content/sea.png, style: style/wave.png, output: sea.png}\n")
    key = nights.run()["pairs"][0]["key"]
    store = LocalStore(nights.output)
    for name, kept in ((key, False), ("another", True)):
        save(store, checkpoint_name("sea.png"), PROGRESS, key=name, environment={}, side=6)
        found = useless_checkpoints(store, (), ())
        assert (found == []) == kept


def test_a_night_goes_over_whatever_became_of_its_files(tmp_path):
    """A sample of tests/fuzz/state.py."""
    assert state.fuzz(seed=7, first=0, cases=5, folder=tmp_path) == (5, [])


# ---------------------------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, int, True),
        (True, int, False),
        (1, float, True),
        (float("nan"), float, False),
        (2**64, int, False),
        ("x", str | None, True),
        (None, str | None, True),
        ([1, "x"], list[int], False),
        ({"a": [1]}, dict[str, list[int]], True),
        ({1: 1}, dict[str, int], False),
        (object(), dict[str, int], False),
        ({"a": 1, "b": -2.5}, dict[str, float], True),
        ({"a": 1e300, "b": -1e300}, dict[str, float], True),
        ({"a": float("nan")}, dict[str, float], False),
        ({"a": 1.0, "b": float("-inf")}, dict[str, float], False),
        ({"a": 1.0, "b": -(2**63)}, dict[str, float], False),
        ({"a": 0.5, "b": 10**400}, dict[str, float], False),
        ({"a": True}, dict[str, float], False),
        ({"a": "1"}, dict[str, float], False),
        ({1: 1.0}, dict[str, float], False),
        ({"a": [None, {"b": "c"}]}, dict[str, Any], True),
        ({"a": [{"b": float("inf")}]}, dict[str, Any], False),
        ({"a": {1: 2}}, dict[str, Any], False),
        ({"a": ()}, dict[str, Any], False),
    ],
)
def test_values_fit_their_hints(value, hint, expected):
    assert fits(value, hint) == expected


def test_ids_of_pairs_are_of_their_names_alone():
    assert record_name("../../victim") == f".pipeline/records/{pair_id('../../victim')}.json"
