"""Nights whose pictures come out of stores of objects and go into them: the driver in this process, with real servers."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY
from night_kit import PAIRS, Answer, Nights, Scripted, failed, painted, statuses
from object_kit import BUCKET, S3, reset
from patience import PATIENCE, until

from pipeline.batch.driver import run
from pipeline.batch.messages import Command, PairMessage
from pipeline.batch.plan import make_plan
from pipeline.batch.selection import Selection
from pipeline.batch.system.signals import Stop
from pipeline.cli.console import Quiet
from pipeline.errors import ExitCode, Locked, ManifestError, ObjectTrouble, Stopped
from pipeline.images.encode import encode_picture
from pipeline.manifest import load_manifest
from pipeline.objects.fetching import list_folder
from pipeline.objects.mirror import Mirror
from pipeline.store.object_lock import ObjectLock
from pipeline.store.records import State
from pipeline.store.store import output_store
from pipeline.urls import local_path, without_secrets

pytestmark = pytest.mark.slow


class RemoteNights(Nights):
    """Nights over a manifest with addresses."""

    def __init__(self, project: Path, source: str, target: str) -> None:
        self.source, self.target = source, target
        super().__init__(project)

    def manifest(self, pairs: str = PAIRS, run: str = "{}", options: str = "") -> None:
        (self.project / "night.yaml").write_text(
            f"version: 1\ninput: {self.source}\noutput: {self.target}\nrun: {run}\n"
            f"defaults: {{size: 48, steps: 4, weights: random, style_loss: gram{options}}}\npairs:{pairs}"
        )

    def run(self, answer: Any = None, voice: Any = None, **selection: Any) -> dict[str, Any]:
        self.asked = []
        manifest = load_manifest(self.project / "night.yaml")
        engine = Scripted(answer or painted_with_settings(manifest.output), self.asked)
        return run(manifest, Selection(**selection), voice or Quiet(), engine=lambda settings, log: engine)

    def plan(self):
        manifest = load_manifest(self.project / "night.yaml")
        return make_plan(manifest, State(output_store(manifest)))


@pytest.fixture
def nights(project: Path, s3: S3) -> RemoteNights:
    s3.put_folder(project / "input", "photos")
    return RemoteNights(project, f"s3://{BUCKET}/photos", f"s3://{BUCKET}/out")


def painted_with_settings(output: Path) -> Answer:
    """Workers that paint, and say in the picture how, as ours do."""
    paint = painted(output)

    def answer(command: Command) -> PairMessage:
        done = paint(command)
        names, settings = command.names, asdict(done.painted)
        about = {
            "output": command.job.output,
            "content": names.content,
            "style": [{"image": names.style[0], "weight": 1.0}],
        }
        data = encode_picture(
            np.full((40, 48, 3), 9.0, np.float32), None, ".png", 90, {**settings, **about, "meta": {}}
        )
        (output / command.job.output).write_bytes(data)
        return done

    return answer


DONE = {"dog.png": "done", "sea.png": "done"}
UP_TO_DATE = {"dog.png": "up_to_date", "sea.png": "up_to_date"}


def forget_this_machine(monkeypatch, project: Path, name: str = "other") -> None:
    """Go on as on a machine that was never here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / name / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(project / name / "state"))


def test_pictures_come_from_s3_and_go_there(nights, s3):
    report = nights.run()
    assert statuses(report) == DONE
    assert report["run"]["exit_code"] == 0
    assert [pair["content"] for pair in report["pairs"]] == ["content/dog.png", "content/sea.png"]
    there = s3.names("out/")
    assert {"out/dog.png", "out/sea.png", "out/report.json", "out/report.html"} <= set(there)
    assert len([key for key in there if key.startswith("out/.pipeline/records/")]) >= 2
    assert not [key for key in there if "locks" in key or "checkpoints" in key or ".part" in key]
    assert statuses(json.loads(s3.get("out/report.json"))) == DONE


