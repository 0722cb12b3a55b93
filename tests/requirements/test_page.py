"""The page of the requirements is true: it is what the generator gives, and no row is without a test or a reason."""

from tests.requirements.page import PAGE, PRIORITIES, SOURCES, held_by_row, ids_of, in_part, not_held, page, rows


def test_the_page_is_what_the_generator_gives() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.requirements"


def test_every_row_of_the_engines_behaviour_has_a_test_or_a_reason() -> None:
    without = [row.id for row in rows() if row.id not in held_by_row() and row.id not in not_held()]
    assert without == []


def test_no_row_is_both_held_and_called_not_held() -> None:
    assert sorted(set(not_held()) & set(held_by_row())) == []
    assert sorted(set(in_part()) - set(held_by_row())) == []


def test_every_row_that_is_named_exists_and_is_whole() -> None:
    listed = {row.id for row in rows()}
    assert sorted({*held_by_row(), *not_held(), *in_part()} - listed) == []
    assert all(row.priority in PRIORITIES and row.theme.isupper() and row.asks for row in rows())
    assert {row.id.split("-")[0] for row in rows()} == set(SOURCES)


def test_the_rows_are_read_off_the_name_of_a_test() -> None:
    assert ids_of("test_s2_05_06_x_01_eight_cells") == ["S2-05", "S2-06", "X-01"]
    assert ids_of("test_c_09_f13_two_leaders") == ["C-09"]
    assert ids_of("test_a_row_of_ten_10_users") == []
