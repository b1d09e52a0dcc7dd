"""The only door between image files and pixel arrays; colour.

Pixels are float32 RGB (height, width, 3), 0..255, sRGB, everywhere outside this room's own files.
Alpha is float32 (height, width), 0..1.

To look and not to paint: `reader` asks `reader_process`, within `budget`, so that nobody else
decodes; `memory_file` is for what that one says as it dies. Without NumPy there: `inspection` (what
a file is), `facts`, `sizes`, `print_size`, `metadata` (what an output remembers), `small` (pictures
from afar), on top of `file_bytes` (bytes of a file), `decode` and `convert` (upright Pillow images
in sRGB, by `colour_space` and `icc`), `structure`, `png` and `tiff_directory` (what is in a file
before it is decoded), `refusals` (why not).

To paint: `picture` (files to pixels), `scale`, `alpha`, `encode` (pixels to files);
`colour` and `palette` (a style's colours), `sharpening` (to the photograph's full size),
`stillness` (when a picture is done).

Where: `masks`, `region_maps` with `region_colours` and `colour_codes`, `emptiness`, and
`starting_masks` to begin with.

To look at results: `quality` in figures, `sheet` and `lettering` for contact sheets.
"""
