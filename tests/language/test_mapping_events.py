"""Holds the import of events: kinds, fields, times without an offset, and files that are read twice."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sop_engine.core.records import EventRecord, Rejected
from sop_engine.language.occurrences import Occurrences
from tests.language.mapped import events


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
    assert (found[0].user_key, dict(found[-1].fields)) == ("7", {"amount": Decimal("19.9")})


def test_equal_rows_are_numbered_and_different_ones_are_all_the_first() -> None:
    seen = Occurrences()
    digests = [bytes([number]) * 16 for number in range(5)]
    assert [seen.number(d) for d in digests] == [0] * 5
    assert [seen.number(digests[3]) for _ in range(3)] == [1, 2, 3]
