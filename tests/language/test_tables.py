"""Holds the reading of data files: every format gives the same columns, rows, line numbers and types."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
import xlsxwriter
from pyarrow import parquet

from sop_engine.core.errors import BadFile, BadInput
from sop_engine.language.tables import open_table
from tests.language.data_files import write

COLUMNS = ["user_id", "城市", "备注"]
ROWS = [["u-1", "上海", "说“好”, 真的"], ["u-2", "北京", "两\n行"]]


def as_csv(delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([COLUMNS, *ROWS])
    return out.getvalue()


def as_jsonl() -> str:
    return "".join(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n" for row in ROWS)


def as_xlsx(path: Path) -> Path:
    book = openpyxl.Workbook()
    for row in [COLUMNS, *ROWS]:
        book.active.append(row)
    book.save(path)
    return path


def as_parquet(path: Path) -> Path:
    parquet.write_table(pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in ROWS]), path)
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "comma": lambda p: write(p, "a.csv", as_csv()),
    "semicolon": lambda p: write(p, "a.csv", as_csv(";")),
    "tab": lambda p: write(p, "a.csv", as_csv("\t")),
    "tsv": lambda p: write(p, "a.TSV", as_csv("\t")),
    "bom": lambda p: write(p, "a.csv", "\ufeff" + as_csv()),
    "unix": lambda p: write(p, "a.csv", as_csv().replace("\r\n", "\n")),
    "no last line end": lambda p: write(p, "a.csv", as_csv().rstrip("\r\n")),
    "blank lines": lambda p: write(p, "a.csv", "\r\n" + as_csv() + "\r\n,,\r\n"),
    "gz": lambda p: write(p, "a.csv.gz", as_csv()),
    "jsonl": lambda p: write(p, "a.jsonl", as_jsonl()),
    "jsonl.gz": lambda p: write(p, "a.jsonl.gz", as_jsonl()),
    "xlsx": lambda p: as_xlsx(p / "a.xlsx"),
    "parquet": lambda p: as_parquet(p / "a.parquet"),
}


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_columns_and_rows_as_often_as_asked(form: str, tmp_path: Path) -> None:
    table = open_table(WRITERS[form](tmp_path))
    assert list(table.columns) == COLUMNS
    for _ in range(2):
        assert [list(row.values.values()) for row in table] == ROWS
        assert not any(row.problem for row in table)


@pytest.mark.parametrize(
    ("form", "kind", "lines"),
    [
        ("comma", "csv", [2, 3]),
        ("blank lines", "csv", [3, 4]),
        ("tsv", "tsv", [2, 3]),
        ("jsonl", "jsonl", [1, 2]),
        ("xlsx", "xlsx", [2, 3]),
    ],
)
def test_a_row_knows_its_first_line_in_the_file(form: str, kind: str, lines: list[int], tmp_path: Path) -> None:
    table = open_table(WRITERS[form](tmp_path))
    assert (table.kind, [row.line for row in table]) == (kind, lines)


def test_a_row_after_one_of_several_lines_keeps_its_number(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "a.csv", 'a,b\n1,"x\ny\nz"\n2,w\n'))
    assert [(row.line, row.values["b"]) for row in table] == [(2, "x\ny\nz"), (5, "w")]


def test_gb18030_is_read_when_asked_for_and_never_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", as_csv(), "gb18030")
    assert [list(row.values.values()) for row in open_table(path, encoding="gb18030")] == ROWS
    assert list(open_table(path, encoding="GBK").columns) == COLUMNS
    with pytest.raises(BadFile, match=r"a\.csv: line 1 is not UTF-8; try --encoding gb18030\.$"):
        open_table(path)


def test_a_byte_that_is_not_utf_8_further_down_names_its_line(tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "a.csv", b"a\n1\n\xc4\xe3\n"))
    with pytest.raises(BadFile, match="line 3 is not UTF-8; try --encoding gb18030"):
        list(table)


def test_utf_8_read_as_gb18030_says_what_to_leave_out(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"is not GB18030; leave out --encoding"):
        open_table(write(tmp_path, "a.csv", "用,户\n".encode() + b"\xff\xff\n"), encoding="gb18030").__iter__().__next__()


@pytest.mark.parametrize(("option", "sentence"), [({"encoding": "latin1"}, "It can be: utf-8, gb18030"), ({"sheet": "x"}, "only Excel")])
def test_an_option_that_cannot_be_is_refused(option: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=sentence):
        open_table(write(tmp_path, "a.csv", as_csv()), **option)


def test_what_is_inside_objects_has_dotted_names(tmp_path: Path) -> None:
    text = '{"id": 7, "p": {"amount": 19.90, "q": {"x": true, "none": null}}, "list": [1, {"a": "好"}]}\n{"later": 1}\n'
    table = open_table(write(tmp_path, "a.jsonl", text))
    assert table.columns == ("id", "p.amount", "p.q.x", "p.q.none", "list", "later")
    first = next(iter(table))
    assert first.values == {"id": 7, "p.amount": Decimal("19.90"), "p.q.x": True, "p.q.none": None, "list": '[1, {"a": "好"}]'}


def test_excel_gives_values_of_its_own_types(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("空")
    sheet = book.add_worksheet("订单")
    style = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for column, name in enumerate(["id", "at", "amount", "ok", "sum", "none", "wrong"]):
        sheet.write(1, column, name)
    sheet.write(2, 0, 13800001234)
    sheet.write_datetime(2, 1, datetime(2025, 1, 2, 11, 30), style)
    sheet.write(2, 2, 19.9)
    sheet.write(2, 3, True)
    sheet.write_formula(2, 4, "=1+1", None, 2)
    sheet.write(4, 0, "u-2")
    sheet.write_formula(4, 6, "=1/0", None, "#DIV/0!")
    book.close()
    table = open_table(path, sheet="订单")
    first, second = table
    assert list(first.values.values())[:5] == [13800001234, datetime(2025, 1, 2, 11, 30), 19.9, True, 2]
    assert (first.line, second.line, second.problem) == (3, 5, "column 'wrong' holds the error #DIV/0!")


def test_a_sheet_is_chosen_by_name_and_the_first_is_read_without_one(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "用户"
    book.active.append(["a"])
    book.create_sheet("订单").append(["b"])
    book.create_sheet("空")
    book.save(path)
    assert (open_table(path).columns, open_table(path, sheet="订单").columns) == (("a",), ("b",))
    with pytest.raises(BadInput, match=r"there is no sheet '定单'.* It can be: 用户, 订单, 空"):
        open_table(path, sheet="定单")
    with pytest.raises(BadFile, match="the sheet is empty"):
        open_table(path, sheet="空")


def test_parquet_gives_scalars_structs_and_lists(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    record = {
        "id": 7,
        "amount": Decimal("19.90"),
        "on": date(2025, 1, 2),
        "at": datetime(2025, 1, 2, 3, 30, tzinfo=UTC),
        "p": {"x": "好", "y": None},
        "tags": ["a", "b"],
        "raw": b"bytes",
    }
    parquet.write_table(pa.Table.from_pylist([record, {"id": 8}]), path)
    table = open_table(path)
    assert table.columns == ("id", "amount", "on", "at", "p.x", "p.y", "tags", "raw")
    first, second = table
    assert first.values == {
        "id": 7, "amount": Decimal("19.90"), "on": record["on"], "at": record["at"], "p.x": "好", "p.y": None, "tags": '["a", "b"]',
        "raw": "bytes",
    }  # fmt: skip
    assert (first.line, second.line, second.values["id"]) == (1, 2, 8)
