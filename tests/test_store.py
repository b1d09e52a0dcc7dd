"""An output folder: what is written stands whole, and nothing outside is touched. No TensorFlow."""

from __future__ import annotations

import errno
import os

import pytest

from pipeline.errors import BadOutput, DiskFull, Locked, OutputError, OutputRefused
from pipeline.objects.protocol import Fingerprint
from pipeline.store.disk import LocalStore
from pipeline.store.layout import LOCK


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "out")


def files(store):
    """Names of all files below the folder, also of those that no method would list."""
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file())


# ----------------------------------------------------------------------------------------- writing


def test_a_file_is_whole_or_not_there(store):
    store.write("deep/er/file", b"first")
    store.write("deep/er/file", b"second")
    assert store.read("deep/er/file") == b"second"
    assert files(store) == ["deep/er/file"]


def test_what_fails_in_the_middle_of_writing_leaves_the_old_file_and_nothing_else(store):
    def write(file):
        file.write(b"half")
        raise KeyError("a bug for this test")

    with pytest.raises(KeyError):
        store.write_by("new.png", write)
    assert files(store) == []
    store.write("old.png", b"old")
    with pytest.raises(KeyError):
        store.write_by("old.png", write)
    assert store.read("old.png") == b"old"
    assert files(store) == ["old.png"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(store, monkeypatch):
    store.write("file", b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        DiskFull, match=rf"^cannot write {store.folder}/file: the disk is full; nothing was left behind$"
    ):
        store.write("file", b"new")
    assert store.read("file") == b"old"
    assert files(store) == ["file"]


@pytest.mark.parametrize("name", ["fsync", "replace", "mkdir"])
def test_an_input_output_error_is_met_with_a_second_try_and_no_third(name, store, monkeypatch):
    real, failures, slept = getattr(os, name), [], []

    def fail(*arguments, **named):
        if len(failures) < allowed:
            failures.append(arguments)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments, **named)

    monkeypatch.setattr(os, name, fail)
    monkeypatch.setattr("pipeline.store.disk.time.sleep", slept.append)
    allowed = 1
    store.write("one/a.png", b"whole")
    assert store.read("one/a.png") == b"whole"
    assert slept == [1.0]
    allowed = 3  # it is this file's trouble alone, where another can be written
    words = r"two/b.png: Input/output error; nothing was left behind"
    with pytest.raises(OutputRefused, match=f"{words}; other files can be written there"):
        store.write("two/b.png", b"whole")
    allowed = 99
    with pytest.raises(OutputRefused if name == "mkdir" else OutputError, match=words):
        store.write("two/b.png", b"whole")
    assert files(store) == ["one/a.png"]


def test_data_is_on_the_disk_before_the_name_and_the_name_before_the_return(store, monkeypatch):
    store.write("other", b"")  # so that the folder is there
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, _name=name, _real=real, **k: (order.append(_name), _real(*a, **k)))
    store.write("file", b"data")
    assert order == ["fsync", "replace", "fsync"]


def test_a_folder_in_the_place_of_a_file_is_the_trouble_of_that_name_alone(store):
    store.write("cat.png/inside", b"")
    with pytest.raises(
        BadOutput, match=r"cannot write .*/cat.png: Is a directory; move what stands there, or change the"
    ):
        store.write("cat.png", b"")
    with pytest.raises(BadOutput, match="Not a directory"):
        store.write("cat.png/inside/deeper", b"")
    assert files(store) == ["cat.png/inside"]


def test_lines_are_added_and_one_that_was_cut_short_swallows_none(store):
    store.append("history/runs", b"one\n")
    store.append("history/runs", b"two\n")
    assert store.read("history/runs") == b"one\ntwo\n"
    store.write("history/runs", b"one\ntw")
    store.append("history/runs", b"three\n")
    assert store.read("history/runs") == b"one\ntw\nthree\n"


def test_an_added_line_is_on_the_disk_before_the_return(store, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.pread(descriptor, 9, 0)))
    store.folder.mkdir()
    store.append("runs", b"one\n")
    assert synced == [b"one\n"]


# ----------------------------------------------------------------------------------------- looking


def test_what_is_missing_is_said_to_be(store):
    for look in (store.read, store.open, store.fingerprint, store.sha256):
        with pytest.raises(FileNotFoundError):
            look("missing.png")
    assert not store.exists("missing.png")
    assert store.list("") == ()
    assert store.list("no/such/folder/") == ()


def test_a_file_larger_than_what_is_asked_for_is_not_read(store):
    store.write("small", b"1234")
    assert store.read("small", at_most=4) == b"1234"
    with pytest.raises(OSError, match="File too large") as refused:
        store.read("small", at_most=3)
    assert refused.value.errno == errno.EFBIG


