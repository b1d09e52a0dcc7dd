"""Attacks from end to end: the hostile files of tests/hostile, planted in a project, through every verb, under limits.

    python -m tests.hostile.run                       # all of them
    python -m tests.hostile.run --only "link*" --keep # some, and what they left stays

Each attack has a project of its own that was painted once. Verb after verb runs on it, each in a process group that a small
process starts (a child's memory would else count its parent's), ends when its time is up, and measures. What must hold,
whatever was planted: the exit code is one of the promised, 1 excepted; no traceback; no control character on a terminal;
within time and memory; strangers' files as they were; nothing of the attack's was executed; no process left. The engine that
paints is tests/chaos', which takes milliseconds.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.project import environment

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 180.0  # for one verb, on a machine with much other work
MEMORY = 700 * 2**20  # bytes, of the largest process of a verb
CODES = {0, 2, 3, 4, 10, 11, 12}
MANIFEST = """version: 1
input: input
output: out
defaults: {{size: 48, steps: 4, weights: random, tile: off}}
run: {{retries: 0}}
pairs:{pairs}
"""
PAIRS = """
  - {content: dog.png, style: wave.png, output: dog.png}
  - {content: sea.png, style: wave.png, output: sub/sea.jpg}
"""
VERBS: tuple[tuple[str, ...], ...] = (
    ("check", "night.yaml"),
    ("plan", "night.yaml"),
    ("run", "night.yaml", "-q"),
    ("show", "out/dog.png"),
    ("report", "night.yaml"),
    ("status", "night.yaml"),
    ("history", "night.yaml"),
    ("sheet", "night.yaml"),
    ("sheet", "night.yaml", "--strip", "-o", "strips"),
    ("clean", "night.yaml"),
    ("run", "night.yaml", "-q", "--retry-failed"),
)
# Standard library only, and no site: small. Prints how its child ended, and the most memory of it and of its children.
_KEEPER = """
import os, resource, signal, sys, time
telling, seconds, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
os.set_inheritable(telling, False)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**32, 2**32))
    os.execv(command[0], command)
end = time.monotonic() + seconds
while True:
    pid, status, used = os.wait4(child, os.WNOHANG)
    if pid:
        break
    if time.monotonic() > end:
        os.killpg(child, signal.SIGKILL)
        pid, status, used = os.wait4(child, 0)
        status = -1
        break
    time.sleep(0.01)
try:
    os.killpg(child, signal.SIGKILL)
    left = 1
except OSError:
    left = 0
code = 'late' if status == -1 else os.waitstatus_to_exitcode(status)
os.write(telling, f"{code} {used.ru_maxrss * 1024} {left} {used.ru_utime + used.ru_stime:.2f}".encode())
"""


@dataclass(frozen=True)
class Attack:
    """`plant(place)` puts it into a project; `verbs` are tried then. `look(place)` says what is wrong afterwards, beside what
    always is. Before each run dog.png is gone, so that something is painted; not where `repaint` is False.
    """

    name: str
    plant: Callable[[Path], object]
    verbs: Sequence[Sequence[str]] = VERBS
    look: Callable[[Path], Sequence[str]] = lambda place: ()
    seconds: float = SECONDS
    memory: int = MEMORY
    repaint: bool = True


@dataclass(frozen=True)
class Ended:
    """How a verb ended: `code`, or "late"; bytes of its largest process; seconds of processor time."""

    code: str
    memory: int
    left: bool
    busy: float
    out: str
    err: str


def make_project(place: Path) -> None:
    """Pictures, a manifest, strangers' files, and a first night."""
    from PIL import Image

    (place / "input").mkdir(parents=True)
    for name, colour in (("dog", (180, 120, 60)), ("sea", (30, 90, 160)), ("wave", (20, 40, 90))):
        path = place / f"input/{name}.png"
        Image.new("RGB", (48, 40), colour).save(path)
        os.utime(path, (1.7e9, 1.7e9))
    (place / "night.yaml").write_text(MANIFEST.format(pairs=PAIRS))
    (place / "faults").mkdir()
    (place / "outside").mkdir()
    Image.new("RGB", (48, 40), (1, 2, 3)).save(place / "outside/private.png")
    (place / "outside/victim.txt").write_text("somebody's\n")
    ended = run(place, ("run", "night.yaml", "-q"))
    assert ended.code == "0", ended
    (place / "out/mine.txt").write_text("a stranger's\n")


