"""Every row of the fault matrix has a test that carries its number, or stands in the list of those that have none, with the reason."""

from tests.faults.matrix import ALSO, NOT_HERE, ROWS, names_of_tests, rows_with_tests


def test_every_row_has_a_test_or_a_reason() -> None:
    assert [row for row, found in rows_with_tests().items() if not found and not NOT_HERE.get(row)] == []


def test_no_row_with_a_test_is_called_missing() -> None:
    assert [row for row, found in rows_with_tests().items() if found and row in NOT_HERE] == []


def test_only_rows_of_the_matrix_and_tests_that_exist_are_named() -> None:
    assert (set(NOT_HERE) | set(ALSO)) - set(ROWS) == set()
    assert sorted({name for names in ALSO.values() for name in names} - names_of_tests()) == []
