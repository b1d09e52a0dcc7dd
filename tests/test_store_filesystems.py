"""Output folders on odd file systems: what they lack, and what they refuse. Each fault is one call of the system that fails.

The errors are those of CIFS, vboxsf, WSL, NTFS, NFS and FUSE; the calls are struck at `os`, the lowest seam. No TensorFlow.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Callable
from typing import Any

import pytest
from night_kit import Nights, painted, statuses

from pipeline.batch.messages import Failed
from pipeline.cli.status import status_text
from pipeline.errors import OutputError, OutputRefused, StylizeError
from pipeline.store.disk import LocalStore
from pipeline.store.failures import QUARANTINE_AFTER
from pipeline.store.layout import LOCK


@pytest.fixture
def nights(project):
    return Nights(project)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "out")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("pipeline.store.disk.time.sleep", lambda seconds: None)


def strike(monkeypatch, call: str, number: int, when: Callable[..., bool] = lambda *_, **__: True) -> list[Any]:
    """Let a call of the system fail where `when` says so; returns what it was struck with."""
    real, struck = getattr(os, call), []

    def fail(*arguments: Any, **named: Any) -> Any:
        if when(*arguments, **named):
            struck.append(arguments)
            raise OSError(number, os.strerror(number))
        return real(*arguments, **named)

    monkeypatch.setattr(os, call, fail)
    return struck


def is_folder(descriptor, **_):
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


# --------------------------------------------------------------------------------------------------- done without


@pytest.mark.parametrize(
    ("what", "number"), [("folder", errno.EINVAL), ("folder", errno.ENOTSUP), ("file", errno.ENOSYS)]
)
def test_what_cannot_be_synced_is_said_once_and_done_without(what, number, nights, monkeypatch):
    strike(monkeypatch, "fsync", number, is_folder if what == "folder" else lambda descriptor: True)
    paint = painted(nights.output)

    def through_the_store(command):
        answer = paint(command)
        LocalStore(nights.output).write(command.job.output, (nights.output / command.job.output).read_bytes())
        return answer

    report = nights.run(through_the_store)
    assert report["run"]["exit_code"] == 0
    assert set(statuses(report).values()) == {"done"}
    (warning,) = report["run"]["warnings"]
    assert warning == (
        f"the file system of {nights.output} cannot have a {what} safe on the disk ({os.strerror(number)}); done without:"
        " after a power cut the last pictures may be missing, and the next run paints them again"
    )
    assert set(statuses(nights.run()).values()) == {"up_to_date"}


def test_another_error_of_a_sync_is_none_that_is_done_without(nights, monkeypatch):
    strike(monkeypatch, "fsync", errno.EROFS, is_folder)
    with pytest.raises(OutputError, match=r"cannot write to the output folder .*: Read-only file system"):
        nights.run()
    assert nights.asked == []


def test_where_nothing_can_be_named_over_another_nothing_is_begun(nights, monkeypatch):
    strike(monkeypatch, "replace", errno.EPERM)
    with pytest.raises(OutputError, match=r"cannot write to the output folder .*: Operation not permitted"):
        nights.run()
    assert nights.asked == []
    assert list(nights.output.glob(".pipeline-*")) == []


def test_where_nothing_can_be_locked_nothing_is_begun(nights, monkeypatch):
    """Two runs would not know of each other."""
    monkeypatch.setattr("pipeline.store.lock.fcntl.flock", lambda *_: raise_error(errno.ENOLCK))
    with pytest.raises(OutputError, match=r"cannot lock .*/out: No locks available; use a folder on a local disk"):
        nights.run()


def raise_error(number):
    raise OSError(number, os.strerror(number))


def test_a_full_disk_is_no_lack_and_a_hiccup_is_tried_again(store, monkeypatch):
    with store.lock("run"):
        struck = strike(monkeypatch, "fsync", errno.ENOSPC)
        assert store.try_out() == ()
        monkeypatch.undo()
        monkeypatch.setattr("pipeline.store.disk.time.sleep", lambda seconds: None)
        struck = strike(monkeypatch, "fsync", errno.EIO, lambda descriptor: not struck)
        struck.clear()
        assert store.try_out() == ()
        assert len(struck) == 1


def test_a_trial_leaves_nothing_behind(store):
    with store.lock("run"):
        assert store.try_out() == ()
        assert store.refused_names(["a?.png", "é/b.png", "CON.png"]) == {}
    assert sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*")) == [".pipeline", LOCK]


# ------------------------------------------------------------------------------------------------------------ names

NAMES = """
  - {content: content/dog.png, style: style/wave.png, output: "why?.png"}
  - {content: content/sea.png, style: style/wave.png, output: sea.png}
