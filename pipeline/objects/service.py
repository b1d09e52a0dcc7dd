"""A store of objects as the rest of the house has it: tried again, and its faults in our words."""

from __future__ import annotations

import errno
import functools
import io
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

from pipeline.errors import EnvironmentProblem, ObjectTrouble, StylizeError
from pipeline.objects.protocol import Fingerprint, Listed, Objects
from pipeline.printable import printable
from pipeline.urls import split_url

Got = TypeVar("Got")

# Seconds between tries: what a store that says "slow down" or a connection that was cut needs, and
# with a quarter of a minute in all no more than that. What lasts longer is the next night's.
PAUSES = (0.5, 2.0, 5.0)
# Of one object as a whole: ten minutes and a second for each 100 kB, a bad mobile line's rate.
_LEAST_SECONDS, _BYTES_A_SECOND = 600.0, 100_000
_FINAL = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)


class Remote:
    """A folder, or an object, of a store: `url` without a fault (urls). Names below it are as in
    `store`. Every call is tried again where that may help; what is raised then are ObjectTrouble,
    and FileNotFoundError where there is no such object."""

    def __init__(self, url: str, objects: Objects | None = None) -> None:
        self.url = url.rstrip("/")
        protocol, authority, self._key = split_url(url)
        self._objects = objects if objects is not None else opened(protocol, authority)

    def look(self, name: str = "") -> Fingerprint:
        """What there is to know of an object."""
        return self._tried(name, lambda: self._objects.look(self._path(name)))

    def names(self, folder: str = "") -> Sequence[Listed]:
        """The names in a folder; none where there is no such folder."""
        try:
            return self._tried(folder, lambda: self._objects.names(self._path(folder)))
        except FileNotFoundError:
            return ()

    def every(self, folder: str = "") -> Mapping[str, Fingerprint]:
        """All objects below a folder, by their names from there."""
        try:
            return self._tried(folder, lambda: self._objects.every(self._path(folder)))
        except FileNotFoundError:
            return {}

    def get(self, name: str, file: IO[bytes], at_most: int, check_cancelled: Callable[[], object]) -> Fingerprint:
        """Write an object of at most so many bytes into an empty file, whole and unchanged since
        its size was asked for."""

        def once() -> Fingerprint:
            file.seek(0)
            file.truncate()
            began = time.monotonic()

            def check(so_far: int) -> None:
                check_cancelled()
                if so_far > at_most:
                    raise ObjectTrouble(f"{self._shown(name)} has more than {at_most:,} bytes")
                if time.monotonic() - began > _LEAST_SECONDS + so_far / _BYTES_A_SECOND:
                    raise ObjectTrouble(
                        f"{self._shown(name)} comes too slowly: {so_far:,} bytes in ten minutes and more"
                    )

            found = self._objects.get(self._path(name), file, check)
            if found.size >= 0 and file.tell() != found.size:
                raise OSError(errno.EIO, f"{file.tell()} of {found.size} bytes came")
            return found

        return self._tried(name, once)

    def put(self, name: str, data: bytes) -> Fingerprint:
        """Have these bytes under a name, and what is known of them then."""

        def once() -> Fingerprint:
            self._objects.put(self._path(name), data)
            found = self._objects.look(self._path(name))
            if found.size != len(data):
                raise OSError(errno.EIO, f"{found.size} of {len(data)} bytes arrived")
            return found

        return self._written(name, once)

    def put_file(self, name: str, file: Path) -> Fingerprint:
        """The same of a large file."""

        def once() -> Fingerprint:
            self._objects.put_file(self._path(name), file)
            found, size = self._objects.look(self._path(name)), file.stat().st_size
            if found.size != size:
                raise OSError(errno.EIO, f"{found.size} of {size} bytes arrived")
            return found

        return self._written(name, once)

    def create(self, name: str, data: bytes) -> bool:
        """Have these bytes where nothing is; see `Objects.create`. After a try whose answer was
        lost, what stands there may be its own."""
        tries = 0

        def once() -> bool:
            nonlocal tries
            tries += 1
            return self._objects.create(self._path(name), data) or (tries > 1 and self._is(name, data))

        return self._written(name, once)

    def _is(self, name: str, data: bytes) -> bool:
        """Are these the bytes that stand there? Another's may be more, and gone by now."""
        try:
            return self._objects.look(self._path(name)).size == len(data) and self.read(name, len(data)) == data
        except FileNotFoundError:
            return False

    def read(self, name: str, at_most: int) -> bytes:
        """The bytes of a small object."""
        file = io.BytesIO()
        self.get(name, file, at_most, lambda: None)
        return file.getvalue()

    def delete(self, name: str) -> None:
        """Have nothing there."""
        try:
            self._tried(name, lambda: self._objects.delete(self._path(name)))
        except FileNotFoundError:
            return

    def answers(self) -> bool:
        """Does the store answer at all, whatever it says?"""
        return not self.silence()

    def silence(self) -> str:
        """Why the store does not answer at all, in our words; empty where it does, whatever it
        says."""
        try:
            self._objects.renew()
            self._objects.look(self._path(".pipeline/none"))
        except Exception as error:
            return "" if isinstance(error, _FINAL) or _status(error) else words(error)
        return ""

    def _path(self, name: str) -> str:
        return "/".join(part for part in (self._key, name.strip("/")) if part)

    def _shown(self, name: str) -> str:
        return printable(f"{self.url}/{name}" if name else self.url)

    def _written(self, name: str, call: Callable[[], Got]) -> Got:
        try:
            return self._tried(name, call)
        except FileNotFoundError:  # not the object: that is what is being made
            raise ObjectTrouble(f"{self._shown(name)}: {_NO_BUCKET}") from None

    def _tried(self, name: str, call: Callable[[], Got]) -> Got:
        for pause in (*PAUSES, None):
            try:
                return call()
            except (FileNotFoundError, StylizeError, NotImplementedError):
                raise
            except Exception as error:
                hopeless = isinstance(error, _FINAL) or type(error).__name__ in _WITHOUT_HOPE or _is_denied(error)
                if pause is None or hopeless:
                    raise ObjectTrouble(f"{self._shown(name)}: {words(error)}") from None  # its text may hold a secret
            time.sleep(pause)
            self._objects.renew()
        raise AssertionError  # the last try returned or raised