def run(place: Path, verb: Sequence[str], seconds: float = SECONDS) -> Ended:
    """One verb in a project."""
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "tests.chaos.start", *verb]
    keeper = [sys.executable, "-I", "-S", "-c", _KEEPER, str(writing), str(seconds), *command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            keeper,
            cwd=place,
            env=environment(place),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=(writing,),
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            child.wait()
            code, memory, left, busy = told.read().split()
        out.seek(0)
        err.seek(0)
        texts = (file.read(200_000).decode(errors="replace") for file in (out, err))
        return Ended(code, int(memory), left == "1", float(busy), *texts)


def findings(attack: Attack, place: Path, say: Callable[[str], object] = lambda text: None) -> Iterator[str]:
    """Plant, run, look."""
    outside = _contents(place / "outside")
    attack.plant(place)
    planted = _contents(place / "outside")
    assert {name: planted[name] for name in outside} == outside, f"{attack.name} is to leave the victims alone"
    for verb in attack.verbs:
        if verb[0] == "run" and attack.repaint and (place / "out/dog.png").is_file():
            (place / "out/dog.png").unlink()
        ended = run(place, verb, attack.seconds)
        say(f"  {' '.join(verb):<40} {ended.code:>5} {ended.memory >> 20:5} MiB {ended.busy:6.1f} s")
        yield from (f"{' '.join(verb)}: {what}" for what in _wrong(ended, attack))
    if _contents(place / "outside") != planted:
        changed = set(_contents(place / "outside").items()) ^ set(planted.items())
        yield f"outside of the output folder something was written: {sorted({name for name, _ in changed})}"
    if not (place / "out/mine.txt").is_file():
        yield "a stranger's file in the output folder is gone"
    if (place / "canary").exists():
        yield "planted code was executed"
    yield from attack.look(place)


def _wrong(ended: Ended, attack: Attack) -> Iterator[str]:
    if ended.code == "late":
        yield f"was not done after {attack.seconds:g} s"
    elif int(ended.code) not in CODES:
        yield f"ended with {ended.code}: {ended.err[-300:]}"
    if ended.memory > attack.memory:
        yield f"took {ended.memory >> 20} MiB"
    if ended.left:
        yield "left a process behind"
    for text in (ended.out, ended.err):
        if "Traceback (most recent call last)" in text:
            yield f"a traceback: {text[-300:]}"
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text):
            yield f"control characters: {text[:200]!r}"


def _contents(folder: Path) -> dict[str, bytes]:
    """What stands there; no link is followed, nothing is read that is no file."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        for path in sorted(folder.rglob("*"))
    }


def main() -> int:
    """Run the attacks; 1 if anything was found."""
    from tests.hostile.attacks import ATTACKS

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="*", help="attacks whose name matches this pattern")
    parser.add_argument("--keep", action="store_true", help="keep the projects")
    parser.add_argument("--quiet", action="store_true", help="say nothing but what was found")
    arguments = parser.parse_args()
    say: Callable[[str], object] = (lambda text: None) if arguments.quiet else (lambda text: print(text, flush=True))
    root = Path(tempfile.mkdtemp(prefix="hostile-"))
    make_project(root / "sound")
    found: dict[str, list[str]] = {}
    for number, attack in enumerate(ATTACKS):
        if not fnmatch.fnmatch(attack.name, arguments.only):
            continue
        place = root / f"{number}-{re.sub(r'[^a-z0-9]+', '-', attack.name)}"
        shutil.copytree(root / "sound", place, copy_function=shutil.copy2)
        say(attack.name)
        for what in findings(attack, place, say):
            found.setdefault(attack.name, []).append(what)
            print(f"FOUND {attack.name}: {what}", flush=True)
    if arguments.keep:
        print(root)
    else:
        shutil.rmtree(root, ignore_errors=True)
    print(json.dumps(found, indent=1) if found else "nothing was found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
