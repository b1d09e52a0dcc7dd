"""Who may ask for the page of a night, and how: forged names, strange requests, slow ones."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import until
from test_report import facts, outcome
from watch_kit import Reply, Watched, everything, reply, watching

from pipeline.report.data import build_report
from pipeline.report.write import write_reports
from pipeline.store.disk import LocalStore
from pipeline.watch import night, server

pytestmark = pytest.mark.slow

WEBP = b"RIFF\0\0\0\0WEBP"


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Of a last night with one picture of 20 MB."""
    monkeypatch.setattr(night, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(server, "_LOOK_SECONDS", 0.01)
    store = LocalStore(tmp_path / "out")
    write_reports(store, build_report(facts(), [outcome("big.png"), outcome("a/b c.png")]), thumbnails=lambda name: {})
    store.write("big.png", bytes(20 * 2**20))
    store.write("a/b c.png", b"small")
    store.write("private.png", b"no pair's")
    (tmp_path / "secret.png").write_bytes(b"outside")
    with watching(tmp_path / "out") as watched:
        yield watched


# ------------------------------------------------------------------------------------------------------------- who asks


def test_a_page_is_served_under_the_secret_alone(watched: Watched) -> None:
    assert watched.get().status == 200
    right = watched.server.secret
    wrong = [
        "",
        "x",
        right[:-1],
        right + "x",
        right[::-1],
        right.upper(),
        f"%{ord(right[0]):02x}{right[1:]}",
        "é",
        "\0",
    ]
    refused = [watched.get(top=f"/{secret}/") for secret in wrong]
    refused += [watched.get(top="/"), watched.get(top="/favicon.ico"), watched.get(f"?{right}", top="/")]
    assert {(each.status, each.body) for each in refused} == {(404, b"404 Not Found\n")}


def test_secrets_are_new_each_time_and_compared_in_constant_time(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with watching(tmp_path / "out") as other:
        assert other.server.secret != watched.server.secret
    assert len(watched.server.secret) >= 43  # 32 bytes in base64
    compared: list[bytes] = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append(given)
        return given == right

    monkeypatch.setattr(server.secrets, "compare_digest", compare)
    watched.get()
    watched.get(top="/other/")
    assert compared == [watched.server.secret.encode(), b"other"]


def test_an_address_without_its_last_slash_leads_to_the_page(watched: Watched) -> None:
    found = watched.get(top=watched.top.rstrip("/"))
    assert (found.status, found.headers["Location"]) == (308, watched.top)


@pytest.mark.parametrize(
    "host",
    [
        *(
            "evil.example",
            "evil.example:{port}",
            "127.0.0.1.evil.example:{port}",
            "localhost.evil.example",
            "0.0.0.0:{port}",
        ),
        *("[::1]:{port}", "127.0.0.1:{port}:80", "127.0.0.1:{port}/", "user@127.0.0.1:{port}", "127.1:{port}", ""),
        *("localhost:", "127.0.0.1:{port} evil.example", "127.0.0.1:123456", "LOCALHOST.:{port}"),
    ],
)
def test_another_name_for_this_machine_is_refused(watched: Watched, host: str) -> None:
    """A page of strangers that has its own name mean 127.0.0.1 (DNS rebinding) sends that name."""
    found = watched.get(Host=host.format(port=watched.port))
    assert found.status == 421
    assert found.body == b"421 Misdirected Request\n"


def test_two_hosts_are_refused(watched: Watched) -> None:
    request = f"GET {watched.top} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert watched.raw(request.encode()).status == 421
    assert watched.raw(f"GET {watched.top} HTTP/1.0\r\n\r\n".encode()).status == 421
    assert watched.raw(f"GET {watched.top}\r\n\r\n".encode()).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "localhost", "localhost:8080"])
def test_the_names_of_this_machine_are_served_also_where_ssh_forwards_another_port(watched: Watched, host: str) -> None:
    name = host.format(port=watched.port)
    assert watched.get(Host=name).status == 200
    assert watched.get(Host=name, Origin=f"http://{name}").status == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://localhost:{port}", "http://127.0.0.1", "x"],
)
def test_requests_of_other_pages_are_refused(watched: Watched, origin: str) -> None:
    assert watched.get(Origin=origin.format(port=watched.port)).status == 403
    assert watched.get("events", Origin=origin.format(port=watched.port)).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND"])