"""


def odd_name(path, *_, **__):
    return isinstance(path, str) and "?" in path


@pytest.mark.parametrize("number", [errno.EILSEQ, errno.ENAMETOOLONG, errno.ENOENT, errno.EACCES])
def test_a_refusal_has_many_words(number, store, monkeypatch):
    store.write("a", b"")
    strike(monkeypatch, "open", number, lambda path, flags, *_, **__: odd_name(path) and flags & os.O_CREAT)
    assert store.refused_names(["why?.png", "é.png"]) == {"why?.png": os.strerror(number)}


@pytest.mark.parametrize("number", [errno.EINVAL])
def test_a_name_that_the_file_system_does_not_take_is_its_pairs_failure_and_no_other(number, nights, monkeypatch):
    """Told before it is painted, and held like other failures."""
    nights.manifest(NAMES)
    strike(monkeypatch, "open", number, lambda path, flags, *_, **__: odd_name(path) and flags & os.O_CREAT)
    for run in range(QUARANTINE_AFTER):
        report = nights.run()
        assert nights.asked == ([] if run else ["sea.png"])
        assert statuses(report) == {"why?.png": "failed", "sea.png": "up_to_date" if run else "done"}
        assert report["run"]["exit_code"] == 3
    assert report["pairs"][0]["reason"] == (
        f"the file system of the output folder does not take this name ({os.strerror(number)}); change the output"
    )
    assert report["pairs"][0]["reason_class"] == "output_refused"
    assert statuses(nights.run())["why?.png"] == "quarantined"
    text = (nights.output / "report.txt").read_text()
    assert "does not take the output" in text


@pytest.mark.parametrize(
    ("call", "number"),
    [("replace", errno.EINVAL), ("replace", errno.EILSEQ), ("replace", errno.ENAMETOOLONG), ("replace", errno.ENOENT)],
)
def test_a_name_that_is_refused_only_at_the_end_is_still_its_pairs_failure(call, number, store, monkeypatch):
    strike(monkeypatch, call, number, lambda part, name, **_: odd_name(name))
    with pytest.raises(OutputRefused, match="why"):
        store.write("deep/why?.png", b"a picture")
    assert list((store.folder / "deep").iterdir()) == []
    store.write("deep/fine.png", b"a picture")


def test_a_folder_whose_name_is_refused_is_the_trouble_of_its_outputs(store, monkeypatch):
    strike(monkeypatch, "mkdir", errno.EINVAL, odd_name)
    with pytest.raises(OutputRefused, match=r"cannot write .*/why\?/a.png: the file system does not take this name"):
        store.write("why?/a.png", b"a picture")


def test_names_that_every_file_system_takes_are_not_tried(store, monkeypatch):
    strike(monkeypatch, "mkdir", errno.EIO)
    usual = ["cat.png", "a b/IMG_0001 (2).jpg", "dog--starry_night,v2+x@home=1.tiff", "x" * 90 + ".png"]
    assert store.refused_names(usual) == {}


@pytest.mark.parametrize(
    "odd", ["why?.png", "a:b.png", "nächte.png", "CON.png", "lpt1.tif", "dot./a.png", "x" * 150 + ".png"]
)
def test_names_that_some_file_system_refuses_are_tried(odd, store, monkeypatch):
    store.write("a", b"")
    strike(monkeypatch, "open", errno.EINVAL, lambda path, flags, *_, **__: flags & os.O_EXCL)
    assert store.refused_names([odd, "cat.png"]) == {odd: "Invalid argument"}


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EBUSY, errno.ETXTBSY])
def test_a_picture_that_somebody_holds_open_or_owns_is_the_trouble_of_its_pair(number, store, monkeypatch):
    """A Windows program on the same share; another user's file in a folder like /tmp."""
    store.write("cat.png", b"theirs")
    strike(monkeypatch, "replace", number, lambda part, name, **_: name == "cat.png")
    monkeypatch.setattr("pipeline.store.whole.owner_of", lambda path: " (it belongs to anna)")
    words = (
        rf"cannot put anything under .*/cat.png: {os.strerror(number)} \(it belongs to anna\); move what stands there"
    )
    with pytest.raises(OutputRefused, match=words):
        store.write("cat.png", b"mine")
    assert store.read("cat.png") == b"theirs"


