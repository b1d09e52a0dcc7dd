"""The only door between clips, which are videos, animations and numbered frames, and pixels."""
