"""Which arithmetic is fast here. bfloat16 halves the time where the hardware has it and multiplies
it where it has not."""

from __future__ import annotations

from pipeline.processor import processor_flags

# Processor flags, as Linux names them, of instructions that multiply bfloat16: Intel's and AMD's
# vectors, Intel's tiles.
_FAST_FLAGS = ("avx512_bf16", "amx_bf16")
# NVIDIA's compute capability from which tensor cores take bfloat16 (Ampere).
_FAST_CAPABILITY = (8, 0)


def automatic_precision() -> tuple[str, str]:
    """What `auto` means on this machine, and why, as a clause for the report. Asks TensorFlow for
    GPUs."""
    capability = _gpu_capability()
    if capability is not None:
        fast = capability >= _FAST_CAPABILITY
        needed = "" if fast else f", bfloat16 is fast from {'.'.join(map(str, _FAST_CAPABILITY))} on"
        return (
            "bfloat16" if fast else "float32",
            f"the GPU's compute capability is {'.'.join(map(str, capability))}{needed}",
        )
    if flags := fast_flags():
        return "bfloat16", f"the processor has {' and '.join(flags)}"
    return "float32", "the processor has no instructions for bfloat16"


def fast_flags() -> tuple[str, ...]:
    """The processor's flags that make bfloat16 fast; none where they cannot be read (then bfloat16
    is not hoped for)."""
    present = processor_flags()
    return tuple(flag for flag in _FAST_FLAGS if flag in present)


def _gpu_capability() -> tuple[int, int] | None:
    """The first GPU's compute capability, or None without a GPU."""
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        return tuple(details.get("compute_capability", (0, 0)))
    return None
