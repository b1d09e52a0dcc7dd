"""A disk that is full, and one that must not be written. No TensorFlow.

What a full disk does to one write at a time is in tests/test_records.py; injected into system calls, in tests/chaos.py.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from night_kit import Nights, failed, painted, rehearsed_here, statuses

from pipeline.batch import driver, finish
from pipeline.cli.console import JsonLines, Lines, Quiet
from pipeline.cli.status import status_text
from pipeline.errors import BadOutput, DiskFull
from pipeline.store.disk import LocalStore, write_whole
from pipeline.store.layout import NOW


@pytest.fixture
def nights(project):
    return Nights(project)


def full(monkeypatch, free: int) -> None:
    """The disk says that it has so many bytes left."""
    usage = type(shutil.disk_usage("/"))(10**12, 10**12 - free, free)
    monkeypatch.setattr("pipeline.batch.estimates.disk_space.shutil.disk_usage", lambda _: usage)


def test_no_room_for_one_picture_is_said_before_the_first_second_and_in_the_report(nights, monkeypatch, capsys):
    called = []
    for module in (driver, finish):
        monkeypatch.setattr(module, "call_hook", lambda ledger, command, *_: called.append(command))
    nights.manifest(run="{on_start: [begin], on_failure: [tell]}")
    nights.run(only="dog.png")
    assert called == [("begin",)]
    full(monkeypatch, 100_000)
    report = nights.run()
    assert nights.asked == []
    assert statuses(report) == {"dog.png": "up_to_date", "sea.png": "not_started"}
    assert nights.report()["run"]["exit_code"] == 4
    words = "out has 0.1 MiB free and a picture needs about 0.1 MiB; free space, or put the output on another disk"
    assert words in capsys.readouterr().err
    assert words in report["run"]["warnings"][0]
    assert words in report["pairs"][1]["reason"]
    text = (nights.output / "report.txt").read_text()
    assert "1 not started - No room on the disk" in text
    assert "Fix: Free space on the disk of the output folder. The next run paints them." in text
    assert called == [("begin",), ("tell",)]


def test_room_for_some_pictures_is_a_warning_and_no_more(nights, monkeypatch):
    full(monkeypatch, 200_000)
    report = nights.run()
    assert set(statuses(report).values()) == {"done"}
    (warning,) = report["run"]["warnings"]
    assert "has 0.2 MiB free and the pictures to paint need about 0.3 MiB; the last of them may not fit" in warning


def test_a_full_disk_is_no_trouble_where_there_is_nothing_to_paint(nights, monkeypatch):
    nights.run()
    full(monkeypatch, 0)
    assert nights.run()["run"]["exit_code"] == 0


@pytest.mark.parametrize(("line", "million"), [("output: a.png", 3.0), ("output: a.jpg", 1.5)])
def test_room_is_asked_for_by_size_and_format(project, nights, monkeypatch, line, million):
    """1000 x 1000 pixels: 3 bytes each and 1.5, and 0.15 MB for what stands beside a picture."""
    from PIL import Image

    Image.new("RGB", (2000, 2000)).save(project / "input/content/dog.png")
    nights.manifest(f"\n  - {{content: content/dog.png, style: style/wave.png, {line}, options: {{size: 1000}}}}\n")
    full(monkeypatch, int((million + 0.15) * 1e6) - 1)
    assert nights.run()["run"]["exit_code"] == 4
    full(monkeypatch, int((million + 0.15) * 1e6))
    assert nights.run()["run"]["exit_code"] == 0


def test_a_picture_that_does_not_fit_ends_the_run_with_4_and_a_report(nights):
    paint = painted(nights.output)
    no_room = failed("disk", "cannot write dog.png: the disk is full; nothing was left behind", exit_code=4)
    report = nights.run(lambda step: (no_room if step.job.output == "dog.png" else paint)(step))
    assert statuses(report) == {"dog.png": "failed", "sea.png": "not_started"}
    assert nights.report()["run"]["exit_code"] == 4
    text = (nights.output / "report.txt").read_text()
    assert "1 failed - Disk full" in text
    assert "Fix: Free space on the disk of the output folder" in text
    again = nights.run()
    assert statuses(again) == {"dog.png": "done", "sea.png": "done"}


def test_a_record_that_does_not_fit_ends_the_run(nights, monkeypatch):
    no_room_for(monkeypatch, ".pipeline/records/")
    report = nights.run()
    assert statuses(report) == {"dog.png": "done", "sea.png": "not_started"}
    assert report["run"]["exit_code"] == 4
    assert any("no record of dog.png was kept" in warning for warning in report["run"]["warnings"])


def no_room_for(monkeypatch, prefix: str) -> None:
    """The disk takes no file whose name begins so."""
    write_by = LocalStore.write_by

    def small_ones(store: LocalStore, name: str, write: Callable[[IO[bytes]], object]) -> None:
        if name.startswith(prefix):
            raise DiskFull(f"cannot write {store.path(name)}: the disk is full; nothing was left behind")
        write_by(store, name, write)

    monkeypatch.setattr(LocalStore, "write_by", small_ones)


def test_a_report_that_cannot_be_written_is_said_and_is_code_4(nights, monkeypatch, capsys):
    no_room_for(monkeypatch, "report")
    report = nights.run()
    assert report["run"]["exit_code"] == 4
    assert not list(nights.output.glob("report*"))
    said = capsys.readouterr().err
    assert "report.json: the disk is full" in said
    assert "2 new - " in said
    assert " - exit 4 (environment)\n" in said


def test_nobody_is_led_to_a_page_that_was_not_written(nights, monkeypatch, capsys):
    no_room_for(monkeypatch, "report")
    console = Lines()
    console.ended(nights.run(voice=console), "out")
    said = capsys.readouterr().err
    assert said.endswith(" - exit 4 (environment)\n")
    assert "report.html" not in said


def test_only_the_page_did_not_fit_and_the_numbers_tell_of_it(nights, monkeypatch):
    no_room_for(monkeypatch, "report.html")
    nights.run()
    report = nights.report()
    assert report["run"]["exit_code"] == 4
    assert any("report.html: the disk is full" in warning for warning in report["run"]["warnings"])


def test_a_lost_report_is_one_json_line_where_lines_are_json(capsys):
    JsonLines().unwritten("1 new\nsecond line\n")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["text"] == "1 new\nsecond line\n"


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of its own of 300 KB, where the machine lets us mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("mounting a small disk needs root and mount")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_really_full_disk_keeps_what_was_there_and_takes_nothing_half(small_disk):
    write_whole(small_disk / "old.png", b"old" * 1000)
    (small_disk / "filler").write_bytes(bytes(250_000))
    with pytest.raises(DiskFull):
        write_whole(small_disk / "old.png", b"new" * 100_000)
    assert (small_disk / "old.png").read_bytes() == b"old" * 1000
    assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "old.png"]


def test_an_output_that_must_not_be_written_is_refused_at_once(project, nights, stylize):
    """As root by a file system mounted for reading only, else by the folder's mode."""
    nights.output.mkdir()
    if os.geteuid() == 0:
        if not shutil.which("mount"):
            pytest.skip("there is no mount")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", nights.output], check=False)
        if mounted.returncode:
            pytest.skip("no disk can be mounted here")
    else:
        nights.output.chmod(0o555)
    try:
        done = stylize("run", "night.yaml", cwd=project)
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", nights.output], check=True)
        else:
            nights.output.chmod(0o755)
    assert done.returncode == 4
    assert done.stderr.splitlines()[0].startswith(f"error: cannot write to the output folder {nights.output}: ")
    assert done.stderr.splitlines()[-1] == "exit 4 (environment)"


