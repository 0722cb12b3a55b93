"""F44: the state machine over the real actions finds nothing that the reference does not know."""

import sqlite3

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.model import Sending


@pytest.mark.slow
def test_f44_whatever_rules_are_applied_in_whatever_order_the_reference_agrees(migrated_sqlite: sqlite3.Connection) -> None:
    Sending.migrated = migrated_sqlite
    quiet = settings(max_examples=15, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Sending, settings=quiet)