def test_the_next_night_paints_nothing(nights):
    nights.run()
    assert statuses(nights.run()) == UP_TO_DATE
    assert nights.asked == []


def test_another_machine_knows_what_was_painted(nights, project, monkeypatch):
    nights.run()
    forget_this_machine(monkeypatch, project)
    assert len(nights.plan().pairs) == 2
    assert statuses(nights.run()) == UP_TO_DATE
    assert nights.asked == []


def test_a_picture_that_changed_there_is_not_written_over(nights, s3):
    nights.run()
    s3.put("out/dog.png", s3.get("photos/content/sea.png"))
    report = nights.run()
    assert statuses(report) == {"dog.png": "failed", "sea.png": "up_to_date"}
    assert "was changed since it was painted" in report["pairs"][0]["reason"]


def test_a_picture_that_is_gone_there_is_painted_again(nights, s3):
    nights.run()
    s3.delete("out/dog.png")
    nights.run()
    assert nights.asked == ["dog.png"]
    assert "out/dog.png" in s3.names()


def not_given(monkeypatch, wanted: str, trouble: Exception) -> None:
    """From now on the store does not give what has a name of that end."""
    fetch = Mirror.fetch

    def given(mirror: Mirror, name: str, *more: Any) -> Path:
        if name.endswith(wanted):
            raise trouble
        return fetch(mirror, name, *more)

    monkeypatch.setattr(Mirror, "fetch", given)


def test_what_is_removed_there_after_it_was_listed_ends_no_night(nights, s3, project, monkeypatch):
    """By the run over another part, or by hand: a record and a picture."""
    nights.run()
    forget_this_machine(monkeypatch, project)
    not_given(monkeypatch, ".json", FileNotFoundError())
    assert statuses(nights.run()) == UP_TO_DATE
    s3.put("out/dog.png", s3.get("photos/content/sea.png"))
    not_given(monkeypatch, "dog.png", FileNotFoundError())
    assert statuses(nights.run()) == {"dog.png": "done", "sea.png": "up_to_date"}


def test_a_picture_there_that_may_not_be_read_fails_its_pair_alone(nights, s3, monkeypatch):
    nights.run()
    s3.put("out/dog.png", s3.get("photos/content/sea.png"))
    not_given(monkeypatch, "dog.png", ObjectTrouble("s3://night/out/dog.png: access was denied"))
    report = nights.run()
    assert statuses(report) == {"dog.png": "failed", "sea.png": "up_to_date"}
    assert report["run"]["exit_code"] == 3
    assert report["pairs"][0]["reason"] == (
        "what stands there cannot be looked at: s3://night/out/dog.png: access was denied; have it made readable,"
        " or use --force"
    )


@pytest.mark.parametrize("which", [".json", ".log"])
def test_a_record_or_log_there_that_may_not_be_read_ends_no_night(nights, s3, project, monkeypatch, which):
    """As rules of a bucket archive what is old."""
    nights.run()
    forget_this_machine(monkeypatch, project)
    s3.put("out/.pipeline/history/20260101T220000Z-012345.log", b"a night of before")
    not_given(monkeypatch, which, ObjectTrouble("s3://gallery/out/x: access was denied"))
    report = nights.run()
    assert set(statuses(report).values()) <= {"up_to_date", "failed"}  # nobody's picture is written over
    assert nights.asked == []
    assert "records or logs that cannot be read are done without: " in " ".join(report["run"]["warnings"])


def test_a_photograph_that_changed_there_is_painted_again(nights, s3):
    nights.run()
    s3.put("photos/content/dog.png", s3.get("photos/style/wave.png"))
    nights.run()
    assert nights.asked == ["dog.png"]


def test_an_object_that_is_missing_is_told_at_its_place(nights, s3):
    s3.delete("photos/content/dog.png")
    plan = nights.plan()
    bad = next(pair for pair in plan.pairs if pair.job.output == "dog.png")
    assert bad.action == "fail"
    assert "night.yaml:7:15: there is no picture s3://gallery/photos/content/dog.png" in bad.reason


