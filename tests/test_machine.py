"""The machine as a run sees it: memory that its control groups allow, and what else reaches a worker from outside."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from pipeline import processor
from pipeline.batch.system import machine
from pipeline.batch.system.environment import clean_environment, recorded, worker_environment
from pipeline.memory_limit import memory_left, memory_limit
from pipeline.nst import tiling

MIB, GIB = 1 << 20, 1 << 30


class Tree:
    """A /proc and a /sys of one's own."""

    def __init__(self, root: Path, cgroup: str, mountinfo: str) -> None:
        self.root = root
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(cgroup)
        (root / "proc/self/mountinfo").write_text(mountinfo)

    def group(self, path: str, **files: str) -> None:
        """A control group's files, `memory_max="2147483648"`."""
        folder = self.root / "sys/fs/cgroup" / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("memory_", "memory.")).write_text(f"{text}\n")


V2_MOUNT = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
OTHER_MOUNTS = "25 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n28 25 0:24 / /sys rw - sysfs sysfs rw\n"
V1_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
UNLIMITED = 9223372036854771712  # version 1's way of saying so


def test_systemds_limit_of_the_unit_is_seen_and_not_only_the_roots(tmp_path):
    tree = Tree(tmp_path, "0::/system.slice/stylize.service\n", OTHER_MOUNTS + V2_MOUNT)
    tree.group("")  # the root has no such file
    tree.group("system.slice", memory_max="max", memory_high="max")
    tree.group("system.slice/stylize.service", memory_max=2304 * MIB, memory_high="max")
    assert memory_limit(tmp_path) == 2304 * MIB


@pytest.mark.parametrize(
    ("of_the_slice", "of_the_unit", "high", "tightest"),
    [(8 * GIB, "max", "max", 8 * GIB), (GIB, 4 * GIB, "max", GIB), (8 * GIB, 4 * GIB, 3 * GIB, 3 * GIB)],
)
def test_of_nested_limits_the_tightest_holds(tmp_path, of_the_slice, of_the_unit, high, tightest):
    tree = Tree(tmp_path, "0::/user.slice/run-7.scope\n", V2_MOUNT)
    tree.group("user.slice", memory_max=of_the_slice, memory_high="max")
    tree.group("user.slice/run-7.scope", memory_max=of_the_unit, memory_high=high)
    assert memory_limit(tmp_path) == tightest


def test_version_1_and_machines_that_have_both(tmp_path):
    tree = Tree(tmp_path, "5:cpu,cpuacct:/batch\n4:memory:/batch/job7\n0::/\n", OTHER_MOUNTS + V1_MOUNT + V2_MOUNT)
    tree.group("memory", memory_limit_in_bytes=UNLIMITED)
    tree.group("memory/batch", memory_limit_in_bytes=6 * GIB)
    tree.group("memory/batch/job7", memory_limit_in_bytes=UNLIMITED)
    assert memory_limit(tmp_path) == 6 * GIB


def test_a_container_that_sees_its_own_part_only_knows_its_limit(tmp_path):
    mount = "35 31 0:32 /docker/4f1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    tree = Tree(tmp_path, "4:memory:/docker/4f1\n", mount)
    tree.group("memory", memory_limit_in_bytes=3 * GIB)
    assert memory_limit(tmp_path) == 3 * GIB


@pytest.mark.parametrize("path", ["/", "/../other", "/docker/4f1"])
def test_with_a_namespace_of_its_own_the_mounted_root_is_the_containers(tmp_path, path):
    tree = Tree(tmp_path, f"0::{path}\n", "30 25 0:26 /../4f1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n")
    tree.group("", memory_max=3 * GIB)
    assert memory_limit(tmp_path) == 3 * GIB


def test_a_group_or_mount_with_blanks_in_its_name(tmp_path):
    Tree(tmp_path, "0::/my jobs:1\n", "30 25 0:26 / /sys/fs/cg\\040roup rw - cgroup2 cgroup2 rw\n")
    folder = tmp_path / "sys/fs/cg roup/my jobs:1"
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text("1000000\n")
    assert memory_limit(tmp_path) == 1_000_000


def test_without_limits_or_groups_there_is_none(tmp_path):
    assert memory_limit(tmp_path) is None
    assert memory_left(tmp_path) is None
    tree = Tree(tmp_path, "4:memory:/\n", V1_MOUNT)
    tree.group("memory", memory_limit_in_bytes=UNLIMITED)
    assert memory_limit(tmp_path) is None


def test_what_is_left_is_less_by_what_others_in_the_group_hold_but_not_by_files_that_were_read(tmp_path):
    tree = Tree(tmp_path, "0::/a/b\n", V2_MOUNT)
    stat = f"anon 5\ninactive_file {300 * MIB}\nactive_file {100 * MIB}\n"
    tree.group("a", memory_max=2 * GIB, memory_current=1700 * MIB, memory_stat=stat)
    tree.group("a/b", memory_max=GIB, memory_current=200 * MIB, memory_stat="inactive_file 0\n")
    assert memory_left(tmp_path) == 2048 * MIB - 1300 * MIB
    assert memory_limit(tmp_path) == GIB


def test_plans_and_doctor_go_by_the_tightest_limit(monkeypatch):
    monkeypatch.setattr(tiling, "memory_limit", lambda: 2304 * MIB)
    monkeypatch.setattr(machine, "memory_limit", lambda: 2304 * MIB)
    monkeypatch.setattr(machine, "memory_left", lambda: 100 * MIB)
    tiling.machine_memory.cache_clear()
    try:
        assert tiling.machine_memory() == 2304 * MIB
    finally:
        tiling.machine_memory.cache_clear()
    assert machine.memory() == (2304 * MIB, 100 * MIB)
    monkeypatch.setattr(machine, "memory_limit", lambda: 1 << 60)
    assert machine.memory()[0] == psutil.virtual_memory().total


