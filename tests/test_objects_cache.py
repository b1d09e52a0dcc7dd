"""Copies of pictures that are elsewhere, held to a size: files of this machine alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.objects import cache, mirror
from pipeline.objects.cache import copies_in_use, tidy
from pipeline.objects.mirror import Mirror
from pipeline.objects.protocol import Fingerprint
from pipeline.objects.service import Remote
from pipeline.urls import copies_root, local_path, state_path, tags_path, url_of

KB = 1000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def copy(url: str, asked: float, size: int = KB) -> Path:
    """A copy of so many bytes that was last asked for then."""
    path, tags = local_path(url), tags_path(url)
    for file in (path, tags):
        file.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    tags.write_text("[]")
    os.utime(tags, (asked, asked))
    return path


def here(*copies: Path) -> list[bool]:
    return [path.exists() for path in copies]


def test_what_was_not_asked_for_the_longest_goes_until_the_others_have_room():
    new, old, newest = copy("s3://b/new.png", 30), copy("s3://b/a/old.png", 10), copy("https://h/newest.png", 40)
    with copies_in_use([new], 2 * KB):
        assert here(new, old, newest) == [True, True, True]
    assert here(new, old, newest) == [True, False, True]
    assert not tags_path("s3://b/a/old.png").exists()
    assert not old.parent.exists()
    tidy(2 * KB - 1)
    assert here(new, newest) == [False, True]


def test_what_has_room_stays():
    copies = [copy(f"s3://b/{number}.png", number) for number in range(3)]
    tidy(3 * KB)
    tidy()  # a tenth of the disk
    assert here(*copies) == [True, True, True]


def test_nothing_goes_while_another_run_reads_copies():
    old = copy("s3://b/old.png", 10)
    with copies_in_use([old], 0):
        with copies_in_use([local_path("s3://b/other.png")], 0):
            pass
        assert old.exists()
    assert not old.exists()


def test_half_copies_that_a_kill_left_go_first():
    whole = copy("s3://b/whole.png", 10)
    half = whole.with_name(".pipeline-0123.part")
    half.write_bytes(bytes(KB))
    tidy(KB)
    assert here(whole, half) == [True, False]


def test_nothing_is_left_where_there_is_no_room_to_note_what_a_copy_is_of(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    copied = Mirror(Remote("https://h"), tmp_path, tmp_path / "tags")
    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(mirror.os, "replace", full)
    copied.note("a.png", Fingerprint(1, 1, "tag"))
    assert list((tmp_path / "tags").iterdir()) == []


def test_what_lies_behind_a_link_is_nobodys_copy(tmp_path):
    (tmp_path / "mine").mkdir()
    mine = tmp_path / "mine/holiday.jpg"
    mine.write_bytes(bytes(KB))
    linked = copy("s3://b/a.png", 10).parent / "folder"
    linked.symlink_to(mine.parent)
    tidy(0)
    assert mine.exists()


@pytest.mark.parametrize("below", ["", "stylize/objects"])
def test_what_is_painted_for_an_address_never_goes_with_the_copies_wherever_state_is(home, monkeypatch, below):
    """One folder for all that is the machine's own, as in a container, or one inside the other."""
    state = str(home / "cache" / below)
    monkeypatch.setenv("XDG_STATE_HOME", state)
    copied = copy("s3://b/out/a.png", 10)
    for folder in (state_path("s3://b/out"), state_path("s3://b/out", state)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.png").write_bytes(bytes(KB))
        assert url_of(folder / "a.png") is None
    tidy(0)
    assert not copied.exists()
    assert (state_path("s3://b/out") / "a.png").exists()


def test_files_of_this_machine_need_no_cache(tmp_path):
    with copies_in_use([tmp_path / "dog.png"], 0):
        pass
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_locked_is_read_all_the_same(monkeypatch):
    old = copy("s3://b/old.png", 10)

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(cache.fcntl, "flock", refuse)
    with copies_in_use([old], 0):
        assert old.exists()
    assert old.exists()
    assert Path(copies_root()).is_dir()