def test_patterns_list_the_bucket(nights, s3):
    nights.manifest(
        "\n  - {matrix: {content: 'content/*.png', style: [style/wave.png]}, output: '{content.stem}.png'}\n"
    )
    assert {pair.job.output for pair in nights.plan().pairs} == {"dog.png", "sea.png"}


def test_addresses_stand_for_single_pictures_and_reports_say_them(nights, s3):
    nights.source = "input"
    nights.manifest(
        f"\n  - {{matrix: {{content: ['s3://{BUCKET}/photos/content/d*.png'], style: ['s3://{BUCKET}/photos/style/wave.png']}},"
        " output: '{content.stem}-{style.stem}.png'}\n"
    )
    report = nights.run()
    assert report["pairs"][0]["output"] == "dog-wave.png"
    assert report["pairs"][0]["content"] == f"s3://{BUCKET}/photos/content/dog.png"
    assert report["pairs"][0]["style"] == [f"s3://{BUCKET}/photos/style/wave.png"]


def test_a_cluster_is_told_of_a_folder_that_its_workers_may_not_see(nights):
    from pipeline.cli.run import warned_of_cluster

    for state, warned in (("", True), (", state: kept", False)):
        nights.manifest(run=f"{{engine: dask, scheduler: 'tcp://10.0.0.1:8786'{state}}}")
        warnings = " ".join(warned_of_cluster(load_manifest(nights.project / "night.yaml")).warnings)
        assert ("name a folder that they share with 'state' in 'run'" in warnings) is warned


def test_records_stay_here_with_a_state_folder(nights, s3, project):
    nights.manifest(run="{state: kept}")
    nights.run()
    assert s3.names("out/.pipeline/") == []
    assert {"out/dog.png", "out/report.json"} <= set(s3.names())
    assert list((project / "kept").glob("**/.pipeline/records/*.json"))
    assert statuses(nights.run()) == UP_TO_DATE


def test_local_and_s3_have_the_same_bytes_and_the_same_report(nights, s3, project):
    here = Nights(project)
    local = here.run(painted_with_settings(here.output))
    nights.manifest()
    remote = nights.run()
    for name in ("dog.png", "sea.png"):
        assert s3.get(f"out/{name}") == (project / "out" / name).read_bytes()
    assert local["pairs"] == remote["pairs"]
    apart = {"id", "started", "finished", "seconds", "input"}
    assert {key: value for key, value in local["run"].items() if key not in apart} == {
        key: value for key, value in remote["run"].items() if key not in apart
    }


def test_local_shards_and_s3_have_the_same_bytes_and_rows_by_the_command_itself(nights, s3, project, rehearse):
    """With worker processes, checkpoints, and everything."""
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = functools.partial(rehearse, "run", "night.yaml", cwd=project, PYTHONPATH=path)
    done = command()
    assert done.returncode == 0, done.stderr
    assert f"see s3://{BUCKET}/out/report.html" in done.stderr
    there = {name: s3.get(f"out/{name}") for name in ("dog.png", "sea.png")}
    rows = [json.loads(s3.get("out/report.json"))["pairs"]]
    for target, shards in (("sharded", ("1/2", "2/2")), ("whole", (None,))):
        nights.source, nights.target = "input", target
        nights.manifest()
        for shard in shards:
            assert command(*(["--shard", shard] if shard else [])).returncode == 0
        assert {name: (project / target / name).read_bytes() for name in there} == there
    rows.append(json.loads((project / "whole/report.json").read_text())["pairs"])
    assert [without_times(row) for row in rows[0]] == [without_times(row) for row in rows[1]]


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    apart = {"seconds", "seconds_per_step", "setup_seconds", "peak_memory_bytes"}
    trace = [{name: value for name, value in each.items() if name != "seconds"} for each in row["trace"]]
    return {name: value for name, value in row.items() if name not in apart} | {"trace": trace}


