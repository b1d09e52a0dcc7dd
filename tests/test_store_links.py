"""Links, pipes and second names that somebody put into an output folder: nothing behind them is read or touched.

Each is planted under every name that a run opens, and whole runs and verbs go over them. No TensorFlow.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import re
import shutil
import socket
from pathlib import Path

import pytest
from night_kit import Nights, painted, statuses
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.batch.clean import clean_output
from pipeline.batch.plan import make_plan
from pipeline.cli.rendering import last_report_file, last_run
from pipeline.cli.status import status_text
from pipeline.errors import BadImage, BadOutput, Locked, OutputError, StylizeError, UsageError
from pipeline.images.metadata import PNG_KEY
from pipeline.images.reader import READER
from pipeline.manifest import load_manifest
from pipeline.report.history import read_history
from pipeline.store.disk import LocalStore, open_log
from pipeline.store.layout import HASHES, LOCK, RECORDS, failure_name, history_name, record_name, thumbnail_name
from pipeline.store.records import State

LINK = "a link stands there, and below an output folder no link is followed"


@pytest.fixture
def nights(project):
    return Nights(project)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "out")


@pytest.fixture
def outside(tmp_path):
    """A folder of somebody else's, with a file that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_bytes(VICTIM)
    return folder


VICTIM = b"RIFF\0\0\0\0WEBPa private picture\n"


def untouched(outside):
    return [(path.name, path.read_bytes()) for path in outside.iterdir()] == [("victim", VICTIM)]


def load(nights):
    return load_manifest(nights.project / "night.yaml")


# ------------------------------------------------------------------------------------------------------ one file


def test_a_link_is_no_file_to_any_method(store, outside):
    store.folder.mkdir()
    (store.folder / "link").symlink_to(outside / "victim")
    (store.folder / "deep").symlink_to(outside)
    for name in ("link", "deep/victim"):
        for look in (store.read, store.open, store.fingerprint, store.sha256):
            with pytest.raises(OSError, match=f"{LINK}|not a regular file"):
                look(name)
        assert not store.exists(name)
        with pytest.raises(OSError, match=LINK):
            store.append(name, b"line\n")
    assert store.list("") == store.list("deep/") == ()
    with pytest.raises(BadOutput, match=f"cannot write .*/out/deep/victim: {LINK}; move what stands there"):
        store.write("deep/victim", b"mine")
    with pytest.raises(OSError, match=LINK):
        store.delete("deep/victim")
    store.prune("deep")
    assert untouched(outside)


def test_a_link_under_a_final_name_is_replaced_and_not_followed(store, outside):
    store.folder.mkdir()
    (store.folder / "cat.png").symlink_to(outside / "victim")
    store.write("cat.png", b"mine")
    assert store.read("cat.png") == b"mine"
    (store.folder / "dog.png").symlink_to(outside / "victim")
    store.delete("dog.png")
    assert not os.path.lexists(store.folder / "dog.png")
    assert untouched(outside)


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder"])
def test_what_is_no_file_is_refused_at_once(kind, store):
    store.folder.mkdir()
    path = store.folder / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    for look in (store.read, store.sha256, lambda name: store.append(name, b"line\n")):
        with pytest.raises(OSError, match=r"a pipe, socket or device stands there and no file|Is a directory"):
            look("x")
    assert not store.exists("x")


def test_a_file_with_a_second_name_outside_does_not_grow(store, outside):
    store.folder.mkdir()
    os.link(outside / "victim", store.folder / "runs")
    store.append("runs", b"line\n")
    assert store.read("runs") == VICTIM + b"line\n"
    os.link(outside / "victim", store.folder / "a.log")
    with store.open_to_append("a.log") as log:
        log.write(b"line\n")
    assert untouched(outside)


def test_a_lock_file_with_a_second_name_outside_is_not_written_to(store, outside):
    (store.folder / ".pipeline").mkdir(parents=True)
    os.link(outside / "victim", store.folder / LOCK)
    unsaid = pytest.raises(Locked, match="a process that has not yet said who it is")
    with store.lock("first"), unsaid, store.lock("second"):
        pass
    assert untouched(outside)


