"""A run: what is painted when and where, and what becomes of it. No tensors outside the painter.

The whole of it: `driver`. Before: `plan` asks `found` (what stands), `difference` (what changed),
`fit` (what cannot be), `networks` and `selection` or `previews`; `estimates` foresee what it takes,
`workers` says how many at once.

Meanwhile: `scheduler` decides, `engines` paint, `messages` go between, `results` and `outcomes`
keep the books; whoever listens is an `observer`: `live` with the page of `interim`.

`system` is the machine and its clock.

One pair, without a process: `painter`, with a `backend`, `files_of_job`, `checkpoints` and
`showing`.

A clip: `clip_painter` has `clip_walk` paint frames, which `clip_source` reads, `clip_frames` keeps;
`clip_output` or `frame_files` writes them, `clip_story` tells.

After: `standing` pairs that were not taken up, `finish`, `run_metadata`; and at any time `merging`
of shards' reports and `clean`."""