def test_nothing_but_reading_is_allowed(watched: Watched, method: str) -> None:
    found = watched.get(method=method)
    assert (found.status, found.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["", "big.png", "missing.png", "events", "?pair=0"])
def test_head_says_what_get_would_without_the_bytes(watched: Watched, path: str) -> None:
    head = watched.get(path, method="HEAD")
    assert head.body == b""
    if path != "events":  # which does not end
        get = watched.get(path)
        assert (head.status, head.headers) == (get.status, get.headers)
        assert int(get.headers["Content-Length"]) == len(get.body)


def test_every_answer_forbids_what_no_answer_needs(watched: Watched) -> None:
    found = [watched.get(path) for path in ("", "big.png", "missing.png")]
    found += [watched.get(Host="evil.example"), watched.get(method="POST"), watched.get(top="/")]
    for each in found:
        assert each.headers["Referrer-Policy"] == "no-referrer"
        assert each.headers["X-Content-Type-Options"] == "nosniff"
        assert each.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert each.headers["X-Frame-Options"] == "DENY"
        assert each.headers["Content-Security-Policy"].startswith("default-src 'none';")
        assert "frame-ancestors 'none'" in each.headers["Content-Security-Policy"]
        assert each.headers["Cache-Control"] == "no-store"
        assert "Server" not in each.headers
        assert "Access-Control-Allow-Origin" not in each.headers
    policy = found[0].headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


# ---------------------------------------------------------------------------------------------------- what they ask for


@pytest.mark.parametrize(
    "path",
    [
        *("../secret.png", "..%2fsecret.png", "%2e%2e/secret.png", "%2e%2e%2fsecret.png", "a/../../secret.png"),
        *("..%5csecret.png", "%252e%252e%252fsecret.png", "..%c0%afsecret.png", "/etc/hostname", "//etc/hostname"),
        *(
            "%2fetc%2fhostname",
            "big.png%00.png",
            "%00",
            "big.png/",
            "./big.png",
            "a//b%20c.png",
            "%ff",
            "%",
            "%zz",
            "a",
        ),
        *(
            "private.png",
            "report.json",
            "report.html",
            ".pipeline/lock",
            ".pipeline/now/run.json",
            "file:///etc/hostname",
        ),
        *(".pipeline/records/hashes.json", ".pipeline/records/../../private.png", "events/", "watch.js", ";", "#"),
    ],
)
def test_no_path_leads_to_what_is_no_picture_of_the_night(watched: Watched, path: str) -> None:
    found = watched.get(path)
    assert (found.status, found.body) == (404, b"404 Not Found\n")


def test_pictures_of_pairs_are_served_under_their_names(watched: Watched) -> None:
    found = watched.get("a/b%20c.png")
    assert (found.status, found.body, found.headers["Content-Type"]) == (200, b"small", "image/png")
    assert watched.get("big.png").body == bytes(20 * 2**20)


