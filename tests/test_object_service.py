"""Stores of objects, asked by the module that asks them: real servers in this process, and a line that misbehaves."""

from __future__ import annotations

import contextlib
import io
import os
import re
import threading

import pytest
from object_kit import BUCKET, busy, reset

from pipeline.errors import EnvironmentProblem, ObjectTrouble, OutOfTime, OutputError, Stopped
from pipeline.objects import https, service
from pipeline.objects.fetching import Fetched, mirror_of
from pipeline.objects.protocol import Fingerprint
from pipeline.objects.service import Remote
from pipeline.urls import local_path

pytestmark = pytest.mark.slow
AZURE = "AZURE_STORAGE_CONNECTION_STRING"


def fetched(remote: Remote, name: str, at_most: int = 10**6) -> bytes:
    file = io.BytesIO()
    remote.get(name, file, at_most, lambda: None)
    return file.getvalue()


@pytest.fixture(params=["s3", "gs", "az", "sftp"])
def remote(request: pytest.FixtureRequest) -> Remote:
    """A folder that can be written, empty."""
    store = request.getfixturevalue(request.param)
    return Remote(f"{store.url}/out" if request.param == "sftp" else f"{request.param}://{BUCKET}/out")


def test_what_is_put_is_found_listed_read_and_deleted(remote):
    found = remote.put("a/b.png", b"bytes")
    assert (found.size, remote.look("a/b.png").tag) == (5, found.tag)
    assert fetched(remote, "a/b.png") == b"bytes"
    assert {name: each.size for name, each in remote.every().items()} == {"a/b.png": 5}
    assert [tuple(each) for each in remote.names()] == [("a", True)]
    assert [tuple(each) for each in remote.names("a")] == [("b.png", False)]
    remote.delete("a/b.png")
    remote.delete("a/b.png")
    with pytest.raises(FileNotFoundError):
        remote.look("a/b.png")


def test_other_bytes_have_another_tag(remote):
    before = remote.put("a.png", b"one")
    assert remote.put("a.png", b"three").tag != before.tag


def test_only_the_first_creates(remote, request):
    if remote.url.startswith("gs:") and not request.getfixturevalue("gcs_knows_conditions"):
        pytest.skip("this server knows no conditional PUT; fake-gcs-server on PATH does")
    assert remote.create("lock", b"mine")
    assert not remote.create("lock", b"yours")
    assert fetched(remote, "lock") == b"mine"


