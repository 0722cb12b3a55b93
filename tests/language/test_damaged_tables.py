"""Whatever a data file is: one clear sentence, the good rows read, and bounded memory."""

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sop_engine.core.errors import BadFile
from sop_engine.language.tables import Row, open_table
from tests.language.data_files import write


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


def test_an_excel_row_that_is_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    for row in (["a", "b"], [1, 2, 3], [4]):
        book.active.append(row)
    book.save(path)
    bad, short = open_table(path)
    assert bad.problem == "the row has 3 cells, but there are 2 columns"
    assert short.values == {"a": 4}


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
