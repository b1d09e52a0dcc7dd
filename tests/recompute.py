"""The losses of a saved picture, computed anew: Pillow, Keras and NumPy, none of the project's losses or network code.

    python tests/recompute.py OUTPUT/report.json NAME INPUT

prints {"content": ..., "style": ...} of the pair whose output is NAME, from the picture as it was saved and the formulas in
the README. Only the 8-bit weight file is read by the project's own reader.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from pipeline.nst.kernels import load_kernels
from pipeline.nst.weights import locate

FRAME = 8  # README: the network sees the picture continued by 8 mirrored pixels, which no statistic counts
REDUCTION = {"block1": 1, "block2": 2, "block3": 4, "block4": 8, "block5": 16}


def read(path, size=None):
    """(height, width, 3) float64, 0..255, resized channel by channel without rounding."""
    channels = [np.asarray(channel, np.float32) for channel in Image.open(path).convert("RGB").split()]
    if size is not None:
        channels = [np.asarray(Image.fromarray(c).resize(size, Image.Resampling.LANCZOS)) for c in channels]
    return np.clip(np.stack(channels, axis=-1), 0, 255)


def activations(model, image, layers):
    framed = np.pad(image, [(FRAME, FRAME), (FRAME, FRAME), (0, 0)], mode="symmetric")[np.newaxis]
    outputs = model(keras.applications.vgg19.preprocess_input(framed.copy()))
    found = {}
    for layer, output in zip(layers, outputs, strict=True):
        factor = REDUCTION[layer.split("_")[0]]
        frame, height, width = FRAME // factor, image.shape[0] // factor, image.shape[1] // factor
        found[layer] = np.asarray(output[0], np.float64)[frame : frame + height, frame : frame + width]
    return found


def gram(features):
    flat = features.reshape(-1, features.shape[-1])
    return flat.T @ flat / len(flat)


def recompute(report: Path, name: str, folder: Path) -> dict[str, float]:
    pair = next(pair for pair in json.loads(report.read_text())["pairs"] if pair["output"] == name)
    options = pair["options"]
    layers = sorted({*options["content_layers"], *options["style_layers"]})
    vgg = keras.applications.VGG19(include_top=False, weights=None)
    for layer, weights in load_kernels(locate("imagenet-8bit")).items():
        vgg.get_layer(layer).set_weights(weights)
    model = keras.Model(vgg.input, [vgg.get_layer(layer).output for layer in layers])

    picture = read(report.parent / name)
    size = (picture.shape[1], picture.shape[0])
    style_file = folder / pair["style"][0]
    with Image.open(style_file) as image:
        scale = max(size) * options["style_scale"] / max(image.size)
        style_size = tuple(round(side * scale) for side in image.size)
    X = activations(model, picture, layers)
    P = activations(model, read(folder / pair["content"], size), layers)
    S = activations(model, read(style_file, style_size), layers)

    content = sum(w * np.sum((X[n] - P[n]) ** 2) / np.sum(P[n] ** 2) for n, w in options["content_layers"].items())
    style = sum(
        w * 1000 * np.sum((gram(X[n]) - gram(S[n])) ** 2) / np.sum(gram(S[n]) ** 2)
        for n, w in options["style_layers"].items()
    )
    return {"content": options["content_weight"] * content, "style": options["style_weight"] * style}


if __name__ == "__main__":
    print(json.dumps(recompute(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))))
