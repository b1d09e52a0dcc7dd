"""The networks' shapes against table 1 of Simonyan & Zisserman (arXiv 1409.1556). No TensorFlow."""

from __future__ import annotations

import pytest

from pipeline.nst.network import NETWORKS, VGG16, VGG19, is_pool, radius, reduction
from pipeline.nst.positions import matched_layers
from pipeline.options import Options


def test_there_are_as_many_convolutions_as_the_names_say_without_three_full_layers():
    assert len(VGG19.convolutions) == 19 - 3
    assert len(VGG16.convolutions) == 16 - 3


@pytest.mark.parametrize("network", NETWORKS.values(), ids=str)
def test_every_block_ends_in_a_pool(network):
    assert [layer for layer in network.layers if is_pool(layer)] == [f"block{block}_pool" for block in range(1, 6)]
    assert network.layers[-1] == "block5_pool"
    assert network.layers[:3] == ("block1_conv1", "block1_conv2", "block1_pool")


def test_vgg19_has_a_fourth_convolution_in_its_last_three_blocks():
    assert [layer for layer in VGG19.layers if layer not in VGG16.layers] == [
        "block3_conv4",
        "block4_conv4",
        "block5_conv4",
    ]
    assert [layer for layer in VGG19.layers if layer in VGG16.layers] == [*VGG16.layers]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ("block1_conv1", (3, 3, 3, 64)),
        ("block1_conv2", (3, 3, 64, 64)),
        ("block2_conv1", (3, 3, 64, 128)),
        ("block4_conv1", (3, 3, 256, 512)),
        ("block5_conv1", (3, 3, 512, 512)),
    ],
)
@pytest.mark.parametrize("network", NETWORKS.values(), ids=str)
def test_kernels_have_the_shapes_of_the_table(network, layer, shape):
    assert network.kernel_shape(layer) == shape


@pytest.mark.parametrize(
    ("network", "layer", "convolutions"),
    [(VGG19, "block4_conv4", 2 + 2 + 4 + 4), (VGG16, "block4_conv3", 2 + 2 + 3 + 3)],
)
def test_the_layers_up_to_one_are_all_before_it(network, layer, convolutions):
    names = network.names_up_to(["block1_conv2", f"{layer}_linear", "block2_pool"])
    assert names[-1] == layer
    assert sum(not is_pool(name) for name in names) == convolutions
    assert network.names_up_to([]) == ()


def test_neighbours_are_matched_by_ten_layers_which_are_the_papers_in_its_own_network():
    """2688 numbers to a place, says the paper; VGG19 has more convolutions in block 3 and ends one earlier."""
    assert sum(map(VGG16.channels, matched_layers(VGG16))) == 2688
    assert matched_layers(VGG16)[-1] == "block4_conv3"
    assert len(matched_layers(VGG16)) == len(matched_layers(VGG19)) == 10
    assert matched_layers(VGG19)[-1] == "block4_conv2"


def test_activations_are_layers_and_convolutions_before_their_relu():
    assert VGG19.activations[:5] == (
        *("block1_conv1_linear", "block1_conv1", "block1_conv2_linear", "block1_conv2"),
        "block1_pool",
    )
    assert len(VGG19.activations) == 2 * 16 + 5
    assert len(VGG16.activations) == 2 * 13 + 5


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv4_2", "block4_conv2"),
        ("relu4_2", "block4_conv2"),
        ("conv4_2_linear", "block4_conv2_linear"),
        ("pool3", "block3_pool"),
        ("block5_conv1_linear", "block5_conv1_linear"),
        ("relu4_2_linear", None),
        ("pool3_linear", None),
        ("conv6_1", None),
        ("conv1_3", None),
        ("conv4", None),
    ],
)
@pytest.mark.parametrize("network", NETWORKS.values(), ids=str)
def test_the_papers_names_are_keras_names(network, name, layer):
    assert network.canonical_layer(name) == layer


def test_a_layer_that_only_vgg19_has_is_none_of_vgg16s():
    for name in ("conv3_4", "relu3_4", "block3_conv4", "conv3_4_linear"):
        assert VGG19.canonical_layer(name) is not None
        assert VGG16.canonical_layer(name) is None


@pytest.mark.parametrize("network", NETWORKS.values(), ids=str)
def test_every_name_of_the_paper_is_a_layer_and_every_convolution_has_three(network):
    layers = {network.canonical_layer(name) for name in network.paper_names}
    assert layers == {name for name in network.activations if not is_pool(name)}
    assert len(network.paper_names) == 3 * len(network.convolutions)


def test_work_is_counted_by_hand():
    # Nine taps of three colours into 64 channels, a multiplication and an addition each.
    first = 2 * 9 * 3 * 64
    assert VGG19.work(["block1_conv1"]) == first
    second = 2 * 9 * 64 * 64
    assert VGG19.work(["block1_conv2"]) == VGG19.work(["block1_pool"]) == first + second
    assert VGG19.work(["block2_conv1_linear", "block1_conv1"]) == first + second + 2 * 9 * 64 * 128 / 4
    assert VGG19.work([]) == 0


def test_the_work_of_all_layers_is_what_the_networks_are_known_for():
    # 19.6 and 15.5 billion multiply-adds at 224 x 224 (torchvision, `_ops` of its weights), 0.12 of
    # them in the three fully connected layers.
    assert VGG19.work(VGG19.layers) * 224**2 == pytest.approx(2 * 19.5e9, rel=0.01)
    assert VGG16.work(VGG16.layers) * 224**2 == pytest.approx(2 * 15.35e9, rel=0.01)


def test_each_pool_halves():
    assert [reduction(f"block{block}_conv1") for block in range(1, 6)] == [1, 2, 4, 8, 16]
    assert [reduction(f"block{block}_pool") for block in range(1, 6)] == [2, 4, 8, 16, 32]
    assert reduction("block3_conv2_linear") == 4


def test_the_radius_is_what_a_layer_sees_to_one_side():
    """3 x 3 filters see one position more on each side, 2 x 2 pools one to the right."""
    assert radius(VGG19.names_up_to(["block1_conv2"])) == 2
    assert radius(VGG19.names_up_to(["block2_conv1"])) == 2 + 1 + 2
    assert radius(VGG19.names_up_to(["block5_conv1"])) == 2 + 1 + 4 + 2 + 16 + 4 + 32 + 8 + 16
    assert radius(VGG16.names_up_to(["block5_conv1"])) == 2 + 1 + 4 + 2 + 12 + 4 + 24 + 8 + 16


def test_a_network_is_written_as_people_write_it():
    assert [str(network) for network in NETWORKS.values()] == ["VGG19", "VGG16"]


def test_the_defaults_name_layers_that_every_network_has():
    for network in NETWORKS.values():
        assert {*Options().content_layers, *Options().style_layers} <= {*network.layers}
