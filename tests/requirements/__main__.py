"""Writes docs/requirements.md: every row, what it asks, and the tests that hold it."""

from tests.requirements.page import PAGE, held_by_row, page, rows

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {sum(row.id in held_by_row() for row in rows())} of {len(rows())} rows have a test")