def test_an_output_that_is_moved_between_two_pairs_ends_the_night_in_words_and_is_no_bug(nights):
    class Moving(Quiet):
        def finished(self, outcome):
            if nights.output.exists():
                nights.output.rename(nights.project / "elsewhere")

    report = nights.run_with(rehearsed_here(nights.project), Moving())
    assert report["run"]["exit_code"] == 4
    assert statuses(report) == {"dog.png": "done", "sea.png": "failed"}
    assert "out was moved or deleted while it was in use; nothing more is written there" in report["pairs"][1]["reason"]
    assert not nights.output.exists()


def test_a_picture_that_somebody_takes_away_at_once_ends_no_night(nights):
    paint = painted(nights.output)

    def taken(command):
        done = paint(command)
        (nights.output / command.job.output).unlink()
        return done

    report = nights.run(taken)
    assert report["run"]["exit_code"] == 0
    assert statuses(report) == {"dog.png": "done", "sea.png": "done"}
    assert report["run"]["warnings"][0] == (
        "no record of dog.png was kept: it is gone already; the next run paints it again"
    )


def test_a_file_that_the_user_names_goes_behind_links_and_in_the_place_of_no_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadOutput, match="a pipe, socket or device stands there; name another file"):
        write_whole(tmp_path / "pipe", b"new")
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link").symlink_to(tmp_path / "kept elsewhere")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "kept elsewhere").read_bytes() == b"new"