def test_a_sub_folder_that_may_not_be_written_is_the_trouble_of_its_pairs(store, monkeypatch):
    store.write("theirs/a.png", b"")
    inside = os.stat(store.folder / "theirs").st_ino

    def in_there(path, flags, *_, dir_fd=None, **__):
        return flags & os.O_EXCL and os.fstat(dir_fd).st_ino == inside

    strike(monkeypatch, "open", errno.EACCES, in_there)
    with pytest.raises(OutputRefused, match="Permission denied; nothing was left behind; other files can be written"):
        store.write("theirs/b.png", b"a picture")
    store.write("mine/b.png", b"a picture")


# ---------------------------------------------------------------------------------------------------- EIO and ESTALE


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("look", ["read", "fingerprint", "sha256", "list"])
def test_a_look_that_fails_in_passing_is_tried_again(look, number, store, monkeypatch):
    store.write("deep/a", b"abc")
    right = getattr(store, look)("deep/a")
    for call in ("open", "lstat", "listdir"):
        real, left = getattr(os, call), [1]

        def fail(*arguments, real=real, left=left, **named):
            if left:
                left.pop()
                raise_error(number)
            return real(*arguments, **named)

        monkeypatch.setattr(os, call, fail)
        assert getattr(store, look)("deep/a") == right
        monkeypatch.undo()
        monkeypatch.setattr("pipeline.store.disk.time.sleep", lambda seconds: None)


def test_a_folder_whose_handle_went_stale_is_opened_anew(store, monkeypatch):
    store.write("a", b"1")
    stale = store._files.handle()

    def is_stale(path, flags, *_, dir_fd=None, **__):
        return dir_fd == stale

    struck = strike(monkeypatch, "open", errno.ESTALE, is_stale)
    store.write("b", b"2")
    assert len(struck) == 1
    assert store.read("b") == b"2"


def test_a_stale_folder_that_is_another_by_now_is_not_written_to(store, monkeypatch):
    store.write("a", b"1")
    stale = store._files.handle()
    monkeypatch.setattr(store._files, "check_in_place", lambda: None)
    strike(monkeypatch, "open", errno.ESTALE, lambda path, flags, *_, dir_fd=None, **__: dir_fd == stale)
    store.folder.rename(store.folder.with_name("moved"))
    store.folder.mkdir()
    with pytest.raises(OutputError, match="was replaced while it was in use"):
        store.write("b", b"2")
    assert list(store.folder.iterdir()) == []


def test_a_disk_that_fails_for_one_picture_costs_that_pair_and_no_night(nights, monkeypatch):
    strike(monkeypatch, "replace", errno.EIO, lambda part, name, **_: name == "dog.png")
    paint = painted(nights.output)

    def through_the_store(command):
        answer = paint(command)
        path = nights.output / command.job.output
        data = path.read_bytes()
        path.unlink()
        try:
            LocalStore(nights.output).write(command.job.output, data)
        except StylizeError as error:
            return Failed.by(error)
        return answer

    report = nights.run(through_the_store)
    assert statuses(report) == {"dog.png": "failed", "sea.png": "done"}
    assert report["run"]["exit_code"] == 3
    assert report["pairs"][0]["reason"].endswith(
        "Input/output error; nothing was left behind; other files can be written there"
    )


