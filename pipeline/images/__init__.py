"""The only door between image files and pixel arrays; colour.

Pixels are float32 RGB (height, width, 3), 0..255, sRGB, everywhere outside this room's own files.
Alpha is float32 (height, width), 0..1.

Without NumPy, for commands that only look: `inspection` (what a file is), `sizes`, `metadata` (what
an output remembers), on top of `file_bytes` (bytes of a file), `decode` and `convert` (upright
Pillow images in sRGB), `png`, `refusals` (why not).

With NumPy: `picture` (files to pixels), `scale`, `colour`, `encode` (pixels to files).
"""
