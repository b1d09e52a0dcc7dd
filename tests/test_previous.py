"""Older pictures of a pair: kept with their settings when it is painted anew, and deleted by nobody unasked."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from night_kit import Nights, painted
from PIL import Image

from pipeline.batch.clean import clean_output
from pipeline.batch.messages import Command
from pipeline.errors import OutputError, OutputRefused
from pipeline.manifest import load_manifest
from pipeline.store.disk import LocalStore
from pipeline.store.layout import PREVIOUS, pair_id, record_name, thumbnail_name
from pipeline.store.previous import Older, files_by_pair, keep, older_pictures
from pipeline.store.store import Store


def of(data: bytes) -> str:
    """By which it is known what is to be written."""
    return hashlib.sha256(data).hexdigest()


class Keeping(Nights):
    """Runs whose workers keep what they paint over, as a painter does."""

    def paint(self, most: int | None, **selection: Any) -> dict[str, Any]:
        def answer(command: Command) -> Any:
            assert command.keep_previous == most
            if command.keep_previous is not None:
                new = of(f"{command.job.options.seed}".encode())
                keep(LocalStore(self.output), command.job.output, new, command.keep_previous)
            return painted(self.output)(command)

        return self.run(answer, **selection)

    def with_seed(self, seed: int, most: int | None = 2) -> None:
        self.manifest(run=f"{{keep_previous: {most}}}" if most else "{}", options=f", init: noise, seed: {seed}")
        self.paint(most)

    def older(self, output: str = "dog.png") -> list[Older]:
        store = LocalStore(self.output)
        return older_pictures(store, output, files_by_pair(store))


@pytest.fixture
def nights(project: Path) -> Keeping:
    return Keeping(project)


def colour(nights: Keeping, name: str) -> int:
    with Image.open(nights.output / name) as picture:
        red: int = picture.getpixel((0, 0))[0]  # type: ignore[index]
        return red


def test_a_pair_that_is_painted_anew_keeps_as_many_older_pictures_as_were_asked_for(nights: Keeping) -> None:
    for seed in (1, 2, 3, 4):
        nights.with_seed(seed)
    assert colour(nights, "dog.png") == 4
    older = nights.older()
    assert [(colour(nights, one.picture), one.number) for one in older] == [(3, 3), (2, 2)]
    assert [one.outcome and one.outcome["options"]["seed"] for one in older] == [3, 2]


def test_without_the_setting_none_is_kept_and_none_goes(nights: Keeping) -> None:
    nights.with_seed(1, None)
    nights.with_seed(2, None)
    assert nights.older() == []
    nights.with_seed(3, 2)
    nights.with_seed(4, None)
    assert [colour(nights, one.picture) for one in nights.older()] == [2]


def test_equal_bytes_are_no_older_picture(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    keep(store, "a.png", of(b"one"), 3)  # nothing stands there
    store.write("a.png", b"one")
    keep(store, "a.png", of(b"one"), 3)
    assert older_pictures(store, "a.png", files_by_pair(store)) == []
    keep(store, "a.png", of(b"two"), 3)
    (older,) = older_pictures(store, "a.png", files_by_pair(store))
    assert (store.read(older.picture), older.small, older.outcome) == (b"one", None, None)


def test_a_picture_that_several_nights_could_not_replace_is_kept_once(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for text in (b"1", b"2", b"3"):
        keep(store, "a.png", of(text), 2)
        store.write("a.png", text)
    for night in range(3):
        if night == 1:
            store.write(thumbnail_name("a.png", "result"), b"small")  # which the first night was too short for
        keep(store, "a.png", of(b"4"), 2)  # and the disk is full: 3 stays where it is
    newest, before = older_pictures(store, "a.png", files_by_pair(store))
    assert [store.read(one.picture) for one in (newest, before)] == [b"3", b"2"]
    assert newest.small is not None


def test_numbers_go_on_where_older_ones_were_deleted(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for text in (b"1", b"2", b"3", b"4"):
        keep(store, "a.png", of(text), 1)
        store.write("a.png", text)
    (older,) = older_pictures(store, "a.png", files_by_pair(store))
    assert (older.number, store.read(older.picture)) == (3, b"3")


def test_a_picture_that_cannot_be_kept_is_not_painted_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    store.write("a.png", b"old")
    (tmp_path / PREVIOUS.rstrip("/")).parent.mkdir(exist_ok=True)
    (tmp_path / PREVIOUS.rstrip("/")).write_text("in the way")
    with pytest.raises(Exception, match=r"\.pipeline/previous"):
        keep(store, "a.png", of(b"new"), 3)
    assert store.read("a.png") == b"old"
    assert issubclass(OutputError, Exception)


@pytest.mark.parametrize("asked", ["sha256", "open"])
def test_a_picture_that_may_not_be_read_is_not_painted_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    store = LocalStore(tmp_path)
    store.write("a.png", b"old")

    def denied(*_: Any) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(LocalStore, asked, denied)
    with pytest.raises(
        OutputRefused, match=r"cannot keep .*a\.png: Permission denied; have it made readable, or leave"
    ):
        keep(store, "a.png", of(b"new"), 3)
    keep(store, "b.png", of(b"new"), 3)  # nothing stands there


def test_clean_takes_them_with_their_pair_and_leaves_those_of_others(nights: Keeping) -> None:
    for seed in (1, 2):
        nights.with_seed(seed)
    store = LocalStore(nights.output)
    stranger = f"{PREVIOUS}{'0' * 16}.000001.png"
    store.write(stranger, b"x")
    store.write(f"{PREVIOUS}notes.txt", b"x")
    nights.manifest(pairs="\n  - {content: content/sea.png, style: style/wave.png, output: sea.png}\n")
    clean_output(load_manifest(nights.project / "night.yaml"), dry_run=False)
    left = {entry.name for entry in store.list(PREVIOUS)}
    assert left == {stranger, f"{PREVIOUS}notes.txt", *(name for name in left if pair_id("sea.png") in name)}
    assert nights.older() == []
    assert len(nights.older("sea.png")) == 1


def test_a_record_of_another_pair_says_nothing_of_an_older_picture(nights: Keeping) -> None:
    nights.with_seed(1)
    nights.with_seed(2)
    store = LocalStore(nights.output)
    store.write(f"{PREVIOUS}{pair_id('dog.png')}.000001.json", store.read(record_name("sea.png")))
    assert [one.outcome for one in nights.older()] == [None]


def test_links_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    store: Store = LocalStore(tmp_path / "out")
    store.write("a.png", b"old")
    keep(store, "a.png", of(b"new"), 3)
    (older,) = older_pictures(store, "a.png", files_by_pair(store))
    (tmp_path / "out" / older.picture).unlink()
    (tmp_path / "out" / older.picture).symlink_to(victim)
    assert older_pictures(store, "a.png", files_by_pair(store)) == []
    store.delete("a.png")
    (tmp_path / "out" / "a.png").symlink_to(victim)
    keep(store, "a.png", of(b"new"), 1)  # a link is nothing that could be kept
    assert victim.read_text() == "mine"


@pytest.mark.slow
def test_the_painter_keeps_the_file_its_record_and_its_small_picture(project: Path) -> None:
    from test_live import Chaos

    chaos = Chaos(project)
    chaos.manifest("{keep_previous: 1}")
    assert chaos.run() == 0
    before = (chaos.output / "dog.png").read_bytes()
    chaos.manifest("{keep_previous: 1}", options=", style_weight: 0.5")
    assert chaos.run() == 0
    store = LocalStore(chaos.output)
    (older,) = older_pictures(store, "dog.png", files_by_pair(store))
    assert store.read(older.picture) == before
    assert older.small is not None
    assert store.read(older.small)[8:12] == b"WEBP"
    assert older.outcome is not None
    report = json.loads((chaos.output / "report.json").read_text())
    assert older.outcome["key"] != report["pairs"][0]["key"]
