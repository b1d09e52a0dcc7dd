"""Real servers for tests of object storage: S3 by moto, Google's API, https, SFTP by paramiko, all in this process; Azurite
where it is installed; and a proxy that injects faults."""

from __future__ import annotations

import base64
import contextlib
import datetime
import errno
import http.server
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import until

BUCKET = "gallery"


@pytest.fixture(scope="session")
def moto_address() -> Iterator[str]:
    """A server of S3 by moto."""
    pytest.importorskip("s3fs")
    pytest.importorskip("flask")
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies and states of this test stand below its folder, and no try is waited for."""
    from pipeline.objects import service

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(service, "PAUSES", (0.01, 0.01, 0.01))
    service.opened.cache_clear()
    yield tmp_path
    service.opened.cache_clear()


class S3:
    """A fresh bucket of the server. `proxy` stands before it."""

    def __init__(self, address: str) -> None:
        import boto3

        self.address = address
        self.client = boto3.client(
            "s3", endpoint_url=f"http://{address}", aws_access_key_id="test", aws_secret_access_key="test",
            region_name="us-east-1",
        )  # fmt: skip
        with contextlib.suppress(Exception):
            self.clear()
        self.client.create_bucket(Bucket=BUCKET)

    def clear(self) -> None:
        while keys := self.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            for each in keys:
                self.client.delete_object(Bucket=BUCKET, Key=each["Key"])

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def put_folder(self, folder: Path, prefix: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def names(self, prefix: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return sorted(each["Key"] for each in found)


@pytest.fixture
def s3(moto_address: str, places: Path, monkeypatch: pytest.MonkeyPatch) -> S3:
    """An empty bucket, and the environment that leads to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{moto_address}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return S3(moto_address)


# ------------------------------------------------------------------------------- Google's and Azure's


@pytest.fixture(scope="session")
def gcs_address() -> Iterator[str]:
    """A server of Google's API: fake-gcs-server where it is on PATH, which knows conditional PUTs; else the emulator of the
    tests' packages, which does not."""
    pytest.importorskip("gcsfs")
    if (program := shutil.which("fake-gcs-server")) is not None:
        port = _free_port()
        flags = ("-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port))
        external = ("-external-url", f"http://127.0.0.1:{port}")
        with _serving([program, *flags, *external], port):
            yield f"http://127.0.0.1:{port}"
        return
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    server = emulator.create_server("127.0.0.1", 0, in_memory=True)
    server.start()
    yield f"http://127.0.0.1:{server._api._httpd.server_port}"
    server.stop()


@pytest.fixture(scope="session")
def gcs_knows_conditions() -> bool:
    return shutil.which("fake-gcs-server") is not None


@pytest.fixture
def gs(gcs_address: str, places: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], None]:
    """An empty bucket, and the environment that leads to it; what puts an object there, as another program does."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_address)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # of google-auth: nobody to be asked for a token
    return _emptied("gs")


@pytest.fixture(scope="session")
def azurite_port() -> Iterator[int]:
    """Microsoft's own server for tests."""
    pytest.importorskip("adlfs")
    if (program := shutil.which("azurite-blob")) is None:
        pytest.skip("azurite-blob is not on PATH; 'npm install -g azurite' has it")
    port = _free_port()
    flags = (
        "--inMemoryPersistence",
        "--silent",
        "--disableTelemetry",
        "--skipApiVersionCheck",
        "--blobHost",
        "127.0.0.1",
    )
    accounts = {"AZURITE_ACCOUNTS": f"{BUCKET}:{AZURE_KEY}"}
    with _serving([program, *flags, "--blobPort", str(port)], port, **accounts):
        yield port


AZURE_KEY = base64.b64encode(b"of an account that lives as long as the tests").decode()


@pytest.fixture
def az(azurite_port: int, places: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], None]:
    """The same in a container of Azurite's."""
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        f"DefaultEndpointsProtocol=http;AccountName={BUCKET};AccountKey={AZURE_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{azurite_port}/{BUCKET};",
    )
    return _emptied("az")


def _emptied(protocol: str) -> Callable[[str, bytes], None]:
    import fsspec

    files = fsspec.filesystem(protocol, skip_instance_cache=True, use_listings_cache=False)
    if not files.exists(BUCKET):
        files.mkdir(BUCKET)
    for path in files.find(BUCKET):
        files.rm_file(path)
    return lambda key, data: files.pipe_file(f"{BUCKET}/{key}", data)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextlib.contextmanager
def _serving(command: list[str], port: int, **environment: str) -> Iterator[None]:
    """A server's process, from when it answers."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | environment, stdin=nothing, stdout=nothing, stderr=nothing)
    try:
        until(lambda: process.poll() is not None or _answers(port))
        assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


# ------------------------------------------------------------------------------------------- faults


class Proxy:
    """A line to a server that misbehaves: `fault` is called with each connection and its number, and true where it dealt
    with it."""

    def __init__(self, address: str) -> None:
        self._host, port = address.rsplit(":", 1)
        self._port = int(port)
        self.fault: Callable[[socket.socket, int], bool] = lambda connection, number: False
        self.cut_after: int | None = None  # bytes of answers, then a reset
        self.connections = 0
        self._open: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def close_all(self) -> None:
        """End all connections."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection, self.connections), daemon=True).start()

    def _one(self, connection: socket.socket, number: int) -> None:
        if self.fault(connection, number):
            return
        there = socket.create_connection((self._host, self._port))
        self._open += [connection, there]
        threading.Thread(target=self._pump, args=(connection, there, None), daemon=True).start()
        self._pump(there, connection, self.cut_after)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, most: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if most is not None:
                    data, most = data[:most], most - len(data)
                sink.sendall(data)
                if most is not None and most <= 0:
                    sink.shutdown(socket.SHUT_RDWR)
                    return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def reset(connection: socket.socket) -> bool:
    """End a connection with RST."""
    import struct

    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return True