# ------------------------------------------------------------------------------------------ faults


def test_a_picture_that_does_not_get_there_is_its_pairs_failure_and_the_next_night_delivers_it(nights, s3, monkeypatch):
    from pipeline.objects.buckets import Bucket

    put = Bucket.put

    def refuse(bucket: Bucket, path: str, data: bytes) -> None:
        if path == "out/dog.png":
            raise ConnectionResetError
        put(bucket, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "put", refuse)
        report = nights.run()
    assert statuses(report) == {"dog.png": "failed", "sea.png": "done"}
    assert report["run"]["exit_code"] == ExitCode.SOME_FAILED
    assert "cannot deliver s3://gallery/out/dog.png" in report["pairs"][0]["reason"]
    assert statuses(nights.run()) == UP_TO_DATE
    assert nights.asked == []
    assert "out/dog.png" in s3.names()


def test_a_store_that_goes_ends_the_night_with_4_and_nothing_is_lost(nights, proxy, s3):
    def paint_and_go(command):
        done = painted_with_settings(load_manifest(nights.project / "night.yaml").output)(command)
        proxy.fault = lambda connection, number: reset(connection)
        proxy.close_all()
        return done

    report = nights.run(paint_and_go)
    assert report["run"]["exit_code"] == ExitCode.ENVIRONMENT
    assert nights.asked == ["dog.png"]
    proxy.fault = lambda connection, number: False
    assert statuses(nights.run()) == {"dog.png": "up_to_date", "sea.png": "done"}


def test_a_store_that_never_answers_ends_the_run_with_4(nights, monkeypatch):
    from pipeline.errors import EnvironmentProblem

    nights.source = "input"
    nights.manifest()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(EnvironmentProblem, match="the connection failed") as caught:
        nights.run()
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_a_bucket_that_is_not_there_ends_the_run_with_4_in_a_line(nights):
    from pipeline.errors import OutputError

    nights.target = "s3://nowhere/out"
    nights.manifest()
    with pytest.raises(OutputError, match=r"cannot write to s3://nowhere/out/.*: there is no bucket of that name"):
        nights.run()


def test_pictures_of_a_store_that_never_answers_end_the_run_with_4(nights, monkeypatch):
    nights.target = "out"
    nights.manifest()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    report = nights.run()
    assert report["run"]["exit_code"] == ExitCode.ENVIRONMENT
    assert "s3://gallery does not answer" in " ".join(report["run"]["warnings"])


def test_a_crash_between_painting_and_delivering_loses_nothing(nights, s3):
    manifest = load_manifest(nights.project / "night.yaml")

    def paint_and_crash(command):
        painted_with_settings(manifest.output)(command)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nights.run(paint_and_crash)
    assert "out/dog.png" not in s3.names()
    nights.run()
    assert "out/dog.png" in s3.names()
    assert nights.asked == ["sea.png"]


def test_what_is_too_large_to_be_held_is_delivered_from_its_file(nights, s3, monkeypatch):
    from pipeline.store import delivered

    monkeypatch.setattr(delivered, "_AT_A_TIME", 10)
    assert statuses(nights.run()) == DONE
    assert s3.get("out/dog.png").startswith(b"\x89PNG")
    assert statuses(nights.run()) == UP_TO_DATE


def test_copies_of_pictures_are_held_to_a_size_between_nights_and_none_misses_one(nights, s3, places):
    nights.manifest(run="{object_cache: 0.001kB}")
    assert statuses(nights.run()) == DONE
    assert list((places / "cache").rglob("*.png")) == []
    nights.manifest(run="{object_cache: 1MB}")
    assert statuses(nights.run()) == UP_TO_DATE
    assert len(list((places / "cache/stylize/objects").rglob("*.png"))) == 3


# -------------------------------------------------------------------------------------------- lock


