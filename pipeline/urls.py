"""Addresses of pictures and folders that are elsewhere, and where they stand on this machine.

`s3://bucket/photos/a.jpg` is fetched to `CACHE/s3/bucket/photos/a.jpg` and read there; what is
painted for `s3://bucket/out` is painted in `STATE/s3/bucket/out`. So a path says which address it
stands for, and all rooms but `objects` know paths alone.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

# What a manifest may name. Whatever else fsspec knows reads this machine (`file`, `zip`, `local`),
# or runs a chain of others (`simplecache::`), and a manifest may be anybody's.
PROTOCOLS = ("s3", "gs", "az", "sftp", "https")
READ_ONLY = ("https",)
# How the variables begin that give access to stores of objects: who decodes pictures of anybody's
# asks no store, and is not told.
CREDENTIALS = ("AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "FSSPEC_", "SSH_AUTH_SOCK")
_SCHEME = re.compile(r"[^/]+(?=://)")
_SHOWN = 20  # characters of an unknown protocol
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9_.-]+@)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\]"
)
# Of an address, from its authority on, what stands before `@`: without a slash in it, or behind a
# colon where no port stands, as keys of S3 have slashes.
_USER = re.compile(r"\A(?:[^/@:]*:(?![0-9]{1,5}/).*(?=@)|[^/]+(?=@))")
_QUERY = re.compile(r"(?<=[?#])[^,}\]]+")
_WORD = re.compile(r"""[^\s'"]+""")
_LONGEST_PART = 255  # bytes of a name in a folder, of all file systems in use
_LONGEST = 1024  # bytes of a key of S3 (docs.aws.amazon.com, "Naming Amazon S3 objects")
_WITHOUT_SECRETS = "s3, gs, az and sftp take credentials from where their own tools do"


def is_url(text: str) -> bool:
    """Does it begin as an address, of whatever kind? No file's name does that has one slash."""
    return _SCHEME.match(text) is not None


def fault(url: str, *, written: bool = False, pattern: bool = False) -> str | None:
    """Why this cannot be an address of a picture or folder, as the end of a sentence that does not
    repeat what may be a secret; None where it can. `written`: something is to be written there."""
    match = _SCHEME.match(url)
    protocol = match.group().lower() if match else ""
    if "::" in protocol or url.count("://") > 1:
        return "is a chain of addresses; name one"
    if protocol not in PROTOCOLS:
        return (
            f"begins with '{protocol[:_SHOWN]}:'; known are {', '.join(f'{name}://' for name in PROTOCOLS)}, and paths"
        )
    rest = url[len(protocol) + 3 :]
    authority, _, path = rest.partition("/")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in url):
        return "has a control character in it"
    if "@" in authority and (protocol != "sftp" or ":" in authority.partition("@")[0]):
        return f"has a user or password in it; {_WITHOUT_SECRETS}"
    query = url.partition("?")[2]  # in a pattern `?` is any letter
    if "#" in url or ("?" in url and (protocol == "https" or not pattern or "=" in query)):
        return f"has a query ('?...') or '#' in it, which may be a secret; {_WITHOUT_SECRETS}"
    if not _AUTHORITY.fullmatch(authority):
        return f"names no {'host' if protocol in ('sftp', 'https') else 'bucket'} after '{protocol}://'"
    if written and protocol in READ_ONLY:
        return "can only be read; write to s3://, gs://, az://, sftp:// or a folder"
    return key_fault(path.rstrip("/"))


def key_fault(key: str) -> str | None:
    """Why an object of this key cannot stand in a file, as the end of a sentence, or None."""
    if any(part in ("", ".", "..") for part in key.split("/") if key):
        return "has '.', '..' or nothing between two slashes"
    try:
        longest = max(len(part.encode()) for part in key.split("/"))
        whole = len(key.encode())
    except UnicodeEncodeError:
        return "is not text"
    if "\0" in key or longest > _LONGEST_PART or whole > _LONGEST:
        return f"is too long for a file: {_LONGEST_PART} bytes between slashes, {_LONGEST} in all"
    if "?versionid=" in key.lower():  # s3fs and adlfs would read, and write, what stands before it
        return "has '?versionId=' in it, which is taken for an object's version"
    return None


def without_secrets(text: str) -> str:
    """A text with stars in the place of what is a user, a password or a query in an address, of
    the same length. In time that grows with the text's length and no faster."""
    return _WORD.sub(_without_secrets, text) if "://" in text else text


def _without_secrets(match: re.Match[str]) -> str:
    begin, *rest = match[0].split("://")
    word = "://".join([begin, *(_USER.sub(_starred, each) for each in rest)])
    shown, end = "", 0
    while (address := word.find("://", end)) >= 0 and (query := _QUERY.search(word, address)):
        shown += word[end : query.start()] + _starred(query)
        end = query.end()
    return shown + word[end:]


def _starred(match: re.Match[str]) -> str:
    return "*" * len(match[0])


def local_path(url: str) -> Path:
    """Where an address without a fault is read on this machine. Nothing is made there."""
    return Path(_root("XDG_CACHE_HOME", ".cache"), *_parts(url))


def tags_path(url: str) -> Path:
    """What is known of the copy at `local_path`."""
    return Path(f"{_root('XDG_CACHE_HOME', '.cache')}.tags", *_parts(url))


def copies_root() -> str:
    """The folder of all that `local_path` names."""
    return _root("XDG_CACHE_HOME", ".cache")


def state_path(url: str, state: str | None = None) -> Path:
    """Where what is written to an address is made and kept on this machine, below a folder that is
    chosen, or the usual one. Nothing but ours stands in it, whatever the folder is: what stands
    there is delivered. It is never where copies are, which go when there is no room."""
    root = _resolved(state) if state else _root("XDG_STATE_HOME", ".local/state")
    return Path(f"{root}.state" if root == copies_root() else root, *_parts(url))


def url_of(path: str | os.PathLike[str]) -> str | None:
    """The address that a path of `local_path` stands for; None for any other path."""
    root, text = _root("XDG_CACHE_HOME", ".cache"), os.fspath(path)
    if not text.startswith(root + "/"):
        return None
    protocol, _, rest = text[len(root) + 1 :].partition("/")
    return f"{protocol}://{rest}" if rest and protocol in PROTOCOLS else None


def with_addresses(text: str) -> str:
    """A text with addresses in the place of the paths that `local_path` has for them."""
    root = copies_root()
    return re.sub(f"{re.escape(root)}/({'|'.join(PROTOCOLS)})/", r"\1://", text) if root in text else text


def path_of(folder: str | os.PathLike[str], name: str) -> str:
    """The path of a name in a manifest: from `folder` on, or where the address that it is stands on
    this machine."""
    return os.fspath(local_path(name)) if is_url(name) else os.path.join(folder, name)


def split_url(url: str) -> tuple[str, str, str]:
    """Protocol, bucket or host, and key of an address, without slashes around it."""
    protocol, _, rest = url.partition("://")
    authority, _, key = rest.partition("/")
    return protocol.lower(), authority, key.strip("/")


def _parts(url: str) -> tuple[str, ...]:
    protocol, authority, key = split_url(url)
    return (protocol, authority, *key.split("/")) if key else (protocol, authority)


def _root(variable: str, usual: str) -> str:
    return _resolved(os.environ.get(variable) or os.path.join(os.path.expanduser("~"), usual))


@functools.lru_cache(maxsize=8)
def _resolved(folder: str) -> str:
    return os.path.join(os.path.realpath(folder), "stylize", "objects")