def busy(connection: socket.socket) -> bool:
    """Answer one request with 503."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.close()
    return True


@pytest.fixture
def proxy(moto_address: str, s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between the program and S3."""
    proxy = Proxy(moto_address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{proxy.address}")
    yield proxy
    proxy.close()


# -------------------------------------------------------------------------------------------- https


def certificate(folder: Path, *, ca: bool = True) -> Path:
    """A key and a certificate of 127.0.0.1 and localhost, signed by itself, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Web:
    """An https server. `files` by path: bytes, or what answers a handler; `asked` are the requests it got."""

    def __init__(self, pem: Path) -> None:
        self.files: dict[str, bytes | Callable[[Any], None]] = {}
        self.asked: list[str] = []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked.append(f"{self.command} {self.path}")
                found = web.files.get(self.path)
                if callable(found):
                    found(self)
                    return
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(found or b"")))
                self.send_header("ETag", f'"{hash(found)}"')
                self.end_headers()
                if found and self.command == "GET":
                    self.wfile.write(found)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def web(places: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server whose certificate is trusted."""
    pytest.importorskip("cryptography")
    pem = certificate(places)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    server = Web(pem)
    yield server
    server.close()


# --------------------------------------------------------------------------------------------- SFTP


class Sftp:
    """An SFTP server of a folder, which takes one key of one user. `url` is the folder's."""

    def __init__(self, folder: Path, home: Path) -> None:
        import paramiko

        self.folder = folder
        host_key, user_key = paramiko.RSAKey.generate(2048), paramiko.RSAKey.generate(2048)
        ssh = home / ".ssh"
        ssh.mkdir(parents=True)
        user_key.write_private_key_file(str(ssh / "id_rsa"))
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.known_hosts = ssh / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
        self.url = f"sftp://painter@127.0.0.1:{port}/files"
        self._transports: list[Any] = []
        threading.Thread(target=self._serve, args=(host_key, user_key), daemon=True).start()

    def _serve(self, host_key: Any, user_key: Any) -> None:
        import paramiko

        root = self.folder

        class Access(paramiko.ServerInterface):
            def check_auth_publickey(self, username: str, key: Any) -> int:
                right = username == "painter" and key.get_base64() == user_key.get_base64()
                return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

            def get_allowed_auths(self, username: str) -> str:
                return "publickey"

            def check_channel_request(self, kind: str, chanid: int) -> int:
                return paramiko.OPEN_SUCCEEDED

        class Files(paramiko.SFTPServerInterface):
            def _there(self, path: str) -> Path:
                return root / self.canonicalize(path).removeprefix("/files").lstrip("/")

            def _tried(self, call: Callable[[], Any]) -> Any:
                try:
                    return call()
                except OSError as error:
                    return paramiko.SFTPServer.convert_errno(error.errno or errno.EIO)

            def list_folder(self, path: str) -> Any:
                def listed() -> list[Any]:
                    return [
                        paramiko.SFTPAttributes.from_stat(each.stat(), each.name)
                        for each in self._there(path).iterdir()
                    ]

                return self._tried(listed)

            def stat(self, path: str) -> Any:
                return self._tried(lambda: paramiko.SFTPAttributes.from_stat(self._there(path).stat()))

            lstat = stat

            def open(self, path: str, flags: int, attr: Any) -> Any:
                def opened() -> Any:
                    descriptor = os.open(self._there(path), flags, 0o666)
                    file = os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "r+b" if flags & os.O_RDWR else "rb")
                    handle = paramiko.SFTPHandle(flags)
                    handle.readfile = handle.writefile = file
                    return handle

                return self._tried(opened)

            def remove(self, path: str) -> Any:
                return self._tried(lambda: self._there(path).unlink()) or paramiko.SFTP_OK

            def posix_rename(self, oldpath: str, newpath: str) -> Any:
                return self._tried(lambda: os.replace(self._there(oldpath), self._there(newpath)) or paramiko.SFTP_OK)

            def mkdir(self, path: str, attr: Any) -> Any:
                return self._tried(lambda: self._there(path).mkdir() or paramiko.SFTP_OK)

        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
            with contextlib.suppress(Exception):
                transport.start_server(server=Access())
            self._transports.append(transport)

    def drop(self) -> None:
        """End all connections."""
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        self._listening.close()
        self.drop()


@pytest.fixture
def sftp(places: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sftp]:
    """A server whose key is known, and a user whose key it knows."""
    pytest.importorskip("paramiko")
    monkeypatch.setenv("HOME", str(places / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    folder = places / "served"
    folder.mkdir()
    server = Sftp(folder, places / "home")
    yield server
    server.close()
    time.sleep(0)
