"""Rows of numbers that are closely packed read like a list of tuples."""

import numpy as np
import pytest

from sop_engine.core.rows import Rows


def test_packed_rows_read_like_a_list_of_tuples_and_as_a_table() -> None:
    rows = Rows(2, [(1, 2.5), (3, 4), (5, 6)])
    assert list(rows) == [(1.0, 2.5), (3.0, 4.0), (5.0, 6.0)]
    assert (len(rows), rows[-1], rows[1:]) == (3, (5.0, 6.0), [(3.0, 4.0), (5.0, 6.0)])
    assert np.asarray(rows, dtype=float).tolist() == [[1.0, 2.5], [3.0, 4.0], [5.0, 6.0]]
    with pytest.raises(IndexError):
        rows[3]


def test_no_rows_are_an_empty_table_of_their_width() -> None:
    assert (list(Rows(3)), np.asarray(Rows(3)).shape) == ([], (0, 3))


def test_a_row_of_another_width_is_refused_and_leaves_nothing_behind() -> None:
    rows = Rows(2, [(1, 2)])
    with pytest.raises(ValueError, match="2 numbers"):
        rows.add((1, 2, 3))
    assert list(rows) == [(1.0, 2.0)]
