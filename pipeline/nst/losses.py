"""One pure function per equation of Gatys, Ecker & Bethge: "A Neural Algorithm of Artistic Style" (arXiv 1508.06576; the
equation numbers are its) and "Image Style Transfer Using Convolutional Neural Networks" (CVPR 2016).

Legend, as in the paper, for one layer of the network:

    N     number of filters (channels)
    M     number of positions, height times width; M_x of the picture, M_a of the style image, which may differ
    F     features of the picture X,  (height, width, N)
    P     features of the photograph, the same shape
    G     Gram matrix of the picture, (N, N)
    A     Gram matrix of the style image, (N, N)

Units. The paper's distances are sums: they grow with the picture and differ by orders of magnitude between layers, so a
weight found at one size or layer is wrong at another. `normalized`, the default, divides each layer's distance by what it
would be for an empty (all zero) set of features, which makes a distance a share of what there is to match:

    unit         content, per layer         style, per layer                                total variation
    normalized   Σ(F - P)² / ΣP²            1000 · Σ(G/M_x - A/M_a)² / Σ(A/M_a)²            a pixel and colour, / 255²
    paper        1/2 Σ(F - P)²   (Eq. 1)    1/(4N²) Σ(G/M_x - A/M_a)²          (Eq. 4)      sum
    means        mean of (F - P)²           mean of (G/M_x - A/M_a)²                        mean
    sums         Σ(F - P)²                  Σ(G - A·M_x/M_a)²                               sum
    roots        1/2 Σ(F - P)² / √(N·M_x)   as `paper`                                      sum
    per_pixel    Σ(F - P)²                  Σ(G - A·M_x/M_a)² / pixels²                     sum

Style shares are counted in thousandths, because a style is well met at some thousandths where content is well kept at some
tenths: this brings both weights near one. `means` is what the paper's authors published as code, and most others after
them; `roots` is cysmith's neural-style-tf, `per_pixel` Keras' own example and its descendants, whose Gram matrices of every
layer are divided by the pixels of the picture. For style images of the picture's own size (M_x = M_a), which is all that the
paper considers, `paper` and `sums` are exactly Eq. 1 to 5 and the plain sums of squares with unnormalised Gram matrices;
for others we compare Gram matrices per position, so that the style image may have any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import tensorflow as tf

UNITS = ("normalized", "paper", "means", "sums", "roots", "per_pixel")
_THOUSANDTHS = 1000.0
_GREY_LEVELS = 255.0
# Keeps a black photograph or style (no features to match) from dividing by zero. Squared activations of VGG19 are of the
# order of 1 to 1e6 a position, so this changes nothing else.
_NOTHING = 1e-9
# Numbers that are turned to float32 at a time: 128 MB, the largest temporary that a sum over positions needs.
_FLOATS_AT_ONCE = 2**25


@tf.custom_gradient  # type: ignore[untyped-decorator]
def squared_distance(
    a: tf.Tensor, b: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Σ(a - b)², a float32 scalar, of two tensors of one shape, each in its own floating point type. Its gradient 2(a - b) is
    made in these types piece by piece; TensorFlow's own holds several float32 copies of a photograph's features at once."""

    def gradient(incoming: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        by_a, by_b = [], []
        for difference in _differences_in_pieces(a, b):
            scaled = 2.0 * incoming * difference
            by_a.append(tf.cast(scaled, a.dtype))
            by_b.append(tf.cast(-scaled, b.dtype))
        return tf.concat(by_a, 0), tf.concat(by_b, 0)

    return tf.add_n([tf.reduce_sum(difference**2) for difference in _differences_in_pieces(a, b)]), gradient


def sum_of_squares(a: tf.Tensor) -> tf.Tensor:
    """Σa², a float32 scalar, of a tensor of any floating point type; for targets, of which no gradient is asked."""
    return tf.add_n([tf.reduce_sum(piece**2) for piece in _differences_in_pieces(a, None)])


def _differences_in_pieces(a: tf.Tensor, b: tf.Tensor | None) -> Iterator[tf.Tensor]:
    """a - b, or a where there is no b, in float32, one piece after the other also in a graph."""
    before: list[tf.Tensor] = []
    for piece in _pieces(*([a] if b is None else [a, b])):
        with tf.control_dependencies(before):
            difference = tf.cast(a[piece], tf.float32)
            if b is not None:
                difference -= tf.cast(b[piece], tf.float32)
        yield difference
        before = [difference]


def _pieces(*tensors: tf.Tensor) -> list[slice]:
    """Slices of tensors of one shape along their first axis, of so many numbers as are turned to float32 at a time; where
    none of them knows its shape while it is traced, one slice of all."""
    shapes = [tf.TensorShape(tensor.shape) for tensor in tensors]
    known = next((shape for shape in shapes if shape.is_fully_defined()), None)
    if known is None or (numbers := known.num_elements()) <= _FLOATS_AT_ONCE:
        return [slice(None)]
    rows = known[0]
    length = max(1, rows * _FLOATS_AT_ONCE // numbers)
    return [slice(first, min(first + length, rows)) for first in range(0, rows, length)]


def content_distance(features: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Eq. 1: 1/2 Σ (F - P)². Both (height, width, N)."""
    return 0.5 * squared_distance(features, target)


def gram_matrix(features: tf.Tensor) -> tf.Tensor:
    """Eq. 3: G_ij = Σ_k F_ik F_jk, the inner products of filters over positions: (height, width, N) to (N, N).

    Not normalised, as in the paper. Where a feature stands does not matter.
    """
    return _inner_products(tf.reshape(features, (-1, features.shape[-1])))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _inner_products(by_position: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """FᵀF of F (M, N), in float32 whatever F's type, as bfloat16 cannot hold a sum of many squares. Its gradient,
    F (D + Dᵀ) for an incoming D, in F's type, is one product; TensorFlow's own would take two, as it cannot know that both
    factors are one."""

    def gradient(incoming: tf.Tensor) -> tf.Tensor:
        return tf.matmul(by_position, tf.cast(incoming + tf.transpose(incoming), by_position.dtype))

    return _sum_of_products(by_position), gradient


def _sum_of_products(by_position: tf.Tensor) -> tf.Tensor:
    """FᵀF in float32. Where a float32 copy of F (M, N) would be large, it is made in pieces, one after the other."""
    count, filters = by_position.shape
    length = _FLOATS_AT_ONCE // filters
    if by_position.dtype == tf.float32 or count is None or count <= length:
        features = tf.cast(by_position, tf.float32)
        return tf.matmul(features, features, transpose_a=True)
    products = tf.zeros((filters, filters))
    for first in range(0, count, length):
        with tf.control_dependencies([products]):
            piece = tf.cast(by_position[first : first + length], tf.float32)
        products += tf.matmul(piece, piece, transpose_a=True)
    return products


def gram_per_position(features: tf.Tensor) -> tf.Tensor:
    """G / M: the Gram matrix of one average position, comparable between images of different size."""
    return gram_matrix(features) / positions(features)


def style_distance(features: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Eq. 4: E = 1/(4 N² M²) Σ (G - A)², with `target` = A / M_a as by `gram_per_position`."""
    channels = float(features.shape[-1])
    return squared_distance(gram_per_position(features), target) / (4.0 * channels**2)


def total_variation(image: tf.Tensor, kind: str | float = "squares") -> tf.Tensor:
    """How much neighbouring pixels of an image (height, width, channels) differ, a scalar. The paper has no such term.

    With down = x_{i+1,j} - x_{i,j} and right = x_{i,j+1} - x_{i,j}, `kind` is one of

        squares    Σ down² + Σ right²
        absolute   Σ |down| + Σ |right|, as tf.image.total_variation
        a number   Σ (down² + right²)^(β/2), Mahendran & Vedaldi (arXiv 1412.0035, section 3.2), over the pixels that have both
                   neighbours; 2.5 is the power 1.25 of Keras' example, and 2 is half the sum whose gradient Johnson's has
    """
    return tf.add_n([tf.reduce_sum(differences) for differences in _differences(image, kind)])


def _differences(image: tf.Tensor, kind: str | float) -> list[tf.Tensor]:
    """What `total_variation` sums: downwards and to the right, or both in one."""
    down, right = neighbour_differences(image)
    match kind:
        case "squares":
            return [down**2, right**2]
        case "absolute":
            return [tf.abs(down), tf.abs(right)]
        case _:
            return [(down[:, :-1] ** 2 + right[:-1] ** 2) ** (float(kind) / 2)]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def neighbour_differences(
    image: tf.Tensor,
) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[[tf.Tensor, tf.Tensor], tf.Tensor]]:
    """x_{i+1,j} - x_{i,j} (height - 1, width, channels) and x_{i,j+1} - x_{i,j} (height, width - 1, channels) of an image
    (height, width, channels). The gradient is their transpose, written with pads: TensorFlow's own, of slices, takes 2 % of an
    evaluation."""

    def gradient(down: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        return (
            tf.pad(down, [[1, 0], [0, 0], [0, 0]])
            - tf.pad(down, [[0, 1], [0, 0], [0, 0]])
            + tf.pad(right, [[0, 0], [1, 0], [0, 0]])
            - tf.pad(right, [[0, 0], [0, 1], [0, 0]])
        )

    return (image[1:] - image[:-1], image[:, 1:] - image[:, :-1]), gradient


def weighted_sum(distances: Mapping[str, tf.Tensor], weights: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Eq. 5: L = Σ_l w_l E_l. Zero for no layers."""
    return tf.add_n([weights[layer] * distance for layer, distance in distances.items()] or [tf.constant(0.0)])


# ------------------------------------------------------------------------------------------------------------------- units


def content_in_unit(unit: str, squared: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """One layer's content distance in one of `UNITS` (table above), from Σ(F - P)² and P."""
    match unit:
        case "paper":
            return 0.5 * squared
        case "means":
            return squared / (positions(target) * target.shape[-1])
        case "sums" | "per_pixel":
            return squared
        case "roots":
            return 0.5 * squared / tf.sqrt(positions(target) * target.shape[-1])
        case _:
            return squared / (sum_of_squares(target) + _NOTHING)


def style_in_unit(
    unit: str, gram: tf.Tensor, positions: tf.Tensor, target: tf.Tensor, pixels: float | tf.Tensor
) -> tf.Tensor:
    """One layer's style distance in one of `UNITS` (table above), from G over M_x `positions`; `target` is a Gram matrix per
    position, `pixels` is the count of the picture's pixels."""
    distance = squared_distance(gram / positions, target)
    channels = float(gram.shape[-1])
    match unit:
        case "paper" | "roots":  # Eq. 4
            return distance / (4.0 * channels**2)
        case "means":
            return distance / channels**2
        case "sums":
            return distance * positions**2
        case "per_pixel":
            return distance * (positions / pixels) ** 2
        case _:
            return _THOUSANDTHS * distance / (tf.reduce_sum(target**2) + _NOTHING)


def variation_in_unit(unit: str, image: tf.Tensor, kind: str | float = "squares") -> tf.Tensor:
    """Total variation of a picture in 0..255 in one of `UNITS` (table above); `kind` as for `total_variation`.

    `means` are the mean downwards plus the mean to the right, each over the differences there are.
    """
    match unit:
        case "means":
            return tf.add_n([tf.reduce_mean(differences) for differences in _differences(image, kind)])
        case "normalized":
            power = {"squares": 2.0, "absolute": 1.0}.get(str(kind)) or float(kind)
            return total_variation(image, kind) / (positions(image) * 3.0) / _GREY_LEVELS**power
        case _:
            return total_variation(image, kind)


def positions(features: tf.Tensor) -> tf.Tensor:
    """M, as float32."""
    shape = tf.shape(features)
    return tf.cast(shape[0] * shape[1], tf.float32)