def test_of_two_runs_one_is_locked_out(nights, project, monkeypatch):
    manifest = load_manifest(nights.project / "night.yaml")
    with output_store(manifest).lock("first"):
        forget_this_machine(monkeypatch, project)
        with pytest.raises(Locked, match=r"another run holds s3://gallery/out: process \d+ on .* \(run first\)"):
            nights.run()
    assert statuses(nights.run()) == DONE


def test_shards_hold_it_beside_each_other_and_a_whole_run_waits(nights, project, monkeypatch):
    from pipeline.objects.service import Remote

    def lock(run_id, shard=None):
        return ObjectLock(Remote(nights.target), run_id, shard).held(0.0, lambda holder: None)

    with lock("a", "1-of-2"), lock("b", "2-of-2"):
        for shard in (None, "1-of-2", "1-of-3"):
            with pytest.raises(Locked), lock("c", shard):
                pass
    with lock("d"), pytest.raises(Locked), lock("e", "1-of-2"):
        pass


def test_a_lock_that_is_not_renewed_is_nobodys(nights, monkeypatch):
    from pipeline.errors import OutputError
    from pipeline.objects.service import Remote
    from pipeline.store import object_lock

    first = ObjectLock(Remote(nights.target), "first", None)
    monkeypatch.setattr(object_lock, "BEAT_SECONDS", 0.05)
    with first.held(0.0, lambda holder: None):
        monkeypatch.setattr(object_lock, "EXPIRES_SECONDS", -PATIENCE)
        # waits: a beat that read its lock before it was removed writes it once more after that
        with ObjectLock(Remote(nights.target), "second", None).held(PATIENCE, lambda holder: None):
            until(lambda: first._gone)
            with pytest.raises(OutputError, match="was lost"):
                first.check()


def test_no_number_of_a_lock_is_the_last(nights, s3, monkeypatch):
    """Whoever left it there."""
    from pipeline.objects.service import Remote
    from pipeline.store import object_lock

    def held(run):
        return ObjectLock(Remote(nights.target), run, None).held(0.0, lambda holder: None)

    s3.put("out/.pipeline/locks/run.99999999", b"{}")
    with monkeypatch.context() as patch:
        patch.setattr(object_lock, "EXPIRES_SECONDS", -PATIENCE)
        first = held("first")
        first.__enter__()
    with pytest.raises(Locked), held("second"):
        pass
    first.__exit__(None, None, None)


def test_half_of_what_a_dead_run_said_is_not_what_a_live_one_says(nights):
    from pipeline.objects.service import Remote

    with ObjectLock(Remote(nights.target), "first", None).held(0.0, lambda holder: None):
        other = ObjectLock(Remote(nights.target), "second", None, dead=b"{")
        with pytest.raises(Locked), other.held(0.0, lambda holder: None):
            pass


def test_a_run_that_writes_its_lock_anew_after_another_took_it_over_has_lost_it(nights, monkeypatch):
    """As after a sleep between reading it and writing it."""
    from pipeline.errors import OutputError
    from pipeline.objects.service import Remote
    from pipeline.store import object_lock

    first, clock = ObjectLock(Remote(nights.target), "first", None), object_lock._now
    second = ObjectLock(Remote(nights.target), "second", None).held(0.0, lambda holder: None)
    monkeypatch.setattr(object_lock, "BEAT_SECONDS", 0.05)
    with first.held(0.0, lambda holder: None), contextlib.ExitStack() as others:
        put, slept = first._remote.put, []

        def put_late(name, data):
            if not slept:
                slept.append(name)
                monkeypatch.setattr(object_lock, "_now", lambda: clock() + 1000)
                monkeypatch.setattr(object_lock, "EXPIRES_SECONDS", -PATIENCE)
                others.enter_context(second)
            return put(name, data)

        monkeypatch.setattr(first._remote, "put", put_late)
        until(lambda: first._gone or first._beaten > clock() + 900)
        with pytest.raises(OutputError, match="was lost"):
            first.check()


