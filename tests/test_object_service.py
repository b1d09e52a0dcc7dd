"""Stores of objects, asked by the module that asks them: real servers in this process, and a line that misbehaves."""

from __future__ import annotations

import io
import os
import re

import pytest
from object_kit import BUCKET, busy, reset

from pipeline.errors import EnvironmentProblem, ObjectTrouble, Stopped
from pipeline.objects.service import Remote

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


def test_nothing_is_left_beside_what_was_put(sftp):
    Remote(f"{sftp.url}/out").put("a.png", b"one")
    assert [path.name for path in (sftp.folder / "out").iterdir()] == ["a.png"]
