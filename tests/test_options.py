"""Groups of options, by which things are kept between pairs."""

from __future__ import annotations

import itertools

import pytest

from pipeline.option_field import GROUPS
from pipeline.options import OPTION_NAMES, Options


def test_every_option_stands_in_one_group():
    grouped = list(itertools.chain.from_iterable(GROUPS.values()))
    assert sorted(grouped) == sorted(OPTION_NAMES)


@pytest.mark.parametrize("name", GROUPS)
def test_a_groups_values_can_be_a_key(name):
    assert hash(Options().group(name)) == hash(Options().group(name))


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("network", {"pooling": "avg"}),
        ("objective", {"style_layers": {"block1_conv1": 1.0}}),
        ("objective", {"content_layers": {"block4_conv2": 0.5}}),
        ("descent", {"history": 5}),
    ],
)
def test_a_changed_option_changes_its_group_and_no_other(name, changed):
    before, after = Options(), Options(**changed)
    assert [group for group in GROUPS if before.group(group) != after.group(group)] == [name]