@pytest.mark.parametrize(
    "target",
    ["http://evil.example{top}", "evil.example:80", "*", "{bare}", "http://127.0.0.1{top}", "\\{top}", "?{top}"],
)
def test_what_is_no_path_is_refused(watched: Watched, target: str) -> None:
    found = watched.get(top=target.format(top=watched.top, bare=watched.top[1:]))
    assert found.status in (400, 404)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"A" * 2**20,
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 2**17 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 150 + b"\r\n",
    ],
    ids=["line", "no line", "many headers", "long header", "too many headers"],
)
def test_requests_of_more_than_a_browser_sends_are_not_read(watched: Watched, request_bytes: bytes) -> None:
    with watched.connect() as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request_bytes)
        got = everything(connection)
    assert got == b"" or reply(got).status == 431
    assert watched.get().status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        *(b"\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n"),
        *(b"GET / HTTP/9.9\r\n\r\n", b"GET / SPDY/1\r\n\r\n", b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n"),
        *(b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/-1.1\r\n\r\n"),
        *(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", b"\xff\xfe\xfd\r\n\r\n"),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_said_nothing_of(watched: Watched, request_bytes: bytes, capfd) -> None:
    found = watched.raw(request_bytes)
    assert found.status in (0, 400, 404, 405, 421, 505)
    assert found.body in (b"", *(f"{found.status} {words}\n".encode() for words in _WORDS))
    assert watched.get().status == 200
    assert capfd.readouterr() == ("", "")


_WORDS = ("Bad Request", "Not Found", "Method Not Allowed", "Misdirected Request", "HTTP Version Not Supported")


# --------------------------------------------------------------------------------------------------------- how they ask


def test_who_sends_his_request_byte_by_byte_is_cut_off(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.5)
    with watched.connect() as slow:
        slow.settimeout(0.02)
        sent = 0

        def is_cut() -> bool:
            nonlocal sent
            try:
                slow.sendall(b"G")
                sent += 1
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        until(is_cut)
        assert sent > 1


def test_connections_that_say_nothing_keep_nobody_out(watched: Watched) -> None:
    silent = [watched.connect() for _ in range(3 * server.MOST_CONNECTIONS)]
    try:
        assert watched.get().status == 200
        until(lambda: len(watched.server._open) <= server.MOST_CONNECTIONS)
    finally:
        for one in silent:
            one.close()


def test_who_takes_no_bytes_keeps_nobody_out_and_is_cut_off(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ANSWER_SECONDS", 0.5)
    request = f"GET {watched.top}big.png HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    greedy = [watched.connect() for _ in range(4)]
    try:
        for one in greedy:
            one.sendall(request)
        assert watched.get().status == 200
        until(lambda: not watched.server._open)
    finally:
        for one in greedy:
            one.close()


def test_proven_connections_are_bounded_too(watched: Watched) -> None:
    """Who knows the secret may open as many as there are; one more is closed, and none of the others."""
    request = f"GET {watched.top}big.png HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    greedy = []
    try:
        for number in range(1, server.MOST_CONNECTIONS + 1):
            greedy.append(watched.connect())
            greedy[-1].sendall(request)
            until(lambda number=number: len(watched.server._proven) == number)
        with watched.connect() as one_more:
            assert everything(one_more) == b""
        assert len(watched.server._proven) == server.MOST_CONNECTIONS
    finally:
        for one in greedy:
            one.close()
    until(lambda: watched.get().status == 200)


# ---------------------------------------------------------------------------------------------------------------- news


def events(connection: socket.socket, number: int) -> bytes:
    got = b""
    while got.count(b"event: news") < number or not got.endswith(b"\n\n"):
        got += connection.recv(4096)
    return got


def listen(watched: Watched) -> socket.socket:
    connection = watched.connect()
    connection.sendall(f"GET {watched.top}events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection


def test_listeners_are_told_the_version_and_each_other_one(watched: Watched, tmp_path: Path) -> None:
    with listen(watched) as connection:
        first = events(connection, 1)
        found = reply(first)
        assert (found.status, found.headers["Content-Type"]) == (200, "text/event-stream")
        version = found.text.split("data: ")[1].split("\n")[0]
        assert f'data-version="{version}"' in watched.get().text
        write_reports(
            LocalStore(tmp_path / "out"), build_report(facts(), [outcome("new.png")]), thumbnails=lambda name: {}
        )
        second = events(connection, 1)
        assert version not in second.decode()


def test_listeners_are_bounded_and_their_places_are_given_back(watched: Watched) -> None:
    many = [listen(watched) for _ in range(server.MOST_LISTENERS)]
    for one in many:
        events(one, 1)
    assert watched.get("events").status == 503
    assert watched.get().status == 200
    for one in many:
        one.close()

    def free() -> bool:
        (watched.server.site._watcher.folder / "report.json").touch()  # news, which nobody takes
        return watched.server._listeners == 0

    until(free)


def test_listeners_are_let_go_when_the_watch_ends(tmp_path: Path) -> None:
    with watching(tmp_path) as watched:
        connection = listen(watched)
        events(connection, 1)
    began = time.monotonic()
    assert b"event" not in everything(connection)
    connection.close()
    assert time.monotonic() > began
    with pytest.raises(ConnectionRefusedError):
        watched.connect()


def test_a_page_that_cannot_be_made_is_told_and_ends_no_watch(tmp_path: Path) -> None:
    class Broken:
        def answer(self, path: str, query: str) -> None:
            raise ValueError("a bug")

        def version(self) -> str:
            return "1"

    troubles: list[Exception] = []
    with server.Server(Broken(), 0, troubles.append) as serving:
        watched = Watched(serving, troubles)
        found: list[Reply] = [watched.get(), watched.get()]
    assert [(each.status, each.body) for each in found] == [(500, b"500 Internal Server Error\n")] * 2
    assert list(map(str, troubles)) == ["a bug"] * 2