def test_a_run_that_was_killed_locks_out_other_machines_and_not_its_own(nights, s3, project, monkeypatch):
    from pipeline.objects.service import Remote

    with monkeypatch.context() as patch:
        patch.setattr(ObjectLock, "_let_go", lambda lock: None)  # as after SIGKILL
        nights.run()
    assert s3.names("out/.pipeline/locks/")
    with pytest.raises(Locked), ObjectLock(Remote(nights.target), "other", None).held(0.0, lambda holder: None):
        pass
    assert statuses(nights.run()) == UP_TO_DATE
    assert not s3.names("out/.pipeline/locks/")


def test_a_store_without_conditional_puts_is_told_of_and_used(nights, s3, monkeypatch):
    from pipeline.objects.buckets import Bucket

    monkeypatch.setattr(Bucket, "create", lambda bucket, path, data: bucket.put(path, data) or True)
    report = nights.run()
    assert statuses(report) == DONE
    assert "no lock can be had" in " ".join(report["run"]["warnings"])


# ------------------------------------------------------------------------------------ other places


@pytest.fixture(params=["gs", "az"])
def elsewhere(request: pytest.FixtureRequest, project: Path) -> RemoteNights:
    """Nights in Google's and in Azure's store; `put` is what another program puts there."""
    put = request.getfixturevalue(request.param)
    for path in sorted((project / "input").rglob("*.png")):
        put(f"photos/{path.relative_to(project / 'input').as_posix()}", path.read_bytes())
    nights = RemoteNights(project, f"{request.param}://{BUCKET}/photos", f"{request.param}://{BUCKET}/out")
    nights.put = put
    return nights


def test_a_night_in_googles_and_in_azures_store(elsewhere, project, monkeypatch):
    elsewhere.manifest(
        "\n  - {matrix: {content: ['content/*'], style: [style/wave.png]}, output: '{content.stem}.png'}\n"
    )
    assert statuses(elsewhere.run()) == DONE
    assert statuses(elsewhere.run()) == UP_TO_DATE
    forget_this_machine(monkeypatch, project)
    assert statuses(elsewhere.run()) == UP_TO_DATE
    assert elsewhere.asked == []
    elsewhere.put("out/dog.png", (project / "input/content/sea.png").read_bytes())
    report = elsewhere.run()
    assert statuses(report) == {"dog.png": "failed", "sea.png": "up_to_date"}
    assert "was changed since it was painted" in report["pairs"][0]["reason"]


def test_of_two_runs_there_one_is_locked_out_or_no_lock_is_promised(elsewhere, project, monkeypatch, request):
    manifest = load_manifest(elsewhere.project / "night.yaml")
    with output_store(manifest).lock("first"):
        forget_this_machine(monkeypatch, project)
        if "gs:" in elsewhere.target and not request.getfixturevalue("gcs_knows_conditions"):
            assert "no lock can be had" in " ".join(elsewhere.run()["run"]["warnings"])
            return
        with pytest.raises(Locked, match=r"another run holds .*: process \d+ on .* \(run first\)"):
            elsewhere.run()
    assert statuses(elsewhere.run()) == DONE


def test_a_night_by_sftp(project, sftp):
    import shutil

    shutil.copytree(project / "input", sftp.folder / "photos")
    nights = RemoteNights(project, f"{sftp.url}/photos", f"{sftp.url}/out")
    assert statuses(nights.run()) == DONE
    assert (sftp.folder / "out/dog.png").exists()
    assert statuses(nights.run()) == UP_TO_DATE
    sftp.drop()
    assert statuses(nights.run()) == UP_TO_DATE


def test_pictures_by_https(project, web):
    for path in (project / "input").rglob("*.png"):
        web.files[f"/{path.relative_to(project / 'input').as_posix()}"] = path.read_bytes()
    nights = RemoteNights(project, web.url, "out")
    assert statuses(nights.run()) == DONE
    assert statuses(nights.run()) == UP_TO_DATE
    assert sum(asked.startswith("GET") for asked in web.asked) == 3