def test_second_tries_come_to_an_end(store, monkeypatch):
    """A disk that has died is not waited for at each of a hundred thousand files."""
    store.write("a", b"1")
    struck = strike(monkeypatch, "lstat", errno.EIO)
    for _ in range(100):
        assert not store.exists("a")
    assert len(struck) == 120


def test_a_failed_sync_after_the_name_was_given_is_told_as_what_it_is(store, monkeypatch):
    store.write("a", b"1")
    strike(monkeypatch, "fsync", errno.EROFS, is_folder)
    with pytest.raises(OutputError, match="Read-only file system; it may not outlast a power cut"):
        store.write("a", b"2")
    assert store.read("a") == b"2"


# ------------------------------------------------------------------------------------------------ who may not enter


def test_a_lock_file_of_another_user_is_named_with_its_owner(nights, monkeypatch):
    (nights.output / ".pipeline").mkdir(parents=True)
    (nights.output / LOCK).write_bytes(b"")
    strike(monkeypatch, "open", errno.EACCES, lambda path, *_, **__: path == "lock")
    monkeypatch.setattr("pipeline.store.lock.owner_of", lambda path: " (it belongs to anna)")
    with pytest.raises(OutputError) as refused:
        nights.run()
    assert str(refused.value) == (
        f"cannot open the lock file {nights.output}/{LOCK}: Permission denied (it belongs to anna);"
        " have it made writable, or delete it while no run is going on"
    )


def test_the_owner_of_a_file_is_told_where_it_is_another(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    from pipeline.store.beneath import owner_of

    (tmp_path / "a").write_bytes(b"")
    assert owner_of(tmp_path / "a") == ""
    os.chown(tmp_path / "a", 1, -1)
    assert owner_of(tmp_path / "a") == " (it belongs to daemon)"
    os.chown(tmp_path / "a", 54321, -1)
    assert owner_of(tmp_path / "a") == " (it belongs to user 54321)"
    assert owner_of(tmp_path / "b") == ""


@pytest.mark.parametrize("call", ["open", "lstat"], ids=["may not be read", "may not be entered"])
def test_a_folder_that_may_not_be_entered_is_one_line_from_every_verb(call, nights, monkeypatch):
    nights.run()
    shut = {"open": lambda path, *_, **__: path == nights.output, "lstat": lambda path, **__: path == "."}
    strike(monkeypatch, call, errno.EACCES, shut[call])
    for verb in (nights.run, nights.plan, lambda: status_text(nights.output)):
        with pytest.raises(OutputError) as refused:
            verb()
        assert str(refused.value) == (
            f"cannot enter the output folder {nights.output}: Permission denied;"
            " change its permissions, or choose another output"
        )


def test_the_command_ends_with_4_where_the_folder_may_not_be_entered(nights, stylize):
    """A file in its place stands for it: root may enter every folder."""
    nights.output.write_bytes(b"")
    done = stylize("run", "night.yaml", cwd=nights.project)
    assert done.returncode == 4, done.stderr
    assert done.stderr.splitlines() == [
        f"error: cannot enter the output folder {nights.output}: Not a directory; move it, or choose another output",
        "exit 4 (environment)",
    ]


def test_a_file_that_is_larger_than_any_may_be_fails_alone(tmp_path):
    """A clip of more than four gigabytes on FAT32, or under `ulimit -f`."""
    store, (soft, hard) = LocalStore(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputRefused, match="File too large; nothing was left behind; other files can be"):
            store.write("a.mp4", bytes(2000))
        store.write("b.png", bytes(900))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == ["b.png"]


def test_a_look_at_the_lock_that_fails_in_passing_ends_no_run(store, monkeypatch):
    with store.lock("night"), monkeypatch.context() as patched:
        struck = strike(patched, "fstat", errno.ESTALE)
        store.check_in_place()
    assert struck
