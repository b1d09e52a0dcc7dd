"""Animated pictures, written frame by frame: GIF, PNG and WebP."""
