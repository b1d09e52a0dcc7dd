"""YAML to jobs that can be started, or precisely why not. No pixels, no NumPy, no TensorFlow."""

from __future__ import annotations

from pipeline.manifest.load import load_manifest
from pipeline.manifest.overrides import Override
from pipeline.manifest.presets import Preset, builtin_presets

__all__ = ["Override", "Preset", "builtin_presets", "load_manifest"]
