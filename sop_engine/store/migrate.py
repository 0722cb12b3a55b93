"""Brings a database to the tables this version of the engine expects, and tells which revision it is at."""

from functools import cache
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text
from sqlmodel import SQLModel

from sop_engine.core.errors import Refused
from sop_engine.store import (
    benefit_tables,
    consent_tables,
    feed_tables,
    identity_tables,
    inbox_tables,
    ingest_tables,
    link_tables,
    report_tables,
    run_tables,
    safety_tables,
    tables,
    wechat_tables,
)

TABLES: MetaData = SQLModel.metadata
ROOMS_WITH_TABLES = (
    tables,
    run_tables,
    safety_tables,
    identity_tables,
    report_tables,
    ingest_tables,
    wechat_tables,
    inbox_tables,
    consent_tables,
    benefit_tables,
    link_tables,
    feed_tables,
)  # importing them fills TABLES
_AT = text("SELECT version_num FROM alembic_version")
ONE_AT_A_TIME = 7_646_901  # any number of our own: the lock under which PostgreSQL lets one process migrate


def upgrade(engine: Engine) -> list[str]:
    """Apply every missing revision in one transaction; the revisions applied, oldest first. A current database is left alone.

    Raises Refused when a newer version of the engine has upgraded it.
    """
    with engine.begin() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ONE_AT_A_TIME})
        if (at := _revision(tx)) is not None:
            _refuse(at)
        if at == head():
            return []
        config = config_for(tx)
        missing = ScriptDirectory.from_config(config).iterate_revisions("heads", at or "base")
        found = [script.revision for script in missing][::-1]
        command.upgrade(config, "heads")
    return found


def revision(engine: Engine) -> str | None:
    """The revision of the database; None for a database that was never upgraded."""
    with engine.connect() as connection:
        return _revision(connection)


def is_current(engine: Engine) -> bool:
    """Whether the database has every revision of this version of the engine."""
    return revision(engine) == head()


def is_upgraded(tx: Connection) -> bool:
    """Whether the database was ever upgraded, to whatever revision."""
    return _revision(tx) is not None


def at_head(tx: Connection) -> bool:
    """The same, within a transaction."""
    return _revision(tx) == head()


def refuse_newer(tx: Connection) -> None:
    """To be called before anything is promised in this transaction, on a database that was upgraded once.

    Raises Refused when a newer version of the engine has upgraded it since: this one would write into tables it does not know.
    """
    _refuse(tx.execute(_AT).scalar_one())


def _refuse(at: str) -> None:
    if at not in _known():
        raise Refused(
            f"the database is at {at}, which this version of the engine does not know: a newer one has upgraded it. Use that one."
        )


@cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(config_for(None)).walk_revisions())


@cache
def head() -> str | None:
    """The newest revision of this version of the engine."""
    return ScriptDirectory.from_config(config_for(None)).get_current_head()


def config_for(connection: Connection | None) -> Config:
    """What Alembic needs to know; there is no alembic.ini."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "sop_engine.store:migrations")
    return config


def is_ours(thing: Any, name: str | None, kind: str, reflected: bool, counterpart: Any) -> bool:
    """Whether migrations look after it: not the columns of user_metrics that follow the live project."""
    belongs_to_metrics = kind == "column" and thing.table.name == tables.MetricRow.__tablename__
    return not (belongs_to_metrics and reflected and counterpart is None)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
