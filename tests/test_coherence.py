"""Neighbours that go together: whole pieces of a style instead of crumbs, and never for nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.nst.terms.coherence import coherent, rows_of

pytestmark = pytest.mark.slow  # the room's package loads TensorFlow

SHAPE = (7, 9)
EACH = np.arange(SHAPE[0] * SHAPE[1])


def of(cosines):
    """Likenesses (places, rows) as they are asked for, and the nearest rows."""
    return cosines.argmax(1), lambda places, rows: cosines[places, rows].astype(np.float32)


def worth(numbers, cosines, rows, coherence, wraps=(False, False)):
    """What is to be large, by the formula, pair by pair."""
    height, width = SHAPE
    found = sum(cosines[place, number] for place, number in enumerate(numbers))
    for row, column in itertools.product(range(height), range(width)):
        for down, across in ((0, 1), (1, -1), (1, 0), (1, 1)):  # each pair once
            there = np.array([row + down, column + across])
            if not all(0 <= end < length or wrap for end, length, wrap in zip(there, SHAPE, wraps, strict=True)):
                continue
            there = there % SHAPE
            way = rows.places[numbers[there[0] * width + there[1]]] - rows.places[numbers[row * width + column]]
            found += coherence / 8 * bool((way == (down, across)).all())
    return found


def chance(seed, rows):
    return np.random.default_rng(seed).uniform(0, 1, (len(EACH), rows))


def test_a_picture_of_the_style_itself_stays_as_it_is():
    cosines = np.eye(len(EACH))
    numbers, products = of(cosines)
    likeness, found = coherent(numbers, products, rows_of([SHAPE], [EACH]), EACH, SHAPE, 5.0)
    assert (found == EACH).all()
    assert (likeness == 1).all()


def test_crumbs_become_a_piece_where_all_is_as_good():
    """A place in the middle has lost its way among places that are about as near."""
    cosines = np.eye(len(EACH)) * 0.5
    cosines[31] = 0.49
    cosines[31, 3] = 0.5
    numbers, products = of(cosines)
    assert numbers[31] == 3
    _likeness, found = coherent(numbers, products, rows_of([SHAPE], [EACH]), EACH, SHAPE, 0.1)
    assert (found == EACH).all()


def test_what_is_far_less_alike_is_not_taken():
    cosines = np.eye(len(EACH)) * 0.5
    cosines[31, 3] = 1.0
    numbers, products = of(cosines)
    _likeness, found = coherent(numbers, products, rows_of([SHAPE], [EACH]), EACH, SHAPE, 0.1)
    assert found[31] == 3


@pytest.mark.parametrize("wraps", [(False, False), (True, True)])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_to_be_large_never_shrinks_and_likenesses_are_those_of_the_neighbours(seed, wraps):
    cosines, rows = chance(seed, 30), rows_of([(5, 4), (2, 5)], [np.arange(20), np.arange(10)])
    numbers, products = of(cosines)
    likeness, found = coherent(numbers, products, rows, EACH, SHAPE, 0.8, wraps)
    assert worth(found, cosines, rows, 0.8, wraps) > worth(numbers, cosines, rows, 0.8, wraps)
    assert np.allclose(likeness, cosines[EACH, found])


def test_at_the_end_no_place_gains_by_what_those_beside_it_ask_for():
    cosines, rows = chance(7, 63), rows_of([SHAPE], [EACH])
    numbers, products = of(cosines)
    _likeness, found = coherent(numbers, products, rows, EACH, SHAPE, 0.8)
    best = worth(found, cosines, rows, 0.8)
    for place, (down, across) in itertools.product((0, 8, 22, 40, 57), itertools.product((-1, 0, 1), repeat=2)):
        row, column = np.add(np.unravel_index(place, SHAPE), (down, across))
        if not (0 <= row < SHAPE[0] and 0 <= column < SHAPE[1]):
            continue
        wanted = int(rows.beside(found[[row * SHAPE[1] + column]], np.array([-down, -across]))[0])
        if wanted >= 0:
            other = found.copy()
            other[place] = wanted
            assert worth(other, cosines, rows, 0.8) <= best + 1e-6


def test_styles_do_not_go_on_in_each_other():
    rows = rows_of([(2, 3), (2, 2)], [np.arange(6), np.arange(4)])
    assert rows.beside(np.array([3, 6, 7, 5, -1]), np.array([1, 0])).tolist() == [-1, 8, 9, -1, -1]
    assert rows.beside(np.array([0, 6, 2, 7]), np.array([0, -1])).tolist() == [-1, -1, 1, 6]
    assert rows.beside(np.array([0, 6]), np.array([-1, 0])).tolist() == [-1, -1]


def test_places_that_are_not_looked_at_are_never_taken():
    """Of a style those that can be seen, of a picture those of a region."""
    seen, mine = np.array([0, 1, 2, 5, 6, 7]), np.array([0, 1, 9, 10, 40, 41])
    cosines = chance(3, len(seen))[: len(mine)]
    numbers, products = of(cosines)
    likeness, found = coherent(numbers, products, rows_of([(3, 4)], [seen]), mine, SHAPE, 2.0)
    assert ((found >= 0) & (found < len(seen))).all()
    assert np.allclose(likeness, cosines[np.arange(len(mine)), found])
