"""YAML to jobs that can be started, or precisely why not. No pixels, no NumPy, no TensorFlow.

`load` goes the whole way: text by `yaml`, `check` against the sections (`section`, `sections`,
`run_section`, `mask_sections`; `schema` for editors), values by `options`, jobs by `pairs`.

Manifests that nobody wrote: `starter` of a folder, `named_pictures` of a command line,
`from_picture` of the settings in a picture, `from_command` with `programs` of another program's
command."""

from __future__ import annotations

from pipeline.manifest.from_command import manifest_for_command
from pipeline.manifest.from_picture import manifest_for_settings
from pipeline.manifest.load import load_manifest
from pipeline.manifest.named_pictures import load_pictures
from pipeline.manifest.options.keywords import options_from_python
from pipeline.manifest.options.overrides import Override
from pipeline.manifest.options.precedence import PRECEDENCE
from pipeline.manifest.options.presets import Preset, builtin_presets
from pipeline.manifest.schema import json_schema, schema_text
from pipeline.manifest.starter import find_pictures, load_folder, starter_manifest

__all__ = [
    "PRECEDENCE",
    "Override",
    "Preset",
    "builtin_presets",
    "find_pictures",
    "json_schema",
    "load_folder",
    "load_manifest",
    "load_pictures",
    "manifest_for_command",
    "manifest_for_settings",
    "options_from_python",
    "schema_text",
    "starter_manifest",
]
