"""Holds the import of users: types of the catalogue, foreign names, and mappings that do not fit."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from sop_engine.core.errors import BadFile, BadInput
from sop_engine.core.records import Rejected, UserRecord
from sop_engine.language.mapping import read_mapping, read_users, unknown_columns
from sop_engine.language.tables import open_table
from tests.language.mapped import NOW, PROJECT, events, mapped, table, users


def one(folder: Path, column: str, value: str) -> Any:
    """What a user's column of this value becomes: the value, or the reason of the refusal."""
    quoted = '"' + value.replace('"', '""') + '"'
    [found] = users(folder, f"user_id,{column}\nu-1,{quoted}\n")
    return found.reason if isinstance(found, Rejected) else found.attributes.get(column)


@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        ("昵称", " 小王 ", "小王"),
        ("昵称", "'=1+1", "=1+1"),
        ("昵称", "'＋86", "＋86"),
        ("昵称", "'s-Hertogenbosch", "'s-Hertogenbosch"),
        ("昵称", '="0012"', "0012"),
        ("昵称", "a\x00b", "ab"),
        ("手机号", "138 0000 1234", "+8613800001234"),
        ("手机号", "008613800001234", "+8613800001234"),
        ("手机号", "１３８００００１２３４", "+8613800001234"),
        ("手机号", "'13800001234", "+8613800001234"),
        ("手机号", "'+8613800001234", "+8613800001234"),
        ("邮箱", "User@Example.NET", "User@example.net"),
        ("性别", "女", "女"),
        ("生日", "1990-05-01", date(1990, 5, 1)),
        ("生日", "1990/5/1", date(1990, 5, 1)),
        ("生日", "1990年5月1日", date(1990, 5, 1)),
        ("生日", "2025-03-01", date(2025, 3, 1)),
        ("预产期", "2025-09-01", date(2025, 9, 1)),
        ("预产期", "2025-08-31T20:00:00Z", date(2025, 9, 1)),
        ("预产期", "2025-08-31 20:00", date(2025, 8, 31)),
        ("家庭人数", "3", Decimal(3)),
        ("家庭人数", "１，２３４．５", Decimal("1234.5")),
        ("家庭人数", "-1.50", Decimal("-1.50")),
        ("家庭人数", "1e3", Decimal("1e3")),
        *((("短信许可", word, True)) for word in ("是", "yes", "YES", "true", "1", "１")),
        *((("短信许可", word, False)) for word in ("否", "no", "False", "0")),
    ],
)
def test_a_value_is_read_by_the_type_of_the_catalogue(column: str, written: str, value: object, tmp_path: Path) -> None:
    found = one(tmp_path, column, written)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("column", "written", "reason"),
    [
        ("手机号", "1.38E+10", "was rounded by a spreadsheet"),
        ("手机号", "12345", "is not a phone number"),
        ("邮箱", "nobody", "is not an e-mail address"),
        ("性别", "其他", "is none of its words. It can be: 女, 男"),
        ("生日", "1895-01-01", "is no birthday"),
        ("生日", "2025-03-02", "is no birthday"),
        ("入职日", "2025-03-02", "is no birthday"),  # years are counted from it
        ("生日", "1990-02-30", "is not a date"),
        ("生日", "45000", "is not a date"),
        ("生日", "昨天", "is not a date"),
        ("家庭人数", "三", "is not a number"),
        ("家庭人数", "1,23", "is not a number"),
        ("家庭人数", "nan", "is not a number"),
        ("家庭人数", "9" * 39, "has more than 38 digits"),
        ("家庭人数", "1e999", "has more than 38 digits"),
        ("短信许可", "也许", "is not yes or no"),
    ],
)
def test_a_value_of_another_type_refuses_the_row_with_its_column(column: str, written: str, reason: str, tmp_path: Path) -> None:
    assert one(tmp_path, column, written).startswith(f"column '{column}': ")
    assert reason in one(tmp_path, column, written)


@pytest.mark.parametrize(("column", "written"), [("手机号", "99999"), ("邮箱", "nobody"), ("预产期", "99999")])
def test_a_reason_never_repeats_what_is_personal(column: str, written: str, tmp_path: Path) -> None:
    assert written not in one(tmp_path, column, written)


def test_a_user_has_an_id_a_beginning_a_zone_and_a_language(tmp_path: Path) -> None:
    text = "user_id,joined,timezone,locale,昵称\n'0012,2025/1/2 11:30,Asia/Tokyo,zh_CN,小王\nu-2,,,,\n"
    assert users(tmp_path, text) == [
        UserRecord("0012", datetime(2025, 1, 2, 3, 30, tzinfo=UTC), {"昵称": "小王"}, "Asia/Tokyo", "zh-CN"),
        UserRecord("u-2"),
    ]


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("user_id,昵称\n,小王\n", "user_id", "column 'user_id' is empty"),
        ("user_id\n1.38E+10\n", "user_id", "was rounded by a spreadsheet"),
        (f"user_id\n{'x' * 201}\n", "user_id", "is not an id of 1 to 200 characters"),
        ("user_id\nu\x07\n", "user_id", "is not an id"),
        ("user_id,joined\nu,2025-03-02\n", "joined", "lies in the future"),
        ("user_id,joined\nu,0001-01-01\n", "joined", "is not a time of our days"),
        ("user_id,timezone\nu,Asia/Nowhere\n", "timezone", "is not a time zone"),
        ("user_id,timezone\nu,../../etc\n", "timezone", "is not a time zone"),
        ("user_id,timezone\nu,Asia\n", "timezone", "is not a time zone"),
        ("user_id,locale\nu,中文\n", "locale", "is not a language"),
        ("user_id,昵称\nu,小王,x\n", "", "the row has 3 cells"),
    ],
)
def test_a_user_that_cannot_be_is_refused(text: str, column: str, reason: str, tmp_path: Path) -> None:
    [found] = users(tmp_path, text)
    assert isinstance(found, Rejected)
    assert (found.line, found.column) == (2, column)
    assert reason in found.reason


