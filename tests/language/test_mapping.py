"""Holds the import of users and events: types of the catalogue, foreign names, and files that are read twice."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from sop_engine.core.catalog import Attribute, Event, Field
from sop_engine.core.errors import BadFile, BadInput
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project, Settings
from sop_engine.core.records import EventRecord, Rejected, UserRecord
from sop_engine.language.mapping import read_events, read_mapping, read_users, unknown_columns
from sop_engine.language.occurrences import Occurrences
from sop_engine.language.tables import Table, open_table

NOW = datetime(2025, 3, 1, 2, 0, tzinfo=UTC)  # 10:00 in Shanghai


def attribute(name: str, kind: str, *, words: tuple[str, ...] = (), sensitive: bool = False) -> tuple[str, Attribute]:
    return name, Attribute(name, kind, words, sensitive)


def event(name: str, **fields: str) -> tuple[str, Event]:
    return name, Event(name, {field: Field(field, kind) for field, kind in fields.items()})


PROJECT = Project(
    Settings("某品牌", "Asia/Shanghai"),
    attributes=dict(
        [
            attribute("昵称", "text"),
            attribute("手机号", "phone"),
            attribute("邮箱", "email"),
            attribute("性别", "words", words=("女", "男")),
            attribute("生日", "date"),
            attribute("入职日", "date"),
            attribute("预产期", "date", sensitive=True),
            attribute("家庭人数", "number"),
            attribute("短信许可", "flag"),
        ]
    ),
    events=dict(
        [
            event("order", order_id="text", amount="number", category="text"),
            event("refund", order_id="text", amount="number"),
            event("visit", page="text"),
        ]
    ),
    groups={"活跃": ("visit", "order")},
    metrics={"工龄": Metric("工龄", "years_since", "number", of=("入职日",))},
)


def table(folder: Path, text: str, name: str = "a.csv") -> Table:
    path = folder / name
    path.write_text(text, "utf-8")
    return open_table(path)


def users(folder: Path, text: str, mapping: str = "", name: str = "a.csv") -> list[UserRecord | Rejected]:
    return list(read_users(table(folder, text, name), mapped(folder, "users", mapping), PROJECT, now=NOW))


def events(folder: Path, text: str, mapping: str = "", name: str = "a.csv") -> list[EventRecord | Rejected]:
    return list(read_events(table(folder, text, name), mapped(folder, "events", mapping), PROJECT, now=NOW))


def mapped(folder: Path, kind: str, text: str) -> Any:
    (folder / "map.yml").write_text(text, "utf-8")
    return read_mapping(folder / "map.yml", kind) if text else None


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


def test_events_of_one_kind_are_read_with_foreign_names(tmp_path: Path) -> None:
    mapping = "event: order\nuser_id: 会员\nat: 时间\nmessage_id: 流水\nfields: {order_id: basket_id, amount: sales}\n"
    [found] = events(tmp_path, "会员,时间,流水,basket_id,sales,category\nu-1,2025/1/2 11:30,m-7,b-1,19.90,酒\n", mapping)
    assert found == EventRecord(
        "m-7",
        "u-1",
        "order",
        datetime(2025, 1, 2, 3, 30, tzinfo=UTC),
        {"order_id": "b-1", "amount": Decimal("19.90"), "category": "酒"},
    )


def test_a_column_says_the_kind_and_what_is_skipped_is_left_out(tmp_path: Path) -> None:
    mapping = "event: {column: type, values: {购买: order, 退款: refund}, skip: [曝光]}\n"
    rows = ["购买,u,2025-01-02,o,9,x", "曝光,u,2025-01-02,,,", "退款,u,2025-01-03,o,-9,", "visit,u,2025-01-04,,,首页"]
    text = "\n".join(["type,user_id,at,order_id,amount,page", *rows])
    found = [(e.event, dict(e.fields)) for e in events(tmp_path, text, mapping) if isinstance(e, EventRecord)]
    assert found == [
        ("order", {"order_id": "o", "amount": Decimal(9)}),
        ("refund", {"order_id": "o", "amount": Decimal(-9)}),
        ("visit", {"page": "首页"}),
    ]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("oder,u,2025-01-02,9,", "event", "there is no event 'oder'. Did you mean 'order'?"),
        ("活跃,u,2025-01-02,9,", "event", "'活跃' is a group of events"),
        (",u,2025-01-02,9,", "event", "column 'event' is empty"),
        ("order,,2025-01-02,9,", "user_id", "column 'user_id' is empty"),
        ("order,u,,9,", "at", "column 'at' is empty"),
        ("order,u,2025-03-01 10:06,9,", "at", "lies in the future"),
        ("order,u,1970-01-01,9,", "at", "lies before 1990"),
        ("order,u,45000,9,", "at", "is not a date"),
        ("order,u,2025-01-02,-9,", "amount", "is negative"),
        ("order,u,2025-01-02,9,robot", "actor", "is no actor. It can be: user, staff, system"),
    ],
)
def test_an_event_that_cannot_be_is_refused(row: str, column: str, reason: str, tmp_path: Path) -> None:
    [found] = events(tmp_path, f"event,user_id,at,amount,actor\n{row}\n")
    assert isinstance(found, Rejected)
    assert (found.line, found.column) == (2, column)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2025-01-02T03:04:05Z", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2025-01-02T03:04:05.123+08:00", datetime(2025, 1, 1, 19, 4, 5, 123000, tzinfo=UTC)),
        ("2025-01-02 03:04:05 +0800", datetime(2025, 1, 1, 19, 4, 5, tzinfo=UTC)),
        ("2025-01-02 03:04", datetime(2025, 1, 1, 19, 4, tzinfo=UTC)),
        ("2025/1/2 3:04", datetime(2025, 1, 1, 19, 4, tzinfo=UTC)),
        ("2025.1.2", datetime(2025, 1, 1, 16, 0, tzinfo=UTC)),
        ("2025年1月2日 03:04", datetime(2025, 1, 1, 19, 4, tzinfo=UTC)),
        ("２０２５－０１－０２ ０３：０４", datetime(2025, 1, 1, 19, 4, tzinfo=UTC)),
        ("20250102T030405Z", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2025-03-01 10:05", datetime(2025, 3, 1, 2, 5, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_the_projects(written: str, at: datetime, tmp_path: Path) -> None:
    [found] = events(tmp_path, f"event,user_id,at\nvisit,u,{written}\n")
    assert isinstance(found, EventRecord), found
    assert found.at == at and found.at.tzinfo is UTC


def ids(found: Sequence[EventRecord | Rejected]) -> list[str]:
    return [e.message_id for e in found if isinstance(e, EventRecord)]


def test_the_same_file_twice_gives_the_same_ids_and_two_equal_rows_are_two_events(tmp_path: Path) -> None:
    text = "event,user_id,at\nvisit,u,2025-01-02\nvisit,u,2025-01-02\nvisit,v,2025-01-02\n"
    first = ids(events(tmp_path, text))
    assert len(set(first)) == 3
    assert ids(events(tmp_path, text)) == first
    assert ids(events(tmp_path, text + "visit,u,2025-01-02\n"))[:3] == first
    moved = "at,user_id,event\n2025-01-02,v,visit\n2025-01-02,u,visit\n2025-01-02,u,visit\n"
    assert sorted(ids(events(tmp_path, moved))) == sorted(first)


def test_one_row_read_as_two_kinds_is_two_events(tmp_path: Path) -> None:
    text = "user_id,at\nu,2025-01-02\n"
    assert ids(events(tmp_path, text, "event: visit")) != ids(events(tmp_path, text, "event: order"))


def test_a_long_message_id_is_shortened_and_stays_its_own(tmp_path: Path) -> None:
    text = f"event,user_id,at,message_id\nvisit,u,2025-01-02,{'x' * 100}\nvisit,u,2025-01-02,{'x' * 101}\nvisit,u,2025-01-02,{'x' * 102}\n"
    first, second, third = ids(events(tmp_path, text))
    assert (first, second[:2], len(set([first, second, third]))) == ("x" * 100, "h:", 3)


def test_json_lines_may_name_columns_that_come_later(tmp_path: Path) -> None:
    mapping = "event: order\nuser_id: user.id\nat: ts\nfields: {amount: properties.total}\n"
    lines = [{"user": {"id": 7}, "ts": "2025-01-02T00:00:00Z"}] * 150
    lines.append({"user": {"id": 8}, "ts": "2025-01-02T00:00:00Z", "properties": {"total": 19.9}})
    found = events(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), mapping, "a.jsonl")
    assert isinstance(found[-1], EventRecord)
    assert (found[0].user_key, dict(found[-1].fields)) == ("7", {"amount": Decimal("19.9")})  # type: ignore[union-attr]


def test_a_lone_surrogate_in_json_becomes_a_question_mark(tmp_path: Path) -> None:
    [found] = users(tmp_path, '{"user_id": "u", "昵称": "好\\ud83d"}\n', name="a.jsonl")
    assert isinstance(found, UserRecord) and found.attributes == {"昵称": "好?"}


def test_equal_rows_are_numbered_and_different_ones_are_all_the_first() -> None:
    seen = Occurrences()
    digests = [bytes([number]) * 16 for number in range(5)]
    assert [seen.number(d) for d in digests] == [0] * 5
    assert [seen.number(digests[3]) for _ in range(3)] == [1, 2, 3]
