"""The example of docs/python.md."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from pipeline import Stylizer, stylize
from pipeline.reading import Reading

# One picture. Paths, Pillow images or arrays go in.
result = stylize("photo.jpg", "starry.jpg", size=512, steps=300, seed=7)
print(result)  # its size, steps, losses and seconds, in one line
result.save("out.png")  # with the settings that `stylize show out.png` reads

# Two styles, two parts of the first to one of the second.
stylize("photo.jpg", [("starry.jpg", 2), ("wave.jpg", 1)], preset="draft").save("blend.png")


# A word in between: False stops, and keeps the best.
def watch(reading: Reading, picture: Callable[[], Image.Image]) -> bool:
    """Keep what is there every 50 steps, and stop after ten minutes."""
    if reading.final and reading.step % 50 == 0:
        picture().save(f"step-{reading.step}.jpg")
    return reading.seconds < 600


# Many pictures with one network, which is let go at the end.
with Stylizer(preset="draft", style_weight=5e-2) as paint:
    for size in (256, 384):
        print(paint("photo.jpg", "wave.jpg", size=size, callback=watch).last.total)
    paint("photo.jpg", "wave.jpg", size="2in").save("small.jpg")