def test_parts_behind_links_stay(store, outside):
    (outside / ".pipeline-x.part").write_bytes(b"")
    store.write("a/b", b"")
    (store.folder / "deep").symlink_to(outside)
    (store.folder / ".pipeline-y.part").symlink_to(outside / "victim")
    (store.folder / ".pipeline-z.part").mkdir()
    (store.folder / ".pipeline-z.part/kept").write_bytes(b"somebody's")
    (store.folder / ".pipeline-t.part").mkdir()
    (store.folder / ".pipeline-t.part/tried?").write_bytes(b"")
    store.remove_parts()
    assert sorted(path.name for path in store.folder.iterdir()) == [".pipeline-z.part", "a", "deep"]
    assert (outside / ".pipeline-x.part").exists()
    assert (store.folder / ".pipeline-z.part/kept").exists()


def test_a_folder_that_is_itself_behind_a_link_is_the_users_own_word(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    store = LocalStore(tmp_path / "out")
    store.write("a/b", b"data")
    with store.lock("run"):
        store.write("c", b"data")
    assert (tmp_path / "disk/a/b").read_bytes() == b"data"


# ------------------------------------------------------------------------------------------- replaced while running


def test_a_folder_that_was_replaced_takes_no_more(store, outside):
    store.write("a", b"1")
    moved = store.folder.rename(store.folder.with_name("moved"))
    for replacement, words in ((None, "moved or deleted"), ("link", "replaced"), ("folder", "replaced")):
        if replacement == "link":
            store.folder.symlink_to(outside)
        elif replacement == "folder":
            store.folder.unlink()
            store.folder.mkdir()
        for write in (store.write, store.append):
            with pytest.raises(OutputError, match=f"/out was {words} while it was in use; nothing more is written"):
                write("b", b"2\n")
    assert untouched(outside)
    assert [path.name for path in moved.iterdir()] == ["a"]


def test_a_painter_writes_to_the_folder_that_the_run_began_with(store, outside):
    store.write("a", b"1")
    place = store.place
    assert LocalStore(store.folder, place).read("a") == b"1"
    store.folder.rename(store.folder.with_name("moved"))
    store.folder.symlink_to(outside)
    with pytest.raises(OutputError, match="/out was replaced while it was in use; nothing more is written there"):
        LocalStore(store.folder, place).write("a", b"2")
    with pytest.raises(OutputError, match="/out was replaced while it was in use"):
        LocalStore(store.folder, place).read("victim")
    assert untouched(outside)


def test_a_link_that_is_put_there_this_very_moment_is_not_read_through(nights, outside, monkeypatch):
    """The picture's hash, its settings and its pixels are read by its path, after its kind was looked at."""
    nights.run(painted(nights.output))
    private = outside / "private.png"
    shutil.copy(nights.output / "dog.png", private)
    record = State(LocalStore(nights.output)).record("dog.png")

    def swap(store, name):
        real = looked_at(store, name)
        (nights.output / name).unlink(missing_ok=True)
        (nights.output / name).symlink_to(private)
        return real

    looked_at = LocalStore.fingerprint
    monkeypatch.setattr(LocalStore, "fingerprint", swap)
    assert not State(LocalStore(nights.output)).stands(record, "dog.png")
    with pytest.raises(BadImage, match="leads out of"):
        READER.metadata(nights.output / "dog.png", LocalStore(nights.output).home)
    with pytest.raises(BadImage, match="leads out of"):
        READER.inspect(nights.output / "dog.png", LocalStore(nights.output).home)


def test_a_second_name_that_is_put_there_this_very_moment_is_noticed(store, outside, monkeypatch):
    store.write("runs", b"one\n")

    def swap(store, name):
        store.delete(name)
        os.link(outside / "victim", store.path(name))

    monkeypatch.setattr(LocalStore, "_own", swap)
    with pytest.raises(OSError, match="it has another name elsewhere"):
        store.append("runs", b"two\n")
    assert untouched(outside)


def test_a_sub_folder_that_became_a_link_is_noticed_at_the_next_file(store, outside):
    store.write("deep/a", b"1")
    shutil.rmtree(store.folder / "deep")
    (store.folder / "deep").symlink_to(outside)
    with pytest.raises(BadOutput, match=LINK):
        store.write("deep/a", b"2")
    assert untouched(outside)


@pytest.mark.parametrize("how", ["gone", "another", "state moved"])
def test_a_lock_that_was_taken_away_is_noticed(how, store):
    with store.lock("first"):
        store.write("a", b"1")
        if how == "state moved":
            (store.folder / ".pipeline").rename(store.folder / "elsewhere")
        else:
            (store.folder / LOCK).unlink()
        if how == "another":
            (store.folder / LOCK).write_bytes(b"")
        with pytest.raises(OutputError, match="was replaced or removed while the run was going on"):
            store.write("b", b"2")


def test_a_night_whose_folder_is_replaced_ends_with_4_and_says_so(nights, outside, capsys):
    paint = painted(nights.output)

    def swap(command):
        answer = paint(command)
        nights.output.rename(nights.project / "moved")
        nights.output.symlink_to(outside)
        return answer

    report = nights.run(swap)
    assert report["run"]["exit_code"] == 4
    assert "was replaced while it was in use" in report["run"]["warnings"][0]
    assert "was replaced while it was in use" in capsys.readouterr().err
    assert statuses(report) == {"dog.png": "done", "sea.png": "not_started"}
    assert untouched(outside)


# ----------------------------------------------------------------------------------------------------------- nights


STATE_NAMES = [".pipeline", RECORDS.rstrip("/"), ".pipeline/history", ".pipeline/checkpoints", LOCK]


@pytest.mark.parametrize("name", STATE_NAMES)
@pytest.mark.parametrize("kind", ["link to a folder", "link to a file", "dangling link", "pipe", "file"])
def test_our_own_folders_and_lock_are_refused_in_one_line(name, kind, nights, outside):
    if (name, kind) == (LOCK, "file"):
        return  # that is what it is
    path = nights.output / name
    path.parent.mkdir(parents=True)
    plant(path, kind, outside)
    with pytest.raises(OutputError) as refused:
        nights.run()
    assert re.fullmatch(r"cannot (use|open the lock file|write to the output folder) [^\n]*", str(refused.value))
    assert str(path) in str(refused.value)
    assert nights.asked == []
    look_with_every_verb(nights)
    assert untouched(outside)


def plant(path, kind, outside):
    match kind:
        case "link to a folder":
            path.symlink_to(outside)
        case "link to a file":
            path.symlink_to(outside / "victim")
        case "dangling link":
            path.symlink_to(outside / "nothing")
        case "second name":
            os.link(outside / "victim", path)
        case "pipe":
            os.mkfifo(path)
        case "file":
            path.write_bytes(b"")
        case "folder":
            path.mkdir()
            (path / "full").write_bytes(b"")


def look_with_every_verb(nights):
    """The verbs that do not write: each says something, or refuses by a failure with a name, and none waits."""
    for verb in (
        lambda: make_plan(load(nights), State(LocalStore(nights.output))),
        lambda: status_text(nights.output),
        lambda: last_report_file(nights.output, "txt"),
        lambda: last_report_file(nights.output, "json"),
        lambda: read_history(LocalStore(nights.output), history_name()),
        lambda: clean_output(load(nights), dry_run=True),
    ):
        with contextlib.suppress(StylizeError):
            verb()


FILES = [
    record_name("dog.png"),
    failure_name("dog.png"),
    *(thumbnail_name("dog.png", which) for which in ("content", "style", "result")),
    HASHES,
    history_name(),
    "report.json",
    "report.txt",
    "report.html",
]
KINDS = ["link to a folder", "link to a file", "dangling link", "second name", "pipe", "folder"]


def signed(output):
    """Workers whose pictures bear their settings, as those of `stylize` do."""
    paint = painted(output)

    def answer(command):
        done = paint(command)
        settings = {name: getattr(done.painted, name) for name in ("key", "losses", "options")}
        (said := PngInfo()).add_text(PNG_KEY, json.dumps(settings))
        with Image.open(path := output / command.job.output) as picture:
            picture.save(path, pnginfo=said)
        return done

    return answer


@pytest.mark.parametrize("kind", KINDS)
def test_a_night_goes_on_over_whatever_stands_under_our_names(kind, nights, outside):
    """Twice, with all verbs in between; what cannot be written is said, and makes code 4 where it is a report."""
    nights.run(signed(nights.output))
    for name in FILES:
        (nights.output / name).unlink(missing_ok=True)
        plant(nights.output / name, kind, outside)
    first, second = nights.run(), nights.run()
    assert nights.asked == []
    for report in (first, second):
        assert set(statuses(report).values()) == {"up_to_date"}
        assert report["run"]["exit_code"] == (0 if kind == "second name" else 4)
        look_with_every_verb(nights)
    assert any("is no record as they are written here; not used" in warning for warning in first["run"]["warnings"])
    assert untouched(outside)
    assert all(b"private" not in page.read_bytes() for page in nights.output.glob("report.*") if page.is_file())


def test_a_thumbnail_that_is_none_is_not_mailed(nights, outside):
    """A link, and a text under a name of ours."""
    nights.run()
    (outside / "victim").write_bytes(b"secret" * 100)
    for which in ("content", "style", "result"):
        os.link(outside / "victim", nights.output / thumbnail_name("dog.png", which))
    nights.run()
    assert base64.b64encode(b"secret" * 3).decode() not in (nights.output / "report.html").read_text()


@pytest.mark.parametrize("kind", ["link to a file", "dangling link", "pipe"])
def test_an_output_that_is_no_file_fails_alone_before_the_first_second(kind, nights, outside):
    nights.output.mkdir()
    plant(nights.output / "dog.png", kind, outside)
    report = nights.run()
    assert nights.asked == ["sea.png"]
    assert statuses(report) == {"dog.png": "failed", "sea.png": "done"}
    reason = report["pairs"][0]["reason"]
    assert reason.startswith(f"{nights.output}/dog.png")
    assert reason.endswith("; move what stands there, or change the output")
    assert nights.run(force=True)["pairs"][0]["status"] == "failed"
    assert untouched(outside)


def test_a_sub_folder_that_is_a_link_fails_its_own_pairs(nights, outside):
    nights.manifest(
        "\n  - {content: content/dog.png, style: style/wave.png, output: a/dog.png}"
        "\n  - {content: content/sea.png, style: style/wave.png, output: b/sea.png}\n"
    )
    (nights.output / "b").mkdir(parents=True)
    (nights.output / "a").symlink_to("b")
    report = nights.run()
    assert statuses(report) == {"a/dog.png": "failed", "b/sea.png": "done"}
    assert report["pairs"][0]["reason"] == (f"{nights.output}/a: {LINK}; move what stands there, or change the output")


def test_an_output_that_is_an_input_by_another_name_fails_alone(nights):
    nights.output.mkdir()
    sea = nights.project / "input/content/sea.png"
    before = sea.read_bytes()
    os.link(sea, nights.output / "dog.png")
    report = nights.run(force=True)
    assert statuses(report) == {"dog.png": "failed", "sea.png": "done"}
    assert report["pairs"][0]["reason"] == (
        f"output 'dog.png' is one file with a picture that is read, through a link: {sea}; remove the link, or change "
        "'output'"
    )
    assert sea.read_bytes() == before


def test_two_outputs_in_one_folder_that_is_seen_twice_are_one_file(nights, monkeypatch):
    """A folder that is mounted at two places; told by the numbers of its device and file."""
    nights.manifest(
        "\n  - {content: content/dog.png, style: style/wave.png, output: a/x.png}"
        "\n  - {content: content/sea.png, style: style/wave.png, output: b/X.png}\n"
    )
    real = LocalStore.identity
    monkeypatch.setattr(LocalStore, "identity", lambda store, name: (7, 7) if name in "ab" else real(store, name))
    report = nights.run()
    assert statuses(report) == {"a/x.png": "done", "b/X.png": "failed"}
    assert (
        report["pairs"][1]["reason"]
        == "b/X.png is one file with a/x.png: their folders are the same; change the output"
    )


def test_the_log_of_workers_is_no_link(tmp_path, outside):
    path = tmp_path / "out/.pipeline/history/run.log"
    path.parent.mkdir(parents=True)
    path.symlink_to(outside / "victim")
    with pytest.raises(OSError, match=LINK):
        open_log(path)
    path.unlink()
    with open_log(path) as log:
        log.write(b"a line\n")
    assert path.read_bytes() == b"a line\n"
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(outside)
    with pytest.raises(OSError, match=LINK):
        open_log(path)
    assert untouched(outside)


def test_reports_send_nothing_to_a_terminal_that_acts(nights):
    nights.run()
    for name in ("report.txt", "report.json", "report.2-of-3.txt", "report.\x1b[31m.txt"):
        (nights.output / name).write_bytes(b"all \x1b]0;evil\x07 well\xff\xc2\x9b31m\nsecond\n")
    for text in (status_text(nights.output), last_report_file(nights.output, "txt")):
        assert text.replace("\n", "").isprintable()
        assert "evil" in text
    assert "last run of shard 2 of 3" in status_text(nights.output)
    (nights.output / "report.txt").write_bytes(b"")
    status_text(nights.output)


def test_of_reports_no_more_is_read_than_is_told(nights):
    report = nights.run()
    run = {name: report["run"][name] for name in ("id", "seconds", "exit_code")}
    rest = b"[[[" * 2**21
    for text, told in (
        (json.dumps({"schema": 1, "run": run, "pairs": []}).encode(), {"run": run}),
        (json.dumps({"schema": 1, "run": run}).encode()[:-1] + b',\n "pairs": ' + rest, {"run": run}),
        *((text, None) for text in (b"", b"[]", rest, b'{"run": ' + rest, b'{"run": {"id": 1', b"\xff" * 9)),
    ):
        (nights.output / "report.json").write_bytes(text)
        assert last_run(nights.output) == told
    (nights.output / "report.txt").write_bytes(b"a" * 2**20)
    assert status_text(nights.output).splitlines()[1:] == ["last run: " + "a" * 500]


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[]", b'{"pid": {}, "host": [], "started": 1}', b"[" * 9000, b" " * 9000]
)
def test_whoever_holds_the_lock_may_have_written_anything(text, store):
    with store.lock("first"):
        (store.folder / LOCK).write_bytes(text)
        (holder,) = store.holders()
        assert holder == "a process that has not yet said who it is"


def test_a_holder_is_told_in_one_short_printable_line(store):
    with store.lock("first"):
        said = {"pid": "\x1b[2J", "host": "h\n" * 500, "started": "\u202e", "run": None}
        (store.folder / LOCK).write_text(json.dumps(said))
        (holder,) = store.holders()
    assert holder.isprintable()
    assert len(holder) < 300


def test_strangers_locks_are_no_shards(store):
    store.write(".pipeline/lock-1-of-2\x1b", b"")
    store.write(".pipeline/lock-x-of-y", b"")
    with store.lock("first", shard="1-of-2"):
        assert len(store.holders()) == 1


def test_no_report_of_a_link_is_read(nights, outside):
    nights.run()
    (nights.output / "report.txt").unlink()
    (nights.output / "report.txt").symlink_to(outside / "victim")
    with pytest.raises(UsageError, match=f"no report at .*: {LINK}"):
        last_report_file(nights.output, "txt")


def test_a_link_is_told_from_other_trouble_of_a_folder(store):
    store.write("file", b"")
    with pytest.raises(NotADirectoryError) as refused:
        store.read("file/inside")
    assert refused.value.errno == errno.ENOTDIR
    assert Path(store.folder / "file").read_bytes() == b""