def test_a_report_that_stands_says_how_the_run_ended_or_does_not_stand(nights, monkeypatch, capsys):
    """The disk is full behind report.json: there is no room for a second one beside it, which says so."""
    nights.manifest(run="{metrics_file: out/night.prom}")
    room, write = [100_000], LocalStore.write_by

    def bounded(store, name, writer):
        if name.startswith("report."):
            writer(data := io.BytesIO())
            if len(data.getvalue()) > room[0] or name.endswith(".html"):
                raise DiskFull(f"cannot write {name}: the disk is full")
            room[0] -= len(data.getvalue())
        if name == "night.prom" and room[0] < 9000:
            raise DiskFull(f"cannot write {name}: the disk is full")
        write(store, name, writer)

    def freed(store, name):
        room[0] += (nights.output / name).stat().st_size if name.startswith("report.") else 0
        delete(store, name)

    nights.run()
    (nights.output / "report.json").unlink()
    room[0], delete = 9000, LocalStore.delete
    monkeypatch.setattr(LocalStore, "write_by", bounded)
    monkeypatch.setattr(LocalStore, "delete", freed)
    report = nights.run()
    assert room[0] < 9000, "report.json is larger than this test thinks"
    assert report["run"]["exit_code"] == nights.report()["run"]["exit_code"] == 4
    assert (nights.output / "report.txt").read_text().count("exit 4") == 1
    assert not (nights.output / "night.prom").exists()
    assert "exit 4" in capsys.readouterr().err


def test_a_night_whose_report_found_no_room_is_not_taken_for_the_one_before(nights, monkeypatch):
    write = LocalStore.write_by

    def full_for(*endings):
        def bounded(store, name, writer):
            if name.startswith("report.") and name.endswith(endings):
                raise DiskFull(f"cannot write {name}: the disk is full")
            write(store, name, writer)

        return bounded

    nights.run()
    assert "last run: 2 new" in status_text(nights.output)
    monkeypatch.setattr(LocalStore, "write_by", full_for(".json", ".txt", ".html"))
    assert nights.run()["run"]["exit_code"] == 4
    assert "the last run was ended before it could write its report" in status_text(nights.output)
    monkeypatch.setattr(LocalStore, "write_by", full_for(".html"))
    assert nights.run()["run"]["exit_code"] == 4
    text = status_text(nights.output)
    assert text.startswith("no run is going on\nlast run: 2 up to date - ")
    assert "exit 4" in text
    monkeypatch.setattr(LocalStore, "write_by", write)
    nights.run()
    assert "exit 0" in status_text(nights.output)
    assert LocalStore(nights.output).list(NOW) == ()
