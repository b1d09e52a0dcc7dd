"""Which arithmetic `precision: auto` takes, and the reason that stands in the report."""

from __future__ import annotations

import pytest

from pipeline.nst import precision
from pipeline.nst.precision import automatic_precision


@pytest.mark.parametrize(
    ("gpu", "flags", "chosen", "why"),
    [
        (None, ("avx512_bf16",), "bfloat16", "the processor has avx512_bf16"),
        (None, ("avx512_bf16", "amx_bf16"), "bfloat16", "the processor has avx512_bf16 and amx_bf16"),
        (None, (), "float32", "the processor has no instructions for bfloat16"),
        ((8, 6), (), "bfloat16", "the GPU's compute capability is 8.6"),
        ((7, 5), ("amx_bf16",), "float32", "the GPU's compute capability is 7.5, bfloat16 is fast from 8.0 on"),
    ],
)
def test_auto_is_bfloat16_only_where_the_hardware_is_fast_at_it(monkeypatch, gpu, flags, chosen, why):
    monkeypatch.setattr(precision, "_gpu_capability", lambda: gpu)
    monkeypatch.setattr(precision, "fast_flags", lambda: flags)
    assert automatic_precision() == (chosen, why)
    assert automatic_precision()[0] == chosen
