"""The kinds of columns the tables are made of."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Integer, Numeric, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

PERSONAL: dict[str, Any] = {"personal": True}
BigKey = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")
Money = Numeric(18, 6)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC for the database; without the zone on SQLite, which has none."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def key_column() -> Any:
    return Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))


def instant(*, null: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Instant, nullable=null, index=index))


def user_column(*, primary: bool = False, index: bool = False) -> Any:
    """An id of another table, set by us."""
    return Field(sa_column=Column(BigKey, primary_key=primary, nullable=False, index=index, autoincrement=False))


def json_column(*, personal: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Json, nullable=True, info=PERSONAL if personal else {}))


def reference(*, null: bool = True, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(BigKey, nullable=null, index=index))


def table_of(row: type[SQLModel]) -> Table:
    """The table a row class stands for."""
    return SQLModel.metadata.tables[str(row.__tablename__)]
