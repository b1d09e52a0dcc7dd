"""The other side of the race: pastiche 1.6.0, run by the Python of the benchmark environment, which has torch and not our
packages. Reads commands, writes answers, one JSON object a line:

    python pastiche_side.py CONTENT.png STYLE.png THREADS
    {"steps": 20}       ->  {"losses": [20 numbers as it prints them], "seconds": [20 numbers]}
    {"save": FOLDER}    ->  {"png": path of the picture as it saves it, "raw": path of its float32 pixels, RGB, unrounded}
"""

import array
import json
import sys
import time
import warnings
from pathlib import Path

import torch
from PIL import Image

warnings.simplefilter("ignore")  # torch's on NumPy, which is not needed
from pastiche.pastiche import VGG_MEAN, PasticheArtist, save_image


def main() -> None:
    content, style, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    # All else as by default: its layers and weights, L-BFGS, the content image as the start. Both pictures keep their size.
    artist = PasticheArtist(content, [style], style_size=max(Image.open(style).size), device="cpu")
    answer({"ready": True, "torch": torch.__version__, "first": artist.loss})
    for line in sys.stdin:
        command = json.loads(line)
        answer(walk(artist, command["steps"]) if "steps" in command else save(artist, Path(command["save"])))


def walk(artist: PasticheArtist, steps: int) -> dict[str, list[float]]:
    losses, seconds = [], []
    for _ in range(steps):
        began = time.perf_counter()
        artist.draw()
        seconds.append(time.perf_counter() - began)
        losses.append(artist.loss)
    return {"losses": losses, "seconds": seconds}


def save(artist: PasticheArtist, folder: Path) -> dict[str, str]:
    save_image(artist.pastiche, str(folder / "pastiche.png"))
    bgr = artist.pastiche.detach().squeeze(0) + torch.tensor(VGG_MEAN).reshape(3, 1, 1)
    rgb = bgr.flip(0).permute(1, 2, 0).contiguous()
    (folder / "pastiche.raw").write_bytes(array.array("f", rgb.flatten().tolist()).tobytes())
    return {"png": str(folder / "pastiche.png"), "raw": str(folder / "pastiche.raw")}


def answer(fields: dict[str, object]) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()
