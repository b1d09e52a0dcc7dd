"""How much memory the control groups around this process allow it: systemd's MemoryMax and
MemoryHigh, a container's, a batch system's. Linux' own; cgroups(7), of both versions.

A process is in one group of each hierarchy. /proc/self/cgroup says which, as a path below the
hierarchy's root; /proc/self/mountinfo says where that is mounted, and from which group on, as a
container sees only its own part. The limits of all groups further up hold too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class _Version(NamedTuple):
    """Names of files in a group: limits, what is used, and, in memory.stat, what of it the kernel
    gives back when memory is short."""

    limits: tuple[str, ...]
    used: str
    given_back: tuple[str, ...]


# At memory.high the kernel kills nobody, but slows down so much that it is no better.
_VERSIONS = {
    "cgroup2": _Version(("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file")),
    "cgroup": _Version(
        ("memory.limit_in_bytes",), "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
    ),
}


def memory_limit(root: Path = Path("/")) -> int | None:
    """The tightest limit in bytes; None where there is none. `root` is where /proc and /sys are."""
    return min((limit for _group, _version, limit in _limits(root)), default=None)


def memory_left(root: Path = Path("/")) -> int | None:
    """How many bytes more the groups allow, beside what all in them use now; None where there is no
    limit. Pages of files that were read do not count, as the kernel gives them back."""
    left = []
    for group, version, limit in _limits(root):
        if (used := _number(group / version.used)) is not None:
            left.append(max(0, limit - max(0, used - _given_back(group, version))))
    return min(left, default=None)


def _limits(root: Path) -> Iterator[tuple[Path, _Version, int]]:
    """Each group that has a limit, its version and the limit."""
    for group, version in _groups(root):
        for name in version.limits:
            limit = _number(group / name)
            # version 1 says "none" by the largest number of pages that there is
            if limit is not None and limit < 1 << 60:
                yield group, version, limit


def _groups(root: Path) -> Iterator[tuple[Path, _Version]]:
    """The folders of the groups that this process is in, from its own up to the mounted root."""
    paths = _paths(root)
    for line in _lines(root / "proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        kind, *_source, options = [*after.split(" "), ""][:3]
        _id, _parent, _device, top, mount = before.split(" ")[:5]
        if kind not in paths or (kind == "cgroup" and "memory" not in options.split(",")):
            continue
        folder = root / _plain(mount).lstrip("/")
        below = _below(PurePosixPath(paths[kind]), PurePosixPath(_plain(top)))
        for depth in range(len(below.parts), -1, -1):
            yield folder.joinpath(*below.parts[:depth]), _VERSIONS[kind]


def _paths(root: Path) -> dict[str, str]:
    """The path of this process' group by the hierarchy's kind."""
    found = {}
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            found["cgroup2"] = path
        elif "memory" in controllers.split(","):
            found["cgroup"] = path
    return found


def _below(path: PurePosixPath, top: PurePosixPath) -> PurePosixPath:
    """The group's path below what is mounted. A group outside of it, which `..` tells of in another
    namespace, becomes the mounted one: it holds all that we see."""
    if path.is_relative_to(top) and ".." not in path.parts:
        return path.relative_to(top)
    return PurePosixPath()


def _given_back(group: Path, version: _Version) -> int:
    rows = (line.split(" ") for line in _lines(group / "memory.stat"))
    return sum(int(row[1]) for row in rows if len(row) == 2 and row[0] in version.given_back and row[1].isdigit())


def _number(path: Path) -> int | None:
    """What a file says, or None: `max`, or no such file, as in the root of a hierarchy."""
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def _lines(path: Path) -> list[str]:
    with suppress(OSError, ValueError):
        return path.read_text().splitlines()
    return []


def _plain(path: str) -> str:
    """A path of mountinfo, in which blanks are written in octal."""
    for code, letter in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        path = path.replace(code, letter)
    return path