# ------------------------------------------------------------------------------------- bad manners


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("file:///etc/passwd", "begins with 'file:'"),
        ("http://host/a.png", "begins with 'http:'"),
        ("zip://a.png::s3://b/c.zip", "is a chain"),
        ("simplecache::s3://b/c.png", "is a chain"),
        ("github://a:b@/c.png", "begins with 'github:'"),
        ("https://user:secret@host/a.png", "has a user or password"),
        ("sftp://user:secret@host/a.png", "has a user or password"),
        ("s3://secret@bucket/a.png", "has a user or password"),
        ("s3://AKIA:of/secret@bucket/a.png", "names no bucket"),
        ("https://host/a.png?X-Amz-Signature=secret", "has a query"),
        ("https://host/a.png#secret", "has a query"),
        ("s3:///a.png", "names no bucket"),
        ("s3://bucket/../../etc/passwd.png", "has '.', '..'"),
        ("s3://bucket/a//b.png", "has '.', '..'"),
        ("s3://../a.png", "names no bucket"),
        (f"s3://bucket/{'a' * 300}.png", "is too long"),
        ("s3://bucket/a.png?versionId=1.png", "has a query"),
    ],
)
def test_addresses_that_cannot_be_are_refused_at_their_place_without_their_secrets(project, places, address, words):
    nights = RemoteNights(project, "input", "out")
    nights.manifest(f"\n  - {{content: '{address}', style: style/wave.png}}\n")
    with pytest.raises(ManifestError) as caught:
        load_manifest(nights.project / "night.yaml")
    assert words in str(caught.value)
    assert "night.yaml:7:15: error: this address" in str(caught.value)
    assert "secret" not in str(caught.value).replace("may be a secret", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://AKIA:se/cr/et@bucket/a.png", "s3://*************@bucket/a.png"),
        ("[s3://k:a,b@c/d, 'https://h/a?s=https://x/y']", "[s3://*****@c/d, 'https://h/a?*************']"),
        ("https://host:443/a@2x.jpg s3://b/x:y@z.png", "https://host:443/a@2x.jpg s3://b/x:y@z.png"),
    ],
)
def test_stars_stand_for_secrets_and_for_nothing_else(text, shown):
    assert without_secrets(text) == shown


