"""Holds the reading of data files: every format gives the same rows, and whatever a file is, one clear sentence and bounded memory."""

import csv
import gzip
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from sop_engine.core.errors import BadFile, BadInput
from sop_engine.language.tables import Row, open_table

COLUMNS = ["user_id", "城市", "备注"]
ROWS = [["u-1", "上海", "说“好”, 真的"], ["u-2", "北京", "两\n行"]]


def write(folder: Path, name: str, data: bytes | str, encoding: str = "utf-8") -> Path:
    path = folder / name
    raw = data if isinstance(data, bytes) else data.encode(encoding)
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


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


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


BAD = [
    ("a.csv", b"", "is empty"),
    ("a.csv", b"\n \n\n", "is empty"),
    ("a.csv", b"\xef\xbb\xbf", "is empty"),
    ("a.csv", b"a,b,a\n1,2,3\n", "two columns are called 'a'"),
    ("a.csv", "a,ａ\n".encode(), "two columns are called 'a'"),
    ("a.csv", b"a,,c\n1,2,3\n", "column 2 has no name"),
    ("a.csv", b"a,b,\n", "column 3 has no name"),
    ("a.csv", b'a,"b\n1,2\n', "cannot be split into names of columns"),
    ("a.csv", b"a,b\r1,2\r", "end with CR alone"),
    ("a.csv", bytes(range(256)) * 100, "is not a text file"),
    ("a.csv", zipped("x", b"y"), "this is an Excel file or another zip archive"),
    ("a.csv", b"\xd0\xcf\x11\xe0" + b"\x00" * 100, "an old or protected Excel file"),
    ("a.csv", b"\x1f\x8b\x08", "packed with gzip"),
    ("a.csv", "a,b\n".encode("utf-16"), "in UTF-16; save it as CSV UTF-8"),
    ("a.csv", b"%PDF-1.7", "a PDF"),
    ("a.csv", b"x" * 3_000_000, "the first line is longer than 1 MB"),
    ("a.jsonl", b"", "is empty"),
    ("a.json", b'[{"a": 1}]', "line 1: the line is JSON, but no object"),
    ("a.json", b"[\n{}\n]", "line 1: the line is no JSON object"),
    ("a.jsonl", b"hello\n", "Write one JSON object per line"),
    ("a.jsonl", b"{}\n", "the object is empty"),
    ("a.xlsx", b"", "is empty"),
    ("a.xlsx", b"a,b\n1,2\n", "this is not an Excel file"),
    ("a.xlsx", b"\xd0\xcf\x11\xe0" + b"\x00" * 100, "an old or protected Excel file"),
    ("a.xlsx", b"PK\x03\x04garbage", "the Excel file is damaged"),
    ("a.xlsx", zipped("x", b"y"), "the Excel file is damaged"),
    ("a.parquet", b"", "not a Parquet file"),
    ("a.parquet", b"PAR1 garbage PAR1", "not a Parquet file"),
    ("a.doc", b"x", "the ending does not say"),
    ("a", b"x", "the ending does not say"),
    ("a.xlsx.gz", b"x", "unpack the file first"),
]


