"""Buckets of S3, Google's and Azure's stores, by fsspec's file systems of them."""

from __future__ import annotations

import contextlib
import datetime
import errno
import functools
import logging
import mimetypes
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import fsspec

from pipeline.errors import ObjectTrouble
from pipeline.objects.protocol import BLOCK, CONNECT_SECONDS, MOST_LISTED, MOST_THERE, READ_SECONDS, Fingerprint, Listed

# One PUT up to the 5 GiB that S3 takes in one (docs.aws.amazon.com, "Uploading objects"): twice
# this many bytes, to s3fs.
_ONE_PUT = 5 * 2**30 // 2
_IN_PARTS: Mapping[str, Mapping[str, Any]] = {
    "s3": {"chunksize": 100 * 2**20, "max_concurrency": 1},  # of at most 10,000 parts: a terabyte
    "az": {"overwrite": True, "max_concurrency": 1},
}
_TAGS = ("ETag", "etag", "generation", "md5Hash")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
_BLOCKS = 8 * BLOCK  # read at once


class NoCredentialsError(Exception):
    """Of that name is botocore's too."""


class NoSuchNameError(Exception):
    """Of a key that the store's library takes for another's."""


# What ends a key for them: the version of an object (urls.key_fault tells of it beforehand), or
# nothing.
_OF_ANOTHER = re.compile(r"\?versionid=|[?#]\Z", re.IGNORECASE)


class Bucket:
    """A bucket or container."""

    def __init__(self, protocol: str, name: str) -> None:
        for library in ("fsspec", "s3fs", "gcsfs", "adlfs", "aiobotocore", "botocore", "azure"):
            logging.getLogger(library).setLevel(logging.CRITICAL)  # what is worth saying is said by us
        self._protocol, self._name = protocol, name
        # Of Google's two file systems the one without gRPC: the other asks for the kind of each
        # bucket first, which who uses a bucket may not be allowed to.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        fsspec.get_filesystem_class(protocol)  # ImportError where its package is missing

    @functools.cached_property
    def _files(self) -> Any:
        """With the first call, as some of them look for credentials here."""
        options = _PATIENCE.get(self._protocol, dict)()
        try:
            files = fsspec.filesystem(self._protocol, skip_instance_cache=True, use_listings_cache=False, **options)
        except ValueError as error:  # adlfs, without an account
            raise NoCredentialsError from error
        _try_once(self._protocol, files)
        return files

    def look(self, path: str) -> Fingerprint:
        """By one request."""
        about = self._files.info(self._whole(path))
        if about.get("type") == "directory":
            raise FileNotFoundError(errno.ENOENT, "not an object")
        return _found(about)

    def names(self, folder: str) -> Sequence[Listed]:
        """A page after the other, where that is S3's."""
        if self._protocol == "s3":
            return self._s3_names(folder)
        whole = self._whole(folder)
        listed = []
        for about in self._files.ls(whole, detail=True):
            name = about["name"].strip("/").removeprefix(whole.strip("/")).strip("/")
            listed.append(Listed(name, about["type"] == "directory"))
        return listed

    def _s3_names(self, folder: str) -> Sequence[Listed]:
        prefix = f"{folder}/" if folder else ""
        found: list[Listed] = []
        asked: dict[str, Any] = {"Bucket": self._name, "Prefix": prefix, "Delimiter": "/"}
        while True:
            page = self._files.call_s3("list_objects_v2", **asked)
            found += [Listed(part["Prefix"][len(prefix) : -1], True) for part in page.get("CommonPrefixes", ())]
            found += [Listed(part["Key"][len(prefix) :], False) for part in page.get("Contents", ())]
            if not page.get("IsTruncated") or len(found) > MOST_LISTED:
                return found
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def every(self, folder: str) -> Mapping[str, Fingerprint]:
        """By listings without folders."""
        if self._protocol == "s3":
            return self._s3_keys(f"{folder}/" if folder else "")
        whole = self._whole(folder).strip("/")
        about = self._files.find(self._whole(folder), detail=True)
        below = f"{whole}/"
        return {
            path.strip("/")[len(below) :]: _found(each)
            for path, each in about.items()
            if path.strip("/").startswith(below)
        }

    def _s3_keys(self, prefix: str) -> Mapping[str, Fingerprint]:
        found: dict[str, Fingerprint] = {}
        asked: dict[str, Any] = {"Bucket": self._name, "Prefix": prefix}
        while True:
            page = self._files.call_s3("list_objects_v2", **asked)
            found |= {
                part["Key"][len(prefix) :]: _found({**part, "size": part["Size"]}) for part in page.get("Contents", ())
            }
            if len(found) > MOST_THERE:
                raise ObjectTrouble(
                    f"s3://{self._name}/{prefix} has more than {MOST_THERE:,} objects; use a narrower one"
                )
            if not page.get("IsTruncated"):
                return found
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def get(self, path: str, file: IO[bytes], check: Callable[[int], object]) -> Fingerprint:
        """In blocks; what changed meanwhile is read again."""
        found = self.look(path)
        check(found.size)
        with self._files.open(self._whole(path), "rb", block_size=_BLOCKS, cache_type="readahead") as source:
            while block := source.read(_BLOCKS):
                file.write(block)
                check(file.tell())
        if self.look(path) != found:
            raise OSError(errno.EAGAIN, "changed while it was read")
        return found

    def put(self, path: str, data: bytes) -> None:
        """By one PUT, or what the store makes one of; a page is to be shown as one."""
        one = {"chunksize": _ONE_PUT} if self._protocol == "s3" else {}
        self._files.pipe_file(self._whole(path), data, **one, **self._how(path))

    def put_file(self, path: str, file: Path) -> None:
        """In parts, one at a time, which the store then makes one object of."""
        how = {**self._how(path), **_IN_PARTS.get(self._protocol, {})}
        self._files.put_file(os.fspath(file), self._whole(path), **how)

    def create(self, path: str, data: bytes) -> bool:
        """By `If-None-Match: *`, or the store's own word for it."""
        try:
            self._files.pipe_file(self._whole(path), data, mode="create")
        except FileExistsError:
            return False
        except (TypeError, ValueError) as error:
            raise NotImplementedError from error
        except OSError as error:
            # 412 Precondition Failed, which s3fs says so
            if error.errno == errno.EINVAL and self._files.exists(self._whole(path)):
                return False
            if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
                raise NotImplementedError from error
            raise
        return True

    def delete(self, path: str) -> None:
        """By one request."""
        self._files.rm_file(self._whole(path))

    def renew(self) -> None:
        """Nothing: their libraries keep connections, and drop those that failed."""

    def _how(self, path: str) -> Mapping[str, Any]:
        """Its kind, as the store is told it."""
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        how: Mapping[str, Mapping[str, Any]] = {
            "s3": {"ContentType": kind},
            "gs": {"content_type": kind},
            "az": {"content_settings": {"content_type": kind}},
        }
        return how.get(self._protocol, {})

    def _whole(self, path: str) -> str:
        if _OF_ANOTHER.search(path):
            raise NoSuchNameError
        return f"{self._name}/{path}" if path else self._name