_NO_BUCKET = "there is no bucket of that name; make it first, or look at the address"
# Names of exceptions of botocore, paramiko and the rest, which are not imported here, with what is
# said of them. Their own texts may have addresses with signatures, and are never shown.
_WITHOUT_HOPE = {
    "NoCredentialsError": "no credentials were found; see docs/objects.md",
    "ClientAuthenticationError": "access was denied",
    "ResourceNotFoundError": _NO_BUCKET,  # Azure's, of a container
    "DefaultCredentialsError": "no credentials were found; see docs/objects.md",
    "PartialCredentialsError": "its credentials are not complete; see docs/objects.md",
    "ProfileNotFound": "AWS_PROFILE names no profile that there is",
    "AuthenticationException": "no key of yours was taken; see docs/objects.md",
    "PasswordRequiredException": "its key has a passphrase; put it into ssh-agent",
    "BadHostKeyException": "its host key is not the one in known_hosts",
    "UnknownHostError": "its host key is not in known_hosts; connect once with ssh, and look at it",
    "SSLCertVerificationError": "its certificate is not trusted",
    "ParamValidationError": "it has no such name",
    "NoSuchNameError": "it has no such name",
    "RedirectedError": "it leads to another host; name that one",
}
_TIMEOUTS = ("ReadTimeoutError", "ConnectTimeoutError", "FSTimeoutError", "TimeoutError")


def words(error: BaseException) -> str:
    """What is wrong, in words that hold nothing of what the library says: that may be a secret."""
    name = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "there is no such object"
    if _is_denied(error):
        return "access was denied"
    if name in _WITHOUT_HOPE:
        return _WITHOUT_HOPE[name]
    if name in _TIMEOUTS or isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and isinstance(error.errno, int) and error.errno > 0:
        return os.strerror(error.errno).lower()
    return f"the connection failed ({name})"


def _is_denied(error: BaseException) -> bool:
    """Does the store not let us? It is PermissionError, but to azure-core and gcsfs (a status, or
    the text alone)."""
    denied = isinstance(error, PermissionError) or str(error).startswith("Forbidden")
    return denied or _status(error) in (401, 403)


def _status(error: BaseException | None) -> int:
    """The status of HTTP by which the store answered, be it that it is busy; 0 where none came. It
    is `status_code` to azure-core, `code` to gcsfs and here, and in the answer that s3fs' errors
    come from (botocore's `response`)."""
    while error is not None:
        answer = getattr(error, "response", None)
        of_answer = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
        for status in (getattr(error, "status_code", None), getattr(error, "code", None), of_answer):
            if str(status).isdecimal() and 100 <= int(str(status)) < 600:  # as HTTP has them
                return int(str(status))
        error = error.__cause__
    return 0


_MISSING = "needs packages that are not installed here; 'make objects' adds them to .venv (docs/objects.md)"


@functools.lru_cache(maxsize=32)
def opened(protocol: str, authority: str) -> Objects:
    """The store behind an address. Raises EnvironmentProblem where what speaks to it is not
    installed."""
    try:
        if protocol == "https":
            from pipeline.objects.https import Https

            return Https(authority)
        if protocol == "sftp":
            from pipeline.objects.sftp import Sftp

            return Sftp(authority)
        from pipeline.objects.buckets import Bucket

        return Bucket(protocol, authority)
    except ImportError:
        raise EnvironmentProblem(f"{protocol}:// {_MISSING}") from None