@pytest.mark.parametrize(("name", "data", "sentence"), BAD)
def test_a_file_that_is_no_table_gets_one_clear_sentence(name: str, data: bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=sentence) as caught:
        open_table(write(tmp_path, name, data))
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.xlsx", "a.parquet"])
def test_a_missing_file_and_a_folder_are_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=f"{name}: there is no such file"):
        open_table(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(BadFile, match=f"{name}: cannot be opened"):
        open_table(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_a_packed_file_that_is_damaged_or_cut_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"user_id\nu-1\n")
    with pytest.raises(BadFile, match="cannot be read after line 0"):
        open_table(path)
    rows = "".join(f'{{"a": "{number * 7919 % 10007}"}}\n' for number in range(20_000))
    path.write_bytes(gzip.compress(rows.encode())[:-200])
    table = open_table(path)
    with pytest.raises(BadFile, match=r"cannot be read after line \d{4,} \(EOFError\)"):
        list(table)


@given(data=st.binary(max_size=400), name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.xlsx"]))
def test_whatever_bytes_a_file_holds_it_is_rows_or_one_sentence(data: bytes, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    try:
        table = open_table(path)
        assert all(isinstance(row, Row) for row in table)
    except BadFile as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,2,3", "the row has 3 cells, but there are 2 columns"),
        ("1", "the row has 1 cells, but there are 2 columns"),
        ('"x"y,2', "the row cannot be split into cells: text stands behind a closing quote"),
        ("1\r,2", "the row cannot be split into cells: a line end stands in the middle of it"),
        (f"{'x' * 200_000},2", "the row cannot be split into cells: a cell is longer than 131072 characters"),
        (f"{'x' * 2_000_000},2", "the row is longer than 1 MB"),
        (f"{'x,' * 2_000_000},2", "the row is longer than 1 MB"),
    ],
)
def test_a_bad_row_is_told_and_the_next_one_read(text: str, problem: str, tmp_path: Path) -> None:
    table = open_table(write(tmp_path, "a.csv", f"a,b\nu,v\n{text}\nw,x\n"))
    good, bad, last = table
    assert (dict(good.values), dict(last.values)) == ({"a": "u", "b": "v"}, {"a": "w", "b": "x"})
    assert (bad.line, last.line, bad.problem[: len(problem)]) == (3, 4, problem)


def test_a_quote_that_is_never_closed_costs_a_stretch_of_the_file_and_says_which(tmp_path: Path) -> None:
    lines = [f"u-{number},{'x' * 90}\n" for number in range(5000)]
    table = open_table(write(tmp_path, "a.csv", "a,b\n" + '"u,v\n' + "".join(lines)))
    bad, *rest = table
    assert bad.line == 2 and "Is a quote opened and never closed?" in bad.problem
    assert rest[-1].values["a"] == "u-4999"
    assert len(rest) > 3000


def test_a_quote_open_at_the_end_is_told(tmp_path: Path) -> None:
    good, bad = open_table(write(tmp_path, "a.csv", 'a,b\n1,2\n3,"4\n'))
    assert (good.problem, bad.line) == ("", 3)
    assert "a quote is opened and never closed" in bad.problem


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"a": NaN}', "NaN is no number of JSON"),
        ("[1]", "the line is JSON, but no object"),
        ('{"a": 1', "the line is no JSON object"),
        ('{"a": ' + "[" * 100_000, "the line is no JSON object"),
        ('{"a": ' + "9" * 5000 + "}", "the line is no JSON object"),
        ('{"a": 1e99999999999999999999}', "the line is no JSON object"),
        ('{"a": "' + "x" * 2_000_000 + '"}', "the row is longer than 1 MB"),
    ],
)
def test_a_bad_line_of_json_is_told_and_the_next_one_read(line: str, problem: str, tmp_path: Path) -> None:
    good, bad, last = open_table(write(tmp_path, "a.jsonl", f'{{"a": 1}}\n{line}\n\n{{"a": 2}}\n'))
    assert (good.values, last.values, bad.line, last.line) == ({"a": 1}, {"a": 2}, 2, 4)
    assert problem in bad.problem


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


def test_an_excel_row_that_is_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    for row in (["a", "b"], [1, 2, 3], [4]):
        book.active.append(row)
    book.save(path)
    bad, short = open_table(path)
    assert bad.problem == "the row has 3 cells, but there are 2 columns"
    assert short.values == {"a": 4}


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


def test_memory_does_not_grow_with_the_file_nor_with_a_line_of_100_mb(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n" + b"1,2\n" * 100_000)
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b"\n3,4\n")
    table = open_table(path)
    tracemalloc.start()
    try:
        bad = [row for row in table if row.problem]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [(row.line, row.problem) for row in bad] == [(100_002, "the row is longer than 1 MB")]
    assert peak < 10_000_000