def test_all_that_is_wrong_with_a_row_is_said_at_once_and_the_rest_is_read(tmp_path: Path) -> None:
    bad, good = users(tmp_path, "user_id,手机号,家庭人数\nu-1,98765,三\nu-2,13800001234,3\n")
    assert isinstance(bad, Rejected) and isinstance(good, UserRecord)
    assert bad.reason.count("; ") == 1
    assert bad.raw == {"user_id": "u-1", "手机号": "98765", "家庭人数": "三"}
    assert "98765" not in repr(bad)
    assert good.attributes == {"手机号": "+8613800001234", "家庭人数": Decimal(3)}


def test_excel_numbers_and_dates_are_read_without_text(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["user_id", "手机号", "生日", "家庭人数", "短信许可", "昵称", "joined"])
    book.active.append([10012, 13800001234, datetime(1990, 5, 1), 3.5, True, 7.0, datetime(2025, 1, 2, 11, 30)])
    book.save(path)
    [found] = read_users(open_table(path), None, PROJECT, now=NOW)
    assert found == UserRecord(
        "10012",
        datetime(2025, 1, 2, 3, 30, tzinfo=UTC),
        {"手机号": "+8613800001234", "生日": date(1990, 5, 1), "家庭人数": Decimal("3.5"), "短信许可": True, "昵称": "7"},
    )


def test_a_mapping_says_only_what_differs(tmp_path: Path) -> None:
    mapping = "user_id: 会员编号\njoined: 注册时间\nattributes: {手机号: mobile, 性别: sex}\nignore: [备注]\n"
    text = "会员编号,注册时间,mobile,sex,昵称,备注,积分\nu-1,2025-01-02,13800001234,女,小王,x,7\n"
    [found] = users(tmp_path, text, mapping)
    assert found == UserRecord("u-1", datetime(2025, 1, 1, 16, 0, tzinfo=UTC), {"手机号": "+8613800001234", "性别": "女", "昵称": "小王"})
    assert unknown_columns(table(tmp_path, text), mapped(tmp_path, "users", mapping), PROJECT, "users") == ("积分",)


def test_without_a_mapping_our_names_are_taken_and_unknown_columns_reported(tmp_path: Path) -> None:
    source = table(tmp_path, "id,昵称,积分\nu-1,小王,7\n")
    assert list(read_users(source, None, PROJECT, now=NOW)) == [UserRecord("u-1", attributes={"昵称": "小王"})]
    assert unknown_columns(source, None, PROJECT, "users") == ("积分",)
    assert unknown_columns(table(tmp_path, "event,user_id,at,page,x\n"), None, PROJECT, "events") == ("x",)


@pytest.mark.parametrize(
    ("kind", "mapping", "sentence"),
    [
        ("users", "user: 会员编号", "'user' is not a key of a mapping of users. Did you mean 'user_id'?"),
        ("users", "attributes: {手机: user_id}", "the project has no '手机'. Did you mean '手机号'?"),
        ("users", "attributes: {手机号: mobil}", "the file has no column 'mobil' for '手机号'. Did you mean 'mobile'?"),
        ("users", "attributes: 手机号", "'attributes' takes lines of our name and their name"),
        ("users", "user_id: [a]", "'user_id' takes the name of one column"),
        ("users", "ignore: a", "'ignore' takes a list"),
        ("users", "user_id: a\nuser_id: b", "2: 'user_id' is written twice"),
        ("users", "- a", "a mapping is lines like"),
        ("users", "a: &x b\nc: *x", "anchors and aliases"),
        ("users", "a: [", "this is not YAML"),
        ("users", "attributes: {昵称: mobile}", "the file has no column 'user_id'. Say in a mapping which one it is"),
        ("events", "event: oder", "there is no event 'oder'. Did you mean 'order'?"),
        ("events", "event: 活跃", "'活跃' is a group of events. Write one of them: visit, order."),
        ("events", "event: {column: mobile, values: {a: oder}}", "there is no event 'oder'"),
        ("events", "event: {colum: mobile}", "'colum' cannot stand in 'event'. Did you mean 'column'?"),
        ("events", "event: {values: {a: order}}", "'column' takes the name of one column"),
        ("events", "event: order\nfields: {page: mobile}", "the project has no 'page'"),  # it is no field of an order
        ("events", "event: order", "the file has no column 'user_id'"),
        ("events", "event: order\nuser_id: mobile", "the file has no column 'at'"),
        ("events", "user_id: mobile", "the file has no column 'event'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_explained_before_anything_is_read(kind: str, mapping: str, sentence: str, tmp_path: Path) -> None:
    read: Any = users if kind == "users" else events
    with pytest.raises((BadInput, BadFile)) as caught:
        read(tmp_path, "mobile\n13800001234\n", mapping)
    assert sentence in str(caught.value)


def test_a_missing_mapping_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"nowhere\.yml: the mapping cannot be read"):
        read_mapping(tmp_path / "nowhere.yml", "users")


def test_a_lone_surrogate_in_json_becomes_a_question_mark(tmp_path: Path) -> None:
    [found] = users(tmp_path, '{"user_id": "u", "昵称": "好\\ud83d"}\n', name="a.jsonl")
    assert isinstance(found, UserRecord) and found.attributes == {"昵称": "好?"}
