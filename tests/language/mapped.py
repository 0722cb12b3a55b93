"""A small catalogue, and rows of users and events read with it from a file a test writes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sop_engine.core.catalog import Attribute, Event, Field
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project, Settings
from sop_engine.core.records import EventRecord, Rejected, UserRecord
from sop_engine.language.mapping import read_events, read_mapping, read_users
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
