"""Animated pictures, written frame by frame: `gif` with its `palettes`, `png` and `webp`, each with
the `changes` from one frame to the next."""
