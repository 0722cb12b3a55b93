"""A real log of orders with silences, for tests that compare arms; where it is not, they are counted and left out."""

import csv
import gzip
import os
from datetime import date
from functools import cache
from pathlib import Path

import pytest

ABSENT = "no data: "


def data_file(name: str) -> Path:
    """A file of the folder SOP_TEST_DATA; the test is left out, and counted, where there is none."""
    folder = os.environ.get("SOP_TEST_DATA", "")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip(f"{ABSENT}{name} (SOP_TEST_DATA names its folder)")
    return Path(folder) / name


@cache
def orders() -> tuple[tuple[str, date], ...]:
    """(customer, day) of every order."""
    with gzip.open(data_file("grocery_elog.csv.gz"), "rt", encoding="utf-8") as file:
        return tuple((row["cust"], date.fromisoformat(row["date"])) for row in csv.DictReader(file))
