"""The only door between image files and pixel arrays; colour.

Pixels are float32 RGB (height, width, 3), 0..255, sRGB, everywhere outside this room's own files.
Alpha is float32 (height, width), 0..1.

For commands that only look: `reader` asks `reader_process`, within `budget`, so that nobody else
decodes. Without NumPy there: `inspection` (what a file is), `facts`, `sizes`, `metadata` (what an
output remembers), on top of `file_bytes` (bytes of a file), `decode` and `convert` (upright
Pillow images in sRGB), `png`, `refusals` (why not).

With NumPy: `picture` (files to pixels), `scale`, `colour`, `encode` (pixels to files).
"""