def _patient_s3() -> Mapping[str, Any]:
    config = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
    return {"config_kwargs": {**config, "retries": {"mode": "standard", "total_max_attempts": 1}}}


def _patient_gs() -> Mapping[str, Any]:
    import aiohttp

    times = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
    return {"requests_timeout": times}


def _patient_az() -> Mapping[str, Any]:
    return {"connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}


_PATIENCE: Mapping[str, Callable[[], Mapping[str, Any]]] = {"s3": _patient_s3, "gs": _patient_gs, "az": _patient_az}


def _try_once(protocol: str, files: Any) -> None:
    """Tries are counted here (objects/service), not in three places upon each other. Where a later
    version of a library has another place for it, both count."""
    if protocol == "s3":
        files.retries = 1
    elif protocol == "gs":
        from gcsfs import core

        once = getattr(getattr(type(files), "_request", None), "__wrapped__", None)
        if once is not None:
            files._request = functools.partial(once, files)
        for name in ("initiate_upload", "simple_upload"):
            if upload := getattr(getattr(core, name, None), "__wrapped__", None):
                setattr(core, name, upload)
    elif protocol == "az":
        with contextlib.suppress(AttributeError):
            files.service_client._config.retry_policy.total_retries = 0


def _found(about: Mapping[str, Any]) -> Fingerprint:
    tag = next((str(about[name]).strip('"') for name in _TAGS if about.get(name)), "")
    when = next((about[name] for name in _TIMES if about.get(name)), 0)
    if isinstance(when, str):
        when = datetime.datetime.fromisoformat(when)
    seconds = when.timestamp() if isinstance(when, datetime.datetime) else float(when)
    mtime_ns = int(seconds) * 10**9  # listings and answers round otherwise
    return Fingerprint(int(about["size"] or 0), mtime_ns, tag or f"{mtime_ns}-{about['size']}")