def test_a_listing_names_files_in_order_by_how_they_begin_and_enters_no_folder(store):
    for name in ("b.png", "a.png", "a/deeper.png", ".pipeline/records/ab.json", ".pipeline/records/ab.failed.json"):
        store.write(name, name.encode())
    os.utime(store.path("b.png"), ns=(5, 7))

    def names(prefix):
        return [entry.name for entry in store.list(prefix)]

    assert names("") == ["a.png", "b.png"]
    assert names("a") == ["a.png"]
    assert names("a/") == ["a/deeper.png"]
    assert names(".pipeline/records/ab.") == [".pipeline/records/ab.failed.json", ".pipeline/records/ab.json"]
    assert names(".pipeline/records/[a]*") == []  # no pattern
    assert names("b.png/") == []
    assert store.list("b")[0].fingerprint == Fingerprint(5, 7)  # bytes of its name, and the time set above


def test_a_listing_leaves_out_what_is_no_file(store):
    store.write("file", b"")
    (store.folder / "folder").mkdir()
    os.mkfifo(store.folder / "pipe")
    (store.folder / "lost").symlink_to("nowhere")
    assert [entry.name for entry in store.list("")] == ["file"]
    assert [name for name in ("file", "folder", "pipe", "lost") if store.exists(name)] == ["file"]


def test_a_fingerprint_changes_with_the_size_and_with_the_time(store):
    store.write("cat.png", b"one")
    os.utime(store.path("cat.png"), ns=(1, 1))
    before = store.fingerprint("cat.png")
    assert before == Fingerprint(3, 1) == store.fingerprint("cat.png")
    os.utime(store.path("cat.png"), ns=(1, 2))
    assert store.fingerprint("cat.png") != before
    store.write("cat.png", b"four")
    os.utime(store.path("cat.png"), ns=(1, 1))
    assert store.fingerprint("cat.png") != before


def test_the_hash_is_that_of_the_bytes(store):
    store.write("cat.png", b"abc")
    # FIPS 180-2, appendix B.1
    assert store.sha256("cat.png") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# ---------------------------------------------------------------------------------------- removing


def test_a_name_that_is_not_there_is_deleted_without_a_word(store):
    store.delete("missing.png")
    store.write("cat.png", b"")
    store.delete("cat.png")
    store.delete("cat.png")
    assert files(store) == []


def test_only_an_empty_folder_is_pruned(store):
    store.write("full/cat.png", b"")
    store.write("empty/cat.png", b"")
    store.delete("empty/cat.png")
    for folder in ("full/", "empty/", "missing/"):
        store.prune(folder)
    assert [path.name for path in store.folder.iterdir()] == ["full"]


def test_parts_of_killed_writers_are_removed_and_nothing_else(store):
    for name in (".pipeline-x.part", "deep/.pipeline-y.part", "mine.part", ".pipeline-kept"):
        store.write(name, b"")
    store.remove_parts()
    assert files(store) == [".pipeline-kept", "mine.part"]


# ------------------------------------------------------------------------------------------- names

OUTSIDE = ["../x", "a/../../x", "/etc/x", "..", ".", "", "a//b", "a/./b", "a/", "./a", "a\0b"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_may_leave_the_folder_is_refused_by_everything(store, name):
    store.write("a/b", b"")
    outside = store.folder.parent / "x"
    outside.write_bytes(b"somebody's")
    for refuse in (
        store.read,
        store.open,
        store.fingerprint,
        store.exists,
        store.sha256,
        store.delete,
        store.path,
        lambda name: store.write(name, b""),
        lambda name: store.append(name, b""),
        lambda name: store.list(f"{name}/"),
    ):
        with pytest.raises(BadOutput, match=r"cannot name a file of the output folder; it must be relative, without"):
            refuse(name)
    assert outside.read_bytes() == b"somebody's"
    assert files(store) == ["a/b"]


@pytest.mark.parametrize("name", ["..png", ".hidden", "a..b/c", "nächte/\udcff.png", "*?[a].png"])
def test_other_names_are_just_names(store, name):
    store.write(name, b"data")
    assert store.read(name) == b"data"
    assert [entry.name for entry in store.list(name)] == [name]


# -------------------------------------------------------------------------------------------- lock


def test_one_holder_at_a_time_and_the_refusal_names_it(store):
    with (
        store.lock("first"),
        pytest.raises(Locked, match=rf"another run holds {store.folder}: process {os.getpid()} on .* \(run first\)"),
        store.lock("second"),
    ):
        pass
    with store.lock("third"):
        (holder,) = store.holders()
        assert holder.endswith("(run third)")
    assert store.holders() == ()
    assert files(store) == [LOCK]