@pytest.mark.parametrize("part", ["://a", "://a:", "a?"])
def test_a_line_of_two_megabytes_is_looked_through_for_secrets_once(part):
    """And not once for each address in it: that would take hours."""
    line = "s3://" + part * (2**21 // len(part)) + " s3://secret@bucket"
    assert without_secrets(line).endswith(" s3://******@bucket")


@pytest.mark.parametrize(
    ("key", "address"), [("input", "ftp://host/a"), ("output", "https://host/out"), ("output", "memory://out")]
)
def test_folders_that_cannot_be_are_refused(project, places, key, address):
    nights = RemoteNights(project, *((address, "out") if key == "input" else ("input", address)))
    with pytest.raises(ManifestError, match=f"'{key}': this address"):
        load_manifest(nights.project / "night.yaml")


def test_an_address_behind_a_flag_is_refused(project, places):
    import click

    from pipeline.cli.arguments import load

    with pytest.raises(click.UsageError, match="--output takes a path"):
        load(project / "input", output=Path("s3://bucket/out"))


def test_hostile_keys_are_left_out_and_told(nights, s3):
    for key in (
        "photos/content/../up.png",
        "photos/content//x.png",
        f"photos/content/{'x' * 400}.png",
        "photos/content/dog.png?versionId=1.png",
        "photos/content/",
    ):
        s3.put(key, b"x")
    nights.manifest("\n  - {matrix: {content: 'content/*', style: [style/wave.png]}, output: '{content.stem}.png'}\n")
    manifest = load_manifest(nights.project / "night.yaml")
    assert {job.output for job in manifest.pairs} == {"dog.png", "sea.png"}
    assert "objects have keys that no file can have" in " ".join(manifest.warnings)
    assert list_folder(str(local_path(f"s3://{BUCKET}/photos/content")))[1] == 4  # the last one is the folder's own


def test_what_stands_in_a_state_folder_and_is_not_ours_never_leaves_the_machine(nights, s3, project):
    (project / "kept").mkdir()
    (project / "kept/id_rsa").write_text("secret")
    nights.manifest(run="{state: kept}")
    nights.run()
    inside = load_manifest(nights.project / "night.yaml").output
    (inside / "notes.txt").write_text("secret")
    (inside / "holiday.png").write_bytes((project / "input/content/dog.png").read_bytes())
    nights.run()
    assert not [name for name in s3.names() if "id_rsa" in name or "notes" in name or "holiday" in name]


def test_paths_of_this_machine_are_not_delivered(nights, s3, project):
    nights.run()
    for name in s3.names("out/.pipeline/records/"):
        assert str(project).encode() not in s3.get(name), name
    assert "out/.pipeline/records/hashes.json" not in s3.names()


def test_a_stop_is_heard_while_records_are_brought_here(nights, project, monkeypatch):
    """Of a hundred thousand pairs that takes an hour; of those that wait none is asked for any more."""
    nights.run()
    forget_this_machine(monkeypatch, project)
    fetch, stopped = Mirror.fetch, []

    def fetched_and_stopped(mirror, name, *more):
        os.kill(os.getpid(), signal.SIGTERM)
        until(lambda: stopped)
        return fetch(mirror, name, *more)

    def heard(stop, number, frame):
        stop.by = number
        stopped.append(number)

    monkeypatch.setattr(Stop, "__call__", heard)
    monkeypatch.setattr("pipeline.store.delivered._AT_ONCE", 1)
    monkeypatch.setattr(Mirror, "fetch", fetched_and_stopped)
    with pytest.raises(Stopped):
        nights.run()
    assert len(stopped) == 1


def test_a_large_object_beside_the_records_is_left_there(nights, s3, project):
    s3.put(f"out/.pipeline/records/{'a' * 16}.json", bytes(2**21))
    s3.put("out/.pipeline/records/deep/er.json", b"x")
    assert statuses(nights.run()) == DONE
    inside = load_manifest(nights.project / "night.yaml").output / ".pipeline/records"
    assert not (inside / f"{'a' * 16}.json").exists()
    assert not (inside / "deep").exists()


def test_a_listing_of_more_than_a_page_is_whole(nights, s3):
    from pipeline.objects.buckets import Bucket
    from pipeline.objects.service import Remote

    for number in range(5):
        s3.put(f"many/{number:04}.png", b"x")
    bucket = Bucket("s3", BUCKET)
    ask = bucket._files.call_s3
    bucket._files.call_s3 = lambda method, **asked: ask(method, MaxKeys=2, **asked)
    remote = Remote(f"s3://{BUCKET}/many", bucket)
    assert len(remote.every()) == len(remote.names()) == 5


def test_hostile_keys_beside_the_outputs_touch_nothing_here(nights, s3, project):
    s3.put("out/.pipeline/records/../../../../../escaped.json", b"x")
    s3.put("out//records.json", b"x")
    assert statuses(nights.run()) == DONE
    assert not list(project.rglob("escaped.json"))


def test_what_is_painted_is_not_found_as_a_photograph(nights, s3):
    nights.target = f"s3://{BUCKET}/photos/out"
    nights.manifest("\n  - {matrix: {content: '**/*.png', style: [style/wave.png]}, output: '{content.stem}.png'}\n")
    nights.run()
    assert {pair.job.output for pair in nights.plan().pairs} == {"dog.png", "sea.png", "wave.png"}


def test_a_local_night_loads_no_library_of_stores(project):
    assert Nights(project).run()["run"]["exit_code"] == 0


def test_failures_are_remembered_there(nights, s3):
    nights.run(failed("bad_image"))
    assert [key for key in s3.names("out/.pipeline/records/") if key.endswith(".failed.json")]
