"""Which processors share a memory (NUMA nodes, as a rule one a socket), and on which of them each
of several workers stays.

A worker whose threads lie in two nodes reads half of its numbers through the link between them. One
that is kept on a node's processors has its memory there too: Linux gives a page from the node of
the thread that touches it first. Built by reading (Documentation/admin-guide/mm/numaperf and
Documentation/ABI/stable/sysfs-devices-node of the kernel, sched_setaffinity(2)): no machine with
two nodes was at hand.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.batch.system.machine import gpus

Processors = frozenset[int]

_NODES = Path("/sys/devices/system/node")  # a folder `node0` for each


def memory_nodes(folder: Path = _NODES) -> list[Processors]:
    """The processors of each node, as far as this process may run on them; those of which it may
    use none are left out. Empty where the kernel does not tell."""
    if not hasattr(os, "sched_getaffinity"):  # macOS
        return []
    usable = os.sched_getaffinity(0)
    found = []
    for path in sorted(folder.glob("node[0-9]*/cpulist"), key=lambda path: int(path.parent.name[len("node") :])):
        with suppress(OSError, ValueError):
            found.append(frozenset(_listed(path.read_text()) & usable))
    return [node for node in found if node]


def places(workers: int, threads: int, nodes: Sequence[Processors] | None = None) -> list[Processors | None]:
    """The processors that each of so many workers, of so many threads, is kept on: one node's, the
    one with most room left. All None, for no bounds, where there are no several workers or nodes,
    where the workers do not all fit into nodes with a processor a thread, and where GPUs paint."""
    nodes = memory_nodes() if nodes is None else nodes
    left = [len(node) // threads for node in nodes]
    if workers < 2 or len(nodes) < 2 or sum(left) < workers or gpus():
        return [None] * workers
    chosen: list[Processors | None] = []
    for _ in range(workers):
        roomiest = left.index(max(left))
        left[roomiest] -= 1
        chosen.append(nodes[roomiest])
    return chosen


def stay_on(process: int, processors: Processors | None) -> None:
    """Keep a process that has just begun, and the threads that it will start, on these processors;
    one that may not be told, or is gone, is left as it is."""
    if processors:
        with suppress(OSError):
            os.sched_setaffinity(process, processors)


def _listed(text: str) -> set[int]:
    """The numbers of a list as the kernel writes it, `0-15,32-47`. Raises ValueError."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            found.update(range(int(first), int(last or first) + 1))
    return found
