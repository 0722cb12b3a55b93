"""Migrations make the tables the code expects, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from sop_engine.store.engine import open_engine
from sop_engine.store.migrate import TABLES, config_for, is_current, is_ours, revision, upgrade
from tests.conftest import Databases


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def empty(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database without a table."""
    if request.param == "sqlite":
        engine = open_engine("sqlite://")
        yield engine
        engine.dispose()
        return
    databases: Databases = request.getfixturevalue("migrated_postgres")
    engine = open_engine(databases.create(databases.prefix + "_empty"))
    yield engine
    engine.dispose()
    databases.drop(databases.prefix + "_empty")


def differences(engine: Engine) -> list[Any]:
    """What the tables say and the database does not have, or the other way round."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_ours, "compare_server_default": True})
        return list(compare_metadata(context, TABLES))


def test_a_fresh_database_is_upgraded_through_every_revision(empty: Engine) -> None:
    assert revision(empty) is None
    assert not is_current(empty)
    applied = upgrade(empty)
    assert applied[:2] == ["0001", "0002"]
    assert revision(empty) == applied[-1]
    assert is_current(empty)


def test_upgrading_a_current_database_does_nothing(engine: Engine) -> None:
    assert is_current(engine)
    assert upgrade(engine) == []


def test_migrations_make_exactly_the_tables_of_the_code(engine: Engine) -> None:
    assert differences(engine) == []
    assert set(inspect(engine).get_table_names()) == {*TABLES.tables, "alembic_version"}


def test_the_columns_that_follow_the_live_project_are_not_the_business_of_migrations(engine: Engine) -> None:
    with engine.begin() as tx:
        tx.execute(text("ALTER TABLE user_metrics ADD COLUMN m_0123456789 INTEGER"))
    assert differences(engine) == []


def test_a_column_nobody_asked_for_is_noticed_elsewhere(engine: Engine) -> None:
    with engine.begin() as tx:
        tx.execute(text("ALTER TABLE runs ADD COLUMN stray INTEGER"))
    assert [change[0] for change in differences(engine)] == ["remove_column"]


def test_partial_indexes_keep_their_condition(engine: Engine) -> None:
    wanted = {"ix_touches_due": "planned", "ix_touches_lease": "sending", "ix_events_ref": "ref IS NOT NULL"}
    if engine.dialect.name == "sqlite":
        question = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        question = "SELECT indexname, indexdef FROM pg_indexes"
    with engine.connect() as connection:
        made = {name: str(sql) for name, sql in connection.execute(text(question))}
    assert all("WHERE" in made[name] and words in made[name] for name, words in wanted.items())


def test_every_test_has_a_database_of_its_own(engine: Engine) -> None:
    with engine.begin() as tx:
        assert tx.execute(text("SELECT count(*) FROM marks")).scalar_one() == 0
        tx.execute(text("INSERT INTO marks (name, value) VALUES ('a', 'b')"))


test_and_the_next_one_finds_it_empty = test_every_test_has_a_database_of_its_own


@pytest.mark.server
def test_changes_of_touches_are_noted_row_by_row_for_a_join_of_all_takes_the_square_of_their_number(migrated_postgres: Databases) -> None:
    engine = open_engine(migrated_postgres.copy())
    with engine.connect() as tx:
        sql = "SELECT tgtype::int & 1, tgnewtable IS NULL FROM pg_trigger WHERE tgname = 'touches_note_changes'"
        assert tx.execute(text(sql)).one() == (1, True)
    engine.dispose()
    migrated_postgres.drop(str(engine.url.database))


def test_tasks_that_were_open_before_they_were_escalated_know_their_channel(empty: Engine) -> None:
    with empty.begin() as tx:
        command.upgrade(config_for(tx), "0005")
        named = "id, run_id, user_id, flow, step, occurrence, state, due_at, first_due_at, late_at, rank, epoch, attempts, channel"
        day = "'2025-06-01'"
        tx.execute(text(f"INSERT INTO touches ({named}) VALUES (7, 1, 1, 'f', 's', '0', 'sent', {day}, {day}, {day}, 1, 0, 0, 'desk')"))
        task = (
            f"INSERT INTO tasks (key, touch_id, user_id, assignee, text, state, created_at) VALUES (:key, :touch, 1, '', '', :state, {day})"
        )
        for key, touch, state in (("a", 7, "open"), ("b", 7, "done"), ("c", None, "open")):
            tx.execute(text(task), {"key": key, "touch": touch, "state": state})
    assert "0006" in upgrade(empty)
    with empty.begin() as tx:
        found = {row.key: row.channel for row in tx.execute(text("SELECT key, channel FROM tasks"))}
    assert found == {"a": "desk", "b": None, "c": None}


def test_refusals_of_before_become_lines_of_the_ledger_and_stand_for_every_topic(empty: Engine) -> None:
    with empty.begin() as tx:
        command.upgrade(config_for(tx), "0007")
    with empty.begin() as tx:
        tx.execute(text("INSERT INTO opt_outs (user_id, channel, at, source, turn) VALUES (7, 'sms', '2025-03-01 02:00:00', 'reply', 3)"))
    upgrade(empty)
    with empty.connect() as connection:
        assert [tuple(r) for r in connection.execute(text("SELECT user_id, channel, topic, source, turn FROM opt_outs"))] == [
            (7, "sms", "*", "reply", 3)
        ]
        lines = connection.execute(text("SELECT user_id, channel, topic, state, source, turn FROM consents"))
        assert [tuple(r) for r in lines] == [(7, "sms", "*", "withdrawn", "reply", 3)]