def test_a_file_is_put_as_its_bytes_are(remote, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(bytes(range(256)))
    assert remote.put_file("a/b.png", file).size == 256
    file.write_bytes(b"others")
    assert remote.put_file("a/b.png", file).size == 6
    assert fetched(remote, "a/b.png") == b"others"


def test_a_large_file_is_sent_in_parts_and_stands_there_whole(s3, tmp_path, monkeypatch):
    from pipeline.objects import buckets

    monkeypatch.setitem(buckets._IN_PARTS, "s3", {"chunksize": 5 * 2**20, "max_concurrency": 1})  # S3's least
    data = bytes(5 * 2**20) + b"and more" + bytes(6 * 2**20)
    (tmp_path / "clip.mp4").write_bytes(data)
    assert Remote(f"s3://{BUCKET}/out").put_file("clip.mp4", tmp_path / "clip.mp4").size == len(data)
    assert s3.get("out/clip.mp4") == data
    assert s3.client.head_object(Bucket=BUCKET, Key="out/clip.mp4")["ContentType"] == "video/mp4"


def test_nothing_is_listed_where_nothing_is(remote):
    assert list(remote.names("nowhere")) == []
    assert dict(remote.every("nowhere")) == {}


def test_a_bucket_that_is_not_there_is_told_when_it_is_written_to(remote):
    if remote.url.startswith("sftp:"):
        pytest.skip("folders are made there")
    nowhere = Remote(remote.url.replace(BUCKET, "nowhere"))
    for write in (nowhere.put, nowhere.create):
        with pytest.raises(ObjectTrouble, match="there is no bucket of that name; make it first"):
            write("a.png", b"x")
    assert dict(nowhere.every()) == {}


def test_who_has_another_key_is_denied_by_azure_and_not_tried_again(az, monkeypatch):
    key = "AccountKey=b3RoZXI="
    monkeypatch.setenv(AZURE, re.sub("AccountKey=[^;]*", key, os.environ[AZURE]))
    with pytest.raises(ObjectTrouble, match="access was denied"):
        Remote(f"az://{BUCKET}").put("a.png", b"x")


@pytest.mark.parametrize(
    "name", ["a.png?versionId=b.png", "a.png?versionid=b.png", "a.png#", "a.png?", "a#b?c d%20.png"]
)
def test_a_name_is_that_object_or_none(remote, name):
    """Of some names, libraries take the end for a version, or for nothing: `a.png` would be written over."""
    remote.put("a.png", b"another")
    refused = re.search(r"versionId|[?#]\Z", name, re.IGNORECASE) and not remote.url.startswith("sftp")
    with pytest.raises(ObjectTrouble, match="it has no such name") if refused else contextlib.nullcontext():
        remote.put(name, b"mine")
        assert remote.read(name, 100) == b"mine"
    assert remote.read("a.png", 100) == b"another"


def test_an_object_of_too_many_bytes_is_refused(remote):
    remote.put("a.png", b"x" * 1000)
    with pytest.raises(ObjectTrouble, match="has more than 999 bytes"):
        fetched(remote, "a.png", 999)


# ------------------------------------------------------------------------------------------- faults


def test_a_connection_that_is_reset_is_tried_again(proxy, s3):
    s3.put("a.png", b"bytes")
    proxy.fault = lambda connection, number: number <= 2 and reset(connection)
    assert fetched(Remote(f"s3://{BUCKET}"), "a.png") == b"bytes"
    assert proxy.connections >= 3


def test_a_store_that_is_busy_is_tried_again(proxy, s3):
    s3.put("a.png", b"bytes")
    proxy.fault = lambda connection, number: number <= 2 and busy(connection)
    assert fetched(Remote(f"s3://{BUCKET}"), "a.png") == b"bytes"


def test_a_stop_is_no_fault_that_is_tried_again(s3):
    s3.put("a.png", b"bytes")
    asked = []

    def check_cancelled():
        asked.append(1)
        raise Stopped(15)

    with pytest.raises(Stopped):
        Remote(f"s3://{BUCKET}").get("a.png", io.BytesIO(), 100, check_cancelled)
    assert asked == [1]


def test_half_a_file_is_never_taken_for_a_whole_one(proxy, s3):
    s3.put("a.png", bytes(10**6))
    proxy.cut_after = 300_000
    with pytest.raises(ObjectTrouble, match=r"^s3://gallery/a\.png: "):
        fetched(Remote(f"s3://{BUCKET}"), "a.png", 10**7)
    proxy.cut_after = None
    assert len(fetched(Remote(f"s3://{BUCKET}"), "a.png", 10**7)) == 10**6


def test_a_store_that_is_gone_does_not_answer(proxy, s3):
    remote = Remote(f"s3://{BUCKET}")
    assert remote.answers()
    proxy.fault = lambda connection, number: reset(connection)
    remote.renew = None
    assert not Remote(f"s3://{BUCKET}/again").answers()


def test_a_store_that_is_busy_all_along_does_answer(proxy, s3):
    proxy.fault = lambda connection, number: busy(connection)
    assert Remote(f"s3://{BUCKET}").silence() == ""


class OfAnother:
    """A store in which another's longer object stands, which loses its first answer; `there` says whether it still stands."""

    def __init__(self, there: bool) -> None:
        self.tries, self.there = 0, there

    def create(self, path, data):
        self.tries += 1
        if self.tries == 1:
            raise ConnectionResetError
        return False

    def look(self, path):
        if not self.there:
            raise FileNotFoundError
        return Fingerprint(1000, 1, "tag")

    def get(self, path, file, check):
        check(1000)
        raise AssertionError("nobody reads so much")

    def renew(self): ...


@pytest.mark.parametrize("there", [True, False])
def test_what_another_created_while_an_answer_was_lost_is_his_and_no_trouble(places, there):
    assert not Remote("s3://gallery", OfAnother(there)).create("lock", b"mine")


def test_what_a_library_says_is_not_shown(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9/?X-Amz-Signature=secret")
    with pytest.raises(ObjectTrouble) as caught:
        Remote(f"s3://{BUCKET}").look("a.png")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_credentials_the_word_is_clear(s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ObjectTrouble, match="no credentials were found"):
        Remote(f"s3://{BUCKET}").put("a.png", b"x")


def test_a_store_whose_package_is_missing_is_told_of_at_once(monkeypatch, places):
    def missing(protocol):
        raise ImportError(protocol)

    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(EnvironmentProblem, match="az:// needs packages that are not installed here; 'make objects'"):
        Remote("az://gallery/photos")


def test_a_store_that_looks_for_an_account_at_once_has_the_same_word(monkeypatch, places):
    fsspec = pytest.importorskip("fsspec")

    def without(protocol, **options):
        raise ValueError("Must provide account_key=secret")

    monkeypatch.setattr(fsspec, "get_filesystem_class", lambda protocol: None)
    monkeypatch.setattr(fsspec, "filesystem", without)
    with pytest.raises(ObjectTrouble, match="no credentials were found") as caught:
        Remote("az://gallery/photos").look("a.png")
    assert "secret" not in str(caught.value)


# -------------------------------------------------------------------------------------------- https


def test_a_picture_comes_by_https(web):
    web.files["/a%20b.png"] = b"bytes"
    remote = Remote(f"{web.url}/a%20b.png")
    assert remote.look().size == 5
    assert fetched(remote, "") == b"bytes"


def test_a_server_without_head_is_asked_by_get(web):
    def answer(handler):
        handler.send_response(405 if handler.command == "HEAD" else 200)
        handler.send_header("Content-Length", "0" if handler.command == "HEAD" else "3")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(b"abc")

    web.files["/a.png"] = answer
    assert Remote(f"{web.url}/a.png").look().size == 3


@pytest.mark.parametrize(
    ("target", "taken"), [("/b.png", True), ("https://127.0.0.2/b.png", False), ("http://127.0.0.1/", False)]
)
def test_only_the_same_host_is_gone_to(web, target, taken):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.files |= {"/a.png": answer, "/b.png": b"there"}
    remote = Remote(f"{web.url}/a.png")
    if taken:
        assert fetched(remote, "") == b"there"
        return
    with pytest.raises(ObjectTrouble, match="leads to another host"):
        fetched(remote, "")


def test_a_certificate_that_nobody_trusts_is_told(web, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ObjectTrouble, match="its certificate is not trusted"):
        Remote(f"{web.url}/a.png").look()


def test_a_body_that_ends_early_is_no_picture(web):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"half")
        handler.close_connection = True

    web.files["/a.png"] = answer
    with pytest.raises(ObjectTrouble):
        fetched(Remote(f"{web.url}/a.png"), "")
    assert sum(asked.startswith("GET") for asked in web.asked) == 4


def picture_of(*urls):
    """What became of each: the bytes of its copy, or what is said of it."""
    paths = [local_path(url) for url in urls]
    pictures = Fetched(paths)
    found = []
    for path in paths:
        try:
            pictures.check(path)
        except ObjectTrouble as trouble:
            found.append(str(trouble))
        else:
            found.append(path.read_bytes())
    return found


def test_a_host_that_is_busy_costs_its_picture_and_not_the_night(web):
    def busy(handler):
        handler.send_response(503)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.files |= {"/a.png": busy, "/a.png/.pipeline/none": busy, "/b.png": b"there"}
    found = picture_of(f"{web.url}/a.png", f"{web.url}/b.png")
    assert "busy" in found[0]
    assert found[1] == b"there"


@pytest.mark.parametrize("wish", [Stopped(15), OutOfTime()])
def test_a_stop_is_heard_while_a_host_holds_its_answer_back(web, wish):
    """For an hour, or until the test is over."""
    asked, over = threading.Event(), threading.Event()

    def hold(handler):
        asked.set()
        over.wait(3600)
        handler.close_connection = True

    def check_cancelled():
        if asked.is_set():
            raise wish

    web.files["/a.png"] = hold
    try:
        with pytest.raises(Stopped) if isinstance(wish, Stopped) else contextlib.nullcontext():
            Fetched([local_path(f"{web.url}/a.png")], check_cancelled)
        assert len(web.asked) == 1
    finally:
        over.set()


def test_a_host_that_does_not_answer_costs_its_pictures_and_the_night_only_where_no_other_does(web):
    web.files["/b.png"] = b"there"
    gone = "https://127.0.0.1:9"
    found = picture_of(f"{gone}/a.png", f"{web.url}/b.png", f"{gone}/c.png")
    assert found[0].startswith(gone)
    assert found[1] == b"there"
    assert found[2].startswith(gone)
    with pytest.raises(EnvironmentProblem, match=f"{gone} does not answer"):
        picture_of(f"{gone}/a.png")


def test_objects_that_stand_in_one_another_are_their_own_trouble(web):
    """As they may in a bucket, and not in a folder: of two one can be had."""
    web.files |= {"/a.png": b"a", "/a.png/b.png": b"b", "/c.png": b"c"}
    *nested, other = picture_of(*(f"{web.url}{path}" for path in web.files))
    assert [isinstance(found, str) and "another object has that name" in found for found in nested].count(True) == 1
    assert other == b"c"


def test_a_disk_that_is_full_is_not_the_stores_fault_and_nothing_is_tried_again(web):
    import resource
    import signal

    web.files["/a.png"] = bytes(3 * 10**6)
    before, most = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, most[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot keep a copy in .*: File too large"):
            mirror_of(f"{web.url}/a.png").fetch("")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        signal.signal(signal.SIGXFSZ, before)
    assert sum(asked.startswith("GET") for asked in web.asked) == 1


@pytest.mark.parametrize("head", [False, True])
def test_a_server_that_sends_byte_by_byte_holds_nobody_up(web, monkeypatch, head):
    over = threading.Event()

    def drip(handler):
        with contextlib.suppress(OSError):
            if handler.command == "GET" and head:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            else:
                handler.send_response(200)
                handler.send_header("Content-Length", "100000")
                handler.end_headers()
            while handler.command == "GET" and not over.wait(0.02):
                handler.wfile.write(b"x")
        handler.close_connection = True

    web.files["/a.png"] = drip
    monkeypatch.setattr(service, "_LEAST_SECONDS", 600.0 if head else 0.3)
    monkeypatch.setattr(https, "READ_SECONDS", 0.5 if head else 60.0)
    try:
        with pytest.raises(ObjectTrouble, match="did not answer in time" if head else "comes too slowly"):
            fetched(Remote(f"{web.url}/a.png"), "")
    finally:
        over.set()


def test_nothing_is_written_by_https(web):
    with pytest.raises(ObjectTrouble, match="access was denied"):
        Remote(f"{web.url}/a.png").put("", b"x")


# --------------------------------------------------------------------------------------------- SFTP


def test_a_host_whose_key_is_unknown_is_not_spoken_to(sftp):
    sftp.known_hosts.write_text("")
    with pytest.raises(ObjectTrouble, match="its host key is not in known_hosts"):
        Remote(f"{sftp.url}/a.png").look()


def test_a_host_without_a_name_is_one_by_its_number(sftp):
    """Nobody listens there; that it is asked is what matters."""
    with pytest.raises(ObjectTrouble, match=r"^sftp://\[::1\]/a\.png: "):
        Remote("sftp://[::1]/a.png").look()


def test_a_line_that_was_cut_is_taken_up_again(sftp):
    remote = Remote(f"{sftp.url}/out")
    remote.put("a.png", b"one")
    sftp.drop()
    assert remote.look("a.png").size == 3


def test_a_folder_of_more_files_than_are_listed_is_told_of_and_not_taken_for_a_smaller_one(sftp, monkeypatch):
    remote = Remote(f"{sftp.url}/out")
    for name in "abc":
        remote.put(f"{name}.png", b"x")
    monkeypatch.setattr("pipeline.objects.sftp.MOST_THERE", 2)
    with pytest.raises(ObjectTrouble, match=r"^sftp://.*/files/out has more than 2 objects"):
        remote.every()


def test_nothing_is_left_beside_what_was_put(sftp):
    Remote(f"{sftp.url}/out").put("a.png", b"one")
    assert [path.name for path in (sftp.folder / "out").iterdir()] == ["a.png"]