# ----------------------------------------------------------------------------------------------------------- environment

CHANGES_BYTES = {
    "oneDNN on or off": ("TF_ENABLE_ONEDNN_OPTS", "0"),
    "oneDNN, of old": ("TF_DISABLE_MKL", "1"),
    "oneDNN's instructions": ("ONEDNN_MAX_CPU_ISA", "SSE41"),
    "the same by its other name": ("DNNL_MAX_CPU_ISA", "SSE41"),
    "oneDNN's arithmetic": ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
    "XLA through TensorFlow": ("TF_XLA_FLAGS", "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"),
    "XLA": ("XLA_FLAGS", "--xla_cpu_enable_fast_math=true"),
    "which kernels are exact": ("TF_DETERMINISTIC_OPS", "1"),
    "cuDNN's choices": ("TF_CUDNN_USE_AUTOTUNE", "0"),
    "tensor cores": ("NVIDIA_TF32_OVERRIDE", "0"),
    "cuBLAS": ("CUBLAS_WORKSPACE_CONFIG", ":16:8"),
    "threads between kernels": ("TF_NUM_INTEROP_THREADS", "7"),
    "OpenMP": ("OMP_DYNAMIC", "true"),
    "Intel's OpenMP": ("KMP_BLOCKTIME", "0"),
    "GNU's OpenMP": ("GOMP_CPU_AFFINITY", "0"),
    "MKL": ("MKL_CBWR", "COMPATIBLE"),
    "NumPy's kernels": ("NPY_DISABLE_CPU_FEATURES", "AVX2"),
    "NumPy's BLAS": ("OPENBLAS_CORETYPE", "Prescott"),
    "libjpeg-turbo": ("JSIMD_FORCENONE", "1"),
    "Keras 2": ("TF_USE_LEGACY_KERAS", "1"),
    "Keras' limits": ("KERAS_MAX_EPOCHS", "1"),
    "memory of GPUs": ("TF_FORCE_GPU_ALLOW_GROWTH", "false"),
    "warnings as errors": ("PYTHONWARNINGS", "error"),
    "no assertions": ("PYTHONOPTIMIZE", "2"),
}


@pytest.mark.parametrize("kind", CHANGES_BYTES)
def test_a_switch_that_changes_bytes_does_not_reach_the_worker(kind):
    name, value = CHANGES_BYTES[kind]
    assert name not in worker_environment({name: value, "HOME": "/home/me"}, 2, None)


@pytest.mark.parametrize(
    ("name", "value", "fixed"),
    [
        ("KERAS_BACKEND", "jax", "tensorflow"),
        ("KERAS_HOME", "/home/me/keras", os.devnull),
        ("OMP_NUM_THREADS", "7", "2"),
        ("TF_NUM_INTRAOP_THREADS", "7", "2"),
        ("PYTHONHASHSEED", "random", "0"),
        ("PYTHONSAFEPATH", "", "1"),
    ],
)
def test_what_must_stand_at_something_is_set(name, value, fixed):
    for given in ({}, {name: value}):
        assert worker_environment(given, 2, None)[name] == fixed


def test_everything_else_is_the_users(tmp_path):
    given = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "de_DE", "CUDA_VISIBLE_DEVICES": "3", "LD_PRELOAD": "/lib/x.so"}
    assert clean_environment(given).items() >= given.items()
    assert worker_environment(given, 2, "1")["CUDA_VISIBLE_DEVICES"] == "1"


def test_who_decodes_pictures_is_told_no_credentials():
    given = {"AWS_SECRET_ACCESS_KEY": "x", "SSH_AUTH_SOCK": "y", "AZURE_STORAGE_KEY": "z", "FSSPEC_S3_SECRET": "x"}
    assert clean_environment(given).keys().isdisjoint(given)


def test_folders_that_are_relative_are_on_no_path_of_a_child():
    given = {"PYTHONPATH": ":/opt/a:lib:./b:/opt/c:", "LD_LIBRARY_PATH": "::."}
    assert clean_environment(given)["PYTHONPATH"] == "/opt/a:/opt/c"
    assert "LD_LIBRARY_PATH" not in clean_environment(given)


def test_what_was_put_under_the_libraries_is_told_without_its_folders():
    assert recorded({"PATH": "/bin"}) == "none"
    given = {"LD_PRELOAD": "/home/me/lib/libfast.so libm.so.6", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2"}
    assert recorded(given) == "LD_PRELOAD=libfast.so:libm.so.6, GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2"


def test_the_peak_is_the_process_own_and_not_what_its_parent_held(monkeypatch):
    """Which getrusage counts too, from before the process was its own."""
    monkeypatch.setattr(machine.resource, "getrusage", lambda _: pytest.fail("asked for the parent's"))
    machine.reset_peak_memory()
    assert MIB < machine.peak_memory() <= 1.5 * psutil.Process().memory_info().rss


def test_a_machine_that_hides_instructions_is_another_machine(monkeypatch, tmp_path, request):
    info = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "Path", lambda _: info)
    request.addfinalizer(processor.processor_flags.cache_clear)
    processor.processor_flags.cache_clear()
    info.write_text("processor : 0\nmodel name : Z80\nflags : fpu avx2 sse4_1 avx512_bf16 ht\n")
    assert machine.instructions() == "sse4_1 avx2 avx512_bf16"
    processor.processor_flags.cache_clear()
    info.write_text("processor : 0\nFeatures : fp asimd bf16\n")
    assert machine.instructions() == "asimd bf16"
    processor.processor_flags.cache_clear()
    info.unlink()
    assert machine.instructions() == "unknown"
